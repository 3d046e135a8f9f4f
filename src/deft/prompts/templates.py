"""Sentences that a class name is put into for zero-shot classification."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from deft.encoders.base import DualEncoder
from deft.errors import SettingsError
from deft.one_thread import FEW_ROWS, one_thread

PHOTO = ("a photo of a {}.",)
"""The single sentence of CLIP's paper, and of DeFT's label-match."""

ENSEMBLE = (
    "a photo of a {}.",
    "a good photo of the {}.",
    "a bad photo of a {}.",
    "a close-up photo of the {}.",
    "a blurry photo of a {}.",
    "a drawing of a {}.",
    "the {} in a scene.",
)
"""A handful of sentences whose features are averaged (Radford et al. 2021, section 3.1.4)."""


def check_templates(templates: Sequence[str]) -> None:
    """Refuse sentences that hold no class name.

    Raises:
        SettingsError: There are none, or one lacks `{}`, or holds other braces.
    """
    if not templates:
        raise SettingsError("At least one template is needed, such as 'a photo of a {}.'")
    for template in templates:
        if template.count("{}") != 1 or set("{}") & set(template.replace("{}", "")):
            raise SettingsError(f"A template has {{}} once, where the class name stands; {template!r} hasn't.")


def class_features(encoder: DualEncoder, classes: Sequence[str], templates: Sequence[str] = PHOTO) -> Tensor:
    """Return unit text features of classes, averaged over templates.

    Args:
        encoder: A vision-language model.
        classes: Class names, K of them.
        templates: Sentences with `{}` where the name stands.

    Returns:
        Features of length one, (K, D).

    Example:
        >>> class_features(load_encoder("tiny"), ["cat", "dog"]).shape  # doctest: +SKIP
        torch.Size([2, 256])
    """
    texts = [template.format(name) for template in templates for name in classes]
    with one_thread(len(texts) < FEW_ROWS):
        features = encoder.encode_texts(texts).unflatten(0, (len(templates), len(classes)))
    return F.normalize(features.mean(dim=0), dim=-1)
