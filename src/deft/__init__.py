"""Find the wrong labels in an image data set with a vision-language model.

This file is the index of the library; each name is loaded when it is first used, so importing costs nothing.

    images = deft.load_images("photos/")
    encoder = deft.load_encoder("openai/clip-vit-base-patch16")  # or "tiny"
    found = deft.DeFT(encoder).detect(images)
    found.table
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

from deft.moved import keep_old_modules
from deft.other_bars import load_silently

if TYPE_CHECKING:
    from deft.adaptation.adapt import adapt as adapt
    from deft.adaptation.model import AdaptedModel as AdaptedModel
    from deft.adaptation.training_set import TrainingSet as TrainingSet
    from deft.adaptation.training_set import fix_labels as fix_labels
    from deft.adaptation.validation import Validation as Validation
    from deft.data.images import LabeledImages as LabeledImages
    from deft.data.load import find_images as find_images
    from deft.data.load import load_images as load_images
    from deft.data.pixel_rule import PixelRule as PixelRule
    from deft.data.pixel_rule import ValueRange as ValueRange
    from deft.data.preprocessing import Preprocessing as Preprocessing
    from deft.detectors.area_under_margin import AreaUnderMargin as AreaUnderMargin
    from deft.detectors.base import Detector as Detector
    from deft.detectors.clip_cleaner import CLIPCleaner as CLIPCleaner
    from deft.detectors.confident_learning import ConfidentLearning as ConfidentLearning
    from deft.detectors.deft import DeFT as DeFT
    from deft.detectors.deft_stopping import Stopping as Stopping
    from deft.detectors.deft_trained import TrainedDeFT as TrainedDeFT
    from deft.detectors.deft_training import Recipe as Recipe
    from deft.detectors.label_match import LabelMatch as LabelMatch
    from deft.detectors.lemon import LEMoN as LEMoN
    from deft.detectors.neighbour_vote import NeighbourVote as NeighbourVote
    from deft.detectors.own_outputs import FromEmbeddings as FromEmbeddings
    from deft.detectors.own_outputs import FromProbabilities as FromProbabilities
    from deft.detectors.small_loss import SmallLoss as SmallLoss
    from deft.detectors.stratified import Stratified as Stratified
    from deft.encoders.base import DualEncoder as DualEncoder
    from deft.encoders.load import load_encoder as load_encoder
    from deft.encoders.vision import load_vision_model as load_vision_model
    from deft.errors import ConflictError as ConflictError
    from deft.errors import DataError as DataError
    from deft.errors import DeftError as DeftError
    from deft.errors import ModelError as ModelError
    from deft.errors import SettingsError as SettingsError
    from deft.export.plan import plan_run as plan_run
    from deft.export.write import write_export as write_export
    from deft.methods.base import Method as Method
    from deft.methods.base import TrainingContext as TrainingContext
    from deft.methods.co_teaching import CoTeaching as CoTeaching
    from deft.methods.cross_entropy import CE as CE
    from deft.methods.elr import ELR as ELR
    from deft.methods.gce import GCE as GCE
    from deft.methods.gce import TruncatedGCE as TruncatedGCE
    from deft.methods.gmm import GMM as GMM
    from deft.methods.longremix import LongReMix as LongReMix
    from deft.methods.promix import ProMix as ProMix
    from deft.methods.rolt import RoLT as RoLT
    from deft.methods.sce import SCE as SCE
    from deft.methods.turn import TURN as TURN
    from deft.methods.unicon import UNICON as UNICON
    from deft.methods.weighted import WeightedCE as WeightedCE
    from deft.metrics import score_detection as score_detection
    from deft.progress import Progress as Progress
    from deft.progress_bar import ProgressBar as ProgressBar
    from deft.progress_log import LoggedProgress as LoggedProgress
    from deft.prompts.learned import PromptSettings as PromptSettings
    from deft.report.build import build_report as build_report
    from deft.reviewing.notebook import review as review
    from deft.runs.decisions import Decision as Decision
    from deft.runs.decisions import Decisions as Decisions
    from deft.runs.decisions import read_decisions as read_decisions
    from deft.runs.detection import Detection as Detection
    from deft.runs.folder import open_run as open_run
    from deft.training.loop import Training as Training
    from deft.training.loop import fit as fit
    from deft.training.optimization import Optimization as Optimization
    from deft.training.processes import Processes as Processes
    from deft.training.workspace import Workspace as Workspace
    from deft.training_log import TensorBoard as TensorBoard
    from deft.transition import NoiseTransition as NoiseTransition
    from deft.transition import estimate_transition as estimate_transition
    from deft.tuning import VPT as VPT
    from deft.tuning import Adapter as Adapter
    from deft.tuning import Bias as Bias
    from deft.tuning import Frozen as Frozen
    from deft.tuning import Full as Full
    from deft.tuning import Layers as Layers
    from deft.tuning import LoRA as LoRA
    from deft.tuning import Tuning as Tuning

__version__ = "0.1.0"

_HOMES = {
    "AdaptedModel": "deft.adaptation.model",
    "Adapter": "deft.tuning",
    "AreaUnderMargin": "deft.detectors.area_under_margin",
    "Bias": "deft.tuning",
    "CE": "deft.methods.cross_entropy",
    "CLIPCleaner": "deft.detectors.clip_cleaner",
    "CoTeaching": "deft.methods.co_teaching",
    "ConfidentLearning": "deft.detectors.confident_learning",
    "ConflictError": "deft.errors",
    "DataError": "deft.errors",
    "DeFT": "deft.detectors.deft",
    "Decision": "deft.runs.decisions",
    "Decisions": "deft.runs.decisions",
    "DeftError": "deft.errors",
    "Detection": "deft.runs.detection",
    "Detector": "deft.detectors.base",
    "DualEncoder": "deft.encoders.base",
    "ELR": "deft.methods.elr",
    "FromEmbeddings": "deft.detectors.own_outputs",
    "FromProbabilities": "deft.detectors.own_outputs",
    "Frozen": "deft.tuning",
    "Full": "deft.tuning",
    "GCE": "deft.methods.gce",
    "GMM": "deft.methods.gmm",
    "LEMoN": "deft.detectors.lemon",
    "LabelMatch": "deft.detectors.label_match",
    "LabeledImages": "deft.data.images",
    "Layers": "deft.tuning",
    "LoRA": "deft.tuning",
    "LoggedProgress": "deft.progress_log",
    "LongReMix": "deft.methods.longremix",
    "Method": "deft.methods.base",
    "ModelError": "deft.errors",
    "NeighbourVote": "deft.detectors.neighbour_vote",
    "NoiseTransition": "deft.transition",
    "Optimization": "deft.training.optimization",
    "PixelRule": "deft.data.pixel_rule",
    "Preprocessing": "deft.data.preprocessing",
    "ProMix": "deft.methods.promix",
    "Processes": "deft.training.processes",
    "Progress": "deft.progress",
    "ProgressBar": "deft.progress_bar",
    "PromptSettings": "deft.prompts.learned",
    "Recipe": "deft.detectors.deft_training",
    "RoLT": "deft.methods.rolt",
    "SCE": "deft.methods.sce",
    "SettingsError": "deft.errors",
    "SmallLoss": "deft.detectors.small_loss",
    "Stopping": "deft.detectors.deft_stopping",
    "Stratified": "deft.detectors.stratified",
    "TURN": "deft.methods.turn",
    "TensorBoard": "deft.training_log",
    "TrainedDeFT": "deft.detectors.deft_trained",
    "Training": "deft.training.loop",
    "TrainingContext": "deft.methods.base",
    "TrainingSet": "deft.adaptation.training_set",
    "TruncatedGCE": "deft.methods.gce",
    "Tuning": "deft.tuning",
    "UNICON": "deft.methods.unicon",
    "VPT": "deft.tuning",
    "Validation": "deft.adaptation.validation",
    "ValueRange": "deft.data.pixel_rule",
    "WeightedCE": "deft.methods.weighted",
    "Workspace": "deft.training.workspace",
    "adapt": "deft.adaptation.adapt",
    "build_report": "deft.report.build",
    "estimate_transition": "deft.transition",
    "find_images": "deft.data.load",
    "fit": "deft.training.loop",
    "fix_labels": "deft.adaptation.training_set",
    "load_encoder": "deft.encoders.load",
    "load_images": "deft.data.load",
    "load_vision_model": "deft.encoders.vision",
    "open_run": "deft.runs.folder",
    "plan_run": "deft.export.plan",
    "read_decisions": "deft.runs.decisions",
    "review": "deft.reviewing.notebook",
    "score_detection": "deft.metrics",
    "write_export": "deft.export.write",
}

__all__ = [
    "CE",
    "ELR",
    "GCE",
    "GMM",
    "SCE",
    "TURN",
    "UNICON",
    "VPT",
    "AdaptedModel",
    "Adapter",
    "AreaUnderMargin",
    "Bias",
    "CLIPCleaner",
    "CoTeaching",
    "ConfidentLearning",
    "ConflictError",
    "DataError",
    "DeFT",
    "Decision",
    "Decisions",
    "DeftError",
    "Detection",
    "Detector",
    "DualEncoder",
    "FromEmbeddings",
    "FromProbabilities",
    "Frozen",
    "Full",
    "LEMoN",
    "LabelMatch",
    "LabeledImages",
    "Layers",
    "LoRA",
    "LoggedProgress",
    "LongReMix",
    "Method",
    "ModelError",
    "NeighbourVote",
    "NoiseTransition",
    "Optimization",
    "PixelRule",
    "Preprocessing",
    "ProMix",
    "Processes",
    "Progress",
    "ProgressBar",
    "PromptSettings",
    "Recipe",
    "RoLT",
    "SettingsError",
    "SmallLoss",
    "Stopping",
    "Stratified",
    "TensorBoard",
    "TrainedDeFT",
    "Training",
    "TrainingContext",
    "TrainingSet",
    "TruncatedGCE",
    "Tuning",
    "Validation",
    "ValueRange",
    "WeightedCE",
    "Workspace",
    "__version__",
    "adapt",
    "build_report",
    "estimate_transition",
    "find_images",
    "fit",
    "fix_labels",
    "load_encoder",
    "load_images",
    "load_vision_model",
    "open_run",
    "plan_run",
    "read_decisions",
    "review",
    "score_detection",
    "write_export",
]

_RENAMED = {"use": "fix_labels"}
"""Old names, each with the one that took its place; they warn for one release, then go."""


keep_old_modules()
load_silently()


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        warnings.warn(f"deft.{name} is called deft.{_RENAMED[name]} now.", DeprecationWarning, stacklevel=2)
        name = _RENAMED[name]
    if name not in _HOMES:
        raise AttributeError(f"module 'deft' has no attribute {name!r}{_meant(name)}")
    return getattr(import_module(_HOMES[name]), name)


def _meant(name: str) -> str:
    """Return a question after the name that is nearly this one; nothing where none is."""
    from difflib import get_close_matches

    plain = {known.replace("_", "").lower(): known for known in __all__}
    near = get_close_matches(name.replace("_", "").lower(), plain, n=1, cutoff=0.8)
    return f". Did you mean {plain[near[0]]}?" if near else ""


def __dir__() -> list[str]:
    return list(__all__)
