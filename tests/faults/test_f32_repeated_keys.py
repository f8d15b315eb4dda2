"""F32: repeated keys, within a file, across files, and across reruns."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from models.schema import FINGERPRINT
from pipelines.config import load_job
from tests.faults.nights import TinyNight, make_night
from tests.pipelines.tiny_jobs import quarantined, records

pytestmark = pytest.mark.beam

SMALL_UNITS = ("execution.unit_rows=7", "execution.batch_rows=3")
LARGE_UNITS = ("execution.unit_rows=1000",)


def repeating(folder: Path) -> TinyNight:
    """Three files of 40 rows: some keys stand twice in the first, all of the second's first 20 rows stand in the first.

    Rows are told apart by their notes, which name file and row.
    """
    tables = []
    for file, start in enumerate((0, 20, 60)):
        table = records(start, start + 40)
        keys = table["id"].to_pylist()
        if file == 0:
            keys[10:15] = keys[0:5]
        notes = [f"file {file}, row {row}" for row in range(40)]
        tables.append(table.set_column(0, "id", pa.array(keys)).set_column(1, "note", pa.array(notes)))
    return make_night(folder, *tables, row_group_rows=16, output={"path": "out", "keep": ["note"]})


def winners() -> dict[str, str]:
    """Key -> note of its first row in input order, from the definition above."""
    first: dict[str, str] = {}
    for file, start in enumerate((0, 20, 60)):
        for row in range(40):
            number = row - 10 if file == 0 and 10 <= row < 15 else start + row
            first.setdefault(f"c{number:04d}", f"file {file}, row {row}")
    return first


def losers(night: TinyNight, out: Path) -> list[tuple[str, str, str]]:
    """(key, reason, note) of every quarantined row."""
    lines = quarantined(load_job(night.job, [f"output.path={out}"]))
    return [(line["key"], line["reason"], line["record"]["note"]) for line in lines]


@pytest.mark.parametrize("settings", [SMALL_UNITS, LARGE_UNITS, (*SMALL_UNITS, "execution.processes=2")], ids=str)
def test_the_first_stays_whatever_the_cut(settings: tuple[str, ...], tmp_path: Path) -> None:
    """The same winner for any size of units and number of processes; the others are quarantined whole."""
    night = repeating(tmp_path)

    outcome = night.run(*settings)

    published = night.published()
    assert dict(zip(published["id"].to_pylist(), published["note"].to_pylist(), strict=True)) == winners()
    lost = losers(night, night.out)
    assert {reason for _, reason, _ in lost} == {"key.duplicate"}
    # 5 rows of the first file, and 20 of the second that the first file holds, but for its keys 10 to 14, gone there.
    assert len(lost) == 120 - len(winners()) == outcome.manifest.ledger.total().rows_quarantined == 25
    assert not {note for _, _, note in lost} & set(winners().values())
    night.assert_sound()


def test_a_rerun_adds_nothing_and_another_cut_changes_nothing(tmp_path: Path) -> None:
    """The same night again is already published; into another place, and cut otherwise, it gives the same bits."""
    night = repeating(tmp_path)
    first = night.run(*LARGE_UNITS)
    published = night.published()
    fingerprints = set(published[FINGERPRINT].to_pylist())

    again = night.run(*LARGE_UNITS)
    night.run(*SMALL_UNITS, f"output.path={tmp_path / 'other'}")

    assert (first.status, again.status) == ("published", "already published")
    assert night.published().equals(published)
    other = night.published(tmp_path / "other")
    assert set(other[FINGERPRINT].to_pylist()) == fingerprints
    assert losers(night, tmp_path / "other") == losers(night, night.out)
    night.assert_sound(tmp_path / "other", undisturbed=published)
