"""Every odd image that people have: either the right pixels, or a reason a person understands."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from deft.data.decode import decode, shorter_side, upright, whole
from deft.data.image_spec import ImageSpec
from deft.data.readers import ImageError, Pixels

WHITE, RED = (255, 255, 255), (255, 0, 0)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def reason(data: bytes, spec: ImageSpec) -> str:
    with pytest.raises(ImageError) as caught:
        decode(data, spec, 8)
    return str(caught.value)


def assert_colour(pixels: Pixels, colour: tuple[int, ...], within: int = 2) -> None:
    assert pixels.shape[2] == 3
    assert np.abs(pixels.astype(int) - np.array(colour)).max() <= within


def test_an_image_of_the_right_size_comes_back_as_it_is(spec: ImageSpec) -> None:
    pixels = noise(16, 16)
    assert np.array_equal(decode(encoded(Image.fromarray(pixels)), spec, 16), pixels)
    assert np.array_equal(decode(pixels, spec, 16), pixels)


def test_crop_takes_the_centre_and_squash_takes_all(spec: ImageSpec) -> None:
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = RED
    assert_colour(decode(encoded(Image.fromarray(pixels)), spec, 10), RED)
    squash = ImageSpec(16, spec.mean, spec.std, fit="squash")
    squashed = decode(encoded(Image.fromarray(pixels)), squash, 30)
    assert_colour(squashed[:, :8], (0, 0, 0))
    assert_colour(squashed[:, 13:17], RED)


def test_large_jpeg_by_draft_is_close_to_the_whole_decoding(spec: ImageSpec) -> None:
    rows, columns = np.mgrid[0:600, 0:800]
    smooth = np.stack([rows * 255 // 600, columns * 255 // 800, rows * 0 + 90], axis=2).astype(np.uint8)
    pixels = decode(encoded(Image.fromarray(smooth), "JPEG", quality=95), spec, 16)
    whole = decode(smooth, spec, 16)
    assert np.abs(pixels.astype(int) - whole).max() <= 6


def test_empty_file(spec: ImageSpec) -> None:
    assert reason(b"", spec) == "empty file"


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_truncated_file(spec: ImageSpec, kind: str) -> None:
    data = encoded(Image.fromarray(noise(64, 64)), kind)
    assert reason(data[: len(data) // 2], spec).startswith("truncated")


def test_file_cut_within_its_header(spec: ImageSpec) -> None:
    data = encoded(Image.fromarray(noise(64, 64)), "JPEG")
    assert reason(data[:20], spec) == "truncated: a JPEG file of 20 bytes without a whole header"


def test_text_renamed_jpg(spec: ImageSpec) -> None:
    assert reason(b"hello, this is text\nand more", spec) == "not an image (starts with 'hello, this is text')"


def test_bytes_that_are_no_image(spec: ImageSpec) -> None:
    assert reason(b"\x01\x02\xff\xfe" * 10, spec) == "not an image (starts with the bytes 01 02 ff fe 01 02 ff fe)"
    assert reason(b"\n\n\n\n", spec).startswith("not an image")
    assert reason(bytes(100), spec) == "not an image (all zeros)"


def test_cmyk_jpeg(spec: ImageSpec) -> None:
    data = encoded(Image.new("CMYK", (20, 20), (0, 255, 255, 0)), "JPEG")
    assert_colour(decode(data, spec, 8), RED, within=6)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_not_clipped(spec: ImageSpec, kind: str) -> None:
    values = np.full((20, 20), 0x8080, np.uint16)
    assert_colour(decode(encoded(Image.fromarray(values), kind), spec, 8), (128, 128, 128), within=0)


def test_float_tiff(spec: ImageSpec) -> None:
    data = encoded(Image.fromarray(np.full((20, 20), 0.5, np.float32)), "TIFF")
    assert_colour(decode(data, spec, 8), (128, 128, 128))


def see_through(mode: str) -> Image.Image:
    """A picture with all colours, half of it transparent."""
    image = Image.fromarray(noise(20, 20)).convert("L" if mode in ("LA", "L") else "RGB")
    if mode == "P":
        image = image.convert("P", palette=Image.Palette.ADAPTIVE, colors=16)
        image.info["transparency"] = 3
        return image
    image.putalpha(Image.fromarray(np.repeat(np.array([[255], [0]], np.uint8), 200, axis=0).reshape(20, 20)))
    return image


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_stored_colours_are_seen_where_it_is_transparent_as_everywhere_else(mode: str, spec: ImageSpec) -> None:
    data = encoded(see_through(mode))
    pillow = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.array_equal(decode(data, spec, 20), pillow)
    assert np.array_equal(whole(data, None), pillow)


@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (255, 0), (60, 255)])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_a_drawing_in_the_transparency_alone_is_laid_on_what_shows_it(
    mode: str, ink: int, ground: int, spec: ImageSpec
) -> None:
    alpha = np.zeros((20, 20), np.uint8)
    alpha[:10] = 255
    image = Image.new("L", (20, 20), ink)
    image.putalpha(Image.fromarray(alpha))
    if mode == "P":
        image = Image.fromarray((alpha > 0).astype(np.uint8))
        image.putpalette([ink] * 6)
        image.info["transparency"] = 0
    pixels = decode(encoded(image if mode == "P" else image.convert(mode)), spec, 20)
    assert_colour(pixels[:9], (ink,) * 3)
    assert_colour(pixels[11:], (ground,) * 3)


@pytest.mark.parametrize(("mode", "colour"), [("1", 1), ("L", 255)])
def test_grey_modes(spec: ImageSpec, mode: str, colour: int) -> None:
    assert_colour(decode(encoded(Image.new(mode, (9, 9), colour)), spec, 8), WHITE)


def test_animated_gif_gives_its_first_frame_whatever_it_is_called(spec: ImageSpec) -> None:
    frames = [Image.new("RGB", (12, 12), colour) for colour in ("red", "green", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert_colour(decode(data, spec, 8), RED)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_undone(spec: ImageSpec, orientation: int) -> None:
    true = np.zeros((16, 16, 3), np.uint8)
    true[:8, :8], true[8:, :8] = RED, (0, 255, 0)  # no rotation or mirror image equals another
    undone = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE"}
    undone |= {6: "ROTATE_90", 7: "TRANSVERSE", 8: "ROTATE_270"}
    stored = Image.fromarray(true)
    if orientation > 1:
        stored = stored.transpose(Image.Transpose[undone[orientation]])
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(decode(encoded(stored, exif=exif), spec, 16), true)
    assert np.array_equal(upright(Image.open(io.BytesIO(encoded(stored, exif=exif)))), true)


def test_damaged_exif_does_not_cost_the_picture(spec: ImageSpec) -> None:
    data = encoded(Image.new("RGB", (20, 20), "red"), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
    assert_colour(decode(data, spec, 8), RED, within=6)


def test_one_pixel(spec: ImageSpec) -> None:
    data = encoded(Image.new("RGB", (1, 1), "red"))
    assert_colour(decode(data, spec, 16), RED)
    assert shorter_side(data) == 1


@pytest.mark.parametrize("fit", ["crop", "squash"])
@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (3, 15000)])
def test_extreme_aspect_needs_little_memory(fit: Any, size: tuple[int, int]) -> None:
    spec = ImageSpec(224, (0, 0, 0), (1, 1, 1), fit=fit)
    data = encoded(Image.new("RGB", size, "red"))
    tracemalloc.start()
    try:
        assert_colour(decode(data, spec, 224), RED)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_a_strip_is_never_enlarged_along_its_long_side(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 0
    resize = Image.Image.resize

    def watch(self: Image.Image, size: tuple[int, int], *args: Any, **options: Any) -> Image.Image:
        nonlocal largest
        largest = max(largest, size[0] * self.size[1], size[0] * size[1])  # Pillow resizes the width first
        return resize(self, size, *args, **options)

    monkeypatch.setattr(Image.Image, "resize", watch)
    data = encoded(Image.new("L", (2, 60_000), 9))
    decode(data, ImageSpec(224, (0, 0, 0), (1, 1, 1), fit="squash"), 224)
    assert largest <= 2 * 60_000


def bomb(side: int) -> bytes:
    """A PNG whose header claims side x side pixels and whose data is nearly nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_decompression_bomb_is_refused_by_its_header(spec: ImageSpec) -> None:
    said = reason(bomb(50_000), spec)
    assert said.startswith("too large:")
    assert "2500000000 pixels" in said


def test_bomb_is_refused_where_pillow_is_told_not_to_look(spec: ImageSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert reason(bomb(20_000), spec).startswith("too large: 20000 x 20000 pixels")


def test_an_image_that_pillow_only_warns_of_is_no_bomb(spec: ImageSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    assert_colour(decode(encoded(Image.new("RGB", (20, 20), "red")), spec, 8), RED)


def test_pillow_is_left_as_it_was(spec: ImageSpec) -> None:
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    reason(bomb(50_000), spec)
    decode(noise(16, 16), spec, 8)
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


@pytest.mark.parametrize("shape", [(9, 9), (9, 9, 1), (9, 9, 3), (9, 9, 4)])
def test_arrays_of_every_shape(spec: ImageSpec, shape: tuple[int, ...]) -> None:
    assert_colour(decode(np.full(shape, 255, np.uint8), spec, 8), WHITE)


def test_any_bytes_give_an_image_or_a_reason(spec: ImageSpec) -> None:
    good = bytearray(encoded(Image.fromarray(noise(24, 24)), "JPEG"))
    random = np.random.default_rng(1)
    outcomes: set[tuple[int, ...] | None] = set()
    for _ in range(150):
        bad = bytearray(good)
        for place in random.integers(0, len(good), 8):
            bad[place] = random.integers(0, 256)
        try:
            outcomes.add(decode(bytes(bad), spec, 8).shape)
        except ImageError as error:
            outcomes.add(() if str(error) else None)
    assert outcomes == {(8, 8, 3), ()}
