"""Removes staging that nobody will need again."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from transforms.sinks.base import RunInfo
from transforms.sinks.durable import read_json
from transforms.sinks.layout import Layout

_LOG = logging.getLogger(__name__)


def sweep(output: Path, run_id: str) -> None:
    """Remove a run's staging. What cannot be removed is logged: no reader sees it, and it is swept another time."""

    def note(_function: object, path: str, error: tuple[object, BaseException, object]) -> None:
        _LOG.warning("%s could not be removed: %s", path, error[1])

    root = Layout(output).staging(run_id).root
    if root.exists():
        shutil.rmtree(root, onerror=note)


def sweep_abandoned(output: Path, run: RunInfo) -> list[str]:
    """Remove what other runs of the same job and date left in staging; call it while holding their lease.

    They can no longer be resumed, because the input or the settings are others now.

    Returns:
        The ids of the runs swept.
    """
    swept = []
    for path in sorted(Layout(output).all_staging.glob("*/run.json")):
        other = RunInfo(**read_json(path))
        if (other.job, other.date) == (run.job, run.date) and other.run_id != run.run_id:
            sweep(output, other.run_id)
            swept.append(other.run_id)
    return swept
