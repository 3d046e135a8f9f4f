"""Whether the Hugging Face hub is within reach, asked before its client waits for it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies


@contextlib.contextmanager
def at_once(name: str) -> Iterator[None]:
    """Don't wait for a hub that isn't there: without a network, the cache answers, or nobody.

    The hub's client tries every file again for 23 seconds, those that lie in its cache as well, and says so line by
    line.

    Args:
        name: A hub id, or a folder, for which nobody is asked.
    """
    if Path(name).is_dir() or getproxies() or _is_known(_hub_host()):
        yield
        return
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True  # what the variable of that name sets; its client has no other switch for all
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _hub_host() -> str:
    from huggingface_hub import constants

    return urlsplit(constants.ENDPOINT).hostname or ""


def _is_known(host: str) -> bool:
    """Return whether a network says where a host is."""
    try:
        return bool(socket.getaddrinfo(host, None))
    except OSError:
        return False
