"""Where everything lies below a job's output folder; nothing else in the program spells these names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from transforms.sinks.base import RunInfo

EMPTY_UNIT = "empty"
"""The unit of the part without rows that carries the schema of a date without input rows."""

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]*")


@dataclass(frozen=True)
class Layout:
    """The folders of one output (CONTRACT.md, Output).

    Staging lies beside `features/`, never below it: dask reads files in `_x/` and `.x/` folders too.
    """

    root: Path

    def features(self, date: str) -> Path:
        """What readers read: one date's published parts."""
        return self.root / "features" / f"date={date}"

    def quarantine(self, date: str) -> Path:
        """One date's quarantined records; no folder when there are none."""
        return self.root / "quarantine" / f"date={date}"

    @property
    def all_versions(self) -> Path:
        """Where file systems cannot exchange folders: what the links at `features/date=…` lead to (see `placing`)."""
        return self.root / "versions"

    def versions(self, date: str) -> Path:
        """One date's versions: a folder for each run that was put there."""
        return self.all_versions / f"date={date}"

    @property
    def runs(self) -> Path:
        """A folder for each published run."""
        return self.root / "runs"

    def manifest(self, run_id: str) -> Path:
        """The record of a published run."""
        return self.runs / run_id / "manifest.json"

    @property
    def recall(self) -> Path:
        """Known embeddings, a folder for each store key (see `transforms.recall`)."""
        return self.root / "recall"

    @property
    def all_staging(self) -> Path:
        """A folder for each unfinished run, and the leases."""
        return self.root / "staging"

    @property
    def leases(self) -> Path:
        """Who works on which job and date."""
        return self.all_staging / "leases"

    def partition(self, date: str) -> Path:
        """Whose lock those hold who change what stands for a date, of whatever job they are."""
        return self.leases / f"date={date}"

    def staging(self, run_id: str) -> Staging:
        """One run's work in progress."""
        return Staging(self.all_staging / run_id)


@dataclass(frozen=True)
class Staging:
    """One run's work in progress."""

    root: Path

    @property
    def run(self) -> Path:
        """Whose work this is: the RunInfo."""
        return self.root / "run.json"

    @property
    def writing(self) -> Path:
        """Files that are still being written, under names that no two attempts share."""
        return self.root / "writing"

    @property
    def features(self) -> Path:
        """Complete parts; comes to stand at `features/date=…` as it is."""
        return self.root / "features"

    @property
    def quarantine(self) -> Path:
        """Complete quarantine files; comes to stand at `quarantine/date=…` as it is."""
        return self.root / "quarantine"

    @property
    def recall(self) -> Path:
        """Segments of known embeddings that are still being written."""
        return self.root / "recall"

    @property
    def units(self) -> Path:
        """A record for each finished unit; written last, so its being there is what "finished" means."""
        return self.root / "units"

    def unit(self, unit: str) -> Path:
        """The record of one finished unit."""
        return self.units / f"{safe_name(unit)}.json"


def part_name(unit: str, run: RunInfo) -> str:
    """Name of a unit's file: `part-<unit>-<run>.parquet`, with the run id's part after the date.

    A name is never used by two runs with different rows. A reader that lists the old folder and opens the files one
    by one while the new folder takes its place then finds a file missing and can try again; with equal names it
    would read half of the old rows and half of the new ones without noticing.
    """
    return f"part-{safe_name(unit)}-{safe_name(run.run_id.removeprefix(f'{run.date}-'))}.parquet"


def is_safe(name: str) -> bool:
    """Whether the name can stand in a file name anywhere."""
    return _SAFE_NAME.fullmatch(name) is not None


def safe_name(name: str) -> str:
    """The name, if it can stand in a file name anywhere.

    Raises:
        ValueError: it holds other characters than letters, digits and `._=-`.
    """
    if not is_safe(name):
        raise ValueError(f"a name for files must match {_SAFE_NAME.pattern}; got {name!r}")
    return name
