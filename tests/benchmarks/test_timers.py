"""Tests of the timers with which `benchmarks/safety_cost.py` adds up what safety costs."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from benchmarks.faults.seams import wrap
from benchmarks.faults.timers import Timers
from transforms.sinks.clock import FakeClock


class Work:
    """Functions that take time by a fake clock."""

    clock = FakeClock()

    def inner(self) -> None:
        """Two seconds."""
        self.clock.advance(2)

    def outer(self) -> None:
        """One second, and twice the inner ones."""
        self.clock.advance(1)
        self.inner()
        self.inner()

    def failing(self) -> None:
        """Three seconds, then an error."""
        self.clock.advance(3)
        raise ValueError("three seconds later")

    @classmethod
    def of_class(cls) -> str:
        """Four seconds."""
        cls.clock.advance(4)
        return cls.__name__


NAMES = ("inner", "outer", "failing", "of_class")


@pytest.fixture
def timers() -> Iterator[Timers]:
    """Timers around all that `Work` does; its own functions are put back in the end."""
    before = {name: vars(Work)[name] for name in NAMES}
    timers = Timers(Work.clock.steady)
    for name in NAMES:
        timers.time(name, f"{__name__}:Work.{name}")
    yield timers
    for name, function in before.items():
        setattr(Work, name, function)


def test_each_second_counts_once(timers: Timers) -> None:
    """What a timed function spends in another timed one is that one's: 1 + 2 x 2 seconds in all."""
    Work().outer()
    assert timers.seconds == {"outer": 1.0, "inner": 4.0}
    assert timers.calls == {f"{__name__}:Work.outer": 1, f"{__name__}:Work.inner": 2}


def test_a_failing_function_counts_too(timers: Timers) -> None:
    """Its time is counted, and its error goes on its way."""
    with pytest.raises(ValueError, match="three seconds later"):
        Work().failing()
    assert timers.seconds == {"failing": 3.0}


def test_a_class_method_stays_one(timers: Timers) -> None:
    """It gets its class, and its time is counted."""
    assert Work.of_class() == "Work"
    assert timers.seconds == {"of_class": 4.0}


def test_threads_do_not_count_as_nested(timers: Timers) -> None:
    """A timed call in another thread is not taken off the call that waits for it here."""

    def wait(_: object) -> None:
        thread = threading.Thread(target=Work().inner)
        thread.start()
        thread.join()

    Work.inner_elsewhere = wait  # type: ignore[attr-defined]  # for this test alone
    timers.time("waiting", f"{__name__}:Work.inner_elsewhere")
    Work().inner_elsewhere()  # type: ignore[attr-defined]
    assert timers.seconds == {"waiting": 2.0, "inner": 2.0}


@pytest.mark.parametrize("target", [f"{__name__}:Work.renamed", "nowhere:inner", f"{__name__}:Nobody.inner"])
def test_a_function_that_is_not_there_is_told(target: str) -> None:
    """A renamed function stops the benchmark, by name."""
    with pytest.raises(LookupError, match=target):
        wrap(target, lambda function: function)
