"""From the options of `deft detect` to a detector, and which options belong to which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from deft.errors import SettingsError

if TYPE_CHECKING:
    from deft.detectors.base import Detector
    from deft.encoders.base import DualEncoder
    from deft.tuning import Tuning

MethodName = Literal["deft", "label-match", "small-loss"]
TuningName = Literal["vpt", "vpt-shallow", "lora", "adapter", "bias", "full", "layers", "frozen"]
VerdictName = Literal["negative", "posterior"]
PrecisionName = Literal["auto", "float32", "bfloat16", "float16"]

OF_TRAINING = ("tuning", "epochs", "warmup", "learning_rate", "length")
BELONGS = {
    "deft": (*OF_TRAINING, "context", "class_specific", "for_real_noise", "for_weak_model", "verdict"),
    "small-loss": (*OF_TRAINING, "noise_rate"),
    "label-match": (),
}
OPTION = {
    "learning_rate": "--lr",
    "class_specific": "--class-specific",
    "for_real_noise": "--for-real-noise",
    "for_weak_model": "--for-weak-model",
    "noise_rate": "--noise-rate",
}


@dataclass(frozen=True)
class Choice:
    """What a user chose; None stands for the detector's own default.

    Args:
        method: Which detector.
        tuning: What of the image tower learns.
        length: Prompt tokens of VPT.
        context: Context vectors per text prompt.
        class_specific: Whether every class has context vectors of its own.
        epochs: Epochs in all.
        warmup: Epochs that believe every label.
        learning_rate: Of SGD.
        batch_size: Images per step.
        seed: Draws all that is drawn.
        precision: Number format of the activations.
        for_real_noise: The authors' settings for real noise.
        for_weak_model: Our settings for a model that hardly knows the classes.
        verdict: What DeFT's verdict goes by.
        noise_rate: Share of wrong labels, for small-loss.
    """

    method: MethodName = "deft"
    tuning: TuningName | None = None
    length: int | None = None
    context: int | None = None
    class_specific: bool = False
    epochs: int | None = None
    warmup: int | None = None
    learning_rate: float | None = None
    batch_size: int = 64
    seed: int = 0
    precision: PrecisionName = "auto"
    for_real_noise: bool = False
    for_weak_model: bool = False
    verdict: VerdictName | None = None
    noise_rate: float | None = None

    def check(self) -> None:
        """Refuse options that the method doesn't have.

        Raises:
            SettingsError: One was given that would do nothing.
        """
        every = dict.fromkeys(name for names in BELONGS.values() for name in names)
        for name in every:
            given = getattr(self, name)
            if given is not None and given is not False and name not in BELONGS[self.method]:
                of = " or ".join(method for method, names in BELONGS.items() if name in names)
                raise SettingsError(
                    f"{OPTION.get(name, '--' + name)} belongs to --method {of}; {self.method} has no use for it."
                )
        if self.for_real_noise and self.for_weak_model:
            raise SettingsError("--for-real-noise and --for-weak-model are two different settings; choose one.")
        if self.length is not None and self.tuning not in (None, "vpt", "vpt-shallow"):
            raise SettingsError(f"--length belongs to --tuning vpt or vpt-shallow, not {self.tuning}.")


def advice(choice: Choice, model: str) -> str | None:
    """What a person should know of a choice that works but is hardly meant, in one sentence; None for nothing."""
    presets = choice.for_weak_model or choice.for_real_noise or choice.verdict is not None
    if model == "tiny" and choice.method == "deft" and not presets:
        return "These are the paper's settings, made for a full CLIP; with tiny, --for-weak-model is better."
    return None


def build_tuning(choice: Choice) -> Tuning:
    """The tuning that was chosen, VPT if none was."""
    return tuning_named(choice.tuning or "vpt", choice.length)


def tuning_named(name: TuningName, prompts: int | None = None) -> Tuning:
    """The tuning of a name.

    Args:
        name: As on the command line.
        prompts: Prompt tokens of VPT; 20 if not given.
    """
    from deft.tuning import VPT, Adapter, Bias, Frozen, Full, Layers, LoRA

    length = 20 if prompts is None else prompts
    match name:
        case "vpt-shallow":
            return VPT(length=length, depth="shallow")
        case "lora":
            return LoRA()
        case "adapter":
            return Adapter()
        case "bias":
            return Bias()
        case "full":
            return Full()
        case "layers":
            return Layers()
        case "frozen":
            return Frozen()
        case _:
            return VPT(length=length)


def build_detector(choice: Choice, encoder: DualEncoder) -> Detector:
    """The detector that was chosen."""
    if choice.method == "label-match":
        from deft.detectors.label_match import LabelMatch

        return LabelMatch(encoder, batch_size=choice.batch_size, precision=choice.precision)
    shared: dict[str, Any] = {
        "tuning": build_tuning(choice),
        "batch_size": choice.batch_size,
        "seed": choice.seed,
    }
    if choice.epochs is not None:
        shared["epochs"] = choice.epochs
    return _small_loss(choice, encoder, shared) if choice.method == "small-loss" else _deft(choice, encoder, shared)


def _small_loss(choice: Choice, encoder: DualEncoder, settings: dict[str, Any]) -> Detector:
    from deft.detectors.small_loss import SmallLoss
    from deft.training.optimization import Optimization

    if choice.warmup is not None:
        settings["warmup"] = choice.warmup
    optimization = Optimization(precision=choice.precision)
    if choice.learning_rate is not None:
        optimization = replace(optimization, learning_rate=choice.learning_rate)
    return SmallLoss(encoder, noise_rate=choice.noise_rate, optimization=optimization, **settings)


def _deft(choice: Choice, encoder: DualEncoder, settings: dict[str, Any]) -> Detector:
    from deft.detectors.deft import DeFT
    from deft.settings import changed

    preset: Callable[[DualEncoder], DeFT] = DeFT
    if choice.for_weak_model:
        preset = DeFT.for_weak_model
    elif choice.for_real_noise:
        preset = DeFT.for_real_noise
    detector = replace(preset(encoder), **settings)
    changes: dict[str, Any] = {"optimization.precision": choice.precision}
    if choice.context is not None:
        changes["prompts.length"] = choice.context
    if choice.class_specific:
        changes["prompts.class_specific"] = True
    if choice.learning_rate is not None:
        changes["optimization.learning_rate"] = choice.learning_rate
    if choice.warmup is not None:
        # L_dp needs the negative prompts' verdict early; only no warm-up at all shortens its own.
        changes["recipe.warmup"] = choice.warmup
        changes["recipe.dual_warmup"] = min(detector.recipe.dual_warmup, choice.warmup)
    if choice.verdict is not None:
        changes["recipe.verdict"] = choice.verdict
    return changed(detector, changes)
