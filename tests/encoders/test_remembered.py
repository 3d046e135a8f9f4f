"""A stem that remembers: each batch once, and what it gives is what it would give."""

from __future__ import annotations

import torch
from torch import Tensor

from deft.encoders.load import load_encoder
from deft.encoders.remembered import remember_stem
from deft.training.precision import autocast

CPU = torch.device("cpu")


def test_each_batch_is_computed_once_in_each_number_format() -> None:
    plain, encoder = load_encoder("tiny", device="cpu"), load_encoder("tiny", device="cpu")
    asked: list[int] = []
    stem = encoder.stem

    def counted(pixels: Tensor) -> Tensor:
        asked.append(len(pixels))
        return stem(pixels)

    encoder.stem = counted  # type: ignore[method-assign]
    remembered = remember_stem(encoder)
    side = encoder.spec.size
    first, other = torch.randn(2, 3, 3, side, side, generator=torch.Generator().manual_seed(0))
    for dtype in (torch.float32, torch.bfloat16):
        for pixels in (first, other, first.clone(), first[:2]):
            with torch.no_grad(), autocast(dtype, CPU):
                assert torch.equal(remembered.encode_images(pixels), plain.encode_images(pixels))
    assert asked == [3, 3, 2] * 2
