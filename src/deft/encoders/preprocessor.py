"""What an image classification model wants of its pixels: asked of its own processor, and written for the next."""

from __future__ import annotations

from typing import Any

import numpy as np

from deft.data.image_spec import RGB, ImageSpec
from deft.encoders.hub import preprocessor_settings, quiet
from deft.errors import ModelError

IMAGENET_MEAN: RGB = (0.485, 0.456, 0.406)
IMAGENET_STD: RGB = (0.229, 0.224, 0.225)
USUAL_SIZE = 224
PROBE_SIDE = 64
BILINEAR, BICUBIC = 2, 3  # Pillow's numbers


def read_spec(name: str, config: Any) -> tuple[ImageSpec, str | None]:
    """Return the pixels that a model expects.

    Its processor is shown a black and a white image: whatever way it scales and normalises, two values a channel
    tell it, and the shape it gives is the size.

    Args:
        name: Hub id or folder.
        config: The model's configuration.

    Returns:
        The pixels, and what had to be assumed, as a sentence for people.

    Raises:
        ModelError: The processor can't be understood, or it wants images that are no squares.
    """
    stated = preprocessor_settings(name)
    if not stated:
        size = _configured_size(config)
        return (
            ImageSpec(size, IMAGENET_MEAN, IMAGENET_STD),
            f"{name!r} has no preprocessor_config.json; images are taken at {size} px, with ImageNet's mean and "
            "standard deviation.",
        )
    from transformers import AutoImageProcessor

    try:
        with quiet():
            processor = AutoImageProcessor.from_pretrained(name)
            black, white = (_shown(processor, shade) for shade in (0, 255))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"The preprocessor_config.json of {name!r} can't be used: {reason}") from error
    if black.ndim != 3 or len(black) != 3 or black.shape[1] != black.shape[2]:
        shape = " x ".join(str(side) for side in black.shape[-2:])
        raise ModelError(f"{name!r} reads inputs of {shape}; deft can only give it square images of three channels.")
    resizes = getattr(processor, "do_resize", True) and ("size" in stated or "crop_size" in stated)
    size = int(black.shape[-1]) if resizes else _configured_size(config)
    middle = black.shape[-1] // 2
    low, high = (image[:, middle, middle].astype(np.float64) for image in (black, white))
    std = 1 / (high - low)
    return (
        ImageSpec(
            size=size,
            mean=_rgb(-low * std),
            std=_rgb(std),
            fit="crop" if _keeps_proportions(processor) else "squash",
            interpolation="bilinear" if getattr(processor, "resample", BICUBIC) == BILINEAR else "bicubic",
        ),
        None,
    )


def spec_settings(spec: ImageSpec) -> dict[str, Any]:
    """Return a `preprocessor_config.json` that gives just the pixels that a spec describes.

    Raises:
        ModelError: The spec has a margin, which is for experiments.
    """
    if spec.margin is not None:
        raise ModelError("A model whose photos are kept with a margin, as in experiments, can't be written.")
    side = {"height": spec.size, "width": spec.size}
    shared = {
        "do_resize": True,
        "resample": BILINEAR if spec.interpolation == "bilinear" else BICUBIC,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(spec.mean),
        "image_std": list(spec.std),
        "do_convert_rgb": True,
    }
    if spec.fit == "squash":
        return {"image_processor_type": "ViTImageProcessor", "size": side, **shared}
    crop = {"size": {"shortest_edge": spec.size}, "do_center_crop": True, "crop_size": side}
    return {"image_processor_type": "CLIPImageProcessor", **crop, **shared}


def _shown(processor: Any, shade: int) -> np.ndarray:
    """Return what the processor makes of an image of one grey, (3, H, W)."""
    image = np.full((PROBE_SIDE, PROBE_SIDE, 3), shade, np.uint8)
    pixels = processor(images=image, input_data_format="channels_last", return_tensors="np")["pixel_values"]
    shown: np.ndarray = np.asarray(pixels)[0]
    return shown


def _keeps_proportions(processor: Any) -> bool:
    size = getattr(processor, "size", None) or {}
    return bool(getattr(processor, "do_center_crop", False)) or "shortest_edge" in size


def _configured_size(config: Any) -> int:
    size = getattr(config, "image_size", None) or getattr(getattr(config, "vision_config", None), "image_size", None)
    if isinstance(size, list | tuple):
        if len(set(size)) > 1:
            raise ModelError(f"The model reads images of {size[0]} x {size[1]} px; deft can only give it squares.")
        size = size[0]
    return int(size or USUAL_SIZE)


def _rgb(values: np.ndarray) -> RGB:
    red, green, blue = (round(float(value), 6) for value in values)
    return red, green, blue
