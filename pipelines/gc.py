"""`amalgam gc`: removes what dead runs left behind; dry unless told otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from models.errors import AmalgamError, LeaseHeld
from pipelines import quantities, tables
from pipelines.job import Job
from transforms.sinks import garbage
from transforms.sinks.clock import Clock, SystemClock
from transforms.sinks.garbage import Leftover

_DAY_SECONDS: Final = 86_400.0


@dataclass
class Collection:
    """What was found, and what became of it."""

    days: float
    """The retention."""
    removes: bool
    """Whether this was more than a dry run."""
    now: float
    """Seconds since 1970."""
    garbage: list[Leftover] = field(default_factory=list)
    """Removed, or to be removed."""
    in_use: list[Leftover] = field(default_factory=list)
    """Kept, because a run may be at work with it."""
    young: list[Leftover] = field(default_factory=list)
    """Kept, because something in it changed within the retention."""
    errors: list[AmalgamError] = field(default_factory=list)
    """Why the others could not be removed."""

    def text(self) -> str:
        """For people: a line for each leftover, then what was done."""
        blocks = [_table(self.garbage, self.now)] if self.garbage else []
        return "\n\n".join([*blocks, "\n".join([self._done(), *self._kept()])])

    def _done(self) -> str:
        if not self.garbage:
            return "Nothing to remove."
        what = f"{quantities.counted(len(self.garbage), 'leftover')}, {_size(self.garbage)}"
        if self.removes:
            return f"Removed {what}."
        return f"Would remove {what}. This was a dry run: nothing was removed. Say --yes to remove it."

    def _kept(self) -> list[str]:
        reasons = (
            ("of a run that may be at work", self.in_use),
            (f"changed within the last {self.days:g} days (--older-than)", self.young),
        )
        return [
            f"Kept {quantities.counted(len(kept), 'leftover')}, {_size(kept)}: {why}." for why, kept in reasons if kept
        ]


def collect(job: Job, days: float, *, remove: bool = False, clock: Clock | None = None) -> Collection:
    """Find what dead runs left below the job's outputs, and remove it if told so.

    Outputs are those of the nights and of the embedded history. Leftovers of other jobs in the same folders count too.

    Args:
        job: whose outputs.
        days: nothing younger is removed.
        remove: else only found.
        clock: for ages; the system's if None.
    """
    clock = clock or SystemClock()
    collection = Collection(days, remove, clock.wall())
    for output in _outputs(job):
        for leftover in garbage.find(output, clock):
            _sort(collection, output, leftover, clock)
    return collection


def _sort(collection: Collection, output: Path, leftover: Leftover, clock: Clock) -> None:
    if leftover.in_use:
        collection.in_use.append(leftover)
    elif collection.now - leftover.changed <= collection.days * _DAY_SECONDS:
        collection.young.append(leftover)
    elif not collection.removes:
        collection.garbage.append(leftover)
    else:
        try:
            garbage.remove(output, leftover, clock)
            collection.garbage.append(leftover)
        except LeaseHeld:  # its run has just started
            collection.in_use.append(leftover)
        except AmalgamError as error:  # the others go all the same
            collection.errors.append(error)


def _outputs(job: Job) -> list[Path]:
    return [Path(job.output.path), job.artifacts / "history"]


def _table(leftovers: Sequence[Leftover], now: float) -> str:
    rows = [
        (leftover.what, quantities.duration(now - leftover.changed), quantities.size(leftover.bytes), leftover.path)
        for leftover in leftovers
    ]
    return tables.table(("leftover", "unchanged for", "size", "path"), rows, ("left", "right", "right", "left"))


def _size(leftovers: Sequence[Leftover]) -> str:
    return quantities.size(sum(leftover.bytes for leftover in leftovers))
