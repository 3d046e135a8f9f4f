"""The review page over HTTP: a handful of JSON endpoints, images by sample_id, and four static files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deft.errors import ConflictError, DeftError
from deft.files import parse_json
from deft.reviewing.access import Access, Guard
from deft.reviewing.desk import LARGEST_PAGE, Desk
from deft.reviewing.pictures import SIDES, Pictures
from deft.reviewing.query import Query

FILES = {
    "": ("index.html", "text/html"),
    "review.css": ("review.css", "text/css"),
    "main.js": ("main.js", "text/javascript"),
    "state.js": ("state.js", "text/javascript"),
    "single.js": ("single.js", "text/javascript"),
    "grid.js": ("grid.js", "text/javascript"),
    "ahead.js": ("ahead.js", "text/javascript"),
    "zoom.js": ("zoom.js", "text/javascript"),
    "dialogs.js": ("dialogs.js", "text/javascript"),
    "dom.js": ("dom.js", "text/javascript"),
    "evidence.js": ("evidence.js", "text/javascript"),
    "filters.js": ("filters.js", "text/javascript"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
"""Every file that can be asked for, by its address: no address is ever made into a path."""

LARGEST_BODY = 1 << 20
Body = Mapping[str, Any]


def create_app(desk: Desk, pictures: Pictures, access: Access) -> Starlette:
    """Return the application.

    Args:
        desk: What is reviewed.
        pictures: Its images.
        access: Decides which browsers may connect.

    Example:
        >>> app = create_app(desk, Pictures(images), Access(8000, print))  # doctest: +SKIP
    """
    answers = _Answers(desk, pictures)
    routes = [
        *(Route(f"/{address}", _static(*file)) for address, file in FILES.items()),
        Route("/api/about", answers.about),
        Route("/api/page", answers.page),
        Route("/api/items", answers.items),
        Route("/api/evidence", answers.evidence),
        Route("/api/ahead", answers.ahead),
        Route("/api/draw", _posted(answers.draw), methods=["POST"]),
        Route("/api/decide", _posted(answers.decide), methods=["POST"]),
        Route("/api/undo", _posted(answers.undo), methods=["POST"]),
        Route("/image", answers.image),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, access=access)],
        exception_handlers={ConflictError: _conflict, DeftError: _mendable, HTTPException: _refused},
    )


@dataclass(frozen=True)
class _Answers:
    """What the server says to each request."""

    desk: Desk
    pictures: Pictures

    def about(self, request: Request) -> Response:
        return JSONResponse({**self.desk.about(), "recent": self.desk.recent(LARGEST_PAGE), "sides": SIDES})

    def page(self, request: Request) -> Response:
        values = request.query_params
        after, limit = _number(values.get("after", "-1")), _number(values.get("limit", "50"))
        return JSONResponse(asdict(self.desk.page(Query.read(values), after=after, limit=max(limit, 0))))

    def items(self, request: Request) -> Response:
        return JSONResponse({"items": self.desk.items(request.query_params.getlist("id")[:LARGEST_PAGE])})

    def ahead(self, request: Request) -> Response:
        return JSONResponse(self.desk.ahead())

    def draw(self, body: Body) -> Response:
        return JSONResponse(self.desk.draw(_number(str(body.get("count")))))

    def evidence(self, request: Request) -> Response:
        sample = request.query_params.get("id", "")
        why = self.desk.evidence(sample)
        return JSONResponse({**why, "file": self.pictures.about(self.desk.row_of[sample])})

    def decide(self, body: Body) -> Response:
        action, label = str(body.get("action")), str(body.get("label", ""))
        return JSONResponse({"items": self.desk.decide(action, _samples(body), label)})

    def undo(self, body: Body) -> Response:
        return JSONResponse({"items": self.desk.undo(_samples(body))})

    def image(self, request: Request) -> Response:
        row = self.desk.row_of.get(request.query_params.get("id", ""))
        side = _number(request.query_params.get("side", str(SIDES[0])))
        if row is None or side not in SIDES:
            raise HTTPException(404, "There is no such image.")
        picture = self.pictures.get(row, side)
        return Response(picture, media_type="image/webp", headers={"Cache-Control": "private, max-age=3600"})


def _static(name: str, kind: str) -> Callable[[Request], Response]:
    content = files("deft.reviewing").joinpath("page", name).read_bytes()

    def send(request: Request) -> Response:
        return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})

    return send


def _posted(answer: Callable[[Body], Response]) -> Callable[[Request], Any]:
    """Return an endpoint that takes a JSON object."""

    async def receive(request: Request) -> Response:
        if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
            raise HTTPException(415, "Decisions come as application/json.")
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > LARGEST_BODY:
                raise HTTPException(413, "That is more than a page of decisions.")
        try:
            content = parse_json(body)
        except ValueError as error:
            raise HTTPException(400, "That isn't JSON.") from error
        if not isinstance(content, dict):
            raise HTTPException(400, "That isn't a JSON object.")
        return await run_in_threadpool(answer, content)

    return receive


def _samples(body: Body) -> list[tuple[str, int]]:
    """Return pairs of sample_id and revision."""
    found = body.get("samples")
    if not isinstance(found, list) or not 0 < len(found) <= LARGEST_PAGE:
        raise HTTPException(400, f"A decision is about 1 to {LARGEST_PAGE} images.")
    for pair in found:
        fits = isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and type(pair[1]) is int
        if not fits:
            raise HTTPException(400, "Each image needs its sample_id and the revision that was seen.")
    return [(sample, revision) for sample, revision in found]


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise HTTPException(400, f"{text!r} is no whole number.") from error


def _conflict(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error), "conflict": True}, status_code=409)


def _mendable(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=400)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, status_code=error.status_code)
