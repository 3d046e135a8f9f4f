"""The frames of a film are one picture: a wrong label that they share isn't made right by their number."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from deft.data.digits import digits
from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.detectors.deft import DeFT
from deft.encoders.load import load_encoder

SIDE = 32
FRAMES = 30
STILLS = 400


def with_films() -> tuple[LabeledImages, np.ndarray]:
    """Digits with right labels, and two films that shake and flicker, whose frames all bear one wrong label."""
    stills = digits(noise=0.0)[0].keep(np.arange(STILLS + 2))
    rng = np.random.default_rng(5)
    pixels = [np.asarray(stills.reader.read(row)) for row in range(len(stills))]
    pictures = [np.asarray(Image.fromarray(one).resize((SIDE, SIDE))) for one in pixels]
    labels = stills.labels.tolist()
    shown, given, film = pictures[:STILLS], labels[:STILLS], [-1] * STILLS
    for number in range(2):
        scene, wrong = pictures[STILLS + number].astype(np.int64), (labels[STILLS + number] + 3) % 10
        for frame in range(FRAMES):
            shaken = np.roll(scene, (frame % 5 - 2, frame // 5 % 5 - 2), (0, 1))
            noisy = shaken + rng.integers(-6, 7, scene.shape) + rng.integers(-10, 11)
            shown.append(noisy.clip(0, 255).astype(np.uint8))
            given.append(wrong)
            film.append(number)
    return load_images(np.stack(shown), labels=given, classes=list(stills.classes)), np.array(film)


@pytest.mark.parametrize("kind", ["default", pytest.param("weak model", marks=pytest.mark.slow)])
def test_frames_with_one_shared_wrong_label_do_not_vote_each_other_right(kind: str) -> None:
    encoder = load_encoder("tiny", device="cpu")
    images, film = with_films()
    found = (DeFT(encoder) if kind == "default" else DeFT.for_weak_model(encoder)).detect(images)
    groups = found.verdicts.duplicate_group
    assert groups is not None
    for number in range(2):
        frames = film == number
        assert len(set(groups[frames].tolist())) == 1
        assert found.is_label_issue[frames].mean() >= 0.8
    assert found.is_label_issue[film < 0].mean() < 0.05
