"""Access to the server: for the browser that was given the address, and for no page of another site."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deft.reviewing.hosts import LOOPBACK, is_ours, shown_host

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
CLOSED = (
    "This page opens with the address that `deft review` printed in the terminal. Each address works once; "
    "when one was used, the terminal shows the next."
)


class Access:
    """Tokens that are good for one browser each, and the sessions that came of them.

    Args:
        port: Where the server listens.
        announce: Told the address to open, at the start and again whenever one was used.
        host: The address on which it listens, in digits.
    """

    def __init__(self, port: int, announce: Callable[[str], None], host: str = LOOPBACK) -> None:
        self._host, self._port = host, port
        # Browsers keep one jar for all ports of a host, so two servers need two names.
        self.cookie = f"deft_review_{port}"
        self._base = f"http://{shown_host(host)}:{port}/"
        self._announce = announce
        self._sessions: set[str] = set()
        self._lock = threading.Lock()
        self._token = ""
        self._renew()

    def exchange(self, token: str) -> str | None:
        """Return a session for a token, which is then used up; None if it isn't the one that was announced."""
        with self._lock:
            if not secrets.compare_digest(token.encode("utf-8", "replace"), self._token.encode()):
                return None
            session = secrets.token_urlsafe(32)
            self._sessions.add(session)
            self._renew()
        return session

    def knows(self, headers: Headers) -> bool:
        """Return whether a request carries a session."""
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        return morsel is not None and morsel.value in self._sessions

    def refusal(self, method: str, headers: Headers) -> str | None:
        """Return why a request doesn't come from our own page, whatever its session; None if it does."""
        host = headers.get("host", "")
        if not is_ours(host, self._host, self._port):  # a foreign name that resolves to this machine (DNS rebinding)
            return f"This server answers to {shown_host(self._host)} only."
        origin = headers.get("origin")
        ours = origin == f"http://{host}"
        foreign = headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
        if (origin is not None and not ours) or (method not in ("GET", "HEAD") and (origin is None or foreign)):
            return "This request comes from another site."
        return None

    def _renew(self) -> None:
        self._token = secrets.token_urlsafe(24)
        self._announce(f"{self._base}?token={self._token}")


class Guard:
    """ASGI middleware: checks every request, and puts the security headers on every answer.

    Args:
        app: What is guarded.
        access: Decides which browsers may connect.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":  # start and end of the server; there are no web sockets here
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._access.refusal(scope["method"], headers)
        session = None
        if refusal is None and not self._access.knows(headers):
            session = self._session(scope)
            refusal = None if session else CLOSED

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add(MutableHeaders(scope=message), session)
            await send(message)

        app: Any = self._app if refusal is None else PlainTextResponse(refusal, status_code=403)
        await app(scope, receive, with_headers)

    def _session(self, scope: Scope) -> str | None:
        """Return a session for a browser that opens the page with a token, else None."""
        if scope["path"] != "/" or scope["method"] != "GET":
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        return self._access.exchange(given)

    def _add(self, headers: MutableHeaders, session: str | None) -> None:
        for name, value in HEADERS.items():
            headers[name] = value
        headers.setdefault("Cache-Control", "no-store")
        if session is not None:
            headers.append("Set-Cookie", f"{self._access.cookie}={session}; HttpOnly; SameSite=Strict; Path=/")
