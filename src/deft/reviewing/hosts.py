"""Under which names a server is reached: this machine alone, or other devices where that was asked for.

A request names the host that its browser thinks it talks to. A page of another site can have its own name resolve to
this machine (DNS rebinding), but it can't have an address in digits do so; that is why a server that is open to other
devices answers to addresses in digits, and to no names but this machine's own.
"""

from __future__ import annotations

import ipaddress
import socket

LOOPBACK = "127.0.0.1"
"""Where the page is for who sits at this machine, and nobody else."""

RISK = (
    "Other devices reach this page without encryption: who can read this network's traffic can see the photos and "
    "decide in your name, so use it only in a network that you trust."
)


def is_local(host: str) -> bool:
    """Return whether an address is reached from this machine alone.

    Args:
        host: As a socket names it.
    """
    return ipaddress.ip_address(host).is_loopback


def shown_host(host: str) -> str:
    """Return the address to open in a browser, for a server that listens on an address.

    Args:
        host: As a socket names it; that of all addresses becomes the one that this machine has in its network.
    """
    address = ipaddress.ip_address(host)
    found = _outward(address.version) if address.is_unspecified else host
    return f"[{found}]" if ":" in found else found


def is_ours(name: str, host: str, port: int) -> bool:
    """Return whether a request's host is one of the server's own.

    Args:
        name: The request's `Host`, with its port.
        host: Where the server listens, as its socket names it.
        port: Of the server.
    """
    wanted, _, at = name.rpartition(":")
    if at != str(port):
        return False
    if is_local(host):
        return wanted in (LOOPBACK, "localhost", shown_host(host))
    if not ipaddress.ip_address(host).is_unspecified:
        return wanted == shown_host(host)
    own = {"localhost", socket.gethostname().casefold(), f"{socket.gethostname().casefold()}.local"}
    return wanted.casefold() in own or _in_digits(wanted.removeprefix("[").removesuffix("]"))


def _in_digits(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _outward(version: int) -> str:
    """Return this machine's address in its network; no packet is sent."""
    family, other = (socket.AF_INET, "192.0.2.1") if version == 4 else (socket.AF_INET6, "2001:db8::1")  # RFC 5737
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((other, 9))
        except OSError:  # no network
            return LOOPBACK if version == 4 else "::1"
        return str(probe.getsockname()[0])
