"""Publishing a run's parts: all or nothing for readers, and to be finished by the same call after any crash.

The steps, each durable before the next begins:

    1  check       every file is in storage as recorded, and its rows are those that the ledger counts
    2  prune       staging holds the recorded files and no others
    3  manifest    runs/<run id>/manifest.json
    4  quarantine  the staged folder takes the place of quarantine/date=D        (inside the fence)
    5  features    the staged folder takes the place of features/date=D: the atomic step   (inside the fence)
    6  sweep       staging/<run id>, which by now holds the old folders, goes

What a crash leaves, and how the next call goes on:

    before 4       the old result stands. The call starts again at 1.
    between 4, 5   the old features stand beside the new quarantine. Step 1 finds the quarantine files in place
                   and the parts in staging; 4 has nothing to do.
    between 5, 6   the new result stands, and the old one lies in staging. Step 1 finds all files in place;
                   4 and 5 have nothing to do.

Each of 4 and 5 is one rename(2), or one exchange of two folders (see `exchange`), so it has happened or it has not.

A reader that is between listing the old folder and opening its files when the exchange comes finds them gone, and
says so: the names of two runs differ (see `layout.part_name`). It reads again and has the new result. pyarrow leaves
out what vanishes while it lists; it then finds no file and hence no column, which is as loud.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import CorruptArtifact
from transforms.ledger import Ledger
from transforms.sinks.base import Fence, FileRecord, Manifest, Part, RunInfo
from transforms.sinks.checks import check_ledger
from transforms.sinks.durable import sync_folder, unique_name, writing
from transforms.sinks.exchange import put_in_place
from transforms.sinks.layout import Layout
from transforms.sinks.manifest import read_manifest, write_manifest
from transforms.sinks.standing import faults, holds_exactly, run_of

_NAMED = 3  # files that a message names one by one


@dataclass(frozen=True)
class _Folder:
    """The files of one kind: where they were staged, where they are to stand, and whether they stand there already."""

    staged: Path
    target: Path
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
        OutputError, PermissionRefused: from the file system.
    """
    check_ledger(parts, ledger)
    with writing(layout.root):
        features, quarantine = _locate(layout, run, parts)
        for folder in (features, quarantine):
            _check(folder)
            _prune(folder)
        manifest = Manifest(run, features.files, quarantine.files, ledger, details)
        manifest = _record(layout, manifest, features.in_place and quarantine.in_place)
        with fence():
            _put_in_place(quarantine)
            _put_in_place(features)
    return manifest


def _locate(layout: Layout, run: RunInfo, parts: Sequence[Part]) -> tuple[_Folder, _Folder]:
    staging = layout.staging(run.run_id)
    features = tuple(part.features for part in parts)
    quarantine = tuple(part.quarantine for part in parts if part.quarantine)
    return (
        _folder(staging.features, layout.features(run.date), features, run),
        _folder(staging.quarantine, layout.quarantine(run.date), quarantine, run),
    )


def _folder(staged: Path, target: Path, files: tuple[FileRecord, ...], run: RunInfo) -> _Folder:
    ours = run_of(target) == run.run_id if files else True
    in_place = ours and holds_exactly(target, files) and not any(faults(target, files))
    return _Folder(staged, target, files, in_place)


def _check(folder: _Folder) -> None:
    found = [] if folder.in_place else [fault for fault in faults(folder.staged, folder.files) if fault]
    if found:
        raise CorruptArtifact(f"{'; '.join(found[:_NAMED])}; {len(found)} files in all; run the same command again")


def _prune(folder: _Folder) -> None:
    """Whatever else an abandoned attempt may have left in staging must not become visible."""
    if folder.in_place:
        return
    folder.staged.mkdir(parents=True, exist_ok=True)
    wanted = {file.name for file in folder.files}
    for path in folder.staged.iterdir():
        if path.name not in wanted:
            path.unlink()
    sync_folder(folder.staged)


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
        put_in_place(folder.staged, folder.target)
    else:  # nothing to stand there: what does, goes to staging
        folder.target.rename(folder.staged / unique_name("old"))
    for parent in (folder.target.parent, folder.staged.parent, folder.target.parent.parent):
        sync_folder(parent)
