"""Digits and letters drawn with the fonts at hand, bent, thinned, made coarse and noisy."""

from __future__ import annotations

import random
import subprocess

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
CANVAS = 96
SYMBOLS_ONLY = ("math", "symbol", "dingbat", "emoji", "icon")


def fonts() -> list[str]:
    """Files of the fonts on this machine that hold letters."""
    listed = subprocess.run(["fc-list", "--format", "%{file}\n"], capture_output=True, text=True, check=True)
    files = {line for line in listed.stdout.split("\n") if line.lower().endswith((".ttf", ".otf"))}
    return sorted(file for file in files if not any(word in file.lower() for word in SYMBOLS_ONLY))


def caption_sets() -> list[list[str]]:
    """What each of the 36 glyphs may be called."""
    digits = [
        [word, str(n), f"the digit {word}", f"digit {n}", f"the number {word}", f"number {n}", f"a handwritten {word}",
         f"a handwritten digit {word}", f"handwritten digit {n}", f"digit {word}"]
        for n, word in enumerate(DIGITS)
    ]  # fmt: skip
    letters = [
        [f"the letter {x}", f"letter {x}", f"a handwritten letter {x}", f"the letter {x.upper()}", x] for x in LETTERS
    ]
    return digits + letters


def draw(glyph: int, files: list[str], draws: random.Random) -> np.ndarray:
    """One picture of a glyph, (64, 64) uint8, light on dark or dark on light."""
    text = str(glyph) if glyph < 10 else draws.choice([LETTERS[glyph - 10], LETTERS[glyph - 10].upper()])
    font = ImageFont.truetype(draws.choice(files), draws.randint(54, 84))
    image = Image.new("L", (CANVAS, CANVAS), 0)
    stroke = draws.choice([0, 0, 0, 1, 2, 3, 4])
    ImageDraw.Draw(image).text((CANVAS / 2, CANVAS / 2), text, fill=255, font=font, anchor="mm", stroke_width=stroke)
    image = bend(image, draws)
    image = frame(image, draws)
    side = draws.choice([8, 8, 8, 10, 12, 16, 28, 48, 64])
    small = np.asarray(image.resize((side, side), Image.Resampling.BOX)).astype(float)
    if side <= 12:  # few grey levels, full contrast: as a scanner that counts dark pixels per cell
        small = np.clip(small * draws.uniform(1.0, 1.9), 0, 255)
    small = small + np.random.default_rng(draws.randrange(1 << 30)).normal(0, draws.uniform(0, 14), small.shape)
    small = np.clip(small, 0, 255)
    if draws.random() < 0.35:
        low, high = draws.randint(0, 90), draws.randint(150, 255)
        small = high - small * ((high - low) / 255)
    coarse = Image.fromarray(small.astype(np.uint8))
    way = draws.choice([Image.Resampling.BICUBIC, Image.Resampling.BICUBIC, Image.Resampling.NEAREST])
    return np.asarray(coarse.resize((64, 64), way))


def bend(image: Image.Image, draws: random.Random) -> Image.Image:
    """A random affine map and a smooth random warp."""
    turn, shear = draws.uniform(-0.25, 0.25), draws.uniform(-0.35, 0.35)
    wide, tall = draws.uniform(0.75, 1.5), draws.uniform(0.8, 1.25)
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[cos * wide, (-sin + shear) * wide], [sin * tall, cos * tall]])
    offset = CANVAS / 2 - matrix @ np.array([CANVAS / 2, CANVAS / 2])
    values = (*matrix[0], offset[0], *matrix[1], offset[1])
    image = image.transform(image.size, Image.Transform.AFFINE, values, Image.Resampling.BILINEAR)
    noise = np.random.default_rng(draws.randrange(1 << 30))
    strength, cells = draws.uniform(0, 7), draws.choice([3, 4, 5])
    shift = [
        np.asarray(
            Image.fromarray(noise.normal(0, 1, (cells, cells)).astype(np.float32)).resize(
                image.size, Image.Resampling.BICUBIC
            )
        )
        * strength
        for _ in range(2)
    ]
    rows, columns = np.mgrid[0:CANVAS, 0:CANVAS]
    at = np.clip(np.rint(rows + shift[0]), 0, CANVAS - 1).astype(int)
    to = np.clip(np.rint(columns + shift[1]), 0, CANVAS - 1).astype(int)
    return Image.fromarray(np.asarray(image)[at, to]).filter(ImageFilter.GaussianBlur(0.7))


def frame(image: Image.Image, draws: random.Random) -> Image.Image:
    """The drawn part with a margin; a narrow glyph keeps its shape inside a square, more or less."""
    box = image.getbbox() or (0, 0, CANVAS, CANVAS)
    w, h = box[2] - box[0], box[3] - box[1]
    side = max(w, h)
    margin = side * max(0.0, draws.uniform(-0.1, 0.2))
    pad_x = max((side - w) / 2 * draws.uniform(0.3, 1.0), 0) + margin
    pad_y = max((side - h) / 2, 0) + margin * draws.uniform(0.2, 1.0)
    dx = draws.uniform(-0.06, 0.06) * side
    area = (
        round(box[0] - pad_x + dx), round(box[1] - pad_y),
        round(box[2] + pad_x + dx), round(box[3] + pad_y),
    )  # fmt: skip
    return image.crop(area)


def draw_many(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of glyphs, two thirds of them digits.

    Returns:
        (count, 64, 64, 3) uint8 and the glyph of each, (count,): 0..9 digits, 10..35 letters.
    """
    draws = random.Random(seed)
    files = fonts()
    glyphs = [draws.randrange(10) if draws.random() < 0.67 else draws.randrange(10, 36) for _ in range(count)]
    pictures = np.stack([draw(glyph, files, draws) for glyph in glyphs])
    return np.repeat(pictures[..., None], 3, axis=-1), np.array(glyphs)
