"""The detectors by the names that the command line and saved settings use; each is loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from deft.errors import SettingsError
from deft.homes import look_up
from deft.settings import from_settings

if TYPE_CHECKING:
    from deft.detectors.base import Detector
    from deft.encoders.base import DualEncoder

DETECTORS: Mapping[str, str] = MappingProxyType(
    {
        "deft": "deft.detectors.deft:DeFT",
        "label-match": "deft.detectors.label_match:LabelMatch",
        "small-loss": "deft.detectors.small_loss:SmallLoss",
        "confident-learning": "deft.detectors.confident_learning:ConfidentLearning",
        "neighbours": "deft.detectors.neighbour_vote:NeighbourVote",
        "aum": "deft.detectors.area_under_margin:AreaUnderMargin",
        "clipcleaner": "deft.detectors.clip_cleaner:CLIPCleaner",
        "lemon": "deft.detectors.lemon:LEMoN",
    }
)
"""Name to `module:class`; the first is the command line's default."""


def detector_class(name: str) -> type[Detector]:
    """Return the class of a detector.

    Args:
        name: A key of `DETECTORS`.

    Raises:
        SettingsError: There is no detector of that name.

    Example:
        >>> detector_class("small-loss")(load_encoder("tiny"), noise_rate=0.2)  # doctest: +SKIP
    """
    found: type[Detector] = look_up(DETECTORS, "detector", name)
    return found


def detector_from_settings(settings: Mapping[str, Any], encoder: DualEncoder) -> Detector:
    """Return the detector that `Detector.settings` described.

    Args:
        settings: As `Detection.settings` holds them.
        encoder: The model they name, `settings["model"]`.

    Raises:
        SettingsError: They don't describe how a detector learns: a kept detector judged, or another program or
            version.

    Example:
        >>> detector_from_settings(found.settings, load_encoder(found.settings["model"]))  # doctest: +SKIP
    """
    from deft.tuning import Tuning, tuning_from_settings

    if settings.get("trained"):
        raise SettingsError("This run was judged by a kept detector; give its folder as detector= again.")
    own = {name: value for name, value in settings.items() if name not in ("detector", "model")}
    kind = detector_class(str(settings.get("detector")))
    return from_settings(kind, own, {Tuning: tuning_from_settings}, encoder=encoder)
