"""How photos become pixels, where that isn't what the model was made for."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Protocol, TypeVar

from deft.arguments import checked
from deft.data.image_spec import RGB, ImageSpec, Margin
from deft.errors import SettingsError
from deft.settings import to_settings
from deft.shown import short_repr

KNOWN = {"fit": ("crop", "squash"), "interpolation": ("bicubic", "bilinear"), "plain": ("whole", "centre")}


class Sees(Protocol):
    """A model: the pixels that it wants, and how photos become these where that isn't its own way."""

    spec: ImageSpec
    preprocessing: Preprocessing | None


Model = TypeVar("Model", bound=Sees)


@checked
@dataclass(frozen=True)
class Preprocessing:
    """How photos become a model's pixels; what isn't given stays as the model was made for it.

    `deft.adapt(preprocessing.on(backbone), images)` trains with it, and the trained classifier keeps it.

    Args:
        mean: Of the data set's values in 0..1, by channel.
        std: Their standard deviation.
        fit: How a photo becomes a square: "crop" or "squash".
        interpolation: Filter of the resize.
        margin: A larger square, from which what the model reads is cut out.

    Raises:
        SettingsError: A way of fitting, filtering or cropping is unknown, or a mean or a deviation can't be one.

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

    __repr__ = short_repr

    def __post_init__(self) -> None:
        chosen = {"fit": self.fit, "interpolation": self.interpolation, "plain": self.margin and self.margin.plain}
        for name, known in KNOWN.items():
            if chosen[name] not in (None, *known):
                raise SettingsError(f"preprocessing has no {name} {chosen[name]!r}. Known: {', '.join(known)}.")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and not all(map(math.isfinite, values)):
                raise SettingsError(f"preprocessing.{name} is three numbers, of red, green and blue; not {values}.")
        if self.std is not None and min(self.std) <= 0:
            raise SettingsError(f"preprocessing.std is divided by, and must be above 0; not {self.std}.")

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

    def on(self, model: Model) -> Model:
        """Return a backbone for `adapt` that sees photos so; the one given stays as it is, and they share weights.

        Args:
            model: From `load_vision_model` or `load_encoder`.

        Raises:
            SettingsError: There is a margin, which no model could be kept with.

        Example:
            >>> backbone = load_vision_model("facebook/convnext-tiny-224")  # doctest: +SKIP
            >>> deft.adapt(Preprocessing(fit="squash").on(backbone), images)  # doctest: +SKIP
        """
        if self.margin is not None:
            raise SettingsError("A margin is for experiments: no model could be kept that was trained with it.")
        seeing = copy.copy(model)
        seeing.spec, seeing.preprocessing = self.of(model.spec), self
        return seeing

    def settings(self) -> dict[str, Any]:
        """Return what is given, as plain JSON values."""
        return {name: value for name, value in to_settings(self).items() if value is not None}
