"""Which options belong to which detector, and what each of them sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import fields
from inspect import signature
from typing import Any, get_args

import pytest
import typer

from deft.adaptation.adapt import adapt as adapt_images
from deft.adaptation.predictors import Head
from deft.cli import adapt as adapt_module
from deft.cli.adapt_settings import HOMES
from deft.cli.app import app
from deft.cli.detector_options import (
    FOR_ALL,
    PRESETS,
    SETTINGS,
    UNLOADED,
    advice,
    check_options,
    choose_detector,
    tuning_named,
)
from deft.cli.export import LinkName
from deft.cli.options import TUNINGS, PrecisionName, pairs
from deft.cli.run_folder import DETECTOR
from deft.data.preprocessing import Preprocessing
from deft.declared import declared_names, declared_types
from deft.detectors.deft_trained import CONFIG
from deft.detectors.registry import DETECTORS, detector_class
from deft.errors import SettingsError
from deft.export.formats import FORMATS, format_writer
from deft.export.image_files import Link
from deft.methods.registry import METHODS, method_class
from deft.settings import setting_keys, setting_types
from deft.training.optimization import Optimization
from deft.training.precision import Precision
from deft.tuning import TUNINGS as TUNING_TYPES
from deft.tuning import VPT, LoRA


def settings_of(method: str, given: Mapping[str, Any], sets: Mapping[str, str] | None = None) -> dict[str, Any]:
    """All settings of what was chosen, by key."""
    check_options(method, given, {})
    return setting_keys(choose_detector(method, given, sets or {}))


def test_every_tuning_has_a_name() -> None:
    assert tuning_named("vpt-shallow") == VPT(length=20, depth="shallow")
    assert tuning_named("lora") == LoRA()
    assert {type(tuning_named(name)) for name in TUNINGS} == set(TUNING_TYPES.values())


def test_names_are_those_of_the_library() -> None:
    assert get_args(PrecisionName) == get_args(Precision)
    assert get_args(LinkName) == get_args(Link)
    assert get_args(adapt_module.HeadName) == get_args(Head)
    assert signature(adapt_images).parameters["epochs"].default == adapt_module.EPOCHS


@pytest.mark.parametrize(("table", "load"), [(DETECTORS, detector_class), (METHODS, method_class)])
def test_what_a_class_declares_is_read_without_importing_it(table: Mapping[str, str], load: Any) -> None:
    for name, home in table.items():
        kind, declared = load(name), declared_names(home)
        assert {field.name for field in fields(kind)} - {"encoder"} <= declared
        assert all(hasattr(kind, one) or one in {field.name for field in fields(kind)} for one in declared)


def test_types_of_settings_are_read_without_importing_their_classes() -> None:
    for name, home in DETECTORS.items():
        detector: Any = detector_class(name)
        assert declared_types(home) == setting_types(detector(UNLOADED))
        if "tuning" in {field.name for field in fields(detector)}:
            vpt = dataclasses.replace(detector(UNLOADED), tuning=VPT())
            assert declared_types(home, {"tuning": "deft.tuning:VPT"}) == setting_types(vpt)
    for name, home in METHODS.items():
        assert declared_types(home) == setting_types(method_class(name)())
    for name, settings in (("optimization", Optimization()), ("preprocessing", Preprocessing())):
        assert declared_types(HOMES[name]) == setting_types(settings)


@pytest.mark.parametrize("given", [{}, {"--paper": True}, {"--tuning": "lora"}, {"--length": 3}])
@pytest.mark.parametrize("method", ["deft", "small-loss"])
def test_settings_are_checked_against_the_tuning_that_is_chosen(method: str, given: dict[str, Any]) -> None:
    if method == "small-loss" and "--paper" in given:
        return
    known = setting_types(choose_detector(method, given, {}))
    for key in {"tuning.length", "tuning.rank", *known}:
        text = "1" if known.get(key) is int else "wrong"
        if key not in known:
            with pytest.raises(SettingsError, match="There is no setting"):
                check_options(method, given, {key: text})
        elif known[key] is int:
            check_options(method, given, {key: text})


def test_what_a_kept_detector_is_known_by() -> None:
    assert CONFIG == DETECTOR


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_writer(name: str) -> None:
    assert callable(format_writer(name))


def test_every_option_that_chooses_a_detector_has_its_settings() -> None:
    command = typer.main.get_command(app).commands["detect"]  # type: ignore[attr-defined]
    learning = {one.opts[0] for one in command.params if getattr(one, "rich_help_panel", "") == "How it works"}
    assert learning - {"--device", "--set"} == {*SETTINGS, *PRESETS}


@pytest.mark.parametrize("method", DETECTORS)
def test_a_new_detector_takes_the_options_of_its_settings(method: str) -> None:
    """Which is so for any detector in the table: it is asked what it declares."""
    known = setting_keys(choose_detector(method, {}, {}))
    for option, keys in SETTINGS.items():
        value = "frozen" if option == "--tuning" else 1
        if keys[0].partition(".")[0] == "tuning":  # which tuning has it is known when one is chosen
            expected = "tuning" in {field.name for field in fields(choose_detector(method, {}, {}))}
        else:
            expected = any(key in known for key in keys) or option in FOR_ALL
        if expected:
            check_options(method, {option: value}, {})
        else:
            with pytest.raises(SettingsError, match=f"{option} belongs to --method"):
                check_options(method, {option: value}, {})


@pytest.mark.parametrize(
    ("method", "given", "said"),
    [
        ("deft", {"--noise-rate": 0.2}, "--noise-rate belongs to --method small-loss"),
        ("small-loss", {"--for-real-noise": True}, "--for-real-noise belongs to --method deft"),
        ("small-loss", {"--context": 4}, "--context belongs to --method deft"),
        ("label-match", {"--lr": 0.1}, "--lr belongs to --method deft or small-loss"),
        ("deft", {"--tuning": "frozen", "--length": 4}, "--length belongs to --tuning vpt"),
        ("deft", {"--for-real-noise": True, "--for-weak-model": True}, "two different settings"),
        ("deft", {"--paper": True, "--for-weak-model": True}, "--paper and --for-weak-model"),
    ],
)
def test_options_that_would_do_nothing_are_refused(method: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        check_options(method, given, {})


def test_options_become_settings() -> None:
    given = {"--tuning": "vpt-shallow", "--length": 7, "--context": 5, "--class-specific": True, "--epochs": 3}
    given |= {"--lr": 0.5, "--batch-size": 9, "--seed": 4, "--precision": "float32", "--verdict": "posterior"}
    found = settings_of("deft", given)
    expected = {"tuning.length": 7, "tuning.depth": "shallow", "prompts.length": 5, "prompts.class_specific": True}
    expected |= {"epochs": 3, "optimization.learning_rate": 0.5, "batch_size": 9, "seed": 4}
    expected |= {"optimization.precision": "float32", "recipe.verdict": "posterior"}
    assert {key: found[key] for key in expected} == expected
    assert settings_of("label-match", {"--precision": "float32", "--seed": 3})["precision"] == "float32"
    assert settings_of("small-loss", {"--warmup": 4})["warmup"] == 4


def test_the_default_leaves_the_image_tower_alone_and_the_paper_tunes_it() -> None:
    default, paper = settings_of("deft", {}), settings_of("deft", {"--paper": True})
    assert (default["recipe.verdict"], paper["recipe.verdict"]) == ("evidence", "negative")
    assert "tuning.length" not in default
    assert (paper["tuning.length"], paper["epochs"], paper["recipe.warmup"]) == (20, 10, 1)
    assert settings_of("deft", {"--length": 4})["tuning.length"] == 4


def test_a_longer_warmup_leaves_that_of_the_negative_prompts() -> None:
    longer, none = settings_of("deft", {"--warmup": 5}), settings_of("deft", {"--warmup": 0})
    assert (longer["recipe.warmup"], longer["recipe.dual_warmup"]) == (5, 1)
    assert (none["recipe.warmup"], none["recipe.dual_warmup"]) == (0, 0)


def test_the_verdict_is_changed_in_any_preset() -> None:
    asked = [{}, {"--for-real-noise": True}, {"--for-weak-model": True}]
    for verdict in ("evidence", "negative", "posterior"):
        for given in asked:
            assert settings_of("deft", {**given, "--verdict": verdict})["recipe.verdict"] == verdict
    assert [settings_of("deft", given)["recipe.warmup_loss"] for given in asked] == ["gce", "sce", "gce"]


def test_any_setting_can_be_set_by_its_key_and_has_the_last_word() -> None:
    found = settings_of("deft", {"--epochs": 3}, pairs(["epochs=4", "recipe.gradient=both", "views=3"]))
    assert (found["epochs"], found["recipe.gradient"], found["views"]) == (4, "both", 3)
    assert settings_of("deft", {"--tuning": "lora"}, {"tuning.rank": "2"})["tuning.rank"] == 2


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["gradient=both"], "Did you mean recipe.gradient?"),
        (["epochs=many"], "a whole number"),
        (["epochs=0"], "at least one epoch"),
        (["batch_size=0"], "batch size must be at least 1"),
        (["epochs"], "KEY=VALUE"),
        (["epochs=1", "epochs=2"], "twice"),
    ],
)
def test_what_cannot_be_set_is_refused_with_a_sentence(texts: list[str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        choose_detector("deft", {}, pairs(texts))


@pytest.mark.parametrize(
    ("method", "given", "model", "said"),
    [
        ("deft", {"--paper": True}, "tiny", True),
        ("deft", {"--paper": True}, "openai/clip-vit-base-patch16", False),
        ("deft", {}, "tiny", False),
        ("deft", {"--for-weak-model": True}, "tiny", False),
        ("label-match", {}, "tiny", False),
    ],
)
def test_the_paper_on_a_weak_model_is_told_of_the_default(
    method: str, given: dict[str, Any], model: str, said: bool
) -> None:
    assert ("default" in (advice(method, given, model) or "")) == said
