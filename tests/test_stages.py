"""The whole of a run: how far it is, and how long it will take."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from deft.progress_bar import ProgressBar, Screen, in_minutes
from deft.stages import DETECTION, Stages, of_training


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run(stages: Stages, clock: Clock, task: str, seconds: float, steps: int = 10) -> None:
    stages.begin(task)
    for step in range(1, steps + 1):
        clock.now += seconds / steps
        stages.done(task, step / steps)
    stages.rest()


def test_before_anything_is_measured_nobody_knows() -> None:
    stages = Stages({"a": 1, "b": 3})
    assert stages.seconds_left is None
    assert stages.fraction == 0


def test_what_is_to_come_goes_at_the_speed_of_what_was() -> None:
    clock = Clock()
    stages = Stages({"a": 1, "b": 3}, clock)
    run(stages, clock, "a", 10)
    assert stages.seconds_left == pytest.approx(30)
    assert stages.fraction == pytest.approx(0.25)


def test_a_task_that_has_begun_is_measured_by_itself() -> None:
    clock = Clock()
    stages = Stages({"a": 1, "b": 3}, clock)
    run(stages, clock, "a", 10)
    stages.begin("b")
    clock.now += 40
    stages.done("b", 0.5)
    assert stages.seconds_left == pytest.approx(40)
    assert stages.fraction == pytest.approx(50 / 90)


def test_a_task_of_several_parts_is_one() -> None:
    clock = Clock()
    stages = Stages({"Training": 1}, clock)
    run(stages, clock, "Training, epoch 1/4", 5)
    assert stages.fraction == pytest.approx(0.25)
    assert stages.seconds_left == pytest.approx(15)


def test_a_run_that_goes_on_in_the_third_epoch_is_measured_from_there() -> None:
    clock = Clock()
    stages = Stages({"Training": 1}, clock)
    run(stages, clock, "Training, epoch 3/4", 5)
    assert stages.seconds_left == pytest.approx(5)


def test_tasks_that_are_left_out_are_over_when_a_later_one_begins() -> None:
    clock = Clock()
    stages = Stages({"a": 1, "b": 1000, "c": 1}, clock)
    run(stages, clock, "a", 1)
    stages.begin("c")
    assert stages.seconds_left == pytest.approx(1)


def test_time_between_tasks_slows_none_of_them() -> None:
    clock = Clock()
    stages = Stages({"a": 1, "b": 1}, clock)
    run(stages, clock, "a", 10)
    clock.now += 100  # a model is loaded
    stages.begin("b")
    assert stages.seconds_left == pytest.approx(10)


def test_the_whole_never_goes_backwards() -> None:
    clock = Clock()
    stages = Stages({"a": 1, "b": 1}, clock)
    seen = []
    for task, seconds in (("a", 1.0), ("b", 1000.0)):
        stages.begin(task)
        for step in range(1, 101):
            clock.now += seconds / 100
            stages.done(task, step / 100)
            seen.append(stages.fraction)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)


def test_an_unknown_task_moves_nothing() -> None:
    clock = Clock()
    stages = Stages({"a": 1, "b": 1}, clock)
    run(stages, clock, "a", 10)
    before = stages.fraction
    run(stages, clock, "something else", 50)
    assert stages.fraction == before


def test_without_a_plan_each_task_is_a_whole() -> None:
    clock = Clock()
    stages = Stages({}, clock)
    run(stages, clock, "a", 10)
    assert stages.fraction == pytest.approx(1)
    stages.begin("b")
    clock.now += 3
    stages.done("b", 0.25)
    assert stages.fraction == pytest.approx(0.25)
    assert stages.seconds_left == pytest.approx(9)


def test_training_that_moves_images_is_expected_to_take_nearly_all_of_the_time() -> None:
    stages = Stages(DETECTION)
    stages.expect(of_training(10, changes_images=True))
    stages.begin("Training, epoch 1/10")
    assert stages.fraction < 0.05


class Written(Screen):
    """Keeps what is drawn."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, float]] = []
        self.said: list[str] = []
        self.closed = 0

    def show(self, task: str, fraction: float, left: float | None) -> None:
        self.shown.append((task, fraction))

    def say(self, text: str) -> None:
        self.said.append(text)

    def close(self) -> None:
        self.closed += 1


def work(bar: ProgressBar, tasks: Iterable[str]) -> None:
    for task in tasks:
        assert list(bar.track(range(3), task)) == [0, 1, 2]


def test_one_bar_stays_for_all_tasks_of_a_run() -> None:
    screen = Written()
    with ProgressBar({"a": 1, "b": 1}, screen=screen) as bar:
        work(bar, ["a", "b"])
        assert screen.closed == 0
    assert screen.closed == 1
    assert screen.shown[0][0] == "a"
    assert {task for task, _ in screen.shown} == {"a", "b"}


def test_the_bar_is_taken_away_when_a_run_fails() -> None:
    screen = Written()
    bar = ProgressBar({"a": 1}, screen=screen)
    with bar:
        left_off = bar.track(range(3), "a")  # as a frame of a traceback keeps it
        next(left_off)
    assert screen.closed == 1
    assert len(screen.shown) == 1


def test_names_in_notes_are_shown_as_escapes() -> None:
    screen = Written()
    ProgressBar(screen=screen).note("a\x1b[2Jb.jpg is odd")
    assert screen.said == ["a\\x1b[2Jb.jpg is odd"]


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0:00"), (59.6, "1:00"), (83.2, "1:23"), (4000, "1:06:40")])
def test_times_as_people_read_them(seconds: float, text: str) -> None:
    assert in_minutes(seconds) == text
