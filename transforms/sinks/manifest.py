"""The record of a published run on disk: `runs/<run id>/manifest.json`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.errors import CorruptArtifact
from transforms.ledger import Ledger, UnitCounts
from transforms.sinks.base import FileRecord, Manifest, RunInfo
from transforms.sinks.durable import json_bytes, read_json, write_json
from transforms.sinks.layout import Layout

_FORMAT = 1  # raised when a reader of the old form could misread the new one
_SEAL = "sha256"


def to_json(manifest: Manifest) -> dict[str, Any]:
    """A JSON-able mapping that `from_json` turns back."""
    return {
        "format": _FORMAT,
        "run": asdict(manifest.run),
        "features": [asdict(file) for file in manifest.features],
        "quarantine": [asdict(file) for file in manifest.quarantine],
        "ledger": {
            "total": manifest.ledger.total().to_json(),
            "units": {unit: counts.to_json() for unit, counts in manifest.ledger.units.items()},
        },
        "details": dict(manifest.details),
    }


def from_json(value: Mapping[str, Any]) -> Manifest:
    """A Manifest from what `to_json` gave.

    Raises:
        KeyError, TypeError: it is not of that form.
    """
    units = value["ledger"]["units"].items()
    return Manifest(
        run=RunInfo(**value["run"]),
        features=tuple(FileRecord(**file) for file in value["features"]),
        quarantine=tuple(FileRecord(**file) for file in value["quarantine"]),
        ledger=Ledger.of((unit, UnitCounts.from_json(counts)) for unit, counts in units),
        details=value["details"],
    )


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write a manifest atomically and durably, with a digest of its own."""
    write_json(path, _sealed(to_json(manifest)))


def read_manifest(path: Path) -> Manifest:
    """The manifest at `path`.

    Raises:
        FileNotFoundError: there is none.
        CorruptArtifact: the file is not a manifest that this version can read, or was altered.
    """
    value = read_json(path)
    if value.get("format") != _FORMAT:
        raise CorruptArtifact(f"{path} must be a manifest of format {_FORMAT}; got format {value.get('format')!r}")
    # Byte by byte, because an altered file may say the same: `1e-05` and `1E-05` differ in one bit.
    if json_bytes(_sealed(value)) != path.read_bytes():
        raise CorruptArtifact(f"{path} must hold what was written, as its sha256 says; got something else")
    try:
        return from_json(value)
    except (KeyError, TypeError, AttributeError) as error:
        raise CorruptArtifact(f"{path} must be a manifest; got one without {error}") from error


def _sealed(value: dict[str, Any]) -> dict[str, Any]:
    """The mapping with a digest of all the rest."""
    rest = {name: item for name, item in value.items() if name != _SEAL}
    return {**rest, _SEAL: hashlib.sha256(json_bytes(rest)).hexdigest()}


def list_runs(output: Path) -> list[Manifest]:
    """Every run recorded below `output`, in the order of dates and ids.

    The record is written just before the atomic step: which run stands is what `published_run` says.
    """
    paths = sorted(Layout(output).runs.glob("*/manifest.json"))
    return [read_manifest(path) for path in paths]
