"""`--processes N`: the same command in several processes on this machine, which end together."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from deft.training.processes import Processes

COUNT, RANK = "WORLD_SIZE", "RANK"
TICK = 0.1  # seconds between two looks at the processes
MORE = 3  # exit code of `--fail-on-issues`, with which all processes end
GRACE = 10.0  # seconds that the others have to end once one has
ENDED = 2  # exit code where a process ended without one of its own
ALONE = 75  # exit code of a process that ends because another has: it isn't the one to name


def rank_here() -> int:
    """Return which of several processes this is; 0 for one alone."""
    return int(os.environ.get(RANK, "0")) if is_one_of_several() else 0


def is_one_of_several() -> bool:
    """Return whether `torchrun`, `accelerate launch` or `--processes` started this process among others."""
    try:
        return int(os.environ.get(COUNT, "1")) > 1
    except ValueError:
        return False


def share_work(context: typer.Context, count: int) -> None:
    """Start what `--processes` asks for, wait, and leave; nothing in one of them, or where one is enough.

    Args:
        context: Of the command, which holds what was typed.
        count: What `--processes` says.

    Raises:
        Exit: The processes have ended; with their exit code.
    """
    if count > 1 and not is_one_of_several():
        raise typer.Exit(launch(context.meta["deft.typed"], count))


def processes_here(device: str) -> Processes:
    """Return the processes that share the work, of which this is one.

    Args:
        device: What `--device` says.
    """
    from deft.training.processes import Processes

    if not is_one_of_several():
        return Processes()
    from deft.encoders.load import choose_device

    return Processes.current(choose_device(device))


def launch(typed: Sequence[str], count: int) -> int:
    """Run a command in several processes until all have ended, and return the exit code of them all.

    When one ends in an error, the others are ended too, and what it said is shown.

    Args:
        typed: The command, without `deft`.
        count: Number of processes.
    """
    port = _free_port()
    started: list[_Started] = []
    try:
        for rank in range(count):
            started.append(_start(typed, rank, count, port))
        return _watch(started)
    except KeyboardInterrupt as stop:
        number = getattr(stop, "number", signal.SIGINT)
        _end(started, number)
        return 128 + int(number)
    finally:
        _end(started, signal.SIGTERM)
        for one in started:
            one.said.close()


@dataclass(frozen=True)
class _Started:
    """A process, and the file of what it says on standard error; process 0 says it directly."""

    rank: int
    process: subprocess.Popen[bytes]
    said: IO[bytes]


def _start(typed: Sequence[str], rank: int, count: int, port: int) -> _Started:
    place = {COUNT: str(count), RANK: str(rank), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(count)}
    there = {**os.environ, **place, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    said = tempfile.TemporaryFile(prefix="deft-said-")  # noqa: SIM115 (closed by who started it)
    streams = {} if rank == 0 else {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": said}
    # In a session of its own, so that Ctrl-C reaches it once, from here.
    process = subprocess.Popen([sys.executable, "-m", "deft", *typed], env=there, start_new_session=True, **streams)  # type: ignore[call-overload]
    return _Started(rank, process, said)


def _watch(started: Sequence[_Started]) -> int:
    """Wait until all have ended, or one has ended in an error; the exit code of them all."""
    while True:
        codes = [one.process.poll() for one in started]
        if any(code not in (None, 0, MORE) for code in codes):
            return _explain(started)
        if None not in codes:
            return max(code for code in codes if code is not None)
        time.sleep(TICK)


def _explain(started: Sequence[_Started]) -> int:
    """Say why the run ends, unless process 0 has said it, and end the others; the exit code."""
    until = time.monotonic() + GRACE
    while time.monotonic() < until and not any(_is_cause(one) for one in started):
        time.sleep(TICK)
    failed = next((one for one in started if _is_cause(one)), started[0])
    code = failed.process.poll() or ENDED
    _end(started, signal.SIGTERM)
    if failed.rank == 0 and code > 0:
        return code
    failed.said.seek(0)
    said = failed.said.read().decode("utf-8", "replace").strip().splitlines()
    why = f"exit code {code}" if code > 0 else f"signal {-code}"
    told = f"; it said: {said[-1]}" if said else ""
    typer.echo(
        f"deft: Process {failed.rank} of {len(started)} has ended ({why}), so the others were ended{told}", err=True
    )
    return code if code > 0 else ENDED


def _is_cause(one: _Started) -> bool:
    """Return whether a process has ended in an error of its own."""
    return one.process.poll() not in (None, 0, MORE, ALONE)


def _end(started: Sequence[_Started], number: int) -> None:
    """End processes, at first politely."""
    for one in started:
        if one.process.poll() is None:
            one.process.send_signal(number)
    until = time.monotonic() + GRACE
    for one in started:
        with contextlib.suppress(subprocess.TimeoutExpired):
            one.process.wait(max(until - time.monotonic(), TICK))
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
