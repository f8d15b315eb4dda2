"""How far a run is: a bar in a terminal, lines in a log; and the throughput curve for the manifest."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress

from pipelines import quantities
from pipelines.meter import Meter

LOG_SECONDS = 10.0  # between two lines of a log
POLL_SECONDS = 0.5  # a bar looks alive, and counting finished rows twice a second costs nothing


class Display(Protocol):
    """Where progress is shown."""

    def show(self, meter: Meter, seconds: float) -> None:
        """Show a reading; called at every poll."""
        ...

    def close(self, meter: Meter, seconds: float) -> None:
        """Show the end."""
        ...


class LogDisplay:
    """Plain lines, one at the start, one every `interval` seconds, one at the end."""

    def __init__(self, stream: TextIO, interval: float) -> None:
        self._stream = stream
        self._interval = interval
        self._last: float | None = None

    def show(self, meter: Meter, seconds: float) -> None:
        """Write a line if the last one is `interval` seconds old."""
        if self._last is None or seconds - self._last >= self._interval:
            self._last = seconds
            self._write(meter.describe())

    def close(self, meter: Meter, seconds: float) -> None:
        """Write the last line: what was reached, and how long it took."""
        done = f"{quantities.count(meter.rows)} of {quantities.count(meter.total_rows)} rows"
        self._write(f"{done} after {quantities.duration(seconds)}")

    def _write(self, text: str) -> None:
        self._stream.write(f"progress: {text}\n")
        self._stream.flush()


class BarDisplay:
    """A bar at the terminal's last line, drawn anew at every poll; it is removed at the end."""

    def __init__(self, stream: TextIO) -> None:
        # The polling thread draws: rich's own thread would only draw the same readings again.
        console = Console(file=stream, force_terminal=True)
        columns = (BarColumn(), TextColumn("{task.description}", markup=False))
        self._bar = RichProgress(*columns, console=console, auto_refresh=False, transient=True)
        self._task = self._bar.add_task("", total=None)

    def show(self, meter: Meter, seconds: float) -> None:
        """Draw the bar; the first time, take the terminal's last line."""
        self._bar.start()
        text = f"{meter.describe()}, {quantities.duration(seconds)} so far"
        self._bar.update(self._task, total=meter.total_rows, completed=meter.rows, description=text, refresh=True)

    def close(self, meter: Meter, seconds: float) -> None:  # a Display's signature
        """Take the bar away."""
        self._bar.stop()


class Progress:
    """Polls `done()` in the background from `with` to the end of its block, and shows it.

        with Progress(total_rows, done=lambda: count_finished_rows()) as progress:
            pipeline.run().wait_until_finish()
        manifest_details["throughput"] = progress.throughput

    Args:
        total_rows: rows of the whole run.
        done: rows done so far, resumed ones included; what it raises ends the polling and is raised at the
            end of the block (as a note on the block's own exception if there is one).
        clock: seconds from any start, never backwards.
        stream: where to show it; stderr when not given. A terminal gets a bar, anything else gets lines.
        interval: seconds between two lines.
        poll: seconds between two readings.
    """

    def __init__(
        self,
        total_rows: int,
        done: Callable[[], int],
        *,
        clock: Callable[[], float] = time.monotonic,
        stream: TextIO | None = None,
        interval: float = LOG_SECONDS,
        poll: float = POLL_SECONDS,
    ) -> None:
        self.meter = Meter(total_rows)
        self._done = done
        self._clock = clock
        self._stream = stream
        self._interval = interval
        self._poll = poll
        self._stop = threading.Event()

    def __enter__(self) -> Progress:
        self._started = self._clock()
        self._display = display_for(self._stream or sys.stderr, self._interval)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="progress")
        self._polling: Future[None] = self._executor.submit(self._keep_polling)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._executor.shutdown(wait=True)
        failure = self._polling.exception()
        if failure is None and error is None:
            self._read()
        self._display.close(self.meter, self.seconds)
        if failure is not None and error is None:
            raise failure
        if failure is not None and error is not None:
            error.add_note(f"Counting the rows done failed too: {failure!r}")

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started

    @property
    def throughput(self) -> list[list[float]]:
        """[[seconds since the start, rows done], …], thinned: the manifest's `throughput`."""
        return self.meter.curve

    def _keep_polling(self) -> None:
        while True:
            self._read()
            self._display.show(self.meter, self.seconds)
            if self._stop.wait(self._poll):
                return

    def _read(self) -> None:
        rows = self._done()
        self.meter.observe(round(self.seconds, 3), rows)


def display_for(stream: TextIO, interval: float) -> Display:
    """A bar for a terminal that can move its cursor, lines for everything else."""
    if stream.isatty() and not Console(file=stream).is_dumb_terminal:
        return BarDisplay(stream)
    return LogDisplay(stream, interval)
