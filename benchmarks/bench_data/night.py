"""Nights of records, streamed into Parquet: every value hangs on the seed and its own number, never on its place."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.bench_data import pictures, sounds, texts
from pipelines.scenarios.streams import Ints, Stream, generator

KEY = "customer_id"
LABEL = "churned"
FILE_ROWS, GROUP_ROWS = 2_500, 500  # as `amalgam new` writes them
_WORTH_A_POOL = 2_000  # rows: below, starting processes takes longer than they save
_OTHER = 1 << 40  # added to the number of a text that has changed: above all numbers of first versions


class Content(NamedTuple):
    """One modality of the data."""

    column: str
    type: pa.DataType
    stream: int
    draw: Callable[[np.random.Generator], str | bytes]


_IMAGE, _TEXT, _AUDIO = (Stream.MEDIA + number for number in range(3))
CONTENTS: Mapping[str, Content] = {
    "text": Content("review", pa.string(), _TEXT, texts.draw),
    "image": Content("photo", pa.binary(), _IMAGE, pictures.draw),
    "audio": Content("call", pa.binary(), _AUDIO, sounds.draw),
}
"""Modality type -> its column, and how a value is drawn."""


@dataclass(frozen=True)
class Night:
    """Which rows a partition has.

    Args:
        name: its folder.
        rows: how many.
        first: number of the first row's values; nights whose numbers are apart share no value.
        modalities: types, keys of CONTENTS.
        duplicates: share of the rows that carry an earlier row's value, for each modality on its own.
        changed: share of the rows whose text is another than in a night without changes.
        labelled: whether there is a label to learn from.
        seed: 0 or more.
    """

    name: str
    rows: int
    first: int = 0
    modalities: tuple[str, ...] = ("text",)
    duplicates: float = 0.0
    changed: float = 0.0
    labelled: bool = False
    seed: int = 0


def write(folder: Path, night: Night) -> Path:
    """Write the night's files; the same night gives the same values, whatever the number of cores.

    Returns:
        The folder with its files.
    """
    place = folder / night.name
    place.mkdir(parents=True)
    tasks = [(place, night, start) for start in range(0, night.rows, FILE_ROWS)]
    if night.rows <= _WORTH_A_POOL:
        for task in tasks:
            _write_file(task)
        return place
    # Spawned, not forked: a fork would copy the locks of whatever threads Arrow runs at the moment.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(len(os.sched_getaffinity(0)), len(tasks)), mp_context=context) as pool:
        list(pool.map(_write_file, tasks))
    return place


def numbers(night: Night, modality: str) -> Ints:
    """int64 `[rows]`: which value each row carries; the exact share of rows repeat an earlier original."""
    rng = generator(night.seed, Stream.CHANGES, night.first, CONTENTS[modality].stream)
    found = np.arange(night.rows)
    if copies := round(night.duplicates * night.rows):
        is_copy = np.zeros(night.rows, dtype=np.bool_)
        is_copy[1 + rng.permutation(night.rows - 1)[:copies]] = True  # the first row has nothing to repeat
        originals, before = np.flatnonzero(~is_copy), np.cumsum(~is_copy)
        found[is_copy] = originals[(rng.random(copies) * before[is_copy]).astype(np.int64)]
    found += night.first
    if modality == "text" and (others := round(night.changed * night.rows)):
        found[rng.permutation(night.rows)[:others]] += _OTHER
    return found


def _write_file(task: tuple[Path, Night, int]) -> None:
    place, night, start = task
    path = place / f"part-{start // FILE_ROWS:05d}.parquet"
    stop = min(start + FILE_ROWS, night.rows)
    with pq.ParquetWriter(path, _schema(night), compression="zstd", use_dictionary=False) as file:
        for batch in _batches(night, start, stop):
            file.write_batch(batch)


def _schema(night: Night) -> pa.Schema:
    columns = [(CONTENTS[modality].column, CONTENTS[modality].type) for modality in night.modalities]
    return pa.schema([(KEY, pa.string()), *columns, *([(LABEL, pa.bool_())] if night.labelled else [])])


def _batches(night: Night, start: int, stop: int) -> Iterator[pa.RecordBatch]:
    """A row group at a time."""
    carried = {modality: numbers(night, modality) for modality in night.modalities}
    for first in range(start, stop, GROUP_ROWS):
        rows = range(first, min(first + GROUP_ROWS, stop))
        columns = [pa.array([f"c{night.first + row:09d}" for row in rows])]
        columns += [
            _values(night, modality, carried[modality][rows.start : rows.stop]) for modality in night.modalities
        ]
        if night.labelled:
            columns.append(pa.array([row % 2 == 0 for row in rows]))
        yield pa.RecordBatch.from_arrays(columns, schema=_schema(night))


def _values(night: Night, modality: str, carried: Ints) -> pa.Array:
    content = CONTENTS[modality]
    drawn = [content.draw(generator(night.seed, content.stream, number)) for number in carried.tolist()]
    return pa.array(drawn, content.type)
