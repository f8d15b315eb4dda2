"""Session: one unit's dealings with the stores: which values are known, which repeat an earlier one, which are new.

A batch passes three times:

    look      before cleaning    marks the rows whose value need not be cleaned and encoded: it is known from a store,
                                 stood earlier in this unit, or stands earlier in this batch
    cleaned   after cleaning     a marked row gets the issue codes of its value, and counts as usable as that is
    complete  after encoding     a marked row gets the embedding of its value; new ones are learned

A marked row relies on another only once that one's outcome is certain to be known here before the marked row's batch
is complete: batches are completed in the order in which they were looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from models.arrow import Bool, Float32, concat_lists, from_numpy, set_column, to_numpy, valid_mask
from models.schema import ISSUES, ISSUES_TYPE, clean_column, emb_column
from transforms.blame import Failure
from transforms.clean import known_column, named_issues
from transforms.embed import Embedded, Encoded
from transforms.ledger import UnitCounts
from transforms.modalities.base import ModalitySpec
from transforms.recall.keys import KEY_BYTES, content_keys
from transforms.recall.segment import Entries
from transforms.recall.store import Store

_KEY = pa.binary(KEY_BYTES)
HELD_BYTES = 64 << 20
"""Embeddings that a session holds before it writes the new ones down and lets go of what no batch waits for."""


@dataclass
class _Value:
    """What became of one value."""

    codes: list[str]
    """That cleaning gave it, without the modality's name."""
    usable: bool
    """Whether cleaning left something of it."""
    recalled: bool = False
    """Whether it was known before this unit."""
    embedding: Float32 | None = None
    """`[dim]`; None: not yet, or never."""
    late: list[str] = field(default_factory=list)
    """Codes that encoding gave it."""
    failure: Failure | None = None
    """Why its rows must not be published."""
    done: bool = False


@dataclass
class _Lane:
    """One modality's values in this unit."""

    spec: ModalitySpec
    dim: int
    store: Store | None
    values: dict[bytes, _Value] = field(default_factory=dict)
    awaited: Counter[bytes] = field(default_factory=Counter)
    fresh: list[bytes] = field(default_factory=list)
    """Keys that the store is to learn."""


def new_column(modality: str) -> str:
    """Name of the column with the keys of values that are to be encoded and learned."""
    return f"__new_{modality}__"


def usable_column(modality: str) -> str:
    """Name of the column that is not null where a value that is known, or will be, is usable."""
    return f"__usable_{modality}__"


class Session:
    """What one attempt at a unit knows.

    Args:
        modalities: those whose values are looked up: name -> (spec, length of the embedding, store if there is one).
        day: of the run, in days since 1970.
        refresh_before: an entry that was asked for last before this day is written anew.
        counts: where `encoded`, `recalled` and `repeated` values are counted.
    """

    def __init__(
        self,
        modalities: Mapping[str, tuple[ModalitySpec, int, Store | None]],
        day: int,
        refresh_before: int,
        counts: UnitCounts,
    ) -> None:
        self._lanes = {name: _Lane(*parts) for name, parts in modalities.items()}
        self._day = day
        self._refresh_before = refresh_before
        self._counts = counts
        for lane in self._lanes.values():
            if lane.store is not None:
                lane.store.refresh()

    @property
    def usable_columns(self) -> list[str]:
        """Columns of which one is not null in a row that has a usable value, beside the cleaned ones."""
        return [usable_column(name) for name in self._lanes]

    def look(self, batch: pa.RecordBatch, eligible: Bool) -> pa.RecordBatch:
        """Mark the rows whose values are known.

        Args:
            batch: as it was read.
            eligible: `[n]`: False for rows that are certain to be removed, on which no other may rely.
        """
        for name, lane in self._lanes.items():
            keys = content_keys(lane.spec.raw(lane.spec.gather(batch)), batch.num_rows)
            batch = self._marked(batch, name, lane, _names(keys.keys, keys.known & eligible))
        return batch

    def _marked(self, batch: pa.RecordBatch, name: str, lane: _Lane, keys: list[bytes | None]) -> pa.RecordBatch:
        self._recall(lane, list(dict.fromkeys(key for key in keys if key is not None and key not in lane.values)))
        known: list[bytes | None] = []
        new: list[bytes | None] = []
        first: set[bytes] = set()
        for key in keys:
            relies = key is not None and (key in lane.values or key in first)
            known.append(key if relies else None)
            new.append(None if relies else key)
            if key is not None:
                first.add(key)
        lane.awaited.update(key for key in known if key is not None)
        marks = ((known_column(name), known), (new_column(name), new))
        for column, found in marks:
            batch = batch.append_column(column, pa.array(found, _KEY))
        return batch

    def _recall(self, lane: _Lane, keys: list[bytes]) -> None:
        if lane.store is None or not keys:
            return
        rows, entries = lane.store.find(np.frombuffer(b"".join(keys), np.uint64).reshape(-1, 2))
        codes = entries.issues.to_pylist()
        for i, row in enumerate(rows.tolist()):
            value = _Value(codes[i], usable=True, recalled=True, embedding=entries.embeddings[i], done=True)
            lane.values[keys[row]] = value
            if entries.days[i] < self._refresh_before:
                lane.fresh.append(keys[row])

    def relies(self, batch: pa.RecordBatch, lost: Collection[int]) -> bool:
        """Whether a row of the batch relies on one of the rows (by position) that are lost."""
        if not lost:
            return False
        for name, lane in self._lanes.items():
            new, known = (_column(batch, column(name)) for column in (new_column, known_column))
            gone = {new[row].as_py() for row in lost} - lane.values.keys()
            if not gone.isdisjoint(known.drop_null().to_pylist()):
                return True
        return False

    def unmarked(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with no row relying on another, for when some of its rows cannot be relied on."""
        for name, lane in self._lanes.items():
            lane.awaited.subtract(key for key in _column(batch, known_column(name)).to_pylist() if key is not None)
            for column in (known_column(name), new_column(name)):
                batch = set_column(batch, column, pa.nulls(batch.num_rows, _KEY))
        return batch

    def cleaned(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Note what cleaning made of new values, and tell the rows that rely on them."""
        for name, lane in self._lanes.items():
            self._note_cleaned(batch, name, lane)
            known = _column(batch, known_column(name)).to_pylist()
            values = [None if key is None else lane.values[key] for key in known]
            usable = [True if value is not None and value.usable else None for value in values]
            batch = batch.append_column(usable_column(name), pa.array(usable, pa.bool_()))
            batch = _with_codes(batch, name, [[] if value is None else value.codes for value in values])
        return batch

    def _note_cleaned(self, batch: pa.RecordBatch, name: str, lane: _Lane) -> None:
        new = _column(batch, new_column(name))
        rows = np.flatnonzero(valid_mask(new))
        if not len(rows):
            return
        usable = valid_mask(_column(batch, clean_column(name)))
        issues = _column(batch, ISSUES).take(pa.array(rows)).to_pylist()
        prefix = f"{name}."
        for row, key, codes in zip(rows.tolist(), new.drop_null().to_pylist(), issues, strict=True):
            own = [code.removeprefix(prefix) for code in codes if code.startswith(prefix)]
            lane.values[key] = _Value(own, bool(usable[row]), done=not usable[row])

    def complete(self, embedded: Embedded) -> Embedded:
        """Learn the new embeddings of a batch, and give the rows that rely on others theirs."""
        batch, guilty = embedded.batch, dict(embedded.guilty)
        for name, encoded in embedded.encoded.items():
            lane = self._lanes.get(name)
            if lane is None:
                self._counts.encoded[name] += encoded.values
                continue
            self._learn(batch, name, lane, encoded)
            batch = self._filled(batch, name, lane, guilty)
        self._hold()
        return Embedded(batch, guilty, embedded.encoded)

    def _learn(self, batch: pa.RecordBatch, name: str, lane: _Lane, encoded: Encoded) -> None:
        self._counts.encoded[name] += encoded.values
        new = _column(batch, new_column(name))
        rows = np.flatnonzero(valid_mask(new))
        found = valid_mask(encoded.column)
        matrix = np.asarray(to_numpy(encoded.column), np.float32)
        late = encoded.codes.take(pa.array(rows)).to_pylist()
        for row, key, codes in zip(rows.tolist(), new.drop_null().to_pylist(), late, strict=True):
            value = lane.values[key]
            if value.done:
                continue
            value.done = True
            value.late, value.failure = codes, encoded.guilty.get(row)
            if found[row]:
                value.embedding = matrix[row]
                lane.fresh.append(key)

    def _filled(self, batch: pa.RecordBatch, name: str, lane: _Lane, guilty: dict[int, Failure]) -> pa.RecordBatch:
        known = _column(batch, known_column(name))
        rows = np.flatnonzero(valid_mask(known))
        if not len(rows):
            return batch
        keys: list[bytes] = known.drop_null().to_pylist()
        column = _column(batch, emb_column(name))
        valid, matrix = valid_mask(column).copy(), np.array(to_numpy(column), np.float32)
        late: list[list[str]] = [[] for _ in range(batch.num_rows)]
        for row, key in zip(rows.tolist(), keys, strict=True):
            value = lane.values[key]
            late[row] = value.late
            if value.embedding is not None:
                matrix[row], valid[row] = value.embedding, True
            if value.failure is not None:
                guilty.setdefault(row, value.failure)
        recalled = sum(lane.values[key].recalled for key in keys)
        self._counts.recalled[name] += recalled
        self._counts.repeated[name] += sum(lane.values[key].usable for key in keys) - recalled
        lane.awaited.subtract(keys)
        matrix[~valid] = 0
        batch = set_column(batch, emb_column(name), from_numpy(matrix, valid))
        return _with_codes(batch, name, late)

    def _hold(self) -> None:
        """Keep what is held bounded."""
        for lane in self._lanes.values():
            if len(lane.values) * lane.dim * 4 > HELD_BYTES:
                self._write(lane)
                lane.values = {k: v for k, v in lane.values.items() if not v.done or lane.awaited[k] > 0}
                lane.awaited = +lane.awaited
                if lane.store is not None:
                    lane.store.refresh()

    def close(self) -> None:
        """Write down what is new, for the units and runs to come."""
        for lane in self._lanes.values():
            self._write(lane)

    def _write(self, lane: _Lane) -> None:
        keys, lane.fresh = lane.fresh, []
        if lane.store is None or not keys:
            return
        values = [lane.values[key] for key in keys]
        embeddings = np.stack([value.embedding for value in values if value.embedding is not None])
        lane.store.add(
            Entries(
                np.frombuffer(b"".join(keys), np.uint64).reshape(-1, 2),
                np.full(len(keys), self._day, np.int32),
                pa.array([value.codes for value in values], ISSUES_TYPE),
                embeddings,
            )
        )


def _names(keys: np.ndarray[tuple[int, ...], np.dtype[np.uint64]], known: Bool) -> list[bytes | None]:
    joined = keys.tobytes()
    return [joined[i * KEY_BYTES : (i + 1) * KEY_BYTES] if here else None for i, here in enumerate(known.tolist())]


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    return batch.column(batch.schema.get_field_index(name))


def _with_codes(batch: pa.RecordBatch, modality: str, codes: list[list[str]]) -> pa.RecordBatch:
    if not any(codes):
        return batch
    issues = concat_lists(_column(batch, ISSUES), named_issues(modality, pa.array(codes, ISSUES_TYPE)))
    return set_column(batch, ISSUES, issues.cast(ISSUES_TYPE))
