"""Pictures of more than 8 bits a channel: equally bright whatever their depth, by one rule for a data set."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from deft.data.decode import decode, examine, whole
from deft.data.depth import Unmeasured
from deft.data.image_spec import ImageSpec
from deft.data.pixel_rule import FLOAT, PixelRule, ValueRange, range_of_values
from deft.data.readers import ImageError, Pixels


def photo(side: int = 16) -> npt.NDArray[np.float64]:
    """Values of 0..1, all of them used."""
    return np.linspace(0, 1, side * side).reshape(side, side)


def file_of(values: npt.NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, kind, **options)
    return buffer.getvalue()


def with_chunk(png: bytes, kind: bytes, body: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return png[:33] + chunk + png[33:]


def close(found: Pixels, values: npt.NDArray[np.float64], within: int = 2) -> bool:
    return int(np.abs(found[..., 0] - values * 255).max()) <= within


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_the_same_photo_is_equally_bright_at_every_depth(bits: int, kind: str, spec: ImageSpec) -> None:
    scaled = np.rint(photo() * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
    assert close(decode(file_of(scaled, kind), spec, 16), photo())
    assert np.array_equal(decode(scaled, spec, 16), whole(scaled, None))


@pytest.mark.parametrize("white", [0.9999, 1.0, 1.0001, 1.1, 254.5, 255.0, 255.5, 300.0, 4095.0, 4096.0, 65535.5, 1e6])
def test_floats_have_no_cliffs(white: float, spec: ImageSpec) -> None:
    data = file_of((photo() * white).astype(np.float32), "TIFF")
    assert close(decode(data, spec, 16), photo())


@pytest.mark.parametrize("white", [1023, 1024, 1100, 4095, 4096, 5000, 16383, 16384, 65535])
def test_integers_have_no_cliffs(white: int, spec: ImageSpec) -> None:
    data = file_of(np.rint(photo() * white).astype(np.uint16))
    assert close(decode(data, spec, 16), photo())


@pytest.mark.parametrize(
    ("kind", "low", "high", "expected"),
    [
        ("16 bits", 0, 2100, (0, 4095)),  # a dim data set of 12 bits stays dim
        ("16 bits", 0, 40, (0, 255)),
        ("16 bits", 7000, 9000, (7000, 16383)),  # thermal cameras count from far above 0
        ("16 bits", 200, 60000, (0, 65535)),
        ("integer", -1024, 3071, (-1024, 4095)),  # computed tomography
        ("integer", 0, 10**6, (0, 10**6)),
        (FLOAT, 0, 0.6, (0, 1)),
        (FLOAT, 0, 0.01, (0, 0.01)),
        (FLOAT, -1, 1, (-1, 1)),
        (FLOAT, 0, 0, (0, 1)),
        ("16 bits, 12 significant", 0, 4000, (0, 4095)),
        ("16 bits, 12 significant", 0, 5000, (0, 65535)),
    ],
)
def test_the_rule(kind: str, low: float, high: float, expected: tuple[float, float]) -> None:
    assert range_of_values(kind, [ValueRange(low, high)]) == ValueRange(*expected)


def test_black_and_white_are_those_of_all_files() -> None:
    files = [ValueRange(3, 900), ValueRange(0, 4090), ValueRange(20, 30)]
    assert range_of_values("16 bits", files) == ValueRange(0, 4095)


def test_a_hot_pixel_does_not_darken_the_others(spec: ImageSpec) -> None:
    values = np.rint(np.linspace(0, 4095, 4096).reshape(64, 64)).astype(np.uint16)
    values[5, 5] = 65535
    found = whole(file_of(values), None)[..., 0]
    assert np.abs(found.astype(int) - np.clip(values / 4095, 0, 1) * 255).max() <= 2


def test_what_is_not_finite_is_black_and_said(spec: ImageSpec) -> None:
    values = photo().astype(np.float32)
    values[0, 0], values[7, 7], values[15, 15] = -np.inf, np.nan, np.inf
    data = file_of(values, "TIFF")
    rule = PixelRule(ranges={FLOAT: ValueRange(0, 1)})
    found = examine(data, spec, 16, rule)
    assert found.not_finite == 3
    assert found.pixels[7, 7].max() == found.pixels[15, 15].max() == 0
    with pytest.raises(Unmeasured) as asked:
        examine(data, spec, 16)
    assert np.isfinite([asked.value.measured.low, asked.value.measured.high]).all()
    with pytest.raises(ImageError, match="none of its pixels is a finite number"):
        decode(file_of(np.full((9, 9), np.nan, np.float32), "TIFF"), spec, 16)


def test_what_a_tiff_says_of_its_depth_goes_first(spec: ImageSpec) -> None:
    dim = np.rint(photo() * 400).astype(np.uint16)
    for tags in ({341: 4095}, {281: 4095}):
        assert close(decode(file_of(dim, "TIFF", tiffinfo=tags), spec, 16), photo() * 400 / 4095)
    assert close(decode(file_of(dim, "TIFF", tiffinfo={281: 400}), spec, 16), photo() * 400 / 400)  # a mere statistic
    shifted = file_of((photo() + 1).astype(np.float32), "TIFF", tiffinfo={340: 1.0, 341: 2.0})
    assert close(decode(shifted, spec, 16), photo())


def test_significant_bits_of_a_png_whether_scaled_up_or_not(spec: ImageSpec) -> None:
    for values in (np.rint(photo() * 4095), np.rint(photo() * 65535)):
        data = with_chunk(file_of(values.astype(np.uint16)), b"sBIT", b"\x0c")
        assert close(decode(data, spec, 16), photo())


def test_pgm_is_scaled_by_its_own_header(spec: ImageSpec) -> None:
    body = np.rint(photo() * 1000).astype(">u2").tobytes()
    assert close(decode(b"P5 16 16 1000\n" + body, spec, 16), photo())


def test_colours_of_12_bits_in_16_are_not_black(spec: ImageSpec) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    def png(white: int) -> bytes:
        values = np.repeat(np.rint(photo() * white).astype(">u2")[..., None], 3, axis=2)
        lines = b"".join(b"\0" + line.tobytes() for line in values)
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 16, 2, 0, 0, 0))
        return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")

    assert close(decode(png(65535), spec, 16), photo())
    assert close(decode(png(4095), spec, 16), photo(), within=17)  # Pillow keeps the high byte only


def test_a_known_range_wins_and_others_are_cut_off_where_pipelines_do(spec: ImageSpec) -> None:
    data = file_of(np.rint(photo() * 4095).astype(np.uint16))
    known = PixelRule(ranges={"16 bits": ValueRange(0, 8190)})
    assert close(decode(data, spec, 16, known), photo() / 2)
    clipped = examine(data, spec, 16, PixelRule(unknown="clip"))
    assert clipped.cut_off
    assert np.array_equal(clipped.pixels, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    assert not examine(data, spec, 16, PixelRule(ranges=known.ranges, unknown="clip")).cut_off


def test_a_rule_comes_back_from_json() -> None:
    rule = PixelRule(10**9, 5.0, {"16 bits": ValueRange(0, 4095)})
    assert PixelRule.from_settings(rule.settings()) == rule
    assert PixelRule.from_settings(None) == PixelRule()
