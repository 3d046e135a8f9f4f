"""A Ray cluster that is joined, or started on this machine, without a word of Ray's own in the terminal."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from deft.errors import SettingsError

ADDRESS = "RAY_ADDRESS"
HERE = "local"  # a new cluster; Ray would look for one of earlier times, and wait for it if it was killed
SECONDS = 10.0  # in which a cluster answers
SILENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # else a cluster that is started here reports what runs on it to Ray's makers
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # what Ray's core has to say goes to standard error, past Python's logging
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else Ray warns of what it will do some day
}
"""Variables that Ray reads when it starts; those that a user has set stay as they are."""


@dataclass(frozen=True)
class Size:
    """What a cluster has.

    Args:
        cpus: Cores.
        gpus: GPUs.
    """

    cpus: int
    gpus: int


@contextlib.contextmanager
def joined(address: str | None) -> Iterator[Size]:
    """Join a cluster, or start one, and leave it at the end; one that the process has joined already stays as it is.

    Args:
        address: As `ray.init` takes it; None takes that of `RAY_ADDRESS`, or starts a cluster here.

    Raises:
        SettingsError: No cluster answers there.
    """
    import ray

    with contextlib.ExitStack() as opened:
        opened.enter_context(_silence())
        if not ray.is_initialized():
            _join(address)
            opened.callback(ray.shutdown)
        found = ray.cluster_resources()
        yield Size(int(found.get("CPU", 1)), int(found.get("GPU", 0)))


def _join(address: str | None) -> None:
    import ray

    place = address or os.environ.get(ADDRESS) or HERE
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL, "include_dashboard": False}
    try:
        _reach(place)
        with _own_signals(), _no_standard_error(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Ray warns of itself
            ray.init(address=place, **quiet)
    except (OSError, ValueError, RuntimeError) as error:  # ConnectionError among them
        said = getattr(error, "strerror", None) or str(error).strip().partition("\n")[0].rstrip(".") or repr(error)
        here = place == HERE
        where = "No Ray cluster can be started on this machine" if here else f"No Ray cluster answers at {place}"
        raise SettingsError(f"{where}: {said}.") from error


def _reach(place: str) -> None:
    """Connect to an address, and hang up: Ray itself would try for minutes.

    Raises:
        OSError: Nobody answers.
    """
    host, mark, port = place.rpartition("://")[2].partition("/")[0].rpartition(":")
    if mark and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS).close()


@contextlib.contextmanager
def _no_standard_error() -> Iterator[None]:
    """Drop what is written on standard error past Python, as by Ray's core when it starts."""
    with contextlib.ExitStack() as opened:
        try:
            kept = os.dup(2)
        except OSError:  # closed by the caller
            yield
            return
        opened.callback(os.close, kept)
        opened.callback(os.dup2, kept, 2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        opened.callback(os.close, nowhere)
        sys.stderr.flush()
        os.dup2(nowhere, 2)
        yield


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep Ray's notes and reports to itself while it works; what ends a scoring is an exception in any case."""
    talkers = [logging.getLogger(name) for name in ("ray", "ray.data")]
    levels = [talker.level for talker in talkers]
    added = [name for name in SILENT if name not in os.environ]
    os.environ.update({name: SILENT[name] for name in added})
    try:
        for talker in talkers:
            talker.setLevel(logging.CRITICAL)
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
        for talker, level in zip(talkers, levels, strict=True):
            talker.setLevel(level)


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what SIGTERM does: Ray would end the process with a code of its own, and without ending the work first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
