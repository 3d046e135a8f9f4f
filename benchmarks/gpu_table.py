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
classes, 64 images a step. A step's batch lies on the card already. "From files" is the same with deft's own loading:
each batch read when its turn has come, or one batch ahead by a thread; the ways take turns in one process, and differ
by 5 % where nothing makes them differ. The share is of the rate of a product of two 8192 × 8192 matrices in bfloat16,
in the same run; memory is the most that PyTorch held since the part of the benchmark began.
"""
BELOW = """\
- Where weights learn, deft reads one batch ahead. In the second phase the card waits for 12 % of the time without it,
  and not at all with it. In the first phase it waits in neither way: a step takes longer than reading its batch.
- Where deft only looks (a frozen pass, scores, predictions), reading ahead was no faster, so batches are read in turn.
  There the card waits for a quarter of the time.
- In the first phase the card computes for 29 % of the time, in 2 485 pieces a step: it waits for the processor, which
  launches them. In the second phase it computes for 73 %.
- Decoding is slower than a frozen pass by more than eight times, on 16 cores. It happens once a run.
- Of a detection as typed of 2 000 photos, weighing the labels takes 84 %. It runs on the processor, in many small
  steps, and a card makes it no faster. Its derivatives were written out after that, which wasn't measured there.
  Decoding, looking and learning the prompts take ten of 64 seconds.
- Compiling the image tower (`torch.compile`) would make a frozen pass 1.44 times as fast, for 18 s of compiling, with
  all weights in bfloat16. deft doesn't compile.
- Not measured, for want of time: detection with `tiny`, several GPUs, and other cards.

## What was tested there

`python -m pytest tests/gpu` has 61 tests; elsewhere they are skipped. 48 of them passed at commit ed8d363:

- DeFT's verdicts beside the CPU's: a frozen image tower, visual prompts and LoRA, each in float32, bfloat16 and
  float16; `label-match` in float32. A detector that learned on one device judges alike on the other; the same seed
  gives the same verdicts; a small batch those of a large one; a detection leaves nothing in the card's memory.
- AUM, CLIPCleaner, LEMoN, neighbours and small-loss run.
- Eight methods train: cross-entropy, GCE, truncated GCE, SCE, ELR, GMM, co-teaching and RoLT.
- Resumed runs equal unbroken ones in the three number formats, on this device or the other; the loop learns what it
  learns on the CPU; batches that are read ahead are those that are read in turn, bit for bit; NCCL carries what
  processes exchange, in one process.
- A saved model gives the same answers on the CPU: all weights, visual prompts and LoRA, each in float32, bfloat16 and
  float16; a ConvNeXt of the Hub's form as well.

Seven others passed at commit f49d517 or 04f430c: UNICON trains; `deft detect`, `adapt` and `predict` take the card by
themselves; `deft doctor` finds it and trusts it; `torchrun` with one process runs; a full card (two tests), and a card
that isn't there, are one sentence. At ed8d363 two of them failed, because that machine's Typer is older than the one
that deft asks for, and the others had no time.

Six have passed on no card:

- LongReMix, ProMix and TURN trained past the test's time limit beside other work on that machine, or had no time. The
  first two ran on this card to the end in table 3 of [benchmarks](benchmarks.md).
- confident-learning failed, and its message didn't come back; it needs cleanlab, without which the test is now
  skipped.
- That training leaves other draws of the card alone: the test's own set-up drew on the card. The test is mended.
- More processes than GPUs, refused or on the CPU: tested on machines without a GPU
  (`tests/training/test_processes.py`).
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
