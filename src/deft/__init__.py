"""Find the wrong labels in an image data set with a vision-language model.

This file is the index of the library; each name is loaded when it is first used, so importing costs nothing.

    images = deft.load_images("photos/")
    encoder = deft.load_encoder("openai/clip-vit-base-patch16")  # or "tiny"
    found = deft.DeFT(encoder, tuning=deft.VPT(length=20)).detect(images)
    found.table
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deft.data.images import LabeledImages as LabeledImages
    from deft.data.load import load_images as load_images
    from deft.detectors.base import Detector as Detector
    from deft.detectors.base import Workspace as Workspace
    from deft.detectors.deft import DeFT as DeFT
    from deft.detectors.detection import Detection as Detection
    from deft.detectors.label_match import LabelMatch as LabelMatch
    from deft.detectors.phase1 import Recipe as Recipe
    from deft.detectors.small_loss import SmallLoss as SmallLoss
    from deft.detectors.trained import TrainedDeFT as TrainedDeFT
    from deft.encoders.base import DualEncoder as DualEncoder
    from deft.encoders.load import load_encoder as load_encoder
    from deft.errors import DataError as DataError
    from deft.errors import DeftError as DeftError
    from deft.errors import ModelError as ModelError
    from deft.errors import SettingsError as SettingsError
    from deft.fit import Method as Method
    from deft.fit import fit as fit
    from deft.metrics import score_detection as score_detection
    from deft.optimization import Optimization as Optimization
    from deft.report.build import build_report as build_report
    from deft.tuning import VPT as VPT
    from deft.tuning import Adapter as Adapter
    from deft.tuning import Bias as Bias
    from deft.tuning import Frozen as Frozen
    from deft.tuning import Full as Full
    from deft.tuning import LoRA as LoRA

__version__ = "0.1.0"

_HOMES = {
    "Adapter": "deft.tuning",
    "Bias": "deft.tuning",
    "DataError": "deft.errors",
    "DeFT": "deft.detectors.deft",
    "DeftError": "deft.errors",
    "Detection": "deft.detectors.detection",
    "Detector": "deft.detectors.base",
    "DualEncoder": "deft.encoders.base",
    "Frozen": "deft.tuning",
    "Full": "deft.tuning",
    "LabelMatch": "deft.detectors.label_match",
    "LabeledImages": "deft.data.images",
    "LoRA": "deft.tuning",
    "Method": "deft.fit",
    "ModelError": "deft.errors",
    "Optimization": "deft.optimization",
    "Recipe": "deft.detectors.phase1",
    "SettingsError": "deft.errors",
    "SmallLoss": "deft.detectors.small_loss",
    "TrainedDeFT": "deft.detectors.trained",
    "VPT": "deft.tuning",
    "Workspace": "deft.detectors.base",
    "build_report": "deft.report.build",
    "fit": "deft.fit",
    "load_encoder": "deft.encoders.load",
    "load_images": "deft.data.load",
    "score_detection": "deft.metrics",
}

__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'deft' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
