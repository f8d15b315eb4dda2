"""F30: values of a wrong type in single cells."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from tests.faults.nights import make_night
from tests.pipelines.tiny_jobs import SOURCE, records

pytestmark = pytest.mark.beam

# What stands in the column of ages, which holds strings; what is read; and the codes.
AGES: dict[str, tuple[str | None, bool, list[str]]] = {
    "c0000": ("30", True, []),
    "c0001": (" 3e1\t", True, []),
    "c0002": ("about thirty", False, ["profile.bad_type"]),
    "c0003": ("30 years", False, ["profile.bad_type"]),
    "c0004": ("30,5", False, ["profile.bad_type"]),
    "c0005": ("0x1e", False, ["profile.bad_type"]),
    "c0006": ('{"age": [30, {"unit": "years"}]}', False, ["profile.bad_type"]),
    "c0007": ("3" * 5_000, False, ["profile.bad_type"]),
    "c0008": ("", False, []),
    "c0009": (None, False, []),
    "c0010": ("NaN", False, ["profile.non_finite"]),
}


def test_words_among_numbers_cost_their_cell_alone(tmp_path: Path) -> None:
    """Exactly these rows are flagged; their other values count, and their neighbours are those of a night without."""
    table = records(0, 100)
    place = table.column_names.index("age")
    good = table.set_column(place, "age", table["age"].cast(pa.string()))
    ages = [
        AGES[key][0] if key in AGES else age
        for key, age in zip(good["id"].to_pylist(), good["age"].to_pylist(), strict=True)
    ]
    undisturbed = make_night(tmp_path / "good", good)
    undisturbed.run()
    night = make_night(tmp_path / "bad", good.set_column(place, "age", pa.array(ages, pa.string())))

    outcome = night.run()

    rows = {row["id"]: row for row in night.published().to_pylist()}
    assert {key: codes for key, row in rows.items() if (codes := row["issues"])} == {
        key: codes for key, (_, _, codes) in AGES.items() if codes
    }
    assert outcome.manifest.ledger.total().issues == {"profile.bad_type": 6, "profile.non_finite": 1}
    assert all(row["has_profile"] for row in rows.values())  # the segment is there
    night.assert_sound(undisturbed=undisturbed.published(), altered=set(AGES))


def test_a_profile_of_nothing_but_words_is_masked(tmp_path: Path) -> None:
    """Without another value, the modality is masked, and the row is scored from its note."""
    profile = {"type": "tabular", "numeric": ["age"], "encoder": {"kind": "feature_vector", "dim": 16}}
    modalities = {"note": SOURCE["modalities"]["note"], "profile": profile}
    table = pa.table({"id": ["a", "b"], "note": ["fine", "fine"], "age": ["thirty", "30"]})
    night = make_night(tmp_path, table, modalities=modalities)

    night.run()

    rows = night.published().to_pylist()
    assert [row["has_profile"] for row in rows] == [False, True]
    assert [row["issues"] for row in rows] == [["profile.bad_type"], []]
    assert rows[0]["share_note"] == 1
    night.assert_sound()


def test_bytes_that_are_no_text_cost_their_cell_alone(tmp_path: Path) -> None:
    """Strings that are not UTF-8, which Parquet does not check: among notes, and among categories."""
    table = records(0, 4)
    raw = pa.array([b"fine", b"\xff\xfe", b"fine", b"fine"])
    categories = pa.array([b"gold", b"gold", b"\xc3", b"gold"])
    for name, values in (("note", raw), ("segment", categories)):
        strings = pa.Array.from_buffers(pa.string(), 4, values.buffers())
        table = table.set_column(table.column_names.index(name), name, strings)
    night = make_night(tmp_path, table)

    night.run()

    rows = night.published().to_pylist()
    assert [row["issues"] for row in rows] == [[], ["note.not_utf8"], ["profile.bad_type"], []]
    assert [row["has_note"] for row in rows] == [True, False, True, True]
    night.assert_sound()
