"""Tests of the second night: what a run encodes when the last one knew most of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines import execute, gc
from pipelines.recipes import Interval
from pipelines.run import run
from tests.pipelines.tiny_jobs import SOURCE, make_job, records, write_night
from transforms.ledger import UnitCounts
from transforms.sinks.reader import read_published

ROWS = 60
TITLED = {**SOURCE["modalities"], "title": {"type": "text", "column": "segment", "encoder": {"kind": "hashed_ngrams"}}}
"""With a second text, of three values."""


def night(folder: Path, date: str, table: pa.Table, *overrides: str, **changes: Any) -> UnitCounts:
    """Run a date on this input; what it counted."""
    job = make_job(folder, *overrides, **{"modalities": TITLED, **changes})
    write_night(folder, table, date=date)
    return run(job, Interval.of_day(date)).manifest.ledger.total()


def counted(counts: Mapping[str, int]) -> dict[str, int]:
    """Those that are not zero."""
    return {name: n for name, n in counts.items() if n}


def test_the_first_night_encodes_each_value_once(tmp_path: Path) -> None:
    """60 notes, 60 profiles, 3 titles; the other 57 titles repeat one of these."""
    counts = night(tmp_path, "2026-11-23", records(0, ROWS))

    assert counted(counts.encoded) == {"note": ROWS, "profile": ROWS, "title": 3}
    assert counted(counts.repeated) == {"title": ROWS - 3}
    assert counted(counts.recalled) == {}


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.beam)])
def test_the_second_night_costs_what_changed(tmp_path: Path, processes: int) -> None:
    """One note of 60 is another; and the rows are those of a night that knew nothing."""
    options = (f"execution.processes={processes}", "execution.unit_rows=20")
    night(tmp_path / "knowing", "2026-11-23", records(0, ROWS), *options)
    changed = records(0, ROWS).set_column(1, "note", [["new", *records(1, ROWS).column("note").to_pylist()]])

    counts = night(tmp_path / "knowing", "2026-11-24", changed, *options)
    night(tmp_path / "ignorant", "2026-11-24", changed, "execution.recall=false")

    assert counted(counts.encoded) == {"note": 1, "profile": ROWS}
    assert counts.recalled["note"] == ROWS - 1
    assert counts.recalled["title"] + counts.repeated["title"] == ROWS
    rows = [
        read_published(tmp_path / who / "out", "2026-11-24").sort_by("id").drop(["fingerprint"])
        for who in ("knowing", "ignorant")
    ]
    assert rows[0].equals(rows[1])
    assert not (tmp_path / "ignorant" / "out" / "recall").exists()


def test_encoders_of_which_little_is_asked_are_loaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the first night nothing is known; in the second the notes are, and of the titles too few to say so."""
    told = []
    monkeypatch.setattr(execute, "load_encoders", lambda _workers, _encoders, known: told.append(known))

    for date in ("2026-11-23", "2026-11-24"):
        night(tmp_path, date, records(0, ROWS))

    assert told == [frozenset(), {"note"}]


def test_another_fusion_encodes_nothing(tmp_path: Path) -> None:
    """But for numbers, which are cheaper made anew than looked up."""
    night(tmp_path, "2026-11-23", records(0, ROWS))

    counts = night(tmp_path, "2026-11-23", records(0, ROWS), fusion={"kind": "weighted_sum", "dim": 16})

    assert counted(counts.encoded) == {"profile": ROWS}


def test_another_encoder_makes_its_own_embeddings_anew(tmp_path: Path) -> None:
    """And nobody else's."""
    night(tmp_path, "2026-11-23", records(0, ROWS))
    other = {**TITLED, "title": {"type": "text", "column": "segment", "encoder": {"kind": "hashed_ngrams", "dim": 128}}}

    counts = night(tmp_path, "2026-11-23", records(0, ROWS), modalities=other)

    assert counted(counts.encoded) == {"profile": ROWS, "title": 3}
    assert counted(counts.recalled) == {"note": ROWS}


def test_a_store_that_cannot_be_used_costs_no_row(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file stands in its place: all is encoded, all is published, and the log says why."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "recall").write_text("in the way")

    counts = night(tmp_path, "2026-11-23", records(0, ROWS))

    assert counts.rows_published == ROWS
    assert counts.encoded["note"] == ROWS
    assert "known embeddings is done without" in caplog.text


def test_many_small_nights_leave_few_files(tmp_path: Path) -> None:
    """Units of five rows, two nights: the second merges what the first left, while it goes on."""
    night(tmp_path, "2026-11-23", records(0, ROWS), "execution.unit_rows=5")
    before = len(list((tmp_path / "out" / "recall").glob("*/*.arrow")))

    counts = night(tmp_path, "2026-11-24", records(0, ROWS), "execution.unit_rows=5")

    assert before > 12  # a segment of notes for each of 12 units, and some of titles
    assert len(list((tmp_path / "out" / "recall").glob("*/*.arrow"))) < 12
    assert counts.encoded["note"] == 0


def test_stores_are_merged_again_and_again_until_a_run_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """A night of thousands of units would else leave as many segments to be opened by each process."""
    monkeypatch.setattr(execute, "MERGE_SECONDS", 0)
    done, calls = threading.Event(), []

    class Stores:
        def merge(self, recipe: object) -> None:
            calls.append(recipe)
            if len(calls) == 3:
                done.set()

    execute._keep_merging(Stores(), "recipe", done)  # type: ignore[arg-type]  # merges nothing

    assert calls == ["recipe"] * 3


def test_gc_removes_stores_that_no_run_has_used_for_long(tmp_path: Path) -> None:
    """By the dates of runs: the titles' first encoder was last used 31 days before the latest night."""
    night(tmp_path, "2026-10-23", records(0, ROWS))
    other = {**TITLED, "title": {"type": "text", "column": "segment", "encoder": {"kind": "hashed_ngrams", "dim": 128}}}
    night(tmp_path, "2026-11-23", records(0, ROWS), modalities=other)
    job = make_job(tmp_path, modalities=other)
    stores = sorted((tmp_path / "out" / "recall").iterdir())

    found = gc.collect(job, days=0, remove=True)

    assert [leftover.what for leftover in found.garbage] == ["known embeddings, forgotten"]
    assert len(stores) == 3
    assert len(list((tmp_path / "out" / "recall").iterdir())) == 2
