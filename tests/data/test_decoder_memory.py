"""Formats whose decoders need much memory: halved where they can be, refused with a sentence where they can't."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deft.data import decoder_memory
from deft.data.decode import decode, whole
from deft.data.decoder_memory import BYTES_A_PIXEL, MOST_BYTES, check_memory
from deft.data.image_spec import ImageSpec
from deft.data.pixel_rule import MAX_PIXELS, PixelRule
from deft.data.readers import ImageError

SPEC = ImageSpec(32, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def scene() -> Image.Image:
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 255, (10, 15, 3)).astype(np.uint8))
    return small.resize((1500, 1000), Image.Resampling.BICUBIC)


def encoded(format: str, **options: Any) -> bytes:
    target = io.BytesIO()
    scene().save(target, format, **options)
    return target.getvalue()


@pytest.mark.parametrize("options", [{}, {"tile_size": (256, 256)}, {"no_jp2": True}, {"num_resolutions": 1}])
def test_a_large_jpeg_2000_picture_is_halved_and_looks_the_same(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    data = encoded("JPEG2000", **options)
    exact = decode(data, SPEC, 32).astype(int)
    loaded = []
    monkeypatch.setattr(decoder_memory, "LARGE", 100_000)
    monkeypatch.setattr("deft.data.decode.load", lambda image: loaded.append((image.load(), image.size)))
    halved = decode(data, SPEC, 32).astype(int)
    assert loaded[0][1] == ((1500, 1000) if options == {"num_resolutions": 1} else (375, 250))
    assert np.abs(halved - exact).mean() < 4
    assert whole(data, 100).shape == (67, 100, 3)


def test_a_usual_jpeg_2000_picture_is_decoded_whole() -> None:
    wavelets, plain = decode(encoded("JPEG2000"), SPEC, 32), decode(encoded("PNG"), SPEC, 32)
    assert np.array_equal(wavelets, plain)


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_a_picture_whose_decoder_needs_more_is_refused_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    image = Image.open(io.BytesIO(encoded(kind)))
    most = int(MOST_BYTES / BYTES_A_PIXEL[kind])
    monkeypatch.setattr(image, "_size", (most // 4000, 4000))
    check_memory(image, PixelRule())
    monkeypatch.setattr(image, "_size", (most // 4000 + 1, 4000))
    with pytest.raises(ImageError, match=f"too large: .* a {kind} file .* higher max_pixels="):
        check_memory(image, PixelRule())
    check_memory(image, PixelRule(max_pixels=2 * MAX_PIXELS))
