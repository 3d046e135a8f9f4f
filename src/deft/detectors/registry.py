"""A detector again, from the settings that a run kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deft.detectors.base import Detector
from deft.detectors.deft import DeFT
from deft.detectors.deft_training import Recipe
from deft.detectors.label_match import LabelMatch
from deft.detectors.small_loss import SmallLoss
from deft.encoders.base import DualEncoder
from deft.errors import SettingsError
from deft.training.inputs import Reading
from deft.training.optimization import Optimization
from deft.tuning import tuning_from_settings


def detector_from_settings(settings: Mapping[str, Any], encoder: DualEncoder) -> Detector:
    """The detector that `Detector.settings` described.

    Args:
        settings: As `Detection.settings` holds them.
        encoder: The model they name, `settings["model"]`.

    Raises:
        SettingsError: They don't describe how a detector learns: a kept detector judged, or another program or
            version.

    Example:
        >>> detector_from_settings(found.settings, load_encoder(found.settings["model"]))  # doctest: +SKIP
    """
    kind = settings.get("detector")
    if kind == "label-match":
        return LabelMatch(encoder, templates=settings["templates"])
    if kind == "small-loss":
        return _small_loss(settings, encoder)
    if kind == "deft" and "epochs" in settings:
        return _deft(settings, encoder)
    if kind == "deft":
        raise SettingsError("This run was judged by a kept detector; name its folder with --detector again.")
    raise SettingsError(f"There is no detector {kind!r}. Known: deft, label-match, small-loss.")


def _small_loss(settings: Mapping[str, Any], encoder: DualEncoder) -> SmallLoss:
    reading = Reading(**settings["reading"])
    return SmallLoss(
        encoder,
        tuning=tuning_from_settings(settings["tuning"]),
        noise_rate=settings["noise_rate"],
        epochs=settings["epochs"],
        warmup=settings["warmup"],
        optimization=Optimization.from_settings(settings["optimization"]),
        batch_size=reading.batch_size,
        seed=reading.seed,
    )


def _deft(settings: Mapping[str, Any], encoder: DualEncoder) -> DeFT:
    reading, prompts = Reading(**settings["reading"]), settings["prompts"]
    return DeFT(
        encoder,
        tuning=tuning_from_settings(settings["tuning"]),
        context_length=prompts["length"],
        position=prompts["position"],
        class_specific=prompts["class_specific"],
        epochs=settings["epochs"],
        recipe=Recipe.from_settings(settings["recipe"]),
        optimization=Optimization.from_settings(settings["optimization"]),
        batch_size=reading.batch_size,
        seed=reading.seed,
        views=reading.views,
    )
