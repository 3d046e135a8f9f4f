"""Why an image can't be read: said truly, with what to do about it."""

from __future__ import annotations

import io
import struct
import sys

import numpy as np
import pytest
from PIL import Image

from deft.data.decode import decode
from deft.data.image_spec import ImageSpec
from deft.data.pixel_rule import PixelRule
from deft.data.readers import ImageError


def reason(data: bytes, spec: ImageSpec, rule: PixelRule | None = None) -> str:
    with pytest.raises(ImageError) as caught:
        decode(data, spec, 8, rule or PixelRule())
    return str(caught.value)


def tiff(bands: int, bits: int) -> bytes:
    """An intact TIFF of 4 x 4 pixels, with as many bands as a satellite has."""
    entries = [(256, 3, 4), (257, 3, 4), (258, 3, bits), (259, 3, 1), (262, 3, 1), (273, 4, 200), (277, 3, bands)]
    entries += [(278, 3, 4), (279, 4, 16 * bands * bits // 8)]
    body = b"".join(struct.pack("<HHI", tag, kind, 1) + struct.pack("<I", value) for tag, kind, value in entries)
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + body + struct.pack("<I", 0)
    return head.ljust(200, b"\0") + bytes(16 * bands * bits // 8)


def test_an_intact_file_that_pillow_does_not_know_is_not_called_truncated(spec: ImageSpec) -> None:
    assert reason(tiff(13, 16), spec) == "a TIFF with 13 bands of 16 bits, which can't be read"
    lossless = b"\xff\xd8\xff\xc3\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00" + bytes(50) + b"\xff\xd9"
    assert reason(lossless, spec) == "its pixels are coded in a way that can't be read"


def test_formats_of_plug_ins_name_the_extra(spec: ImageSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pillow_heif", "pillow_jxl"):
        monkeypatch.setitem(sys.modules, module, None)
    for kind in ("HEIF", "JXL"):
        monkeypatch.delitem(Image.OPEN, kind, raising=False)
    heic = b"\0\0\0\x18ftypheic" + bytes(100)
    assert reason(heic, spec).startswith("a HEIC image; to read it: pip install 'deft-labels[formats]'")
    assert reason(b"\xff\x0a" + bytes(50), spec).startswith("a JPEG XL image; to read it: pip install")


def test_a_file_that_git_did_not_fetch_says_how_to_get_it(spec: ImageSpec) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    assert reason(pointer, spec) == "a pointer of Git LFS, not the image itself: fetch it with git lfs pull"


def test_a_damaged_header_is_said_in_printable_words(spec: ImageSpec) -> None:
    assert reason(b"\0\0\0\x20ftyp\0\0!h" + bytes(90), spec) == (
        "damaged: a film or an image whose header names no kind"
    )


def test_drawings_that_other_programs_would_run_are_refused(spec: ImageSpec) -> None:
    assert reason(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", spec).startswith("a PostScript drawing")


def test_the_limit_on_pixels_can_be_set(spec: ImageSpec) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(buffer, "PNG")
    small = PixelRule(max_pixels=1000)
    assert reason(buffer.getvalue(), spec, small).startswith("too large: 40 x 30 pixels, where at most 1000 in all")


def test_a_limit_above_pillows_own_is_followed(spec: ImageSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    buffer = io.BytesIO()
    Image.fromarray(np.full((30, 40), 9, np.uint8)).save(buffer, "PNG")
    assert reason(buffer.getvalue(), spec, PixelRule(max_pixels=600)).startswith("too large")
    assert decode(buffer.getvalue(), spec, 8, PixelRule(max_pixels=10**6)).max() == 9
    assert Image.MAX_IMAGE_PIXELS == 300
