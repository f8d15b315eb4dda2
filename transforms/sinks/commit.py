"""Publishing a run's parts: all or nothing for readers, and to be finished by the same call after any crash.

The steps, each durable before the next begins:

    1  check       every file is in staging as recorded, and its rows are those that the ledger counts; files that an
                   interrupted publication put elsewhere get a second name in staging
    2  prune       staging holds the recorded files and no others
    3  manifest    runs/<run id>/manifest.json                                   (inside the fence)
    4  quarantine  the staged folder takes the place of quarantine/date=D        (inside the fence)
    5  features    the staged folder takes the place of features/date=D: the atomic step   (inside the fence)
    6  retire      versions to which no link leads any more go to staging/<run id>
    7  sweep       staging/<run id>, which by now holds what was replaced, goes

Each of 4 and 5 is one rename(2), or one exchange of two folders; in the layout with links (see `placing`), it is a
rename of the staged folder into versions/, which no reader sees, and one of a link. So it has happened or it has not.

What a crash leaves, and how the next call goes on:

    before 4       the old result stands. The call starts again at 1.
    within 4 or 5  (links) the folder lies in versions/ and no link leads there. Step 1 finds its files there.
    between 4, 5   the old features stand beside the new quarantine. Step 1 finds the quarantine files in place
                   and the parts in staging; 4 has nothing to do.
    between 5, 7   the new result stands, and the old one lies in staging, or among the versions. Step 1 finds all
                   files in place; 4 and 5 have nothing to do.

Where the answer to the atomic step is lost, what stands is looked up (see `storage`): if it is ours, it is done; else
the call fails, and the next one finds out in step 1.

Inside the fence, whoever changes what stands for this date is alone: two jobs that share an output folder by mistake
cannot replace each other's result.

A reader that is between listing the old folder and opening its files when the new one comes finds them gone, and
says so: the names of two runs differ (see `layout.part_name`). It reads again and has the new result. pyarrow leaves
out what vanishes while it lists; it then finds no file and hence no column, which is as loud.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import CorruptArtifact
from transforms.ledger import Ledger
from transforms.sinks import storage
from transforms.sinks.base import Fence, FileRecord, Manifest, Part, RunInfo
from transforms.sinks.checks import check_ledger
from transforms.sinks.durable import unique_name, writing
from transforms.sinks.layout import Layout
from transforms.sinks.lease import guarded
from transforms.sinks.manifest import read_manifest, write_manifest
from transforms.sinks.placing import put_in_place, take_away, unlinked_versions
from transforms.sinks.standing import faults, holds_exactly, places, refuse_foreign, run_of, with_faults

_NAMED = 3  # files that a message names one by one


@dataclass(frozen=True)
class _Folder:
    """The files of one kind: where they were staged, where they are to stand, and whether they stand there already."""

    staged: Path
    target: Path
    version: Path
    """Where they are to lie if what stands at `target` is a link."""
    places: tuple[Path, ...]
    """Where an interrupted publication may have put them."""
    files: tuple[FileRecord, ...]
    in_place: bool


def publish(
    layout: Layout,
    run: RunInfo,
    parts: Sequence[Part],
    ledger: Ledger,
    details: Mapping[str, Any],
    fence: Fence,
) -> Manifest:
    """Steps 1 to 5; the second time, nothing happens.

    Raises:
        LedgerUnbalanced: the parts are not what the ledger counts.
        CorruptArtifact: a part is not in storage as it was recorded.
        LeaseHeld: the fence found that another run has taken over.
        ConfigError: another job's result stands there.
        OutputError, PermissionRefused, StorageAway: from the file system.
    """
    check_ledger(parts, ledger)
    with writing(layout.root):
        features, quarantine = _locate(layout, run, parts)
        for folder in (features, quarantine):
            _check(folder)
            _prune(folder)
        manifest = Manifest(run, features.files, quarantine.files, ledger, details)
        with fence(), alone(layout, run.date):
            refuse_foreign(layout.root, run.date, run.job)
            manifest = _record(layout, manifest, features.in_place and quarantine.in_place)
            _put_in_place(quarantine)
            _put_in_place(features)
    return manifest


def retire(layout: Layout, run: RunInfo) -> None:
    """Step 6: nobody needs the versions any more to which no link leads."""
    if not layout.versions(run.date).exists():
        return
    bin_ = layout.staging(run.run_id).root
    with writing(layout.root), alone(layout, run.date):
        storage.make_folder(bin_)
        for version in unlinked_versions(layout, run.date):
            storage.rename(version, bin_ / unique_name("old"))
        for folder in layout.versions(run.date).iterdir():
            with suppress(OSError):  # not empty: it holds what stands
                folder.rmdir()


@contextmanager
def alone(layout: Layout, date: str) -> Iterator[None]:
    """Nobody else changes what stands for the date, of whatever job."""
    storage.make_folder(layout.leases)
    with guarded(layout.partition(date)):
        yield


def _locate(layout: Layout, run: RunInfo, parts: Sequence[Part]) -> tuple[_Folder, _Folder]:
    staging = layout.staging(run.run_id)
    features = tuple(part.features for part in parts)
    quarantine = tuple(part.quarantine for part in parts if part.quarantine)
    return (
        _folder(layout, run, staging.features, layout.features(run.date), features),
        _folder(layout, run, staging.quarantine, layout.quarantine(run.date), quarantine),
    )


def _folder(layout: Layout, run: RunInfo, staged: Path, target: Path, files: tuple[FileRecord, ...]) -> _Folder:
    ours = run_of(target) == run.run_id if files else True
    in_place = ours and holds_exactly(target, files) and not any(faults(target, files))
    version = layout.versions(run.date) / run.run_id / target.parent.name
    return _Folder(staged, target, version, tuple(places(layout, run.date, target.parent.name)), files, in_place)


def _check(folder: _Folder) -> None:
    """Every file is in staging as recorded, or in one of the places from which it can be had back."""
    if folder.in_place:
        return
    missing = with_faults(folder.staged, folder.files)
    for place in folder.places:
        elsewhere = with_faults(place, list(missing))
        for file in missing.keys() - elsewhere.keys():
            _have_back(place / file.name, folder.staged / file.name)
        missing = {file: fault for file, fault in missing.items() if file in elsewhere}
    if missing:
        found = "; ".join(list(missing.values())[:_NAMED])
        raise CorruptArtifact(f"{found}; {len(missing)} files in all; run the same command again")


def _have_back(found: Path, staged: Path) -> None:
    storage.make_folder(staged.parent)
    temporary = staged.with_name(unique_name(staged.name))
    storage.link(found, temporary)
    storage.rename(temporary, staged)
    storage.sync_folder(staged.parent)


def _prune(folder: _Folder) -> None:
    """Whatever else an abandoned attempt may have left in staging must not become visible."""
    if folder.in_place:
        return
    storage.make_folder(folder.staged)
    wanted = {file.name for file in folder.files}
    for path in folder.staged.iterdir():
        if path.name not in wanted:
            storage.remove(path)
    storage.sync_folder(folder.staged)


def _record(layout: Layout, manifest: Manifest, in_place: bool) -> Manifest:
    """Write the manifest, unless everything is in place and a manifest of the same files says so."""
    path = layout.manifest(manifest.run.run_id)
    if in_place and path.exists():
        stored = read_manifest(path)
        if (stored.features, stored.quarantine) == (manifest.features, manifest.quarantine):
            return stored
    write_manifest(path, manifest)
    return manifest


def _put_in_place(folder: _Folder) -> None:
    if folder.in_place:
        return
    if folder.files:
        put_in_place(folder.staged, folder.target, folder.version)
    else:
        take_away(folder.target, into=folder.staged)
    for parent in (folder.target.parent, folder.staged.parent, folder.target.parent.parent):
        storage.sync_folder(parent)
