"""A small pipeline with the shape of the nightly one: units, a shuffle, and one DoFn that writes a file per unit."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from models.errors import SchemaRefused
from pipelines.runners import run as run_to_end

UNITS = 8
ROWS = 5


class WriteUnit(beam.DoFn):  # type: ignore[misc]  # Beam ships no types
    """Writes `<unit>.json` with the unit's rows; refuses the unit named in `refuse`."""

    def __init__(self, folder: str, refuse: int | None = None) -> None:
        self._folder = folder
        self._refuse = refuse

    def process(self, element: tuple[int, Iterable[int]]) -> Iterator[tuple[str, int]]:
        """(unit, rows): one file, finished before the element is."""
        unit, rows = element
        if unit == self._refuse:
            raise SchemaRefused(f"unit {unit}: column photo must be binary; got int64")
        path = Path(self._folder) / f"{unit}.json"
        path.write_text(json.dumps({"rows": sorted(rows), "pid": os.getpid()}))
        yield str(unit), os.getpid()


def run(options: PipelineOptions, folder: Path, refuse: int | None = None) -> None:
    """Group 40 rows into 8 units and write each."""
    pipeline = beam.Pipeline(options=options)
    _ = (
        pipeline
        | beam.Create(range(UNITS * ROWS))
        | beam.Map(lambda row: (row % UNITS, row))
        | beam.GroupByKey()
        | beam.ParDo(WriteUnit(str(folder), refuse))
    )
    run_to_end(pipeline)


def written(folder: Path) -> dict[int, list[int]]:
    """Unit -> rows, from the files."""
    return {int(path.stem): json.loads(path.read_text())["rows"] for path in folder.glob("*.json")}


def processes(folder: Path) -> set[int]:
    """The processes that wrote units."""
    return {json.loads(path.read_text())["pid"] for path in folder.glob("*.json")}


EXPECTED = {unit: [unit + UNITS * i for i in range(ROWS)] for unit in range(UNITS)}
"""Row r belongs to unit r mod 8: unit 3 holds 3, 11, 19, 27, 35."""
