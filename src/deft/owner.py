"""Which process made something, and whether it is still there: told by its number and its start, on its machine."""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

_MARK = re.compile(r"([0-9a-f]{8})-(\d+)-(\d+)")


@dataclass(frozen=True)
class Owner:
    """A process.

    Args:
        host: Name of its machine.
        pid: Its number there.
        start: When it started, in the system's own ticks; 0 where the system doesn't say.
    """

    host: str
    pid: int
    start: int

    @property
    def mark(self) -> str:
        """A short text for the names of files that only this process writes."""
        return f"{crc32(self.host.encode()):08x}-{self.pid}-{self.start}"

    @property
    def runs(self) -> bool:
        """Whether the process is still there; on another machine nobody can tell, so yes.

        A number is given to another process some day: one that started at another time is not this one.
        """
        if self.host != socket.gethostname():
            return True
        return _runs(self.pid, self.start)


def this_process() -> Owner:
    """Return the process that asks."""
    return Owner(socket.gethostname(), os.getpid(), _start_of(os.getpid()) or 0)


def is_left_over(name: str) -> bool:
    """Return whether a file's name carries the mark of a process of this machine that isn't there any more.

    Args:
        name: Of the file.
    """
    found = _MARK.search(name)
    if found is None or found[1] != this_process().mark[:8]:
        return False
    return not _runs(int(found[2]), int(found[3]))


def _runs(pid: int, start: int) -> bool:
    now = _start_of(pid)
    if now is not None:
        return start in (0, now)
    if sys.platform.startswith("linux") or os.name == "nt":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _start_of(pid: int) -> int | None:
    """Return when a process started; None if there is none of that number, or nobody says."""
    if os.name == "nt":
        return _start_on_windows(pid)
    try:
        # The name of the program, in brackets, may hold anything, brackets too.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _start_on_windows(pid: int) -> int | None:
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
    if not handle:
        return None
    times = [ctypes.c_ulonglong() for _ in range(4)]
    told = kernel.GetProcessTimes(handle, *map(ctypes.byref, times))
    kernel.CloseHandle(handle)
    return int(times[0].value) if told and not times[1].value else None


def in_words(seconds: float) -> str:
    """Return a moment for people, in this machine's time.

    Args:
        seconds: Since 1970.
    """
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
