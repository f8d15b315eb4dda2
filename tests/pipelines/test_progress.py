"""Tests of progress: lines without a terminal, a bar with one, and failures that surface."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable

import pytest

from pipelines.progress import Progress


class FakeClock:
    """A clock that goes on when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Work:
    """Counts of rows that appear poll by poll, `step` seconds apart; then the last one stays, at the last time."""

    def __init__(self, clock: FakeClock, counts: Iterable[int], step: float) -> None:
        self._clock = clock
        self._counts = list(counts)
        self._step = step
        self._polls = 0
        self.finished = threading.Event()

    def done(self) -> int:
        index = min(self._polls, len(self._counts) - 1)
        self._clock.now = 100.0 + index * self._step
        # One poll more than counts: the last count has been shown by then.
        if self._polls == len(self._counts):
            self.finished.set()
        self._polls += 1
        return self._counts[index]


def watched(counts: list[int], step: float, stream: io.StringIO, total: int = 100) -> Progress:
    """Progress after it polled all counts."""
    clock = FakeClock()
    work = Work(clock, counts, step)
    with Progress(total, work.done, clock=clock, stream=stream, interval=10, poll=0.01) as progress:
        assert work.finished.wait(30)
    return progress


def failing(after: int) -> Callable[[], int]:
    """A count that cannot be read any more after some polls."""
    polls = iter(range(after))

    def done() -> int:
        for poll in polls:
            return poll
        raise OSError("staging is gone")

    return done


def test_lines_without_a_terminal() -> None:
    """A line at the start, one each ten seconds, one at the end; plain text only."""
    stream = io.StringIO()
    watched([0, 20, 40, 60, 100], 5, stream)
    # Readings at 0, 5, 10, 15, 20 s: lines at 0, 10 and 20.
    assert stream.getvalue().splitlines() == [
        "progress: 0 of 100 rows (0 %), time left unknown",
        "progress: 40 of 100 rows (40.0 %), 4 rows/s, 15 s left",
        "progress: 100 of 100 rows (100 %), 5 rows/s",
        "progress: 100 of 100 rows after 20 s",
    ]


def test_a_bar_in_a_terminal() -> None:
    """A terminal gets the same words beside a bar that is drawn over itself."""
    stream = Terminal()
    watched([0, 40, 100], 10, stream)
    assert "40 of 100 rows" in stream.getvalue()
    assert "━" in stream.getvalue()
    assert "progress:" not in stream.getvalue()


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that cannot move its cursor is treated like a file."""
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    watched([0, 100], 10, stream)
    assert "\x1b" not in stream.getvalue()


def test_colours_cannot_be_forced_into_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """FORCE_COLOR does not make a file a terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    watched([0, 100], 10, stream)
    assert "\x1b" not in stream.getvalue()


def test_the_curve_is_recorded() -> None:
    """Seconds since the start, rows done."""
    progress = watched([30, 50, 100], 2, io.StringIO())
    assert progress.throughput[:3] == [[0, 30], [2, 50], [4, 100]]


def test_the_end_is_read_once_more() -> None:
    """What was finished after the last poll is in the curve."""
    rows = [0]
    with Progress(10, lambda: rows[0], clock=FakeClock(), stream=io.StringIO(), poll=600) as progress:
        rows[0] = 10
    assert progress.meter.rows == 10


def test_a_failing_count_surfaces() -> None:
    """What the count raised is raised at the end of the block."""
    with pytest.raises(OSError, match="staging is gone"), Progress(10, failing(2), stream=io.StringIO(), poll=0):
        pass


def test_a_failing_count_does_not_hide_the_run_s_own_error() -> None:
    """The block's exception comes through, with the other one as a note."""
    with pytest.raises(ValueError, match="the run failed") as caught:  # noqa: SIM117  # the order is the point
        with Progress(10, failing(0), stream=io.StringIO(), poll=0):
            raise ValueError("the run failed")
    assert caught.value.__notes__ == ["Counting the rows done failed too: OSError('staging is gone')"]


def test_an_interrupt_stops_the_polling() -> None:
    """After the block no thread is left, also when it was interrupted."""
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt), Progress(10, lambda: 0, stream=io.StringIO(), poll=600):
        raise KeyboardInterrupt
    assert threading.active_count() == before
