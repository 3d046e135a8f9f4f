"""Single figures that docs/speed.md quotes: what narrow numbers change, and which form of attention is cheaper.

python -m benchmarks.details      # half a minute; times are processor time of one thread
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.speed import HALF, TextCase, best_of, build_encoder
from deft.encoders.base import DualEncoder
from deft.encoders.load import load_encoder
from deft.training.precision import autocast
from deft.tuning import VPT

CPU = torch.device("cpu")
QUERIES, KEYS, HEADS, WIDTH = 197, 217, 12, 64  # of ViT-B/16 with 20 visual prompts


def apart(narrow: Tensor, wide: Tensor) -> str:
    """Relative distance in norm."""
    return f"{float((narrow.float() - wide).norm() / wide.norm()):.2%}"


def milliseconds(function: Callable[[], object]) -> str:
    """Least processor time of several runs."""
    return f"{1000 * best_of(function, 7, time.process_time):.0f} ms"


def image_tower(encoder: DualEncoder, pixels: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Features of some images and the gradient of visual prompts, in one number format."""
    with VPT(length=20).attach(encoder, seed=0) as attachment:
        prompts = attachment.weights["prompts"]
        with autocast(dtype, CPU):
            features = encoder.encode_images(pixels)
        weights = torch.randn(features.shape, generator=torch.Generator().manual_seed(1))
        (gradient,) = torch.autograd.grad((features.float() * weights).sum(), prompts)
        return features.detach(), gradient


def narrow_numbers(encoder: DualEncoder, case: TextCase) -> None:
    """bfloat16 against float32, random weights of ViT-B/16's size."""
    texts = [case.short(dtype) for dtype in (HALF, torch.float32)]
    pixels = torch.randn(4, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    images = [image_tower(encoder, pixels, dtype) for dtype in (HALF, torch.float32)]
    print("bfloat16 against float32, relative distance in norm")
    for name, (narrow, wide) in (("text tower", texts), ("image tower", images)):
        print(f"  {name:<12} features {apart(narrow[0], wide[0])}, gradients {apart(narrow[1], wide[1])}")
    positive_sim = [100 * image[0].float() @ text[0][0].float().T for image, text in zip(images, texts, strict=True)]
    print(f"  similarities change by up to {float((positive_sim[0] - positive_sim[1]).abs().max()):.2f} of 100")


def attention() -> None:
    """Fused attention against two products, forward and backward."""
    print(f"Attention of 16 images, {HEADS} heads, {QUERIES} queries, {KEYS} keys, forward and backward, one thread")
    for dtype in (HALF, torch.float32):
        shapes = ((QUERIES, True), (KEYS, True), (KEYS, True))
        q, k, v = (torch.randn(16, HEADS, n, WIDTH, dtype=dtype, requires_grad=grad) for n, grad in shapes)

        def fused(q: Tensor = q, k: Tensor = k, v: Tensor = v) -> None:
            F.scaled_dot_product_attention(q, k, v).sum().backward()

        def products(q: Tensor = q, k: Tensor = k, v: Tensor = v) -> None:
            weights = (q @ k.transpose(-1, -2) * WIDTH**-0.5).softmax(dim=-1)
            (weights @ v).sum().backward()

        print(f"  {str(dtype)[6:]:<9} fused {milliseconds(fused)}, products {milliseconds(products)}")


def tiny_layers() -> None:
    """A step of `tiny`'s layers with visual prompts."""
    encoder = load_encoder("tiny", device="cpu")
    grid = torch.randn(64, 26, encoder.width, generator=torch.Generator().manual_seed(0))
    print("A step of tiny's layers, VPT 20, 64 images, forward and backward, one thread")
    with VPT(length=20).attach(encoder, seed=0):
        for dtype in (HALF, torch.float32):

            def step(dtype: torch.dtype = dtype) -> None:
                with autocast(dtype, CPU):
                    encoder.tower(grid).float().sum().backward()

            print(f"  {str(dtype)[6:]:<9} {milliseconds(step)}")


def main() -> None:
    torch.set_num_threads(1)
    encoder = build_encoder()
    narrow_numbers(encoder, TextCase(encoder, 100))
    attention()
    tiny_layers()


if __name__ == "__main__":
    main()
