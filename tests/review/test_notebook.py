"""The review page from Python."""

from __future__ import annotations

import urllib.request
from dataclasses import replace
from http.cookiejar import CookieJar
from pathlib import Path

import numpy as np
import pytest

import deft
from deft.data.images import LabeledImages
from deft.errors import DataError
from deft.reviewing.desk import Desk
from deft.runs.decisions import Decisions
from deft.runs.detection import Detection


def browser() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))


def test_a_page_is_open_in_the_background(found: Detection, images: LabeledImages, tmp_path: Path) -> None:
    worst = int(np.nanargmin(found.p_clean))
    with deft.review(found, images, folder=tmp_path / "run", reviewer="Ada") as page:
        seat, address = browser(), page.address
        assert b"deft review" in seat.open(address, timeout=30).read()
        assert page.address != address  # each works once
        assert (
            found.sample_id[worst].encode()
            in seat.open(address.partition("?")[0] + "api/page?verdict=all&limit=200", timeout=30).read()
        )
        assert page.address in page._repr_html_()
        with Decisions(tmp_path / "run") as log:
            Desk(found, log, "Ben").decide("suggest", [(found.sample_id[worst], 0)])
        assert page.decisions()[found.sample_id[worst]].reviewer == "Ben"
        assert page.images().labels[worst] == found.predicted[worst]
        assert page.images().trusted[worst]
    page.stop()  # twice is once
    assert "stopped" in repr(page)
    with deft.review(found, folder=tmp_path / "run") as page:  # goes on, with the images that were judged
        assert len(page.decisions()) == 1


def test_a_run_can_be_reviewed_by_its_folder(run: Path) -> None:
    with deft.review(run) as page:
        assert page.folder == run


def test_other_images_are_refused(found: Detection, images: LabeledImages, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="about other images: 200 were judged, 3 given"):
        deft.review(found, images.keep([0, 1, 2]), folder=tmp_path / "run")
    found.save(tmp_path / "run")
    other = replace(found, sample_id=tuple(f"x{row}" for row in range(len(found))), images=None)
    with pytest.raises(DataError, match="don't have their images at hand"):
        deft.review(other, folder=tmp_path / "run")
    with pytest.raises(DataError, match="holds a run about other images"):
        deft.review(other, replace(images, own_id=other.sample_id), folder=tmp_path / "run")


def test_a_page_for_other_devices_warns_of_what_that_means(
    found: Detection, images: LabeledImages, tmp_path: Path
) -> None:
    with pytest.warns(UserWarning, match="without encryption"):
        page = deft.review(found, images, folder=tmp_path / "run", host="0.0.0.0")
    with page:
        assert "0.0.0.0" not in page.address
        assert b"deft review" in browser().open(page.address, timeout=30).read()
