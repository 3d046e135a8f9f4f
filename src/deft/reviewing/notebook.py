"""The review page from Python: a server in the background, until it is stopped."""

from __future__ import annotations

import contextlib
import getpass
import threading
import warnings
from collections.abc import Mapping
from dataclasses import replace
from html import escape
from pathlib import Path
from types import TracebackType

import uvicorn

from deft.arguments import checked
from deft.data.given import check_images
from deft.data.images import LabeledImages
from deft.errors import DataError
from deft.reviewing.hosts import LOOPBACK, RISK
from deft.reviewing.serve import GRACE_SECONDS, config, listen
from deft.runs.decisions import Decision, Decisions, read_decisions
from deft.runs.detection import Detection
from deft.runs.folder import open_run
from deft.runs.given import check_found
from deft.runs.reviewed import read_reviewed
from deft.runs.storage import TABLE
from deft.wording import counted

FOLDER = "deft-run"
"""Where a detection is saved that is reviewed without a folder having been named."""


class Review:
    """A review page that is open in the background; `stop` ends it, or the end of a `with` statement.

    Attributes:
        folder: The run, where every decision is kept the moment it is made.
        address: Opens the page in one browser; after that, it is the address for the next one.

    Example:
        >>> page = deft.review(found, images)  # doctest: +SKIP
        >>> page.address  # doctest: +SKIP
        'http://127.0.0.1:40123/?token=...'
        >>> clean = page.images().keep(found.is_clean)  # doctest: +SKIP
    """

    def __init__(
        self, folder: Path, found: Detection, images: LabeledImages, reviewer: str, port: int, host: str
    ) -> None:
        self.folder = folder
        self.address = ""
        self._images = images
        self._open = contextlib.ExitStack()
        with contextlib.ExitStack() as opened:
            log = opened.enter_context(Decisions(folder))
            listening = opened.enter_context(contextlib.closing(listen(port, host)))
            self._server = uvicorn.Server(config(folder, found, images, log, reviewer, listening, self._announce))
            self._open = opened.pop_all()
        self._thread = threading.Thread(target=self._server.run, args=[[listening]], daemon=True)
        self._thread.start()

    def __enter__(self) -> Review:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"Review({str(self.folder)!r}, {len(self.decisions())} decided, {self.address or 'stopped'})"

    def _repr_html_(self) -> str:
        if not self.address:
            return f"<p>{escape(repr(self))}</p>"
        link = f'<a href="{escape(self.address)}" target="_blank" rel="noopener">Open the review page</a>'
        return f"<p>{link} ({counted(len(self._images), 'image')}; decisions go to {escape(str(self.folder))})</p>"

    def decisions(self) -> Mapping[str, Decision]:
        """Return what people decided so far, by sample_id."""
        return read_decisions(self.folder)

    def images(self) -> LabeledImages:
        """Return the images with the decided labels, which detectors take as true; those set aside are unusable."""
        reviewed = read_reviewed(self.folder, self._images)
        return self._images if reviewed is None else reviewed.images

    def stop(self) -> None:
        """End the server; every decision is kept. May be called twice."""
        self._server.should_exit = True
        self._thread.join(GRACE_SECONDS + 5)
        self._open.close()
        self.address = ""

    def _announce(self, address: str) -> None:
        self.address = address


@checked
def review(
    found: Detection | str | Path,
    images: LabeledImages | None = None,
    *,
    folder: str | Path = FOLDER,
    reviewer: str | None = None,
    port: int = 0,
    host: str = LOOPBACK,
) -> Review:
    """Open the review page of a detection or a run in the background, from a notebook or a script.

    Args:
        found: The verdicts; or the folder of a run.
        images: The images they are about; those that were judged if not given.
        folder: Where verdicts and decisions are kept; going on with the same verdicts is possible, others are refused.
        reviewer: Who decides; your user name if not given.
        port: Port on this machine; 0 for any that is free.
        host: Address of this machine on which the page is; with any other than the default, other devices reach it,
            without encryption, which a warning says. `0.0.0.0` stands for all addresses.

    Returns:
        The open page; `page.address` is to be opened in a browser of this machine.

    Raises:
        DataError: The images aren't those that were judged, or the folder holds another run.
        SettingsError: The port is taken, or the host is no address of this machine.

    Example:
        >>> with deft.review(found, images) as page:  # doctest: +SKIP
        ...     input(f"Review at {page.address}, then press Enter")
        >>> reviewed = page.images()  # doctest: +SKIP
    """
    if host != LOOPBACK:
        warnings.warn(RISK, stacklevel=2)
    if isinstance(found, str | Path):
        folder = Path(found)
        found, images = open_run(folder)
        return Review(folder, found, images, reviewer or _user(), port, host)
    check_found(found, "review(found, images)", ", or the folder of a run")
    folder, images = Path(folder), found.images if images is None else images
    if images is None:
        raise DataError("The verdicts don't have their images at hand; give them: deft.review(found, images).")
    check_images(images, "review(found, images)")
    if images.sample_id != found.sample_id:
        raise DataError(
            f"The verdicts are about other images: {len(found)} were judged, {len(images)} given, and their sample_id "
            "must be the same in the same order."
        )
    if (folder / TABLE).is_file():
        if Detection.load(folder).sample_id != found.sample_id:
            raise DataError(f"{folder} holds a run about other images; name another one with folder=.")
    else:
        replace(found, images=images).save(folder)
    return Review(folder, found, images, reviewer or _user(), port, host)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # some systems know none
        return "somebody"
