"""A new user's path, by the commands of the README alone: detect, review, second round, export, train, predict."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import resource
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from deft.data.digits import digits
from deft.data.image_bytes import image_file
from deft.runs.decisions import read_decisions

ROOT = Path(__file__).parents[1]
SMALLER = {
    "detect photos/": ["--model", "tiny", "--workers", "0", "--set", "epochs=2", "--quiet"],
    "detect run/": ["--workers", "0", "--quiet"],
    "adapt": ["--epochs", "1", "--workers", "0", "--quiet"],
    "export": ["--quiet"],
    "predict": ["--workers", "0", "--quiet"],
    "compare": ["--quiet"],
}
"""What is typed besides, so that it takes seconds and no network."""

BUSY, HANGS = 300, 3600
"""Seconds of processor time after which a command is too slow, whatever else runs; and of waiting, after which it
hangs. Waiting alone says little on a machine that is shared."""


def commands() -> list[list[str]]:
    """The commands of the README's two blocks, as they are typed there; the model is the one inside the package."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    part = text[text.index("## Use it") : text.index("## How good")]
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", part, re.DOTALL))
    lines = [line.partition("#")[0] for line in blocks.splitlines()]
    typed = [shlex.split(line.replace("facebook/convnext-tiny-224", "tiny")) for line in lines if line.strip()]
    return [line[1:] for line in typed if line[0] == "deft"]


def deft(folder: Path, *args: str) -> str:
    """Run a command as a user does; what it printed."""
    code = "import sys; from deft.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code, *args],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (BUSY, BUSY)),
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_readme_runs_as_written(tmp_path: Path) -> None:
    images, _ = digits()
    for row in range(300):
        place = tmp_path / "photos" / images.classes[images.labels[row]] / f"{row}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(image_file(images, row))
    (tmp_path / "new_photos").mkdir()
    for row in range(300, 310):
        (tmp_path / "new_photos" / f"{row}.png").write_bytes(image_file(images, row))
    done = []
    for typed in commands():
        line = " ".join(typed)
        if typed[0] == "review":
            _review(tmp_path, typed, 50)
        else:
            more = next((extra for start, extra in SMALLER.items() if line.startswith(start)), [])
            printed = deft(tmp_path, *typed, *more)
            if line.startswith("detect photos/"):
                assert "deft review run" in printed  # the next command stands there
        done.append(typed[0])
    assert done == ["detect", "review", "detect", "export", "adapt", "predict", "compare"]
    table = pd.read_parquet(tmp_path / "run2" / "labels.parquet")
    assert len(table) == 300
    assert (tmp_path / "run2" / "compare.html").is_file()
    assert any((tmp_path / "cleaned").rglob("*.png"))
    assert (tmp_path / "model" / "config.json").is_file()


def _review(folder: Path, typed: list[str], count: int) -> None:
    """Decide about the worst suspects by the truth of the digits' file names, on the page that the command opens."""
    code = "import sys; from deft.cli import main; main()"
    command = [sys.executable, "-u", "-c", code, *typed, "--no-browser"]
    known, truth = digits()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as page:
        assert page.stdout is not None
        try:
            address = next(found[0] for line in page.stdout if (found := re.search(r"http://\S+", line)))
            with contextlib.closing(_Browser(address)) as browser:
                for item in browser.ask("GET", f"/api/page?limit={count}")["items"]:
                    right = known.classes[int(truth[int(Path(item["name"]).stem)])]
                    samples = [[item["id"], item["revision"]]]
                    browser.ask("POST", "/api/decide", {"action": "label", "label": right, "samples": samples})
        finally:
            page.send_signal(signal.SIGINT)
        assert "Stopped. The decisions are in run" in page.stdout.read()
    decided = read_decisions(folder / typed[1])
    assert 0 < len(decided) <= count
    assert {one.status for one in decided.values()} <= {"kept", "corrected"}


class _Browser:
    """Somebody's browser, let in by the address that the command prints."""

    def __init__(self, address: str) -> None:
        place = urlsplit(address)
        self._connection = http.client.HTTPConnection(place.netloc)
        self._headers = {"Origin": f"http://{place.netloc}", "Content-Type": "application/json"}
        self._connection.request("GET", f"/?{place.query}")
        answer = self._connection.getresponse()
        answer.read()
        self._headers["Cookie"] = str(answer.headers["Set-Cookie"]).split(";")[0]

    def close(self) -> None:
        self._connection.close()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        self._connection.request(method, path, None if body is None else json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        content = json.loads(answer.read())
        assert answer.status == 200, content
        return content


def test_what_the_readme_installs_is_what_its_commands_need() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(r"pip install '(deft-labels|\.)\[(\w+)\]'", text)
    assert named == [(project["name"], "review"), (".", "review")]
    extra = {re.split(r"[\s<>=\[;]", one)[0] for one in project["optional-dependencies"]["review"]}
    assert extra == {"starlette", "uvicorn"}  # as `deft review` says where they are missing
    assert project["scripts"]["deft"] == "deft.cli:main"
