"""The page on GPUs, docs/gpu.md, from benchmarks/results/gpu.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ABOUT = """# On a GPU

`--device auto` takes the first GPU that PyTorch finds, `--precision auto` bfloat16 where the card has it in hardware,
and otherwise float16. `deft doctor` names the cards and compares a card's arithmetic with the processor's; on the card
below, the largest difference of a feature is 3.4e-4. Of several processes each takes a card of its own
([several processes](processes.md)).

## Images a second

Measured once, on a card that was lent for fifteen minutes. The model has CLIP ViT-B/16's size and random weights, 100
classes, 64 images a step. A step's batch lies on the card already; "from files" is the same with deft's own loading.
The share is of the rate of a product of two 8192 × 8192 matrices in bfloat16, in the same run; memory is the most that
PyTorch held since the part of the benchmark began. While the first table was measured, tests that had been ended may
still have held the same card and cores for a while, so a machine of one's own may be faster.
"""
BELOW = """- Once photos are decoded, reading them alone is faster than training. The card still waits for a fifth of
  the time where batches come from files.
- Phase 1 takes 6 % of what the card can do, the second phase 25 %. What holds it back was not measured.
- Decoding is slower than a frozen pass by eight times, on 16 cores. It happens once a run.
- Detection as typed takes longer than its parts here: reading 2 000 photos and looking at them are some three of its
  29 seconds. The rest is learning the prompts and weighing the labels; how much each of them takes was not measured.
- Not measured, for want of time: what `torch.compile` of the image tower would give (deft doesn't compile), detection
  with `tiny`, several GPUs (NCCL), and other cards.

## What was tested there

`python -m pytest tests/gpu` has 60 tests; elsewhere they are skipped. In the time that there was, these passed:

- Nine of twelve methods train: cross-entropy, GCE, truncated GCE, SCE, ELR, GMM, co-teaching, RoLT and UNICON.
  LongReMix and ProMix ran on this card to the end in table 3 of [benchmarks](benchmarks.md).
- A saved model gives the same answers on the CPU: all weights, visual prompts and LoRA, each in float32, bfloat16 and
  float16; a ConvNeXt of the Hub's form as well.
- `deft detect`, `adapt` and `predict` take the card by themselves; `deft doctor` finds it and trusts it; `torchrun`
  with one process runs.
- A full card, and a card that isn't there, are one sentence.
- `label-match` gives the CPU's verdicts in float32.

Two more were mended and have not run on a card since. LongReMix was tested with one epoch, where it needs two. Two
processes on the CPU of a machine with one GPU waited for each other with the help of a second GPU: that is mended, and
tested on machines without one (`tests/training/test_processes.py`). The others, among them most of DeFT's verdicts
beside the CPU's, resumed runs and NCCL, had no time to run.
"""


def gpu_page(path: Path) -> str:
    """Return the page's text.

    Args:
        path: Of what `python -m benchmarks.gpu` wrote, for each time that it ran.
    """
    lines = ABOUT.splitlines()
    for call in json.loads(path.read_text(encoding="utf-8"))["calls"]:
        lines += [
            "",
            f"{call['card']}, {call['cores']} cores, torch {call['torch']}, commit {call['commit']}; the product of "
            f"matrices: {call['tflops']:.0f} TFLOP/s.",
            "",
            "| what | images/s | Gflop an image | share of the card's rate | GB | |",
            "|---|--:|--:|--:|--:|---|",
            *(_row(row) for row in call["rows"]),
            "",
            f"    {call['command']}",
        ]
    return "\n".join([*lines, "", *BELOW.splitlines(), ""])


def _row(row: Mapping[str, Any]) -> str:
    work = f"{row['work']:.1f}" if row["work"] else ""
    share = f"{row['share']:.0%}" if row["share"] else ""
    memory = f"{row['memory']:.1f}" if row["memory"] else ""
    return f"| {row['what']} | {row['rate']:,.0f} | {work} | {share} | {memory} | {row['note']} |"
