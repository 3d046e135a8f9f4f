"""One process that decodes, as the process that asks sees it: where it is, when it hangs, and how it ended."""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import Any

NUMBER = struct.Struct("q")
NONE = -1
"""What a process says it is at before its first image."""


@dataclass(frozen=True)
class Lost:
    """A process ended, or was ended because it hung.

    Args:
        number: Which image of the piece it was at; -1 if it hadn't begun.
        reason: What happened, for people.
        timed_out: Whether it took too long.
    """

    number: int
    reason: str
    timed_out: bool = False


class DecodeProcess:
    """A process of its own, started as a program.

    multiprocessing would run the caller's script again in it: this way a script without a `__main__` guard, a
    notebook and standard input all work. The process notes the number of the image it is at in a few bytes of shared
    memory, so that a crash or a hang can be laid to an image without a message for each.
    """

    def __init__(self) -> None:
        file, self._place = tempfile.mkstemp(prefix="deft-at-")
        os.write(file, NUMBER.pack(NONE))
        self._at = mmap.mmap(file, NUMBER.size)
        os.close(file)
        self._lock = threading.Lock()
        self._limit: float | None = None  # seconds, while it is working
        self._seen, self._since = NONE, 0.0
        self._timed_out = False
        program = f"import sys; sys.path[:] = {sys.path!r}; from deft.training.decode_worker import main; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, self._place],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # C libraries inside decoders write there
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.returncode

    def ask(self, question: Any, limit: float) -> Any:
        """Return its answer, or `Lost`.

        Args:
            question: A piece of work.
            limit: Seconds that it may be at one image.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._at[:] = NUMBER.pack(NONE)
            self._seen, self._since, self._limit = NONE, time.monotonic(), limit
        try:
            pickle.dump(question, self._process.stdin, protocol=pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()
            return pickle.load(self._process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            return self._lost(limit)
        finally:
            with self._lock:
                self._limit = None

    def look(self) -> None:
        """End the process if it has been at one image for too long."""
        with self._lock:
            if self._limit is None:
                return
            number, now = self._number(), time.monotonic()
            if number != self._seen:
                self._seen, self._since = number, now
            elif now - self._since > self._limit and number != NONE:
                self._timed_out = True
                self._process.kill()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def close(self) -> None:
        """Wait for its end and let go of everything."""
        self._process.communicate()
        self._at.close()
        with contextlib.suppress(OSError):
            os.unlink(self._place)

    def _number(self) -> int:
        return int(NUMBER.unpack(self._at[:])[0])

    def _lost(self, limit: float) -> Lost:
        number, status = self._number(), self._process.wait()
        if self._timed_out:
            return Lost(number, f"took longer than {limit:g} s to read and decode", timed_out=True)
        return Lost(number, f"ends the process that decodes it ({_how(status)})")


def _how(status: int) -> str:
    """Return how a process ended, in words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"{name}, most likely for want of memory" if name == "SIGKILL" else name
