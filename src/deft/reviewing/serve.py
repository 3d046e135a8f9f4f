"""Runs the review page on this machine until somebody stops it."""

from __future__ import annotations

import contextlib
import errno
import gc
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from deft.data.images import LabeledImages
from deft.errors import SettingsError
from deft.reviewing.access import Access
from deft.reviewing.desk import Desk
from deft.reviewing.hosts import LOOPBACK
from deft.reviewing.pictures import Pictures
from deft.reviewing.server import create_app
from deft.runs.decisions import Decisions
from deft.runs.detection import Detection
from deft.runs.reviewed import load_before

GRACE_SECONDS = 2
_HOSTS = "give one of its own as host=, or 0.0.0.0 for all of them."


def serve(
    run: Path,
    found: Detection,
    images: LabeledImages,
    *,
    reviewer: str,
    port: int,
    announce: Callable[[str], None],
    host: str = LOOPBACK,
) -> None:
    """Serve the page of a run; returns when the process is interrupted.

    Args:
        run: Folder of the run, where the decisions go.
        found: Its verdicts.
        images: Its images, row by row.
        reviewer: Name under which decisions are recorded.
        port: Where to listen; 0 for any free port.
        announce: Told the address to open, and the next one whenever that was used.
        host: The address on which it listens; other devices reach any but that of the default.

    Raises:
        SettingsError: The port is taken, or the host is no address of this machine.
    """
    with Decisions(run) as log, contextlib.closing(listen(port, host)) as listening:
        settings = config(run, found, images, log, reviewer, listening, announce)
        with settled(), contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(settings).run(sockets=[listening])


@contextlib.contextmanager
def settled() -> Iterator[None]:
    """Leave what is loaded out of the garbage collector's rounds, each of which makes the page wait for 40 ms."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def config(
    run: Path,
    found: Detection,
    images: LabeledImages,
    log: Decisions,
    reviewer: str,
    listening: socket.socket,
    announce: Callable[[str], None],
) -> uvicorn.Config:
    """Return what a server of the page is made of.

    Args:
        run: Folder of the run.
        found: Its verdicts.
        images: Its images, row by row.
        log: Where the decisions go.
        reviewer: Name under which decisions are recorded.
        listening: A socket that listens.
        announce: Told the address to open, and the next one whenever that was used.
    """
    desk = Desk(found, log, reviewer, load_before(run))
    host, port = listening.getsockname()[:2]
    access = Access(port, announce, host)
    return uvicorn.Config(
        create_app(desk, Pictures(images), access),
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def listen(port: int, host: str = LOOPBACK) -> socket.socket:
    """Return a socket that listens already, so that a browser quicker than the server waits for it.

    Args:
        port: Where; 0 for any free port.
        host: An address or a name of this machine; `0.0.0.0` for all of its addresses.

    Raises:
        SettingsError: The port is taken, or the host is no address of this machine.
    """
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"There is no host {host!r}: {_HOSTS}") from error
    # The protocol is named because asyncio only then turns off Nagle's algorithm, which costs 40 ms an answer.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(place)
        made.listen(128)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise SettingsError(f"{host} is no address of this machine: {_HOSTS}") from error
        raise SettingsError(f"Port {port} can't be used ({error.strerror}); leave out port= for a free one.") from error
    return made
