"""A run's report for people: one self-contained page, drawn from the manifest and a sample of the parts."""

from __future__ import annotations

from pathlib import Path

from pipelines.report.page import page
from pipelines.report.sample import read_sample
from transforms.sinks.base import Manifest

SAMPLE_ROWS = 5000  # dots that a map of this size still shows apart; the page stays below 1 MB


def write_report(manifest: Manifest, features: Path, target: Path, *, sample_rows: int = SAMPLE_ROWS) -> None:
    """Write `report.html`; the same manifest and parts give the same page, byte by byte.

    Args:
        manifest: the run's record; details that an older manifest lacks are left out of the page.
        features: folder of the run's Parquet parts; its memory need does not grow with their rows.
        target: file to write.
        sample_rows: rows that distributions and the map are drawn from; counts are the ledger's, and exact.
    """
    target.write_text(page(manifest, read_sample(features, sample_rows)), encoding="utf-8")
