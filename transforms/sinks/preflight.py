"""Whether an output folder can be published to, found out before any work is done."""

from __future__ import annotations

import shutil
from pathlib import Path

from models.errors import ConfigError, OutputError
from transforms.sinks.durable import writing
from transforms.sinks.layout import Layout
from transforms.sinks.placing import refuse_unplaceable


def local_path(path: str) -> Path:
    """The path of a local output.

    Raises:
        ConfigError: it is a URI.
    """
    if "://" in path:
        raise ConfigError(
            f"output.path must be a folder: this version publishes to POSIX file systems; got {path!r}; "
            "mount the storage or publish locally and copy"
        )
    return Path(path)


def check_output(path: str, bytes_needed: int = 0) -> None:
    """Check that a run can be staged and published below `path`, leaving nothing behind.

    Raises:
        ConfigError: a URI, a file system on which nothing can be replaced in one step, or `features` on another one
            than `staging`.
        OutputError: read-only, not a folder, or less than `bytes_needed` bytes free.
        PermissionRefused: writing is not allowed.
        StorageAway: no answer.
    """
    root = local_path(path)
    with writing(root):
        staging = _nearest_existing(Layout(root).all_staging)
        refuse_unplaceable(Layout(root), staging)
        for place in (root / "features", root / "quarantine", Layout(root).all_versions):
            _check_same_file_system(staging, place)
        _check_space(staging, bytes_needed)


def free_bytes(path: Path) -> int:
    """Bytes that may still be written below `path`, which need not exist yet (statvfs's `f_bavail`)."""
    return shutil.disk_usage(_nearest_existing(path)).free


def _nearest_existing(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _check_same_file_system(staging: Path, place: Path) -> None:
    if place.exists() and place.stat().st_dev != staging.stat().st_dev:
        raise ConfigError(
            f"{place} must lie on the same file system as {staging}, so that both can change places in one step; "
            "got two; unmount one of them or choose another output.path"
        )


def _check_space(folder: Path, needed: int) -> None:
    free = free_bytes(folder)
    if free < needed:
        raise OutputError(
            f"{folder} must have room for about {needed:,} bytes; got {free:,} bytes free; "
            "free some space or choose another output.path"
        )
