"""What dead runs left below an output, found and removed; never anything that readers or a living run need.

Below `features/` and `quarantine/` nothing is ever touched, and neither are manifests, reports and leases (whose
numbers must go on growing). The rest is garbage once nothing in it has changed for the retention: staging, temporary
files, versions to which no link leads, and known embeddings that no job has asked for in a while. A run that may be
alive protects its staging whatever the clocks say.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from models.errors import CorruptArtifact, LeaseHeld
from transforms.recall.forgotten import forgotten_stores, halves
from transforms.sinks import storage
from transforms.sinks.base import RunInfo
from transforms.sinks.clock import Clock, SystemClock
from transforms.sinks.commit import alone
from transforms.sinks.durable import read_json, unique_name, writing
from transforms.sinks.layout import Layout
from transforms.sinks.lease import Lease, may_be_held
from transforms.sinks.manifest import read_manifest
from transforms.sinks.placing import PROBE, unlinked_versions
from transforms.sinks.standing import is_published

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}")  # see `durable.write_atomically`
_REDRIVE = "redrive-"  # and the id of the run whose quarantined records lie there


@dataclass(frozen=True)
class Leftover:
    """Something that no reader needs."""

    what: str
    path: Path
    bytes: int
    changed: float
    """When anything in it changed last, in seconds since 1970."""
    run: RunInfo | None
    """Whose it is, where that can be told."""
    in_use: bool
    """Whether a run that may be alive holds the lease of its job and date."""


def find(output: Path, clock: Clock | None = None) -> list[Leftover]:
    """Everything below an output that is garbage, or will be once it is old enough and nobody uses it.

    Args:
        output: an output folder; it need not exist.
        clock: for leases; the system's if None.
    """
    layout = Layout(output)
    found = (_leftover(what, path, run, layout, clock) for what, path, run in _candidates(layout))
    return sorted(filter(None, found), key=lambda leftover: leftover.path)


def remove(output: Path, leftover: Leftover, clock: Clock | None = None) -> None:
    """Remove it, while no run of its job and date can start.

    Raises:
        LeaseHeld: such a run has started since it was found, or has changed it.
        PermissionRefused, OutputError, StorageAway: it cannot be removed.
    """
    layout = Layout(output)
    with writing(leftover.path), _nobody_at_work(layout, leftover.run, clock):
        if not os.path.lexists(leftover.path):
            return
        if _measure(leftover.path)[1] > leftover.changed:
            raise LeaseHeld(f"{leftover.path} must be left alone; got changes while it was to be removed")
        if leftover.path.is_relative_to(layout.all_versions):
            _remove_version(layout, leftover.path)
        else:
            _remove(leftover.path)


def _candidates(layout: Layout) -> Iterator[tuple[str, Path, RunInfo | None]]:
    for path in _entries(layout.all_staging):
        if path != layout.leases and not path.name.startswith(PROBE):
            yield _staged(layout, path)
    for date in _entries(layout.all_versions):
        for path in unlinked_versions(layout, date.name.removeprefix("date=")):
            yield "version without a link", path, _run_of_version(layout, path)
    for path in forgotten_stores(layout.recall):
        yield "known embeddings, forgotten", path, None
    for path in halves(layout.recall):
        yield "temporary file", path, None
    for folder in (layout.root, layout.all_staging, layout.leases, *_entries(layout.runs)):
        for path in _entries(folder):
            if path.name.startswith(PROBE):
                yield "probe", path, None
            elif _TEMPORARY.fullmatch(path.name) and folder != layout.all_staging:
                yield "temporary file", path, None


def _staged(layout: Layout, path: Path) -> tuple[str, Path, RunInfo | None]:
    if path.name.startswith(_REDRIVE):
        return "records of a redrive", path, _recorded(layout, path.name.removeprefix(_REDRIVE))
    run = _run_of_staging(path)
    if run is None:
        return "foreign or unreadable", path, None
    return f"staging of a run, {'finished' if is_published(layout.root, run) else 'unfinished'}", path, run


def _run_of_staging(path: Path) -> RunInfo | None:
    try:
        return RunInfo(**read_json(path / "run.json"))
    except (OSError, CorruptArtifact, TypeError):
        return None  # and listed as unreadable


def _run_of_version(layout: Layout, path: Path) -> RunInfo | None:
    """A version's folder is named after its run, with a suffix if there was one of that name (see `placing`)."""
    name = path.parent.name
    return _recorded(layout, name) or _recorded(layout, name.rpartition(".")[0])


def _recorded(layout: Layout, run_id: str) -> RunInfo | None:
    try:
        return read_manifest(layout.manifest(run_id)).run
    except (OSError, CorruptArtifact):
        return None  # a run writes its manifest before anything of it lies where this is asked


def _leftover(what: str, path: Path, run: RunInfo | None, layout: Layout, clock: Clock | None) -> Leftover | None:
    try:
        size, changed = _measure(path)
    except FileNotFoundError:
        return None  # by its run, while it was looked at
    in_use = run is not None and may_be_held(layout.leases, run.job, run.date, clock)
    return Leftover(what, path, size, changed, run, in_use)


def _measure(path: Path) -> tuple[int, float]:
    """Bytes of the files in a tree, and when anything in it changed last."""
    size, changed = 0, 0.0
    for each in (path, *(Path(folder, name) for folder, *names in os.walk(path) for name in (*names[0], *names[1]))):
        status = each.lstat()
        changed = max(changed, status.st_mtime)
        size += 0 if each.is_dir() and not each.is_symlink() else status.st_size
    return size, changed


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


@contextmanager
def _nobody_at_work(layout: Layout, run: RunInfo | None, clock: Clock | None) -> Iterator[None]:
    """While this holds, no run of that job and date starts; a run that lives raises LeaseHeld."""
    if run is None:
        yield
        return
    if may_be_held(layout.leases, run.job, run.date, clock):
        raise LeaseHeld(f"job {run.job!r} of {run.date} may be at work")
    with Lease.acquire(layout.leases, run.job, run.date, clock=clock or SystemClock()):
        yield


def _remove_version(layout: Layout, path: Path) -> None:
    """Out of the versions in one step, unless a link leads there by now; then for good."""
    date = path.parents[1].name.removeprefix("date=")
    doomed = layout.all_staging / unique_name("version")
    with alone(layout, date):
        if path not in unlinked_versions(layout, date):
            return
        storage.rename(path, doomed)
        with suppress(OSError):  # not empty: the other kind, or another run, stands there
            path.parent.rmdir()
            path.parents[1].rmdir()
    _remove(doomed)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        storage.remove(path)
