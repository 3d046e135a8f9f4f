"""What lies around a command: its standard streams, which may end or be missing, and the signals that stop it."""

from __future__ import annotations

import functools
import io
import os
import shutil
import signal
import sys
import textwrap
from types import FrameType
from typing import Any, NoReturn

SIGNALS = ("SIGTERM", "SIGHUP")


class Stopped(KeyboardInterrupt):
    """Somebody asked the process to end.

    Args:
        number: Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Lasting(io.FileIO):
    """A stream whose reader may go away, as `head` does: what is written after that is dropped, the work goes on."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(memoryview(data).cast("B"))


def prepare_streams() -> None:
    """Make standard output and error last to the end: names of any kind, a reader that goes away, or no stream."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller, as with >&-
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (it stays open to the end)
            continue
        try:
            raw = _Lasting(stream.fileno(), "w", closefd=False)
        except (OSError, ValueError, AttributeError):  # a stream of a test, or of a notebook
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
            continue
        stream.flush()
        lines = stream.line_buffering or name == "stderr"
        made = io.TextIOWrapper(
            io.BufferedWriter(raw), stream.encoding, errors="backslashreplace", line_buffering=lines
        )
        setattr(sys, name, made)


def tell(sentence: str) -> None:
    """Write a sentence on standard error; a terminal's lines end between words, a path stays whole.

    Args:
        sentence: Printable.
    """
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        sentence = textwrap.fill(sentence, width, break_long_words=False, break_on_hyphens=False)
    print(sentence, file=sys.stderr, flush=True)


def end_streams() -> None:
    """Write out what is still waiting, so that a full disk behind `>` is an error and not silence.

    Raises:
        OSError: It can't be written.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def drop_streams() -> None:
    """Let go of what can't be written, so that the interpreter doesn't try again at its end."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (it stays open to the end)


def heed_signals() -> None:
    """Let signals that end a process end it in order, as Ctrl-C does; a second one ends it at once.

    Processes that are forked from this one end at once: a pool ends its workers by SIGTERM and then waits for them.
    """
    for number in _numbers():
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores one of them
            signal.signal(number, _stop)
    _follow_forks()


def _numbers() -> list[int]:
    return [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)
    raise Stopped(number)


@functools.cache
def _follow_forks() -> None:
    """Forget the handlers in forked processes; a signal that comes meanwhile waits, since Python would lose it."""
    if not hasattr(os, "register_at_fork"):
        return

    def hold() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _numbers())

    def release() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _numbers())

    def forget() -> None:
        for number in _numbers():
            if signal.getsignal(number) is _stop:
                signal.signal(number, signal.SIG_DFL)
        release()

    os.register_at_fork(before=hold, after_in_parent=release, after_in_child=forget)
