"""One batch ahead: in order, one reading at a time, errors in their turn, and no thread left behind."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deft.data.image_spec import ImageSpec, Margin
from deft.data.load import load_images
from deft.training.ahead import one_ahead, sent
from deft.training.batches import Batches, Loader, Rows
from deft.training.finite import NotFinite
from deft.training.loop import Training, fit
from deft.training.pixel_loader import PixelLoader
from deft.training.pixel_store import PixelStore

CPU = torch.device("cpu")
SOON = 10.0  # seconds after which something that should have happened didn't
ROWS = 22
SPEC = ImageSpec(24, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), margin=Margin(32))


class Waiting(PixelLoader):
    """Reads ahead as for a card, for a device that is the processor."""

    @property
    def _waits(self) -> bool:
        return True


class InTurn(PixelLoader):
    """Reads every batch when its turn has come."""

    ahead = Loader.ahead


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PixelStore]:
    pixels = np.random.default_rng(0).integers(0, 256, size=(ROWS, 32, 32, 3), dtype=np.uint8)
    with PixelStore.build(
        load_images(pixels, labels=np.arange(ROWS) % 2, classes=["cat", "dog"]), SPEC, tmp_path
    ) as it:
        yield it


@pytest.fixture(autouse=True)
def none_is_left() -> Iterator[None]:
    yield
    for thread in readers():  # what a kept traceback holds is read to the end of one batch
        thread.join(SOON)
    assert not readers()


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "deft-ahead"]


def batches_of(loader: Loader, rows: Rows | None = None) -> Batches:
    rows = np.arange(ROWS) if rows is None else rows
    return Batches(loader, np.arange(ROWS) % 2, rows, batch_size=4, seed=3, device=CPU)


def test_the_next_part_is_read_while_one_is_worked_on() -> None:
    begun = [threading.Event() for _ in range(3)]

    def read(part: int) -> tuple[int, threading.Thread]:
        begun[part].set()
        return part * 10, threading.current_thread()

    seen = []
    for part, (found, thread) in one_ahead(range(3), read):
        assert all(event.wait(SOON) for event in begun[: part + 2])
        assert not any(event.is_set() for event in begun[part + 2 :])
        assert thread is not threading.current_thread()
        seen.append((part, found))
    assert seen == [(0, 0), (1, 10), (2, 20)]


def test_nothing_to_read_is_nothing() -> None:
    assert list(one_ahead([], lambda part: part)) == []


def test_one_part_is_read_at_a_time() -> None:
    busy = threading.Lock()

    def read(part: int) -> bool:
        alone = busy.acquire(blocking=False)
        if alone:
            busy.release()
        return alone

    assert all(alone for _, alone in one_ahead(range(50), read))


def test_an_error_is_raised_when_its_turn_comes() -> None:
    error = OSError("the disk is gone")

    def read(part: int) -> int:
        if part == 1:
            raise error
        return part

    found = one_ahead(range(3), read)
    assert next(found) == (0, 0)
    with pytest.raises(OSError, match="the disk is gone") as raised:
        next(found)
    assert raised.value is error
    assert list(found) == []


@pytest.mark.parametrize("leave", [lambda found: found.close(), lambda found: found.throw(KeyboardInterrupt)])
def test_who_leaves_early_waits_for_what_is_being_read(
    leave: Callable[[Iterator[object]], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, awaited = threading.Event(), threading.Event()

    def read(part: int) -> int:
        if part == 1:
            reading.set()
            awaited.wait(SOON)
        return part

    def join(thread: threading.Thread, timeout: float | None = None, usual: Any = threading.Thread.join) -> None:
        if reading.is_set():
            awaited.set()
        usual(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", join)
    found = one_ahead(range(3), read)
    next(found)
    assert reading.wait(SOON)
    assert readers()
    with contextlib.suppress(KeyboardInterrupt):
        leave(found)
    assert awaited.is_set()
    assert not readers()


def test_no_thread_outlives_an_error_whose_traceback_is_kept(store: PixelStore) -> None:
    kept: list[BaseException] = []
    try:
        for _ in batches_of(Waiting(store, SPEC, CPU)).epoch(0):
            raise ValueError
    except ValueError as error:
        kept.append(error)  # with its frames, and so with an epoch that nobody ends
    for thread in readers():
        thread.join(SOON)
        assert not thread.is_alive()


@pytest.mark.parametrize("views", [("weak",), ("plain",), ("weak", "weak", "strong"), ("strong", "plain")])
def test_batches_read_ahead_are_those_read_in_turn(store: PixelStore, views: tuple[str, ...]) -> None:
    ahead, turn, usual = (batches_of(kind(store, SPEC, CPU)) for kind in (Waiting, InTurn, PixelLoader))
    for epoch in range(3):
        whole = zip(*(each.epoch(epoch, views=views) for each in (ahead, turn, usual)), strict=True)  # type: ignore[arg-type]
        for first, *others in whole:
            for other in others:
                assert torch.equal(first.index, other.index)
                assert torch.equal(first.labels, other.labels)
                assert all(torch.equal(*pair) for pair in zip(first.views, other.views, strict=True))
    for first, other in zip(ahead.ordered(), turn.ordered(), strict=True):
        assert torch.equal(first.inputs, other.inputs)


def test_two_epochs_may_be_read_side_by_side(store: PixelStore) -> None:
    """As methods do that mix labelled and unlabelled images."""
    ahead, turn = (batches_of(kind(store, SPEC, CPU)) for kind in (Waiting, InTurn))

    def both(one: Batches) -> list[Tensor]:
        some, others = one.subset(np.arange(9), stream=1), one.subset(np.arange(9, ROWS), stream=2)
        pairs = zip(some.epoch(0), others.epoch(0), strict=False)
        return [batch.inputs for pair in pairs for batch in pair]

    assert all(torch.equal(*pair) for pair in zip(both(ahead), both(turn), strict=True))


class Mean(Training):
    """A layer on the mean colour, whose loss is no number in the third step."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.seen: list[list[int]] = []

    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        for step, batch in enumerate(train.epoch(epoch)):
            self.seen.append(batch.index.tolist())
            loss = nn.functional.cross_entropy(self.predict(batch.inputs), batch.labels)
            yield loss * (float("nan") if step == 2 else 1.0)

    def predict(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.layer(inputs.flatten(2).mean(dim=2))
        return scores


def test_a_loss_that_is_no_number_names_its_own_batch(store: PixelStore) -> None:
    method = Mean()
    with pytest.raises(NotFinite, match="epoch 1 of 2, step 3") as raised:
        fit(method, batches_of(Waiting(store, SPEC, CPU)), epochs=2)
    said = raised.value.named([f"<{row}>" for row in range(ROWS)])
    assert f"on {', '.join(f'<{row}>' for row in method.seen[2][:3])} and 1 more" in str(said)


def test_a_closed_store_is_said_in_turn(store: PixelStore) -> None:
    batches = batches_of(Waiting(store, SPEC, CPU)).epoch(0)
    next(batches)
    store.close()
    with pytest.raises(ValueError, match="The pixel store is closed"):
        list(batches)


def test_a_store_is_closed_once_nobody_reads_it(store: PixelStore) -> None:
    """The map can't be given back while pixels of it are being copied."""
    errors: list[BaseException] = []

    def close() -> None:
        try:
            store.close()
        except BaseException as error:
            errors.append(error)

    closing = threading.Thread(target=close)

    class Interrupted(np.ndarray):
        def __getitem__(self, rows: Any) -> Any:
            if not closing.ident:
                closing.start()
                closing.join(0.2)
            return np.asarray(self)[rows]

    store._place = store._place.view(Interrupted)
    assert store.read(np.arange(4)).any()
    closing.join(SOON)
    assert not errors
    with pytest.raises(ValueError, match="closed"):
        store.read(np.arange(4))


def test_values_reach_the_processor_as_they_are() -> None:
    values = torch.arange(6).view(2, 3)
    assert sent(values, CPU) is values
