"""Pace of a run from readings of the rows done: rate, time left, and a thinned curve."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from pipelines import quantities

WINDOW_SECONDS = 60.0  # of the moving rate: several units long, and short enough to show a stall
CURVE_POINTS = 200  # of the throughput curve: one for each two pixels of its plot


class Meter:
    """Rate, time left and curve from readings of (seconds, rows done).

    The first reading is where the run starts: rows done by then were resumed, and no rate counts them.
    """

    def __init__(self, total_rows: int) -> None:
        self.total_rows = total_rows
        self.rows = 0
        self._window: deque[tuple[float, int]] = deque()
        self._curve: list[tuple[float, int]] = []
        self._stride = 1
        self._readings = 0

    def observe(self, seconds: float, rows: int) -> None:
        """Take a reading; `seconds` do not run backwards."""
        self.rows = rows
        self._window.append((seconds, rows))
        # The window keeps one reading that is older than itself, so that it always spans its whole width.
        while len(self._window) > 2 and self._window[1][0] <= seconds - WINDOW_SECONDS:
            self._window.popleft()
        self._keep(seconds, rows)

    @property
    def rate(self) -> float:
        """Rows per second over the last WINDOW_SECONDS; 0 while nothing is known."""
        if len(self._window) < 2:
            return 0.0
        (first, rows_then), (last, rows_now) = self._window[0], self._window[-1]
        return max(rows_now - rows_then, 0) / (last - first) if last > first else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Time until all rows are done at the present rate; None while that is unknown."""
        left = max(self.total_rows - self.rows, 0)
        if not left:
            return 0.0
        return left / self.rate if self.rate else None

    @property
    def curve(self) -> list[list[float]]:
        """[[seconds, rows], …] of the whole run, at most CURVE_POINTS, from the first to the last reading."""
        last = [self._window[-1]] if self._window and self._curve[-1] != self._window[-1] else []
        return [[seconds, float(rows)] for seconds, rows in self._curve + last]

    def _keep(self, seconds: float, rows: int) -> None:
        """Keep every stride-th reading; when they become too many, halve them and double the stride."""
        if self._readings % self._stride == 0:
            self._curve.append((seconds, rows))
        self._readings += 1
        if len(self._curve) == CURVE_POINTS:  # which leaves room for the last reading
            self._curve = self._curve[::2]
            self._stride *= 2

    def describe(self) -> str:
        """`12,345 of 100,000 rows (12.3 %), 345 rows/s, 4 min 14 s left`."""
        done = f"{quantities.count(self.rows)} of {quantities.count(self.total_rows)} rows"
        parts = [f"{done} ({quantities.percent(self.rows, self.total_rows)})"]
        if self.rate:
            parts.append(f"{quantities.count(self.rate)} rows/s")
        if self.rows < self.total_rows:
            left = self.seconds_left
            parts.append("time left unknown" if left is None else f"{quantities.duration(left)} left")
        return ", ".join(parts)


def rows_per_second(details: Mapping[str, Any]) -> float | None:
    """Average pace of a run by its manifest's details; what was resumed took no time and does not count."""
    curve = details.get("throughput") or []
    if len(curve) < 2 or not curve[-1][0] > curve[0][0]:
        return None
    return float((curve[-1][1] - curve[0][1]) / (curve[-1][0] - curve[0][0]))
