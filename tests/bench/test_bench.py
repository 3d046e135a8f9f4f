"""`deft bench`: every experiment file runs, results are kept while they hold, and tables stand beside the paper's."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deft.bench.experiment import SCALES, Column, Library, Table, merged, read_table
from deft.bench.harness import Bench
from deft.bench.machine import program
from deft.bench.measure import build_detector, build_method
from deft.bench.preprocessing import prepare
from deft.bench.results import Code, _told, kept_result, read_result, read_results, result_path, write_result
from deft.bench.sources import Sources, squares
from deft.bench.tables import HEADS, page_text, table_text
from deft.data.image_bytes import image_file
from deft.data.image_spec import Margin
from deft.encoders.load import load_encoder
from deft.errors import DataError, SettingsError
from deft.progress import Silent

LIBRARY = Library()
FILES = [(name, row) for name in LIBRARY.names for row in LIBRARY.table(name).rows]
PAPER_HAS_NUMBERS = ("table1", "table2", "table3", "table4")


class Notes(Silent):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """One for all smoke runs, so that the model is loaded and looks at the squares once."""
    return Bench(tmp_path_factory.mktemp("bench"), device="cpu")


@pytest.mark.parametrize(("name", "row"), FILES, ids=lambda value: str(value))
def test_every_experiment_file_runs(name: str, row: str, bench: Bench) -> None:
    table = LIBRARY.table(name)
    (result,) = bench.run(table, "smoke", seeds=1, only=row)
    asked = [metric for metric in table.metrics if metric not in ("cpu_seconds", "seconds", "peak_memory_mb")]
    assert set(asked) <= result["metrics"].keys()
    assert all(0 <= value <= 1 for value in result["metrics"].values() if not math.isnan(value))
    (experiment,) = table.experiments("smoke", 1, row)
    kept = read_result(result_path(bench.folder, experiment))
    expected = {"settings", "versions", "commit", "code", "date", "machine", "seed", "command", "seconds"}
    assert expected | {"peak_memory_mb", "true_rate", "images"} <= kept.keys()
    assert str(table.rows[row]["label"]) in (bench.folder / "smoke" / f"{name}.md").read_text(encoding="utf-8")
    assert (bench.folder / "smoke" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("name", "row"), FILES, ids=lambda value: str(value))
def test_every_experiment_can_be_built_at_every_scale(name: str, row: str) -> None:
    encoder, images = load_encoder("tiny", device="cpu"), squares().train
    for scale in SCALES:
        for experiment in LIBRARY.table(name).experiments(scale, 1, row):
            if "detector" in experiment.settings:
                build_detector(experiment, encoder, images)
            if "learner" in experiment.settings:
                build_method(experiment)
            assert experiment.kind in ("detection", "learning")


@pytest.mark.parametrize("name", PAPER_HAS_NUMBERS)
def test_every_number_of_the_paper_is_there(name: str) -> None:
    table = LIBRARY.table(name)
    shown = {"table1": ("clean_precision", "clean_recall"), "table2": ("best", "last")}.get(name, ("last",))
    for column in table.columns("paper"):
        for row in table.rows:
            for metric in shown:
                value = table.published(row, column.name, metric)
                assert value is not None, (row, column.name, metric)
                assert 40 < value < 100
    assert table.published("deft", table.columns("paper")[0].name, shown[-1]) == {
        "table1": 97.77, "table2": 89.35, "table3": 79.04, "table4": 70.82
    }[name]  # fmt: skip


def test_every_metric_that_a_table_shows_has_a_heading() -> None:
    assert {metric for name in LIBRARY.names for metric in LIBRARY.table(name).metrics} <= HEADS.keys()


def test_photos_are_prepared_as_an_experiment_says() -> None:
    encoder = load_encoder("tiny", device="cpu")
    own = encoder.spec
    prepare(encoder, {})
    assert encoder.spec == own
    prepare(encoder, settings_of("table1", "deft", "cub200/sym-0.2"))
    assert encoder.spec == replace(
        own,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        fit="squash",
        interpolation="bilinear",
        margin=Margin(256, plain="whole"),
    )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"fit": "squah"}, "no fit 'squah'. Known: crop, squash"),
        ({"interpolation": "nearest"}, "no interpolation 'nearest'. Known: bicubic, bilinear"),
        ({"margin": {"side": 256, "plain": "center"}}, "no plain 'center'. Known: whole, centre"),
        ({"margin": {"side": 100}}, "can't cut them out of 100"),
        ({"size": 100}, "size"),
    ],
)
def test_a_preprocessing_that_there_is_not_is_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        prepare(load_encoder("tiny", device="cpu"), {"preprocessing": settings})


def test_every_data_set_of_the_paper_is_prepared_as_by_its_authors() -> None:
    columns = {one.column.data: one.settings for one in LIBRARY.table("table2").experiments("paper", 1)}
    columns |= {one.column.data: one.settings for one in LIBRARY.table("table3").experiments("paper", 1)}
    assert all(settings["preprocessing"]["interpolation"] == "bilinear" for settings in columns.values())
    small = list(LIBRARY.table("table2").experiments("small", 1))
    assert all("preprocessing" not in one.settings for one in small)


def settings_of(table: str, row: str, column: str) -> Any:
    found = LIBRARY.table(table).experiments("paper", 1, row)
    return next(one.settings for one in found if one.column.name == column)


def test_settings_of_the_authors_scripts() -> None:
    """Wei et al. 2024, the code's configuration files."""
    real = settings_of("table3", "deft", "clothing1m/given")
    assert real["detector"] == {"name": "deft", "preset": "for_real_noise"}
    assert (real["learner"]["epochs"], real["learner"]["batch_size"], real["balanced"]) == (5, 32, 32000)
    assert real["learner"]["optimization"]["schedule"] == "constant"
    assert real["learner"]["fix"] == "mask"
    assert settings_of("table2", "gmm", "tiny-imagenet/sym-0.2")["learner"]["settings"] == {"warmup": 5}
    assert "settings" not in settings_of("table2", "gmm", "cifar100/sym-0.2")["learner"]
    synthetic = settings_of("table2", "deft", "cifar100/sym-0.2")
    assert synthetic["detector"]["preset"] == "paper"
    assert (synthetic["learner"]["epochs"], synthetic["learner"]["tuning"]) == (10, {"type": "Layers"})
    assert settings_of("table2", "elr", "cub200/sym-0.2")["learner"]["settings"] == {"beta": 0.3, "weight": 5.0}


def test_tables_of_settings_are_merged_but_values_with_a_type_replaced() -> None:
    first = {"a": {"x": 1, "y": 2}, "tuning": {"type": "VPT", "length": 3}}
    assert merged(first, {"a": {"y": 5}, "tuning": {"type": "Bias"}}) == {
        "a": {"x": 1, "y": 5},
        "tuning": {"type": "Bias"},
    }


@pytest.mark.parametrize("name", ["cifar100", "cifar100/sym", "cifar100/odd-0.2", "/sym-0.2", "cifar100/sym-x"])
def test_a_column_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="DATA/NOISE-RATE"):
        Column.parse(name)


def test_a_result_is_kept_while_settings_and_code_stay(bench: Bench, tmp_path: Path) -> None:
    notes = Notes()
    own = replace(bench, folder=tmp_path, progress=notes)
    table = LIBRARY.table("peers")
    (experiment,) = table.experiments("smoke", 1, "neighbours")
    first = own.result(experiment)
    path = result_path(tmp_path, experiment)
    written = path.read_bytes()
    assert own.result(experiment)["date"] == first["date"]
    assert path.read_bytes() == written
    assert notes.texts[-1].endswith("there already")
    write_result(path, {**json.loads(written), "code": "another"})
    own.result(experiment)
    assert notes.texts[-1].endswith("made again, since it was made with other code")
    other = replace(experiment, settings={**experiment.settings, "images": 23})
    assert kept_result(path, other, own.code) == (None, "other settings")
    assert own.result(other)["images"] == 23


def test_a_result_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{", encoding="utf-8")
    (tmp_path / "b.json").write_text("{}", encoding="utf-8")
    for name in "ab":
        with pytest.raises(DataError, match=rf"{name}\.json is no result of deft bench"):
            read_result(tmp_path / f"{name}.json")


def test_comments_and_docstrings_are_no_other_code() -> None:
    first = 'def f(x):\n    """Return it."""\n    return x  # as it is\n'
    assert _told(first) == _told("def f(x):\n    return x\n")
    assert _told(first) != _told("def f(x):\n    return -x\n")
    assert len(Code().version) == 12


def test_the_hash_of_code_hangs_on_no_version_of_python() -> None:
    told = _told("def f(x=None, *, y=0):\n    return f\"{x['a']!r:>9}\"\n")
    assert told == (  # printed under Python 3.10, 3.11, 3.12 and 3.13 alike
        "Module(body=[FunctionDef(name='f', args=arguments(args=[arg(arg='x')], kwonlyargs=[arg(arg='y')], "
        "kw_defaults=[Constant(value=0)], defaults=[Constant()]), body=[Return(value=JoinedStr(values=["
        "FormattedValue(value=Subscript(value=Name(id='x', ctx=Load()), slice=Constant(value='a'), ctx=Load()), "
        "conversion=114, format_spec=JoinedStr(values=[Constant(value='>9')]))]))])])"
    )


def a_result(row: str, column: str, seed: int, code: str = "aaa", **metrics: float | None) -> dict[str, Any]:
    return {
        "table": "table1", "row": row, "column": column, "seed": seed, "metrics": metrics, "code": code, "commit": "c1",
        "settings": {"encoder": "tiny"}, "seconds": 2.0, "peak_memory_mb": 100, "images": 1000, "true_rate": 0.2,
        "data_name": "CIFAR-100",
    }  # fmt: skip


def test_a_table_stands_beside_the_papers() -> None:
    table = LIBRARY.table("table1")
    column = "cifar100/sym-0.2"
    results = [
        a_result("deft", column, seed, clean_precision=value, f1=None) for seed, value in enumerate((0.99, 0.97))
    ]
    text = table_text(table, "paper", [*results, a_result("label-match", column, 0, clean_precision=0.9)])
    assert "**CIFAR-100: 20% symmetric noise; 1,000 images, tiny**" in text
    lines = text.splitlines()
    assert lines[lines.index("| method | kept: precision | paper | Δ | seeds |") + 2 :][:2] == [
        "| label-match | 90.00 | 99.83 | -9.83 | 1 |",
        "| DeFT | 98.00 ± 1.41 | 99.51 | -1.51 | 2 |",
    ]
    assert "Made by code aaa (commit c1)." in text
    assert "    deft bench table1 --scale paper" in lines


def test_a_table_says_where_it_ran() -> None:
    def ran(seed: int, device: str, cores: int) -> dict[str, Any]:
        place = {"device": device, "machine": {"cores": cores, "python": "3.12.3"}, "versions": {"torch": "2.11.0"}}
        return {**a_result("deft", "cifar100/sym-0.2", seed, f1=0.5), **place}

    first, others = ran(0, "cpu", 2), [ran(seed, "cuda:0", 16) for seed in (1, 2)]
    table = LIBRARY.table("table1")
    assert "\nRun on the CPU of a machine with 2 cores (Python 3.12.3, torch 2.11.0).\n" in table_text(
        table, "small", [first]
    )
    text = table_text(table, "small", [first, *others])
    assert "\nRun on:\n\n- cuda:0 of a machine with 16 cores (Python 3.12.3, torch 2.11.0): 2 of them\n" in text
    assert "\n- the CPU of a machine with 2 cores (Python 3.12.3, torch 2.11.0): 1 of them\n" in text


def test_a_result_names_the_command_that_makes_it_and_the_program_that_did(tmp_path: Path) -> None:
    table = LIBRARY.table("table1")
    run = Bench(tmp_path, device="cpu")
    (first,) = run.run(table, "smoke", seeds=1, only="label-match")
    assert first["command"] == "deft bench table1 --scale smoke --seeds 1 --only label-match"
    assert first["made_by"] == program() != "deft"
    second = run.result(list(table.experiments("smoke", 2, "label-match"))[1])
    assert second["command"] == "deft bench table1 --scale smoke --seeds 2 --only label-match"
    assert 0 < first["cpu_seconds"] < 60
    assert f"2 of 2 were made by `{program()}`, not" in table_text(table, "smoke", [first, second])


def test_a_script_is_no_command(tmp_path: Path) -> None:
    told = "from deft.bench.machine import program\nprint(program())\n"
    for name in ("rows.py", "many.py"):
        (tmp_path / name).write_text(told, encoding="utf-8")
    for typed, named in ((["rows.py"], "rows.py"), (["-m", "many"], "many"), (["-c", told], "python")):
        done = subprocess.run([sys.executable, *typed], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == named


def test_a_table_says_which_results_the_command_did_not_make() -> None:
    table, column = LIBRARY.table("table1"), "cifar10/sym-0.4"
    made = {**a_result("deft", column, 0, f1=0.5), "made_by": "deft"}
    script = {**a_result("deft", column, 1, f1=0.5), "made_by": "rows.py"}
    old = a_result("deft", column, 2, f1=0.5)

    def told(*results: dict[str, Any]) -> str:
        return " ".join(table_text(table, "small", list(results)).split())

    assert "by the command" not in told(made)
    assert "on record" not in told(made)
    assert "1 of 2 were made by `rows.py`, not by the command below." in told(made, script)
    assert "not by the command below. Which program made 1 of 3 isn't on record." in told(made, script, old)
    assert "Which program made them isn't on record." in told(old)


def test_results_of_other_code_are_named() -> None:
    table = LIBRARY.table("table1")
    results = [a_result("deft", "cifar10/sym-0.4", seed, clean_precision=0.9) for seed in range(2)]
    odd = a_result("small-loss", "cifar10/sym-0.4", 0, "bbb", clean_precision=0.8)
    text = table_text(table, "small", [*results, odd])
    assert "**Not all of them were made by the same code**: most by aaa (commit c1)" in " ".join(text.split())
    assert "- bbb (commit c1): small-loss on cifar10/sym-0.4" in text


def test_many_results_of_other_code_fit_into_lines_and_end_before_the_machines() -> None:
    table = LIBRARY.table("table1")
    columns = [column.name for column in table.columns("small")]
    results = [a_result("deft", column, seed, clean_precision=0.9) for column in columns for seed in range(2)]
    odd = [a_result("small-loss", column, 0, "bbb", clean_precision=0.8) for column in columns]
    made_on = {"machine": {"cores": 2, "python": "3.12.3"}, "device": "cpu", "versions": {"torch": "2.11.0"}}
    lines = table_text(table, "small", [{**one, **made_on} for one in [*results, *odd]]).splitlines()
    assert max(map(len, lines)) <= 120
    place = next(place for place, line in enumerate(lines) if line.startswith("Run on"))
    assert lines[place - 1] == ""
    assert lines[place - 2].startswith("  ")


def test_results_on_other_images_are_named() -> None:
    results = [a_result("deft", "cifar10/sym-0.4", seed, clean_precision=0.9) for seed in range(2)]
    fewer = {**a_result("small-loss", "cifar10/sym-0.4", 0, clean_precision=0.8), "images": 500}
    told = "**On cifar10/sym-0.4 not all rows have the same images and model**: deft on 1,000 images, tiny; small-loss"
    assert told not in table_text(LIBRARY.table("table1"), "small", results)
    assert f"{told} on 500 images, tiny." in table_text(LIBRARY.table("table1"), "small", [*results, fewer])


def test_smoke_runs_are_no_results(tmp_path: Path) -> None:
    for scale in ("small", "smoke"):
        write_result(
            tmp_path / scale / "table1" / "a.json", a_result("deft", "cifar10/sym-0.4", 0, clean_precision=0.5)
        )
    assert "\n".join(page_text(tmp_path)).count("### Table 1") == 1
    assert len(read_results(tmp_path, "table1", "smoke")) == 1


def test_the_page_of_benchmarks_is_made_of_the_committed_results() -> None:
    """Byte for byte, by `python -m benchmarks.tables`."""
    from benchmarks.gpu_table import gpu_page
    from benchmarks.tables import GPU_PAGE, PAGE, RESULTS, page

    assert PAGE.read_text(encoding="utf-8") == page()
    assert GPU_PAGE.read_text(encoding="utf-8") == gpu_page(RESULTS / "gpu.json")


def test_noise_goes_into_the_training_labels_alone() -> None:
    sources = Sources(None, Silent())
    for noise, wrong in (("sym-0.3", 9), ("pair-0.3", 9), ("ins-0.3", 9), ("given", 0)):
        splits = sources.read(Column.parse(f"squares/{noise}"), {"images": 30}, seed=1)
        assert splits.train.clean_labels is not None
        assert int((splits.train.labels != splits.train.clean_labels).sum()) == wrong
        assert len(splits.test) == 60
        np.testing.assert_array_equal(splits.test.labels, squares().test.labels)


def test_data_that_is_not_there_is_named(tmp_path: Path) -> None:
    notes = Notes()
    with pytest.raises(DataError, match=r"cifar100 needs data=, a folder that holds it: https"):
        Bench(tmp_path, progress=notes).run(LIBRARY.table("figure1"), "paper", seeds=1)
    with pytest.raises(DataError, match="isn't CIFAR-100"):
        Bench(tmp_path, data=tmp_path).run(LIBRARY.table("figure1"), "paper", seeds=1)
    with pytest.raises(SettingsError, match=r"table1 has no row 'magic'. Known: label-match, small-loss, deft"):
        Bench(tmp_path).run(LIBRARY.table("table1"), "smoke", only="magic")
    with pytest.raises(
        SettingsError, match=r"There is no table 'table9'. Known: ablation, figure1, methods, peers, table1"
    ):
        LIBRARY.table("table9")


def test_copies_in_tables_are_read(tmp_path: Path) -> None:
    import pandas as pd

    images = squares(count=12).train
    names = np.array(["airplane", "cat", "dog"])
    rows = [
        {"image": image_file(images, row), "label_human": names[(label + (row == 11)) % 3], "label_true": names[label]}
        for row, label in enumerate(images.labels)
    ]
    pd.DataFrame([*rows] * 900).to_parquet(tmp_path / "cifar10n-train.parquet")
    pd.DataFrame(rows)[["image", "label_true"]].to_parquet(tmp_path / "cifar10-test.parquet")
    sources = Sources(tmp_path, Silent())
    assert sources.missing("cifar10n") is None
    splits = sources.read(Column.parse("cifar10n/given"), {"images": 50, "test_images": 5}, seed=0)
    assert splits.train.clean_labels is not None
    assert 0 < (splits.train.labels != splits.train.clean_labels).mean() < 0.3
    assert (len(splits.train), len(splits.test)) == (50, 5)
    assert splits.test.classes == splits.train.classes


def test_a_row_is_added_by_one_file(tmp_path: Path, bench: Bench) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "table.toml").write_text(
        'title = "Mine"\nabout = "A test."\nkind = "learning"\nrows = []\nmetrics = ["last"]\n'
        '[columns]\npaper = []\nsmall = []\nsmoke = ["squares/sym-0.3"]\n',
        encoding="utf-8",
    )
    (folder / "gentle.toml").write_text(
        'label = "GCE, gentle"\n[learner]\nmethod = "gce"\n[learner.settings]\nq = 0.5\n', encoding="utf-8"
    )
    table: Table = read_table(folder)
    (result,) = replace(bench, folder=tmp_path / "out").run(table, "smoke", seeds=1)
    assert result["learner"]["method"] == {"type": "GCE", "q": 0.5, "warmup": 0}


def test_a_row_may_prepare_photos_in_a_way_of_its_own(tmp_path: Path, bench: Bench) -> None:
    """The models that it runs on are other ones, so the next row has the model's own pixels again."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "table.toml").write_text(
        'title = "Mine"\nabout = "A test."\nkind = "detection"\nrows = ["squashed", "plain"]\nmetrics = ["f1"]\n'
        '[columns]\npaper = []\nsmall = []\nsmoke = ["squares/sym-0.3"]\n',
        encoding="utf-8",
    )
    row = 'label = "{0}"\n[detector]\nname = "label-match"\n'
    theirs = '[preprocessing]\nmean = [0.2, 0.2, 0.2]\nfit = "squash"\nmargin = {side = 256, plain = "whole"}\n'
    (folder / "squashed.toml").write_text(row.format("squashed") + theirs, encoding="utf-8")
    (folder / "plain.toml").write_text(row.format("plain"), encoding="utf-8")
    own = replace(bench, folder=tmp_path / "out", _encoders={})
    squashed, _ = own.run(read_table(folder), "smoke", seeds=1)
    specs = [encoder.spec for encoder in own._encoders.values()]
    assert [spec.margin for spec in specs] == [Margin(256, plain="whole"), None]
    assert specs[1] == load_encoder("tiny", device="cpu").spec
    assert squashed["settings"]["preprocessing"]["margin"] == {"side": 256, "plain": "whole"}
