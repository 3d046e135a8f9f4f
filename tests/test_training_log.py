"""What training measures, in event files that TensorBoard's own reader reads."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from tests.heard import Heard
from typer.testing import CliRunner

import deft
from deft.cli.app import app
from deft.data.digits import digits
from deft.data.image_bytes import image_file
from deft.training_log import TensorBoard
from deft.tuning import Frozen

pytest.importorskip("tensorboard")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard.*"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:google.*"),
]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return what TensorBoard reads in a folder: steps and values by name."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder))
    read.Reload()
    names = read.Tags()["scalars"]
    return {name: [(one.step, one.value) for one in read.Scalars(name)] for name in names}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    images, _ = digits()
    for row in range(48):
        place = tmp_path / "photos" / images.classes[images.labels[row]]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{row}.png").write_bytes(image_file(images, row))
    return tmp_path / "photos"


def test_adapt_writes_losses_rates_and_scores(photos: Path, tmp_path: Path) -> None:
    images = deft.load_images(photos)
    with TensorBoard(tmp_path / "log") as log:
        model = deft.adapt(
            deft.load_encoder("tiny", device="cpu"),
            images,
            tuning=Frozen(),
            head="linear",
            epochs=2,
            batch_size=10,
            validation=0.25,
            workspace=deft.Workspace(workers=0, progress=log),
        )
    found = scalars(tmp_path / "log")
    assert set(found) == {"training/loss", "training/learning_rate", "training/epoch_loss", "validation/accuracy"}
    assert [step for step, _ in found["training/epoch_loss"]] == [1, 2]
    scores = [value for _, value in found["validation/accuracy"]]
    assert scores == pytest.approx(model.training_record["validation"]["per_epoch"], abs=1e-4)
    steps = [step for step, _ in found["training/loss"]]
    assert steps == list(range(len(steps)))
    assert len(steps) >= 6
    half = len(steps) // 2
    first = [value for _, value in found["training/loss"]][:half]
    assert found["training/epoch_loss"][0][1] == pytest.approx(sum(first) / half, rel=1e-5)


def test_detect_writes_beside_its_run(photos: Path, tmp_path: Path) -> None:
    typed = ["detect", photos, "-o", tmp_path / "run", "--model", "tiny", "--epochs", "2", "--device", "cpu"]
    result = CliRunner().invoke(app, [*map(str, typed), "--workers", "0", "--tensorboard", str(tmp_path / "log")])
    assert result.exit_code == 0, result.stderr
    assert [step for step, _ in scalars(tmp_path / "log")["training/epoch_loss"]] == [1, 2]


def test_without_the_extra_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr("deft.training_log.find_spec", lambda name: None if name == "tensorboard" else real(name))
    with pytest.raises(deft.SettingsError, match=r"pip install 'deft-labels\[tensorboard\]'"):
        TensorBoard(tmp_path)


def test_a_file_is_no_folder_for_logs(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("x", encoding="utf-8")
    with pytest.raises(deft.SettingsError, match="is a file; TensorBoard needs a folder"):
        TensorBoard(tmp_path / "log")


def test_what_stands_beside_it_hears_everything(tmp_path: Path) -> None:
    beside = Heard()
    with TensorBoard(tmp_path / "log", beside) as log:
        assert list(log.track([1, 2], "Reading")) == [1, 2]
        log.note("odd")
        log.measure("training/loss", 0.5, 3)
    assert beside.told == ["Reading", "odd", ("training/loss", 0.5, 3)]
    assert scalars(tmp_path / "log") == {"training/loss": [(3, 0.5)]}
