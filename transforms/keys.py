"""Repeated keys, found with one shuffle of key hashes: the first row in input order stays, the others are named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.arrow import Int64
from models.schema import ROW
from transforms.key_hashes import key_hashes, usable_keys
from transforms.read import RowGroupUnreadable, read_unit
from transforms.units import Unit

_POSITION = np.dtype([("high", "<u8"), ("low", "<u8"), ("unit", "<u4"), ("row", "<i8")])
"""What travels for one row: 128 bits of its key's hash and where it stands; 28 bytes, packed in blocks."""
_ROWS_PER_BUCKET = 1_000_000  # a bucket is sorted in memory: 28 MB
_KEY_BATCH = 65_536
_KEY_BYTES = 32 << 20  # of a batch of keys, which may be long


def find_repeated_keys(units: beam.PCollection, schema: pa.Schema, key: str, rows: int) -> beam.PCollection:
    """(unit id, int64 array of row numbers) for the rows whose key stood earlier in the input.

    A row "stands earlier" when its unit comes first in input order, then its row number. One GroupByKey over blocks
    of hashes, never over single rows.
    """
    buckets = max(8, -(-rows // _ROWS_PER_BUCKET))
    key_schema = pa.schema([schema.field(key)])
    return (
        units
        | "Hash keys" >> beam.ParDo(_HashKeys(key_schema, buckets))
        | "Group hashes" >> beam.GroupByKey()
        | "Find repeats" >> beam.FlatMap(lambda item: _repeats(item[1]))
    )


class _HashKeys(beam.DoFn):  # type: ignore[misc]  # Beam ships no types
    """Unit -> (bucket, (unit id, packed positions))."""

    def __init__(self, schema: pa.Schema, buckets: int) -> None:
        self._schema = schema
        self._buckets = buckets

    def process(self, unit: Unit) -> Iterator[tuple[int, tuple[str, bytes]]]:
        positions = _positions(unit, self._schema)
        bucket = positions["high"] % np.uint64(self._buckets)
        for number in range(self._buckets):
            chosen = positions[bucket == number]
            if len(chosen):
                yield number, (unit.id, chosen.tobytes())


def _positions(unit: Unit, schema: pa.Schema) -> npt.NDArray[np.void]:
    lost: set[int] = set()
    while True:
        try:
            blocks = [
                _block(unit, batch)
                for batch in read_unit(unit, schema, batch_rows=_KEY_BATCH, batch_bytes=_KEY_BYTES, without=lost)
            ]
            return np.concatenate([np.empty(0, _POSITION), *blocks])
        except RowGroupUnreadable as error:
            lost.add(error.row_group)  # counted when the unit is processed


def _block(unit: Unit, batch: pa.RecordBatch) -> npt.NDArray[np.void]:
    keys = batch.column(0)
    usable = usable_keys(keys)
    hashes = key_hashes(keys.filter(pa.array(usable)))
    block = np.empty(len(hashes), _POSITION)
    block["high"], block["low"] = hashes[:, 0], hashes[:, 1]
    block["unit"] = int(unit.id.split("-")[0])
    block["row"] = batch.column(batch.schema.get_field_index(ROW)).to_numpy()[usable]
    return block


def _repeats(blocks: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, Int64]]:
    packed = sorted(blocks)  # by unit id, so the result does not depend on the order of arrival
    names = {int(unit.split("-")[0]): unit for unit, _ in packed}
    rows = np.concatenate([np.frombuffer(block, _POSITION) for _, block in packed])
    rows = rows[np.lexsort((rows["row"], rows["unit"], rows["low"], rows["high"]))]
    same = (rows["high"][1:] == rows["high"][:-1]) & (rows["low"][1:] == rows["low"][:-1])
    repeated = rows[1:][same]
    for number in np.unique(repeated["unit"]):
        yield names[int(number)], repeated["row"][repeated["unit"] == number].astype(np.int64)
