"""How an experiment's photos become pixels, where that isn't what the model was made for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from deft.data.image_spec import RGB, ImageSpec, Margin
from deft.encoders.base import DualEncoder
from deft.encoders.vision import VisionModel
from deft.errors import SettingsError
from deft.settings import from_settings

KNOWN = {"fit": ("crop", "squash"), "interpolation": ("bicubic", "bilinear"), "plain": ("whole", "centre")}


@dataclass(frozen=True)
class Preprocessing:
    """What the authors' code does to the photos of a data set; what isn't given stays as the model has it.

    Args:
        mean: Of the data set's values in 0..1, by channel.
        std: Their standard deviation.
        fit: How a photo becomes a square: "crop" or "squash".
        interpolation: Filter of the resize.
        margin: A larger square, from which what the model reads is cut out.

    Raises:
        SettingsError: A way of fitting, filtering or cropping is unknown.

    Example:
        >>> squashed = Preprocessing(fit="squash", margin=Margin(256, plain="whole"))
        >>> squashed.of(ImageSpec(224, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))).kept
        256
    """

    mean: RGB | None = None
    std: RGB | None = None
    fit: Literal["crop", "squash"] | None = None
    interpolation: Literal["bicubic", "bilinear"] | None = None
    margin: Margin | None = None

    def __post_init__(self) -> None:
        chosen = {"fit": self.fit, "interpolation": self.interpolation, "plain": self.margin and self.margin.plain}
        for name, known in KNOWN.items():
            if chosen[name] not in (None, *known):
                raise SettingsError(f"preprocessing has no {name} {chosen[name]!r}. Known: {', '.join(known)}.")

    def of(self, own: ImageSpec) -> ImageSpec:
        """Return the pixels that a model gets.

        Args:
            own: Those that it was made for.

        Raises:
            SettingsError: The margin is smaller than what the model reads.
        """
        if self.margin is not None and self.margin.side < own.size:
            raise SettingsError(f"A model that reads {own.size} px can't cut them out of {self.margin.side}.")
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(own, **{name: value for name, value in given.items() if value is not None})


def prepare(model: DualEncoder | VisionModel, settings: Mapping[str, Any]) -> None:
    """Let a model that was just loaded see photos as an experiment says.

    Args:
        model: Its `spec` is changed.
        settings: Of the experiment; without "preprocessing" the model sees what it was made for.

    Raises:
        SettingsError: The preprocessing has a name or a value that there isn't.
    """
    model.spec = from_settings(Preprocessing, settings.get("preprocessing", {})).of(model.spec)
