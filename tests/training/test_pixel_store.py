"""The pixel store: decoded once, kept, found again, and clear about what went wrong."""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deft.data.image_spec import ImageSpec
from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.data.pixel_rule import PixelRule
from deft.data.readers import ArrayReader, FileReader, ImageError
from deft.errors import DataError
from deft.training import decode_pool, pixel_store, store_file
from deft.training.decode_pool import Filled, Piece, fill_by, pieces
from deft.training.decode_process import DecodeProcess
from deft.training.decode_worker import serve
from deft.training.pixel_store import PixelStore

Paint = Callable[..., Path]


def arrays(count: int, side: int = 16) -> tuple[LabeledImages, Any]:
    values = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    return load_images(values, labels=["a", "b"] * (count // 2)), values


def test_pixels_are_those_of_the_images(spec: ImageSpec, tmp_path: Path) -> None:
    images, values = arrays(40)
    with PixelStore.build(images, spec, tmp_path) as store:
        assert len(store) == 40
        assert store.side == 16
        assert store.errors == {}
        rows = np.array([7, 0, 39, 7])
        found = store.read(rows)
        into = np.empty_like(found)
        assert store.read(rows, into=into) is into
        assert np.array_equal(into, found)
        assert found.flags.writeable
        assert np.array_equal(found, values[rows])
    with pytest.raises(ValueError, match="closed"):
        store.read(rows)


def test_small_images_are_stored_small(spec: ImageSpec, tmp_path: Path) -> None:
    small, values = arrays(4, side=12)
    store = PixelStore.build(small, spec, tmp_path)
    assert store.side == 12
    assert np.array_equal(store.read(np.arange(4)), values)
    assert PixelStore.build(arrays(4, side=3)[0], spec, None).side == store_file.SMALLEST_SIDE
    assert PixelStore.build(arrays(4, side=50)[0], spec, None).side == spec.size


def test_side_is_the_largest_shorter_side(tmp_path: Path, paint: Paint, spec: ImageSpec) -> None:
    paint(tmp_path / "a" / "1.png", size=(9, 400))
    paint(tmp_path / "b" / "1.png", size=(40, 11))
    assert PixelStore.build(load_images(tmp_path), spec, None).side == 11


def test_store_is_used_again_until_something_changes(
    animals: Path, tmp_path: Path, spec: ImageSpec, heard: Any
) -> None:
    place = tmp_path / "run"

    def decoded(images: LabeledImages, wanted: ImageSpec = spec) -> bool:
        heard.tasks.clear()
        PixelStore.build(images, wanted, place, progress=heard).close()
        files = sorted(one.name for one in place.iterdir())
        assert len(files) == 3
        assert [Path(name).suffix for name in files[1:]] == [".json", ".u8"]
        assert files[0] == "manifest.json"
        return "Reading images" in heard.tasks

    assert decoded(load_images(animals))
    assert not decoded(load_images(animals))
    assert not decoded(load_images(animals).relabel([1, 1, 1, 0, 0, 0]))
    assert not decoded(load_images(animals), replace(spec, mean=(0, 0, 0)))
    assert decoded(load_images(animals), replace(spec, size=8))
    assert decoded(load_images(animals).keep([0, 1, 3]))
    path = animals / "cat" / "0.png"
    os.utime(path, ns=(1, 1))
    assert decoded(load_images(animals))


def test_leftovers_are_built_anew(animals: Path, tmp_path: Path, spec: ImageSpec, heard: Any) -> None:
    images = load_images(animals)
    PixelStore.build(images, spec, tmp_path / "run").close()
    (data,) = (tmp_path / "run").glob("*.u8")
    about = data.with_suffix(".json")
    for damage in (about.unlink, lambda: about.write_text("{"), lambda: data.write_bytes(b"short"), data.unlink):
        damage()
        heard.tasks.clear()
        with PixelStore.build(images, spec, tmp_path / "run", progress=heard) as store:
            assert "Reading images" in heard.tasks
            assert store.read(np.array([0])).max() == 255


def test_bad_images_are_black_rows_with_reasons(animals: Path, tmp_path: Path, spec: ImageSpec) -> None:
    (animals / "cat" / "1.png").write_bytes(b"")
    (animals / "dog" / "0.png").write_text("hello")
    (animals / "dog" / "2.png").unlink()
    (animals / "dog" / "2.png").symlink_to(animals / "gone.png")
    images = load_images(animals)
    for _ in range(2):  # the second time from the sidecar
        with PixelStore.build(images, spec, tmp_path / "run") as store:
            assert store.errors == {
                1: "cat/1.png: empty file",
                3: "dog/0.png: not an image (starts with 'hello')",
                5: "dog/2.png: broken link",
            }
            found = store.read(np.arange(6))
            assert found[[1, 3, 5]].max() == 0
            assert (found[[0, 2, 4]].max(axis=(1, 2, 3)) > 100).all()


def test_row_without_label_is_an_error_but_its_pixels_are_there(spec: ImageSpec, tmp_path: Path) -> None:
    images, values = arrays(6)
    unlabelled = images.relabel([0, 1, -1, 0, 1, 0])
    with PixelStore.build(unlabelled, spec, tmp_path) as store:
        assert store.errors == {2: "array#2: no label"}
    with PixelStore.build(images, spec, tmp_path) as store:
        assert store.errors == {}
        assert np.array_equal(store.read(np.array([2]))[0], values[2])


def test_nothing_readable_fails_with_the_first_three_reasons(animals: Path, tmp_path: Path, spec: ImageSpec) -> None:
    for path in animals.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(DataError) as caught:
        PixelStore.build(load_images(animals), spec, tmp_path / "run")
    assert str(caught.value) == (
        "None of the 6 images can be read: cat/0.png: empty file; cat/1.png: empty file; cat/2.png: empty file."
    )
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_denied(animals: Path) -> None:
    (animals / "cat" / "0.png").chmod(0)
    with pytest.raises(ImageError, match=r"^permission denied$"):
        FileReader((str(animals / "cat" / "0.png"),)).read(0)


def test_permission_denied_whoever_runs_this(
    animals: Path, tmp_path: Path, spec: ImageSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Any, *args: Any, **options: Any) -> Any:
        if str(path).endswith("dog/0.png"):
            raise PermissionError(13, "Permission denied", path)
        return open(path, *args, **options)

    monkeypatch.setattr("deft.data.readers.open", refuse, raising=False)
    with PixelStore.build(load_images(animals), spec, tmp_path / "run") as store:
        assert store.errors == {3: "dog/0.png: permission denied"}


def test_a_pipe_is_not_waited_for(animals: Path) -> None:
    os.mkfifo(animals / "cat" / "pipe.png")
    assert load_images(animals).read_errors == {3: "not an ordinary file"}


def test_a_file_too_large_for_a_photo(animals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deft.data.readers.LARGEST_FILE", 10)
    assert set(load_images(animals).read_errors.values()) == {"too large: a file of 0.0 GB"}


def test_no_images(spec: ImageSpec) -> None:
    with pytest.raises(DataError, match="no images"):
        PixelStore.build(arrays(4)[0].keep([]), spec, None)


def test_too_small_a_disk_is_said_before(spec: ImageSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 10**6))
    with pytest.raises(DataError, match=r"need 0\.07 GB in .* where 0\.00 GB are free"):
        PixelStore.build(arrays(4)[0], spec, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_disk_that_fails_while_writing(spec: ImageSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Piece, started: Any = None) -> Filled:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Piece, "fill", fail)
    with pytest.raises(DataError, match=r"can't be kept in .*No space left"):
        PixelStore.build(arrays(4)[0], spec, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_temporary_store_goes_with_its_owner(spec: ImageSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = PixelStore.build(arrays(4)[0], spec, None)
    assert len(list(tmp_path.iterdir())) == 1
    store.close()
    assert list(tmp_path.iterdir()) == []
    forgotten = PixelStore.build(arrays(4)[0], spec, None)
    assert len(forgotten.read(np.array([1]))) == 1
    del forgotten
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_pages_are_handed_back(spec: ImageSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_store, "RESIDENT_BYTES", 1)
    images, values = arrays(30)
    store = PixelStore.build(images, spec, tmp_path)
    for _ in range(3):
        assert np.array_equal(store.read(np.arange(30)), values)


# ---- other processes ----


@pytest.fixture
def many(tmp_path: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch) -> LabeledImages:
    """Sixty files, of which one is empty, in pieces of eight, for which other processes are worth it."""
    monkeypatch.setattr(store_file, "IN_PROCESS", 0)
    monkeypatch.setattr(decode_pool, "PIECE_ROWS", 8)
    for number in range(60):
        paint(tmp_path / "data" / "ab"[number % 2] / f"{number:02}.png", f"rgb({number * 4}, 0, 9)")
    (tmp_path / "data" / "a" / "10.png").write_bytes(b"")
    return load_images(tmp_path / "data")


def test_workers_give_what_one_process_gives(many: LabeledImages, spec: ImageSpec, tmp_path: Path) -> None:
    alone = PixelStore.build(many, spec, tmp_path / "one", workers=1)
    together = PixelStore.build(many, spec, tmp_path / "two", workers=2)
    assert together.errors == alone.errors == {5: "a/10.png: empty file"}
    assert np.array_equal(together.read(np.arange(60)), alone.read(np.arange(60)))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The worker processes that are started during a test."""
    processes: list[Any] = []

    class Watched(DecodeProcess):
        def __init__(self) -> None:
            super().__init__()
            processes.append(self)

    monkeypatch.setattr(decode_pool, "DecodeProcess", Watched)
    return processes


def work_of(images: LabeledImages, spec: ImageSpec, path: Path) -> Iterator[Piece]:
    path.write_bytes(bytes(len(images) * 10 * 10 * 3))
    return pieces(images, spec, 10, str(path))


def test_interrupt_leaves_no_process(many: LabeledImages, spec: ImageSpec, tmp_path: Path, started: list[Any]) -> None:
    def interrupted() -> Iterator[Piece]:
        for number, piece in enumerate(work_of(many, spec, tmp_path / "x")):
            if number == 6:
                raise KeyboardInterrupt
            yield piece

    with pytest.raises(KeyboardInterrupt):
        list(fill_by(interrupted(), 2))
    assert len(started) == 2
    assert all(process.returncode is not None for process in started)


def test_interrupt_while_building_leaves_nothing(
    many: LabeledImages, spec: ImageSpec, tmp_path: Path, started: list[Any], heard: Any
) -> None:
    def track(steps: Any, task: str, *, total: int | None = None) -> Iterator[Any]:
        for step in steps:
            yield step
            if task == "Reading images":
                raise KeyboardInterrupt

    heard.track = track
    with pytest.raises(KeyboardInterrupt):
        PixelStore.build(many, spec, tmp_path / "run", workers=2, progress=heard)
    assert len(started) == 2
    assert all(process.returncode is not None for process in started)
    assert list((tmp_path / "run").iterdir()) == []


def test_processes_that_are_killed_from_outside_cost_no_image(
    many: LabeledImages, spec: ImageSpec, tmp_path: Path, started: list[Any]
) -> None:
    def work() -> Iterator[Piece]:
        for number, piece in enumerate(work_of(many, spec, tmp_path / "x")):
            if number == 3:
                for process in list(started):
                    process.kill()
            yield piece

    done = Filled()
    for found in fill_by(work(), 2):
        done.take(found)
    assert done.errors == {5: "empty file"}
    assert len(started) > 2
    assert (np.fromfile(tmp_path / "x", np.uint8).reshape(60, -1).max(axis=1) > 0).sum() == 59
    assert all(process.returncode is not None for process in started)


def test_a_crash_and_a_hang_cost_an_image_each(
    spec: ImageSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_file, "IN_PROCESS", 0)
    monkeypatch.setattr(decode_pool, "PIECE_ROWS", 10)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setitem(sys.modules, "trap_reader", module := importlib.import_module("trap_reader"))
    names = tuple(f"{number}.png" for number in range(20))
    labels = np.arange(20) % 2
    images = LabeledImages(
        module.Trap(3, 14, os.getpid()),
        np.arange(20),
        labels,
        ("a", "b"),
        names,
        names,
        pixels=PixelRule(max_seconds=1.5),
    )
    with PixelStore.build(images, spec, tmp_path, workers=2) as store:
        assert store.errors == {
            3: "3.png: ends the process that decodes it (SIGSEGV)",
            14: "14.png: took longer than 1.5 s to read and decode",
        }
        seen = store.read(np.arange(20))[:, 0, 0, 0].tolist()
    assert seen == [0 if row in (3, 14) else 100 + row for row in range(20)]


def test_processes_that_can_not_start_are_a_clear_error(
    many: LabeledImages, spec: ImageSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(DataError, match=r"3 processes that were reading images have ended"):
        list(fill_by(work_of(many, spec, tmp_path / "x"), 1))


def test_odd_formats_are_decoded_in_a_process_of_their_own(
    tmp_path: Path, spec: ImageSpec, started: list[Any], capfd: Any
) -> None:
    values = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    for number, name in enumerate(("a/0.tif", "a/1.png", "b/2.tif")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(values).save(tmp_path / name, **({} if number == 1 else {"compression": "tiff_lzw"}))
    damaged = bytearray((tmp_path / "b" / "2.tif").read_bytes())
    damaged[200:260] = b"\xff" * 60
    (tmp_path / "b" / "2.tif").write_bytes(damaged)
    with PixelStore.build(load_images(tmp_path), spec, None) as store:
        assert list(store.errors) == [2]
        found = store.read(np.arange(2))
    assert np.array_equal(found[0], found[1])
    assert len(started) == 1
    assert capfd.readouterr().err == ""


def test_worker_that_can_not_write(many: LabeledImages, spec: ImageSpec, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't be written to"):
        list(fill_by(pieces(many, spec, 10, str(tmp_path / "gone" / "x")), 1))


def test_script_without_a_guard_can_use_workers(tmp_path: Path) -> None:
    program = """
import numpy as np
from deft.data.load import load_images
from deft.data.pixel_rule import PixelRule
from deft.training.pixel_store import PixelStore
from deft.data.image_spec import ImageSpec
images = load_images(np.full((1200, 8, 8), 7, np.uint8), labels=["a", "b"] * 600)
with PixelStore.build(images, ImageSpec(8, (0, 0, 0), (1, 1, 1)), None, workers=2) as store:
    assert (store.read(np.arange(1200)) == 7).all() and not store.errors
import sys
assert "torch" not in sys.modules, "the workers would start slowly"
"""
    script = tmp_path / "script.py"
    script.write_text(program)
    options = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONWARNINGS": "error"}
    done = subprocess.run([sys.executable, script], env={**os.environ, **options}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_worker_answers_and_ends_with_its_input(spec: ImageSpec, tmp_path: Path) -> None:
    path = tmp_path / "pixels"
    path.write_bytes(bytes(2 * 8 * 8 * 3))
    good = Piece(ArrayReader(np.full((2, 8, 8), 5, np.uint8)), spec, 8, str(path), np.arange(2))
    begun: list[int] = []
    lost = replace(good, path=str(tmp_path / "nowhere"))
    questions, answers = io.BytesIO(pickle.dumps(good) + pickle.dumps(lost) + pickle.dumps("no piece")), io.BytesIO()
    serve(questions, answers, begun.append)
    answers.seek(0)
    assert pickle.load(answers).errors == {}
    assert begun == [0, 1]
    assert isinstance(pickle.load(answers), FileNotFoundError)
    assert isinstance(pickle.load(answers), RuntimeError)
    assert path.read_bytes() == bytes([5]) * (2 * 8 * 8 * 3)


def test_a_part_of_a_reader_is_small_to_send(many: LabeledImages) -> None:
    assert len(pickle.dumps(many.reader.part(many.rows[:2]))) < len(pickle.dumps(many.reader)) / 5


def test_sidecar_is_readable(spec: ImageSpec, tmp_path: Path) -> None:
    PixelStore.build(arrays(4)[0], spec, tmp_path).close()
    (about,) = tmp_path.glob("pixels-*.json")
    stored = json.loads(about.read_text())
    assert set(stored.pop("sums")) == {"0", "1", "2", "3"}
    assert stored == {"side": 16, "errors": {}, "notes": {}, "ranges": {}}


def test_jpegs_in_memory_as_bytes(spec: ImageSpec) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), "red").save(buffer, "JPEG")
    reader = ArrayReader((buffer.getvalue(), b"", ImageError("lost")))
    images = LabeledImages(reader, np.arange(3), np.array([0, 1, 0]), ("a", "b"), ("x", "y", "z"), ("x", "y", "z"))
    with PixelStore.build(images, spec, None) as store:
        assert store.errors == {1: "y: empty file", 2: "z: lost"}
        assert store.read(np.array([0]))[0, 8, 8, 0] > 250


def test_only_files_of_our_own_are_cleared_away(spec: ImageSpec, tmp_path: Path) -> None:
    (tmp_path / "pixels-holiday.png").write_bytes(b"mine")
    (tmp_path / f"pixels-{'0f' * 12}.u8").write_bytes(b"of another data set")
    PixelStore.build(arrays(4)[0], spec, tmp_path).close()
    assert (tmp_path / "pixels-holiday.png").read_bytes() == b"mine"
    assert not (tmp_path / f"pixels-{'0f' * 12}.u8").exists()
