"""Who gets in, what comes out, and that no address reaches a file."""

from __future__ import annotations

import contextlib
import gc
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from deft.data.images import LabeledImages
from deft.errors import SettingsError
from deft.reviewing.access import HEADERS, Access
from deft.reviewing.desk import Desk
from deft.reviewing.pictures import Pictures
from deft.reviewing.serve import listen, serve
from deft.reviewing.server import FILES, create_app
from deft.runs.decisions import Decisions, read_decisions
from deft.runs.detection import Detection

PORT = 8123
BASE = f"http://127.0.0.1:{PORT}"
ORIGIN = {"origin": BASE}


class Door:
    """A server in this process, and the addresses that it announced."""

    def __init__(self, desk: Desk, images: LabeledImages) -> None:
        self.announced: list[str] = []
        self.app = create_app(desk, Pictures(images), Access(PORT, self.announced.append))

    def browser(self) -> TestClient:
        return TestClient(self.app, base_url=BASE)


@pytest.fixture
def door(desk: Desk, images: LabeledImages) -> Door:
    return Door(desk, images)


@pytest.fixture
def inside(door: Door) -> Iterator[TestClient]:
    """A browser that opened the address."""
    with door.browser() as client:
        assert client.get(door.announced[-1]).status_code == 200
        yield client


def post(client: TestClient, path: str, body: object, **headers: str) -> tuple[int, dict[str, object]]:
    answer = client.post(path, content=json.dumps(body), headers={"content-type": "application/json", **headers})
    return answer.status_code, answer.json() if "json" in answer.headers["content-type"] else {"text": answer.text}


def test_without_the_address_nothing_is_shown(door: Door) -> None:
    with door.browser() as client:
        for path in ("/", "/?token=guess", "/main.js", "/api/about", "/api/page", "/image?id=digit-0000"):
            answer = client.get(path)
            assert answer.status_code == 403, path
            assert "deft review" in answer.text
            assert not client.cookies
        assert post(client, "/api/decide", {}, **ORIGIN)[0] == 403


def test_an_address_works_once_and_the_next_is_announced(door: Door) -> None:
    first = door.announced[0]
    with door.browser() as one, door.browser() as two, door.browser() as three:
        opened = one.get(first)
        assert opened.status_code == 200
        cookie = opened.headers["set-cookie"]
        assert f"deft_review_{PORT}=" in cookie
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert one.get("/api/about").status_code == 200
        assert one.get(first).status_code == 200  # a reload
        assert two.get(first).status_code == 403
        assert len(door.announced) == 2
        assert three.get(door.announced[1]).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": f"evil.example:{PORT}"},
        {"host": "127.0.0.1:1"},
        {"origin": "http://evil.example"},
        {"origin": f"https://127.0.0.1:{PORT}"},
        {"origin": "null"},
    ],
)
def test_other_hosts_and_origins_are_refused(inside: TestClient, log: Decisions, headers: dict[str, str]) -> None:
    assert inside.get("/api/about", headers=headers).status_code == 403
    body = {"action": "keep", "samples": [["digit-0000", 0]]}
    assert post(inside, "/api/decide", body, **{**ORIGIN, **headers})[0] == 403
    assert log.history() == []


@pytest.mark.parametrize(
    ("listens", "host", "admitted"),
    [
        ("127.0.0.1", "127.0.0.1:8123", True),
        ("127.0.0.1", "localhost:8123", True),
        ("127.0.0.1", "192.168.1.20:8123", False),
        ("127.0.0.1", "[::1]:8123", False),
        ("192.168.1.20", "192.168.1.20:8123", True),
        ("192.168.1.20", "192.168.1.21:8123", False),
        ("192.168.1.20", "127.0.0.1:8123", False),
        ("192.168.1.20", "192.168.1.20:80", False),
        ("0.0.0.0", "192.168.1.20:8123", True),
        ("0.0.0.0", "localhost:8123", True),
        ("0.0.0.0", f"{socket.gethostname()}:8123", True),
        ("0.0.0.0", "evil.example:8123", False),
        ("0.0.0.0", "192.168.1.20.evil.example:8123", False),
        ("0.0.0.0", "192.168.1.20", False),
        ("0.0.0.0", "", False),
        ("::", "[2001:db8::5]:8123", True),
        ("2001:db8::5", "[2001:db8::5]:8123", True),
        ("2001:db8::5", "[2001:db8::6]:8123", False),
    ],
)
def test_a_server_answers_to_its_own_addresses_and_no_others(listens: str, host: str, admitted: bool) -> None:
    access = Access(PORT, lambda address: None, listens)
    assert (access.refusal("GET", Headers({"host": host})) is None) == admitted


def test_where_other_devices_are_let_in_no_page_of_another_of_them_decides() -> None:
    access = Access(PORT, lambda address: None, "0.0.0.0")
    ours = {"host": f"192.168.1.20:{PORT}", "origin": f"http://192.168.1.20:{PORT}"}
    assert access.refusal("POST", Headers(ours)) is None
    other = {**ours, "origin": f"http://192.168.1.21:{PORT}"}
    assert access.refusal("POST", Headers(other)) == "This request comes from another site."


def test_other_devices_need_the_address_as_well(desk: Desk, images: LabeledImages) -> None:
    announced: list[str] = []
    base = f"http://192.168.1.20:{PORT}"
    app = create_app(desk, Pictures(images), Access(PORT, announced.append, "192.168.1.20"))
    assert announced[0].startswith(f"{base}/?token=")
    with TestClient(app, base_url=base) as client:
        assert client.get("/api/about").status_code == 403
        assert client.get(announced[0]).status_code == 200
        assert client.get("/api/about").status_code == 200


def test_all_addresses_are_announced_as_the_one_of_this_machines_network() -> None:
    announced: list[str] = []
    Access(PORT, announced.append, "0.0.0.0")
    assert "0.0.0.0" not in announced[0]


@pytest.mark.parametrize(
    ("host", "said"),
    [("192.0.2.77", "192.0.2.77 is no address of this machine"), ("no.such.host.invalid", "There is no host 'no.such")],
)
def test_a_host_that_is_not_this_machine_is_one_sentence(host: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        listen(0, host)


def test_a_socket_for_all_addresses_is_reached_through_this_one() -> None:
    with contextlib.closing(listen(0, "0.0.0.0")) as listening:
        socket.create_connection(("127.0.0.1", listening.getsockname()[1]), timeout=5).close()


def test_a_decision_needs_its_origin(inside: TestClient, log: Decisions) -> None:
    body = {"action": "keep", "samples": [["digit-0000", 0]]}
    assert post(inside, "/api/decide", body)[0] == 403
    assert post(inside, "/api/decide", body, **ORIGIN, **{"sec-fetch-site": "cross-site"})[0] == 403
    assert inside.get("/api/decide").status_code == 405
    assert log.history() == []
    assert post(inside, "/api/decide", body, **ORIGIN)[0] == 200
    assert [entry.decision.sample_id for entry in log.history()] == ["digit-0000"]


def test_every_answer_has_the_security_headers(inside: TestClient, door: Door) -> None:
    with door.browser() as stranger:
        answers = [
            inside.get("/"),
            inside.get("/api/about"),
            inside.get("/image?id=digit-0000"),
            inside.get("/nowhere"),
            stranger.get("/"),
        ]
    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    assert inside.get("/api/about").headers["cache-control"] == "no-store"


def test_the_page_has_no_inline_script_or_style_and_asks_nobody_else(inside: TestClient) -> None:
    for address in FILES:
        text = inside.get(f"/{address}").text
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), address
        assert "innerHTML" not in text
        assert not re.search(r"<script(?![^>]*src=)|<style| style=| on\w+=\"", text), address


def test_images_come_by_name_and_no_name_reaches_a_file(inside: TestClient, found: Detection) -> None:
    answer = inside.get("/image", params={"id": found.sample_id[3], "side": 160})
    assert answer.headers["content-type"] == "image/webp"
    assert answer.content[8:12] == b"WEBP"
    assert inside.get("/image", params={"id": found.sample_id[3], "side": 160}).content == answer.content
    for name in ("../../etc/passwd", "/etc/passwd", "labels.csv", "..%2Freviews.sqlite", ""):
        assert inside.get("/image", params={"id": name}).status_code == 404
    assert inside.get("/image", params={"id": found.sample_id[3], "side": 5000}).status_code == 404
    for path in ("/../pyproject.toml", "/page/main.js", "/%2e%2e/access.py", "/labels.csv"):
        assert inside.get(path).status_code == 404


def test_deciding_undoing_and_conflicts_over_http(inside: TestClient, log: Decisions) -> None:
    page = inside.get("/api/page", params={"limit": 3}).json()
    item = page["items"][0]
    body = {"action": "suggest", "samples": [[item["id"], item["revision"]]]}
    status, answer = post(inside, "/api/decide", body, **ORIGIN)
    assert (status, answer["items"][0]["label"]) == (200, item["suggested"])  # type: ignore[index]
    status, answer = post(inside, "/api/decide", body, **ORIGIN)
    assert (status, answer["conflict"]) == (409, True)
    status, answer = post(inside, "/api/undo", {"samples": [[item["id"], 1]]}, **ORIGIN)
    assert (status, answer["items"][0]["status"]) == (200, None)  # type: ignore[index]
    assert [entry.action for entry in log.history()] == ["decide", "undo"]
    assert inside.get("/api/items", params={"id": [item["id"]]}).json()["items"][0]["revision"] == 2


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/decide", [], 400),
        ("/api/decide", {"action": "keep"}, 400),
        ("/api/decide", {"action": "keep", "samples": []}, 400),
        ("/api/decide", {"action": "keep", "samples": [["digit-0000", True]]}, 400),
        ("/api/decide", {"action": "keep", "samples": [["digit-0000"]]}, 400),
        ("/api/decide", {"action": "keep", "samples": [["nobody", 0]]}, 400),
        ("/api/decide", {"action": "burn", "samples": [["digit-0000", 0]]}, 400),
        ("/api/undo", {"samples": [["digit-0000", 0]]}, 400),
        ("/api/decide", {"action": "x" * (1 << 20)}, 413),
    ],
)
def test_nonsense_is_refused_with_a_reason(
    inside: TestClient, log: Decisions, path: str, body: object, status: int
) -> None:
    found, answer = post(inside, path, body, **ORIGIN)
    assert (found, bool(answer["error"])) == (status, True)
    assert log.history() == []


@pytest.mark.parametrize(
    "body",
    [
        "[" * 500_000,
        '{"action":' * 100_000,
        '{"action": "keep", "samples": [["digit-0000", ' + "9" * 5000 + "]]}",
        '{"action": "keep", "samples": [["digit-0000", NaN]]}',
        '{"action": "keep", "samples": [["\\ud800", 0]]}',
        '{"action": "\\ud800", "samples": [["digit-0000", 0]]}',
        '{"action": "label", "label": "\\ud800", "samples": [["digit-0000", 0]]}',
        b"\xff\xfe\x00",
    ],
)
def test_deep_and_strange_json_is_refused_with_a_reason(inside: TestClient, log: Decisions, body: str | bytes) -> None:
    answer = inside.post("/api/decide", content=body, headers={"content-type": "application/json", **ORIGIN})
    assert (answer.status_code, bool(answer.json()["error"])) == (400, True)
    assert log.history() == []


def test_numbers_without_end_are_answered(inside: TestClient, log: Decisions) -> None:
    body = {"action": "keep", "samples": [["digit-0000", int("9" * 99)]]}
    assert post(inside, "/api/decide", body, **ORIGIN)[0] == 409
    for query in ("after=" + "9" * 99, "limit=" + "9" * 99, "after=-" + "9" * 99, "low=1e-999"):
        assert inside.get(f"/api/page?{query}").status_code == 200, query
    for query in ("after=" + "9" * 5000, "low=nan", "high=1e999"):
        assert inside.get(f"/api/page?{query}").status_code == 400, query
    assert inside.get("/image?id=digit-0000&side=" + "9" * 99).status_code == 404
    assert log.history() == []


def test_only_json_is_a_decision(inside: TestClient) -> None:
    answer = inside.post("/api/decide", content="{}", headers={"content-type": "text/plain", **ORIGIN})
    assert answer.status_code == 415
    answer = inside.post("/api/decide", content="{", headers={"content-type": "application/json", **ORIGIN})
    assert answer.status_code == 400
    assert inside.get("/api/page?after=soon").status_code == 400
    assert inside.get("/api/page?verdict=maybe").status_code == 400


def test_a_taken_port_is_one_sentence(run: Path, found: Detection, images: LabeledImages) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"Port {port} can't be used"):
            serve(run, found, images, reviewer="Ada", port=port, announce=lambda address: None)


def test_a_killed_server_loses_no_decision(run: Path, found: Detection) -> None:
    """`deft review` itself, killed with SIGKILL right after its answer; then opened again."""
    program = "from deft.cli import main; main()"
    command = [sys.executable, "-c", program, "review", str(run), "--no-browser", "--reviewer", "Ada"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = next(line for line in server.stdout if "http://" in line).split()[-1]
        place = urlsplit(address)
        assert place.hostname == "127.0.0.1"
        connection = http.client.HTTPConnection(place.netloc)
        try:
            connection.request("GET", f"/?{place.query}")
            opened = connection.getresponse()
            opened.read()
            headers = {
                "Cookie": str(opened.headers["Set-Cookie"]).split(";")[0],
                "Origin": f"http://{place.netloc}",
                "Content-Type": "application/json",
            }
            for sample in found.sample_id[:30]:
                body = json.dumps({"action": "keep", "samples": [[sample, 0]]})
                connection.request("POST", "/api/decide", body, headers)
                answer = connection.getresponse()
                assert answer.status == 200, answer.read()
                answer.read()
            os.kill(server.pid, signal.SIGKILL)
        finally:
            connection.close()
            server.kill()
    kept = read_decisions(run)
    assert set(kept) == set(found.sample_id[:30])
    assert {decision.status for decision in kept.values()} == {"kept"}
    with Decisions(run) as log:
        assert len(log.history()) == 30


def test_while_the_page_is_served_the_collector_leaves_what_is_loaded_alone(
    found: Detection, images: LabeledImages, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_alone: list[int] = []
    monkeypatch.setattr("uvicorn.Server.run", lambda server, sockets: left_alone.append(gc.get_freeze_count()))
    serve(run, found, images, reviewer="Ada", port=0, announce=lambda address: None)
    assert left_alone[0] > 1000
    assert gc.get_freeze_count() == 0
