"""Formats that Pillow reads with a plug-in, from the extra `formats`."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from deft.data.decode import decode
from deft.data.image_spec import ImageSpec
from deft.data.readers import ImageError


@pytest.mark.parametrize(("kind", "plug_in"), [("HEIF", "pillow_heif"), ("JXL", "pillow_jxl")])
def test_images_of_the_extra_formats_are_read(kind: str, plug_in: str, spec: ImageSpec) -> None:
    module = pytest.importorskip(plug_in, reason="the extra `formats` isn't installed")
    if kind == "HEIF":
        module.register_heif_opener()
    left_red = np.zeros((64, 64, 3), np.uint8)
    left_red[:, :32, 0] = 255
    file = io.BytesIO()
    Image.fromarray(left_red).save(file, kind)
    pixels = decode(file.getvalue(), spec, 16).astype(int)
    assert pixels.shape == (16, 16, 3)
    assert pixels[:, :6, 0].min() > 200
    assert pixels[:, 10:].max() < 60


def test_a_plug_in_that_fails_gives_a_reason_and_no_advice_of_its_own(spec: ImageSpec) -> None:
    pytest.importorskip("pillow_jxl", reason="the extra `formats` isn't installed")
    with pytest.raises(ImageError) as caught:
        decode(b"\xff\x0a" + bytes(50), spec, 16)
    assert str(caught.value).startswith("damaged: ")
    assert "Please" not in str(caught.value)
