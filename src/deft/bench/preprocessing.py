"""How an experiment's photos become pixels, where that isn't what the model was made for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deft.data.preprocessing import Preprocessing
from deft.encoders.base import DualEncoder
from deft.encoders.vision import VisionModel
from deft.settings import from_settings


def prepare(model: DualEncoder | VisionModel, settings: Mapping[str, Any]) -> None:
    """Let a model that was just loaded see photos as an experiment says.

    Args:
        model: Its `spec` is changed.
        settings: Of the experiment; without "preprocessing" the model sees what it was made for.

    Raises:
        SettingsError: The preprocessing has a name or a value that there isn't.
    """
    model.spec = from_settings(Preprocessing, settings.get("preprocessing", {})).of(model.spec)
