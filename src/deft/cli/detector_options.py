"""The options of `deft detect` that choose a detector, and which of its settings each of them is.

An option of a new setting is three lines: its type here, a line of `SETTINGS`, and a parameter of the command. Without
them the setting is there as `--set key=value`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from deft.cli.bounds import MOST, MOST_ROWS
from deft.cli.options import TRAINING, TUNINGS, DetectorName, TuningName, option, pairs, refuse_given
from deft.declared import declared_default, declared_names, declared_types
from deft.detectors.registry import DETECTORS, detector_class
from deft.errors import SettingsError
from deft.settings import changed, parse_settings, parse_typed, setting_keys

if TYPE_CHECKING:
    from deft.detectors.base import Detector
    from deft.encoders.base import DualEncoder
    from deft.tuning import Tuning

DEFAULT = next(iter(DETECTORS))
UNLOADED = cast("DualEncoder", None)
"""In the place of a model that is loaded later: settings are checked before, since loading takes long."""

Method = Annotated[DetectorName, typer.Option("--method", help="How wrong labels are found.")]
TuningOption = Annotated[
    TuningName | None,
    option(TRAINING, "--tuning", help="What of the image tower learns; nothing by default, vpt in presets."),
]
Length = Annotated[
    int | None,
    option(
        TRAINING,
        "--length",
        metavar="N",
        min=1,
        max=MOST,
        help="Prompt tokens of vpt and vpt-shallow; 20 if not given.",
    ),
]
Context = Annotated[
    int | None,
    option(
        TRAINING,
        "--context",
        metavar="N",
        min=1,
        max=MOST,
        help="Learned context vectors per text prompt; 16 if not given.",
    ),
]
ClassSpecific = Annotated[
    bool, option(TRAINING, "--class-specific", help="Context vectors of their own for every class.")
]
Warmup = Annotated[
    int | None,
    option(
        TRAINING,
        "--warmup",
        metavar="N",
        min=0,
        max=MOST,
        help="Epochs that believe every label; all by default, 1 in the paper, 5 for real noise.",
    ),
]
Paper = Annotated[bool, option(TRAINING, "--paper", help="The paper's settings: VPT, verdict by the negative prompt.")]
ForRealNoise = Annotated[
    bool, option(TRAINING, "--for-real-noise", help="The authors' settings for labels by people or the web.")
]
ForWeakModel = Annotated[
    bool, option(TRAINING, "--for-weak-model", help="For a model that hardly knows the classes, as tiny.")
]
SampleSize = Annotated[
    int | None,
    option(
        TRAINING,
        "--sample",
        metavar="N",
        min=2,
        max=MOST_ROWS,
        help="Learn from this many images, drawn class by class; all are judged.",
    ),
]
Verdict = Annotated[
    Literal["evidence", "negative", "posterior"] | None,
    option(
        TRAINING,
        "--verdict",
        help="evidence: the default, by all that foretells held-out labels. negative: the paper's, by the negative "
        "prompt. posterior: by all prompts and estimated confusions; that of --for-weak-model.",
    ),
]

SETTINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "--tuning": ("tuning",),
        "--length": ("tuning.length",),
        "--context": ("prompts.length",),
        "--class-specific": ("prompts.class_specific",),
        "--epochs": ("epochs",),
        "--warmup": ("recipe.warmup", "warmup"),
        "--lr": ("optimization.learning_rate",),
        "--batch-size": ("batch_size",),
        "--seed": ("seed",),
        "--precision": ("optimization.precision", "precision"),
        "--verdict": ("recipe.verdict",),
        "--noise-rate": ("noise_rate",),
        "--sample": ("learn_from.images",),
    }
)
"""The settings that an option may be, by its name: the first of them that the detector has."""

PRESETS: Mapping[str, str] = MappingProxyType(
    {"--paper": "paper", "--for-real-noise": "for_real_noise", "--for-weak-model": "for_weak_model"}
)
"""Class methods that make a detector with other settings, by the option that asks for them."""

FOR_ALL = frozenset(["--batch-size", "--seed", "--precision"])
"""Options that every detector takes, whether or not it has a use for them."""


def learning_options(context: typer.Context) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the options that choose a detector, by option, None or False where one wasn't given; and `--set`, by key.

    Raises:
        SettingsError: One would do nothing, two contradict each other, or `--set` names no setting.
    """
    known = SETTINGS.keys() | PRESETS.keys()
    given = {one.opts[0]: context.params[str(one.name)] for one in context.command.params if one.opts[0] in known}
    sets = pairs(context.params["settings"])
    _refuse_with_kept(context)
    check_options(context.params["method"], given, sets)
    return given, sets


def _refuse_with_kept(context: typer.Context) -> None:
    """Refuse options that say how a detector learns, beside one that has learned (`--detector`).

    Raises:
        SettingsError: One of them was typed.
    """
    if context.params["detector"] is None:
        return
    learning = (SETTINGS.keys() | PRESETS.keys() | {"--method", "--model", "--set"}) - FOR_ALL
    names = {str(one.name) for one in context.command.params if one.opts[0] in learning}
    refuse_given(context, names, "{} can't be given with --detector: nothing is learned.")


def check_options(method: str, given: Mapping[str, Any], sets: Mapping[str, str]) -> None:
    """Refuse options and settings that the detector doesn't have, at once: nothing is imported for it.

    Args:
        method: Name of the detector.
        given: Values by option; None or False where one wasn't given.
        sets: What `--set` was given.

    Raises:
        SettingsError: One would do nothing, two contradict each other, or `--set` names no setting or no value of it.
    """
    declared = {name: declared_names(home) for name, home in DETECTORS.items()}
    for typed, value in given.items():
        if value is None or value is False or typed in FOR_ALL:
            continue
        owners = [name for name, known in declared.items() if _has(known, typed)]
        if method not in owners:
            raise SettingsError(f"{typed} belongs to --method {' or '.join(owners)}; {method} has no use for it.")
    presets = [one for one in PRESETS if given.get(one)]
    if len(presets) > 1:
        raise SettingsError(f"{' and '.join(presets)} are two different settings; choose one.")
    tuning = given.get("--tuning")
    if given.get("--length") is not None and tuning is not None and TUNINGS[tuning]["type"] != "VPT":
        raise SettingsError(f"--length belongs to --tuning vpt or vpt-shallow, not {tuning}.")
    _check_settings(method, given, sets)


def _has(declared: frozenset[str], typed: str) -> bool:
    if typed in PRESETS:
        return PRESETS[typed] in declared
    return any(key.partition(".")[0] in declared for key in SETTINGS[typed])


def _check_settings(method: str, given: Mapping[str, Any], sets: Mapping[str, str]) -> None:
    """Refuse what `--set` names wrongly."""
    if sets:
        home, tuning = DETECTORS[method], _tuning_of(DETECTORS[method], given)
        parse_typed(declared_types(home, {} if tuning is None else {"tuning": tuning}), sets)


def _tuning_of(home: str, given: Mapping[str, Any]) -> str | None:
    """Return `module:class` of the tuning that options choose; None if that is the detector's default."""
    name = given.get("--tuning") or ("vpt" if given.get("--length") is not None else None)
    if name is not None:
        return f"deft.tuning:{TUNINGS[name]['type']}"
    presets = [preset for one, preset in PRESETS.items() if given.get(one)]
    return declared_default(home, presets[0], "tuning") if presets else None


def choose_detector(method: str, given: Mapping[str, Any], sets: Mapping[str, str]) -> Detector:
    """Return the detector that was chosen, with all its settings but on no model yet.

    A model takes long to load, and the settings are checked before: `dataclasses.replace` puts the model in.

    Args:
        method: Name of the detector.
        given: Values by option; None or False where one wasn't given.
        sets: What `--set` was given, which has the last word.

    Raises:
        SettingsError: There is no such setting, or a value isn't allowed.
    """
    kind = detector_class(method)
    make = next((getattr(kind, name) for one, name in PRESETS.items() if given.get(one)), kind)
    detector: Detector = make(UNLOADED)
    tuning = given.get("--tuning")
    if tuning is None and given.get("--length") is not None and "tuning.length" not in setting_keys(detector):
        tuning = "vpt"  # whose length it is
    if tuning is not None:
        detector = changed(detector, {"tuning": tuning_named(tuning)})
    known, changes = setting_keys(detector), {}
    for typed, keys in SETTINGS.items():
        value = given.get(typed)
        key = next((key for key in keys if key in known), None)
        if key is not None and value is not None and value is not False:
            changes[key] = value
    if "recipe.dual_warmup" in known and "recipe.warmup" in changes:
        # L_dp needs the negative prompts' verdict early; only no warm-up at all shortens its own.
        changes["recipe.dual_warmup"] = min(known["recipe.dual_warmup"], changes["recipe.warmup"])
    detector = changed(detector, changes)
    return changed(detector, parse_settings(detector, sets))


def advice(method: str, given: Mapping[str, Any], model: str) -> str | None:
    """Return what a person should know of a choice that works but is hardly meant, in one sentence."""
    if model == "tiny" and method == "deft" and given.get("--paper"):
        return "These are the paper's settings, made for a full CLIP; with tiny, the default is better."
    return None


def tuning_named(name: str) -> Tuning:
    """Return the tuning of a name of the command line, with its default settings."""
    from deft.tuning import tuning_from_settings

    return tuning_from_settings(TUNINGS[name])
