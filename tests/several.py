"""Real processes that know of each other, as `torchrun` starts them, without each importing everything anew."""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HEAVY = ["torch", "accelerate", "pandas", "deft.detectors.deft", "deft.encoders.clip", "deft.training.loop"]


def together(count: int, work: Callable[..., None], *given: Any) -> list[int | None]:
    """Run a function of a module in several processes at once; their exit codes.

    Args:
        count: Number of processes.
        work: Called in each of them.
        given: What it is called with.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(HEAVY)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    places = [_place(rank, count, port) for rank in range(count)]
    started = [context.Process(target=_run, args=(place, work, given)) for place in places]
    for process in started:
        process.start()
    for process in started:
        process.join(300)
    codes = [process.exitcode for process in started]
    for process in started:
        process.kill()
    return codes


def command(folder: Path, words: tuple[str, ...]) -> None:
    """Run deft's command line, as the function of `together`; what it prints goes to files in a folder."""
    rank = os.environ.get("RANK", "0")
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / f"{name}-{rank}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ["deft", *words]
    from deft.cli.app import run

    run()


def _place(rank: int, count: int, port: int) -> dict[str, str]:
    there = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    return {**there, **{name: str(value) for name, value in numbers.items()}} if count > 1 else there


def _run(place: dict[str, str], work: Callable[..., None], given: tuple[Any, ...]) -> None:
    os.environ.update(place)
    import torch

    torch.set_num_threads(1)
    work(*given)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # such a process leaves without what `atexit` would do
