"""Tests of rejecting: which rows go, with which reason, and that nothing of them is lost."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from models.schema import ROW
from transforms.reject import Reject, readable_key

SCHEMA = pa.schema([("id", pa.string()), ("photo", pa.binary()), ("text", pa.string())])


def batch(ids: list[str | None], photo: list[bool], text: list[bool]) -> pa.RecordBatch:
    """Rows numbered from 10, whose cleaned modalities are present where the flags say so."""
    n = len(ids)
    columns = {
        "id": pa.array(ids, pa.string()),
        "photo": pa.array([b"raw"] * n),
        "text": pa.array(["raw"] * n),
        ROW: pa.array(range(10, 10 + n), pa.int64()),
        "clean_photo": pa.array([1 if p else None for p in photo]),
        "clean_text": pa.array(["t" if t else None for t in text]),
    }
    return pa.record_batch(columns)


def reject(rows: pa.RecordBatch, repeated: list[int]) -> tuple[list[str | None], dict[str | None, str]]:
    """Kept ids, and rejected id -> reason."""
    result = Reject(SCHEMA, "id", "unit", np.array(repeated, np.int64))(rows, "clean", ["clean_photo", "clean_text"])
    lines = result.quarantined.to_pylist()
    return result.kept.column("id").to_pylist(), {line["key"]: line["reason"] for line in lines}


def test_a_row_needs_one_modality() -> None:
    """One present modality is enough; none is a reason of its own."""
    kept, gone = reject(batch(["a", "b", "c"], [True, False, False], [False, True, False]), [])

    assert (kept, gone) == (["a", "b"], {"c": "row.no_modality"})


def test_a_row_needs_a_key() -> None:
    """Null and empty keys are missing keys."""
    kept, gone = reject(batch(["a", None, ""], [True] * 3, [True] * 3), [])

    assert (kept, gone) == (["a"], {None: "key.missing", "": "key.missing"})


def test_repeated_rows_are_named_by_their_number() -> None:
    """Row 11 of the file goes; row 10 with the same key stays."""
    kept, gone = reject(batch(["a", "a", "b"], [True] * 3, [True] * 3), [11])

    assert (kept, gone) == (["a", "b"], {"a": "key.duplicate"})


def test_each_row_has_one_reason_the_most_basic_one() -> None:
    """No key comes before repeated, repeated before no modality: the counts add up to rows."""
    _, gone = reject(batch([None, "b"], [False, False], [False, False]), [10, 11])

    assert gone == {None: "key.missing", "b": "key.duplicate"}


def test_quarantine_holds_the_whole_record() -> None:
    """Key, stage, unit, row number and every input column, raw."""
    rows = batch(["x"], [False], [False])

    line = Reject(SCHEMA, "id", "u1", np.empty(0, np.int64))(rows, "embed", ["clean_photo"]).quarantined.to_pylist()[0]

    assert line == {
        "key": "x",
        "reason": "row.no_modality",
        "stage": "embed",
        "unit": "u1",
        "row": 10,
        "record": {"id": "x", "photo": b"raw", "text": "raw"},
    }


def test_nothing_to_reject_gives_an_empty_batch_of_the_schema() -> None:
    """The quarantine's schema does not depend on whether rows went there."""
    rejecter = Reject(SCHEMA, "id", "u1", np.empty(0, np.int64))
    some = rejecter(batch(["x"], [False], [False]), "clean", ["clean_photo"])
    none = rejecter(batch(["x"], [True], [True]), "clean", ["clean_photo"])

    assert none.quarantined.num_rows == 0
    assert none.quarantined.schema == some.quarantined.schema


def test_rows_that_could_not_be_read_are_lines_without_a_record() -> None:
    """A lost row group is accounted for row by row."""
    lines = Reject(SCHEMA, "id", "u1", np.empty(0, np.int64)).lost(np.array([5, 6])).to_pylist()

    assert [(line["row"], line["reason"], line["key"], line["record"]) for line in lines] == [
        (5, "file.row_group", None, None),
        (6, "file.row_group", None, None),
    ]


def test_binary_keys_are_shown_in_hex() -> None:
    """Quarantine is for people too."""
    assert readable_key(pa.array([b"\xff\x01", None])).to_pylist() == ["ff01", None]
    assert readable_key(pa.array([7])).to_pylist() == ["7"]
