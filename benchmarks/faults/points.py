"""Twelve points of a night at which its driver is killed: functions of the program, wrapped in the doomed process.

The program itself knows nothing of this. A point names public functions where it can; `calls_of_a_night` counts the
calls of every one of them in a night that is left alone, so that a function which was renamed, or is called no more,
stops the benchmark instead of never killing anything.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.faults.seams import Function, wrap


@dataclass(frozen=True)
class Seam:
    """A function whose call is the moment to kill."""

    target: str
    """`module:attribute.attribute`."""
    after: bool = False
    """Kill when it has returned, else when it is about to be called."""
    call: int | None = None
    """Which call, from 1 on; None: whichever the seed draws."""
    within: str | None = None
    """Count its calls only while this other function runs."""


@dataclass(frozen=True)
class Point:
    """A named moment of a night; the seed chooses one of the seams that reach it."""

    name: str
    seams: tuple[Seam, ...]

    def draw(self, seed: int, calls: Mapping[Seam, int]) -> Shot:
        """The same seed gives the same shot; seeds in turn take the seams in turn.

        Args:
            seed: chooses the seam and the call.
            calls: of each seam in a night that is left alone.
        """
        seam = self.seams[seed % len(self.seams)]
        return Shot(seam, seam.call or random.Random(f"{self.name} {seed}").randint(1, calls[seam]))


@dataclass(frozen=True)
class Shot:
    """Kill at this call of this function."""

    seam: Seam
    call: int

    def __str__(self) -> str:
        return f"{'after' if self.seam.after else 'before'} call {self.call} of {self.seam.target}"

    def arm(self) -> None:
        """Wrap the function so that the calling process is killed; for a forked process only."""
        _wrap(self.seam, _killing(self))


_READ = "transforms.schemas:conform"  # every batch read from a row group passes here
_PLACE = "transforms.sinks.commit:put_in_place"  # first the quarantine, then the features: the atomic step
_MANIFEST = "transforms.sinks.commit:write_manifest"
_BETWEEN = "between quarantine and features"

POINTS = (
    Point("reading", (Seam(_READ), Seam(_READ, after=True))),
    Point("cleaning", (Seam("transforms.clean:Clean.__call__"), Seam("transforms.clean:Clean.__call__", after=True))),
    Point("encoding", (Seam("models.ops:EmbedOp.__call__"), Seam("models.ops:EmbedOp.__call__", after=True))),
    Point("fusing", (Seam("models.ops:FuseOp.__call__"), Seam("models.ops:FuseOp.__call__", after=True))),
    Point(
        "writing a part",
        (
            Seam("transforms.sinks.part_writer:ParquetPartWriter.write"),
            Seam("transforms.sinks.part_writer:ParquetPartWriter.quarantine", after=True),
            Seam("pyarrow.parquet:ParquetWriter.write_table", after=True),
        ),
    ),
    Point(
        "closing a part",
        (
            Seam("transforms.sinks.part_writer:write_json"),  # its file stands, its record does not
            Seam("transforms.sinks.parquet_file:ParquetFileWriter.close", after=True),
            Seam("transforms.sinks.part_writer:write_json", after=True),
        ),
    ),
    Point(
        "before the check of the parts",
        (
            Seam("transforms.sinks.parquet:ParquetSink.publish"),
            Seam("transforms.ledger:Ledger.check", call=1),
            Seam("transforms.sinks.parquet:ParquetSink.finished", after=True, call=2),
        ),
    ),
    Point("between check and manifest", (Seam(_MANIFEST),)),
    Point("after the manifest", (Seam(_MANIFEST, after=True), Seam(_PLACE, call=1))),
    Point(_BETWEEN, (Seam(_PLACE, after=True, call=1), Seam(_PLACE, call=2))),
    Point("after the atomic step", (Seam(_PLACE, after=True, call=2), Seam("transforms.sinks.parquet:sweep"))),
    Point(
        "cleaning up",
        (
            Seam("os:unlink", within="transforms.sinks.parquet:sweep"),
            Seam("os:rmdir", within="transforms.sinks.parquet:sweep", after=True),
            Seam("pipelines.report:write_report"),
        ),
    ),
)


LINKED = (
    Seam("transforms.sinks.storage:symlink", within=_PLACE, call=2),  # the features lie among the versions, unlinked
    Seam("transforms.sinks.storage:symlink", within=_PLACE, call=2, after=True),  # the link exists, but not in place
)
"""Where dates stand by links, there are more moments between quarantine and features."""


def points_of(layout: str) -> tuple[Point, ...]:
    """The points of a night whose output stands by `exchange` or by `links`."""
    if layout == "exchange":
        return POINTS
    return tuple(replace(p, seams=(*p.seams, *LINKED)) if p.name == _BETWEEN else p for p in POINTS)


def calls_of_a_night(points: Iterable[Point], night: Callable[[], object]) -> dict[Seam, int]:
    """How often each seam is called in a night; wraps them, so this is for a forked process only.

    Raises:
        LookupError: naming a seam that does not exist or is never reached.
    """
    seams = list(dict.fromkeys(seam for point in points for seam in point.seams))
    calls: Counter[Seam] = Counter()
    for seam in seams:
        _wrap(seam, _counting(seam, calls))
    night()
    silent = [seam.target for seam in seams if calls[seam] < (seam.call or 1)]
    if silent:
        raise LookupError(f"every kill point must be reached by a night; got no such call of {', '.join(silent)}")
    return dict(calls)


def _killing(shot: Shot) -> Callable[[bool], None]:
    seen = 0

    def count(after: bool) -> None:
        nonlocal seen
        if after == shot.seam.after:
            seen += 1
            if seen == shot.call:
                os.kill(os.getpid(), signal.SIGKILL)

    return count


def _counting(seam: Seam, calls: Counter[Seam]) -> Callable[[bool], None]:
    def count(after: bool) -> None:
        calls[seam] += after == seam.after

    return count


def _wrap(seam: Seam, told: Callable[[bool], None]) -> None:
    """Let `told(after)` hear of every call that the seam means: False before it, True when it has returned."""
    depth = _depth(seam.within) if seam.within else [1]

    def around(function: Function) -> Function:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if not depth[0]:
                return function(*args, **kwargs)
            told(False)
            result = function(*args, **kwargs)
            told(True)
            return result

        return wrapper

    wrap(seam.target, around)


def _depth(target: str) -> list[int]:
    """How many calls of a function are under way: the one number in the list."""
    depth = [0]

    def around(function: Function) -> Function:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            depth[0] += 1
            try:
                return function(*args, **kwargs)
            finally:
                depth[0] -= 1

        return wrapper

    wrap(target, around)
    return depth
