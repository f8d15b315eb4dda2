"""How a finished folder comes to stand where readers look, in one step: the two layouts of an output.

    exchange    features/date=D is a folder. It changes places with the staged one (renameat2, see `exchange`).
    links       features/date=D is a relative symbolic link, the commit record, to
                versions/date=D/<run id>/features. A new link takes its place: rename(2), atomic on POSIX and on NFS.

An output begins with `exchange` where the file system can do it, else with `links`, and keeps what it began with.
`quarantine/date=D` stands in the same way.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from models.errors import ConfigError
from transforms.sinks import storage
from transforms.sinks.durable import unique_name
from transforms.sinks.exchange import UNSUPPORTED
from transforms.sinks.layout import Layout

PROBE = ".amalgam-probe-"
"""How the names of folders begin in which something is tried out."""


def can_exchange(folder: Path) -> bool:
    """Whether folders below `folder` can be exchanged; tries it with two of its own.

    Raises:
        OSError: `folder` cannot be written.
    """
    with TemporaryDirectory(prefix=PROBE, dir=folder) as probe:
        one, other = Path(probe, "one"), Path(probe, "other")
        one.mkdir()
        other.mkdir()
        try:
            storage.exchange(one, other)
        except OSError as error:
            if error.errno in UNSUPPORTED:
                return False
            raise
    return True


def can_link(folder: Path) -> bool:
    """Whether a symbolic link below `folder` can take another one's place; tries it.

    Raises:
        OSError: `folder` cannot be written.
    """
    with TemporaryDirectory(prefix=PROBE, dir=folder) as probe:
        old, new = Path(probe, "old"), Path(probe, "new")
        try:
            storage.symlink("one", old)
            storage.symlink("other", new)
            storage.rename(new, old)
        except OSError as error:
            if error.errno in UNSUPPORTED or isinstance(error, PermissionError):  # EPERM: no links here, symlink(2)
                return False
            raise
    return True


def refuse_unplaceable(layout: Layout, probe: Path) -> None:
    """Check that what stands below an output can be replaced in one step.

    Args:
        layout: of the output.
        probe: an existing folder of its file system, to try things out in.

    Raises:
        ConfigError: neither layout is possible, or folders stand that only an exchange could replace.
        OSError: `probe` cannot be written.
    """
    if can_exchange(probe):
        return
    if not can_link(probe):
        raise ConfigError(
            f"output.path must lie on a file system that can exchange two folders in one step (ext4, xfs, btrfs, "
            f"tmpfs, …) or replace a symbolic link (NFS, …); got {str(layout.root)!r}, which can do neither; "
            "choose another output.path"
        )
    for kind in (layout.root / "features", layout.root / "quarantine"):
        for path in sorted(kind.glob("date=*")):
            if not path.is_symlink():
                raise _stuck(path)


def put_in_place(staged: Path, target: Path, version: Path) -> None:
    """Let the folder `staged` stand at `target`, in one step that no reader can see half-done.

    What stood there before is at `staged` afterwards, or is a version that no link leads to.

    Args:
        staged: a complete folder; the one above it takes the temporary link.
        target: `features/date=…` or `quarantine/date=…`.
        version: where the folder is to lie if `target` is a link: `versions/date=…/<run id>/<features or quarantine>`.
    """
    storage.make_folder(target.parent)
    if target.is_symlink() or (not target.exists() and _begins_with_link(target, staged)):
        _link(_moved(staged, version), target, staged.with_name(unique_name("link")))
    elif target.exists():
        try:
            storage.exchange(staged, target)
        except OSError as error:
            if error.errno in UNSUPPORTED:
                raise _stuck(target) from error
            raise
    else:
        storage.rename(staged, target)


def take_away(target: Path, into: Path) -> None:
    """Let nothing stand at `target`; what did, lies in the folder `into` afterwards."""
    if target.is_symlink() or target.exists():
        storage.rename(target, into / unique_name("old"))


def unlinked_versions(layout: Layout, date: str) -> list[Path]:
    """Folders of parts or of quarantine to which no link leads: replaced, or not yet put in place."""
    linked = {layout.features(date).resolve(), layout.quarantine(date).resolve()}
    return [path for path in sorted(layout.versions(date).glob("*/*")) if path.resolve() not in linked]


def _begins_with_link(target: Path, staged: Path) -> bool:
    """Whether a date of which nothing stands yet is to be a link: as the others are, else as it must."""
    features = target.parents[1] / "features"
    others = os.scandir(features) if features.is_dir() else ()
    return any(other.is_symlink() for other in others) or not can_exchange(staged.parent)


def _moved(staged: Path, version: Path) -> Path:
    """The folder's place among the versions, durable before a link leads there."""
    if version.exists():  # the same run once more: one that stands must not change before the atomic step
        version = version.parent.with_name(unique_name(version.parent.name)) / version.name
    storage.make_folder(version.parent)
    storage.rename(staged, version)
    for folder in list(version.parents)[:4]:  # the run's, the date's, versions/, and the output's
        storage.sync_folder(folder)
    return version


def _link(version: Path, target: Path, temporary: Path) -> None:
    # From the folders as they are, because `features` may itself be a link. The temporary one lies in staging, where
    # it leads nowhere: nothing but dates ever lies below features/.
    storage.symlink(os.path.relpath(version.resolve(), target.parent.resolve()), temporary)
    storage.rename(temporary, target)


def _stuck(target: Path) -> ConfigError:
    return ConfigError(
        f"{target} must be a link to a version to be replaced in one step, because this file system cannot exchange "
        "folders; got a folder, published where that was possible; choose another output.path, or convert this one "
        "while nobody reads it (docs/operations.md, Layouts)"
    )
