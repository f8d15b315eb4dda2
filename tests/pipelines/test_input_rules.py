"""Each line of CONTRACT.md's input rules, from files to published rows, as the command runs them."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipelines.config import load_job
from tests.pipelines.tiny_jobs import (
    DATE,
    SOURCE,
    Ran,
    published,
    quarantined,
    records,
    run_command,
    write_job,
    write_night,
)
from tests.transforms.parquet_inputs import flip_byte

Capture = pytest.CaptureFixture[str]
MEDIA: dict[str, Any] = {
    "photo": {"type": "image", "column": "photo", "max_pixels": 10_000},
    "call": {"type": "audio", "column": "call", "max_seconds": 1},
    "note": {"type": "text", "column": "note", "max_chars": 100},
}


def photo(side: int = 32) -> bytes:
    """A PNG of side × side pixels."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((side, side)).convert("RGB").save(file, "PNG")
    return file.getvalue()


def call(seconds: float = 0.25) -> bytes:
    """A WAV of a 440 Hz tone at 16 kHz."""
    samples = 8000 * np.sin(2 * np.pi * 440 * np.arange(int(16_000 * seconds)) / 16_000)
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 16_000, 0, "NONE", ""))
        sound.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def media(photos: Sequence[bytes | None], calls: Sequence[bytes | None], notes: Sequence[bytes | None]) -> pa.Table:
    """Customers `c0`, `c1`, … with these values; notes are strings that may not be UTF-8."""
    raw = pa.array(notes, pa.binary())
    return pa.table(
        {
            "id": [f"c{i}" for i in range(len(photos))],
            "photo": pa.array(photos, pa.binary()),
            "call": pa.array(calls, pa.binary()),
            "note": pa.Array.from_buffers(pa.string(), len(raw), raw.buffers()),
        }
    )


def rows_of(job: Path) -> dict[str, dict[str, Any]]:
    """Key -> published row."""
    return {row["id"]: row for row in published(load_job(job)).to_pylist()}


def reasons(job: Path) -> list[tuple[str | None, str]]:
    """(key, reason) of every quarantined record."""
    return [(line["key"], line["reason"]) for line in quarantined(load_job(job))]


def assert_refused(ran: Ran, code: int, *words: str) -> None:
    """The exit code and one readable paragraph that holds these words."""
    assert ran.code == code, ran.error
    assert ran.error.startswith("amalgam: ")
    assert "\n" not in ran.error
    assert "Traceback" not in ran.error
    assert [word for word in words if word not in ran.error] == []


# Values -------------------------------------------------------------------------------------------------------------


@pytest.mark.beam
def test_an_absent_modality_is_masked_and_nothing_is_wrong(tmp_path: Path, capsys: Capture) -> None:
    """Rule: one modality absent (null). The record is scored from the rest, without an issue."""
    job = write_job(tmp_path, modalities=MEDIA)
    good, sound, note = photo(), call(), b"fine"
    write_night(tmp_path, media([good, None, good, good], [sound, sound, None, sound], [note, note, note, None]))

    ran = run_command(capsys, job)

    rows = rows_of(job)
    assert (ran.code, ran.ledger["rows_published"], ran.ledger["issues"]) == (0, 4, {})
    for key, absent in (("c1", "photo"), ("c2", "call"), ("c3", "note")):
        shares = {m: rows[key][f"share_{m}"] for m in MEDIA}
        assert [m for m in MEDIA if not rows[key][f"has_{m}"]] == [absent]
        assert shares[absent] == 0
        assert sum(shares.values()) == pytest.approx(1)
        assert set(rows[key][f"emb_{absent}"]) == {0}
        assert any(rows[key]["fused"])


@pytest.mark.beam
def test_an_unreadable_modality_is_masked_with_its_code(tmp_path: Path, capsys: Capture) -> None:
    """Rule: broken picture, empty sound, text that is not UTF-8. The row is published with a code that is counted."""
    job = write_job(tmp_path, modalities=MEDIA)
    good, sound, note = photo(), call(), b"fine"
    cut = good[: len(good) // 2]
    write_night(
        tmp_path, media([good, cut, b"", good, good], [sound, sound, sound, b"", sound], [*[note] * 4, b"\xff"])
    )

    ran = run_command(capsys, job)

    expected = {
        "c0": [],
        "c1": ["photo.decode_failed"],
        "c2": ["photo.empty"],
        "c3": ["call.empty"],
        "c4": ["note.not_utf8"],
    }
    rows = rows_of(job)
    assert {key: row["issues"] for key, row in rows.items()} == expected
    assert ran.ledger["issues"] == {codes[0]: 1 for codes in expected.values() if codes}
    assert [rows["c1"]["has_photo"], rows["c3"]["has_call"], rows["c4"]["has_note"]] == [False] * 3


@pytest.mark.beam
def test_a_value_of_a_wrong_type_is_masked_with_its_code(tmp_path: Path, capsys: Capture) -> None:
    """Rule: wrong type of value. A word in a column of numbers costs that number only."""
    job = write_job(tmp_path)
    table = records(0, 3)
    ages = pa.array(["30", "about thirty", "30"])
    write_night(tmp_path, table.set_column(table.column_names.index("age"), "age", ages))

    ran = run_command(capsys, job)

    rows = rows_of(job)
    assert ran.ledger["issues"] == {"profile.bad_type": 1}
    assert rows["c0001"]["issues"] == ["profile.bad_type"]
    assert rows["c0001"]["has_profile"]  # the segment is still there


@pytest.mark.beam
def test_what_is_over_a_limit_is_masked_or_cut(tmp_path: Path, capsys: Capture) -> None:
    """Rule: pixels, seconds, characters. A picture is masked; a sound and a text are cut, and say so."""
    job = write_job(tmp_path, modalities=MEDIA)
    good, sound, note = photo(), call(), b"fine"
    # 200 × 200 pixels are over 10,000; two seconds over one; 200 characters over 100.
    write_night(tmp_path, media([photo(200), good, good], [sound, call(2), sound], [note, note, b"word " * 40]))

    ran = run_command(capsys, job)

    rows = rows_of(job)
    assert ran.ledger["issues"] == {"call.too_long": 1, "note.too_long": 1, "photo.too_large": 1}
    assert [rows["c0"]["has_photo"], rows["c1"]["has_call"], rows["c2"]["has_note"]] == [False, True, True]


@pytest.mark.beam
def test_a_picture_bomb_is_never_decoded(tmp_path: Path, capsys: Capture) -> None:
    """Rule: never decoded whole. A PNG that declares 4 gigapixels is refused by its header."""
    job = write_job(tmp_path, modalities={"photo": {"type": "image", "column": "photo"}, "note": MEDIA["note"]})
    bomb = bytearray(photo())
    bomb[16:24] = (65_536).to_bytes(
        4, "big"
    ) * 2  # IHDR: width and height follow 8 + 8 bytes of signature and chunk head
    write_night(tmp_path, media([bytes(bomb)], [None], [b"fine"]))

    ran = run_command(capsys, job)

    assert ran.code == 0
    assert list(ran.ledger["issues"]) in (["photo.too_large"], ["photo.decode_failed"])
    assert not rows_of(job)["c0"]["has_photo"]


# Rows ---------------------------------------------------------------------------------------------------------------


@pytest.mark.beam
def test_rows_that_cannot_be_used_are_quarantined_whole(tmp_path: Path, capsys: Capture) -> None:
    """Rule: no usable modality, or no key. The reason and the whole input record stand in quarantine."""
    job = write_job(tmp_path)
    table = records(0, 4).to_pydict()
    table["id"][1] = None
    table["note"][2], table["age"][2], table["segment"][2] = "  ", None, None
    table["city"] = ["Bonn"] * 4
    write_night(tmp_path, pa.table(table))

    ran = run_command(capsys, job)

    assert (ran.code, ran.ledger["rows_published"]) == (0, 2)
    assert ran.ledger["quarantined"] == {"key.missing": 1, "row.no_modality": 1}
    lines = quarantined(load_job(job))
    assert [(line["reason"], line["row"]) for line in lines] == [("key.missing", 1), ("row.no_modality", 2)]
    assert lines[1]["record"] == {"id": "c0002", "note": "  ", "age": None, "segment": None, "city": "Bonn"}


@pytest.mark.beam
def test_of_repeated_keys_the_first_stays(tmp_path: Path, capsys: Capture) -> None:
    """Rule: repeated key. First in input order, also across files and units."""
    job = write_job(tmp_path, execution={"processes": 1, "unit_rows": 2})
    again = records(0, 1).set_column(1, "note", pa.array(["another note"]))
    write_night(tmp_path, records(0, 5), pa.concat_tables([records(5, 6), again]), again)

    ran = run_command(capsys, job)

    assert ran.ledger["quarantined"] == {"key.duplicate": 2}
    assert sorted(rows_of(job)) == [f"c{i:04d}" for i in range(6)]
    assert [line["record"]["note"] for line in quarantined(load_job(job))] == ["another note"] * 2


@pytest.mark.beam
def test_more_quarantine_than_allowed_refuses_the_run(tmp_path: Path, capsys: Capture) -> None:
    """Exit 65 with the counts by reason; the last good output still stands."""
    job = write_job(tmp_path, quarantine={"max_fraction": 0.2})
    folder = write_night(tmp_path, records(0, 10))
    assert run_command(capsys, job).code == 0
    write_night(tmp_path, pa.concat_tables([records(0, 7), records(0, 3)]))

    ran = run_command(capsys, job)

    assert_refused(ran, 65, "at most 20.00%", "got 3 of 10: key.duplicate 3", "The last good output still stands")
    assert folder.is_dir()
    assert len(rows_of(job)) == 10


@pytest.mark.beam
def test_a_limit_is_a_limit_and_not_a_target(tmp_path: Path, capsys: Capture) -> None:
    """Exactly the allowed share passes."""
    job = write_job(tmp_path, quarantine={"max_fraction": 0.3})
    write_night(tmp_path, pa.concat_tables([records(0, 7), records(0, 3)]))

    assert run_command(capsys, job).code == 0


@pytest.mark.beam
def test_nothing_left_to_publish_refuses_the_run(tmp_path: Path, capsys: Capture) -> None:
    """Exit 65, however much quarantine is allowed."""
    job = write_job(tmp_path)
    table = records(0, 3)
    write_night(tmp_path, table.set_column(0, "id", pa.nulls(3)))  # as pandas writes a column of None

    assert_refused(
        run_command(capsys, job), 65, "at least one row must be left to publish; got none of 3: key.missing 3"
    )


@pytest.mark.beam
def test_input_without_rows_is_published_as_such(tmp_path: Path, capsys: Capture) -> None:
    """A night on which nothing happened is a night: a part without rows carries the schema."""
    job = write_job(tmp_path)
    write_night(tmp_path, records(0, 0))

    ran = run_command(capsys, job)

    assert (ran.code, ran.ledger["rows_read"], ran.ledger["parts"]) == (0, 0, 1)
    assert "fused" in published(load_job(job)).column_names


def test_no_input_is_66(tmp_path: Path, capsys: Capture) -> None:
    """Try again later: neither a missing folder nor an empty one is a mistake."""
    job = write_job(tmp_path)
    missing = run_command(capsys, job)
    (tmp_path / "data" / f"date={DATE}").mkdir(parents=True)

    assert_refused(missing, 66, "input.path must name files; got nothing at", f"date={DATE}")
    assert_refused(run_command(capsys, job), 66, "must name Parquet files; got none")


# Files --------------------------------------------------------------------------------------------------------------


@pytest.mark.beam
def test_an_unreadable_row_group_is_listed_and_the_others_are_processed(tmp_path: Path, capsys: Capture) -> None:
    """Rule: unreadable row group. Its rows are counted as quarantined, the place stands in the ledger."""
    job = write_job(tmp_path)
    folder = write_night(tmp_path, records(0, 30), row_group_rows=10)
    flip_byte(folder / "00.parquet", row_group=1, column=1)

    ran = run_command(capsys, job)

    assert (ran.code, ran.ledger["rows_read"], ran.ledger["rows_published"]) == (0, 30, 20)
    assert ran.ledger["quarantined"] == {"file.row_group": 10}
    assert reasons(job) == [(None, "file.row_group")] * 10
    assert sorted(rows_of(job)) == [f"c{i:04d}" for i in [*range(10), *range(20, 30)]]


@pytest.mark.parametrize("content", [b"", b"PAR1" + bytes(100)], ids=["0 bytes", "truncated"])
def test_an_unreadable_file_refuses_the_run(tmp_path: Path, capsys: Capture, content: bytes) -> None:
    """Rule: unreadable file. Exit 65 naming it, since its rows cannot be counted; the message says what to do."""
    job = write_job(tmp_path)
    (write_night(tmp_path, records(0, 3)) / "broken.parquet").write_bytes(content)

    assert_refused(run_command(capsys, job), 65, "broken.parquet: ", "Set quarantine.unreadable_files to allow")


@pytest.mark.beam
def test_an_unreadable_file_may_be_allowed(tmp_path: Path, capsys: Capture) -> None:
    """Rule: unless `quarantine: {unreadable_files: allow}`. The other files are published."""
    job = write_job(tmp_path, quarantine={"unreadable_files": "allow"})
    (write_night(tmp_path, records(0, 3)) / "broken.parquet").write_bytes(b"")

    ran = run_command(capsys, job)

    assert (ran.code, ran.ledger["rows_published"]) == (0, 3)


def test_nothing_but_unreadable_files_is_no_input(tmp_path: Path, capsys: Capture) -> None:
    """Even where such files are allowed, there must be one that can be read."""
    job = write_job(tmp_path, quarantine={"unreadable_files": "allow"})
    (write_night(tmp_path) / "broken.parquet").write_bytes(b"")

    assert_refused(run_command(capsys, job), 66, "there must be a readable input file; got none")


@pytest.mark.beam
def test_schemas_that_differ_safely_are_one(tmp_path: Path, capsys: Capture) -> None:
    """Rule: added columns are ignored, missing ones are null, safely widened types are cast."""
    job = write_job(tmp_path)
    added = records(3, 6).append_column("shoe_size", pa.array([40, 41, 42]))
    missing = records(6, 9).drop_columns(["note"])
    narrow = records(9, 12)
    narrow = narrow.set_column(2, "age", narrow.column("age").cast(pa.float32()))
    coded = records(12, 15)
    coded = coded.set_column(3, "segment", coded.column("segment").dictionary_encode())
    write_night(tmp_path, records(0, 3), added, missing, narrow, coded)

    ran = run_command(capsys, job)

    rows = rows_of(job)
    assert (ran.code, ran.ledger["rows_published"], ran.ledger["issues"]) == (0, 15, {})
    assert [key for key, row in rows.items() if not row["has_note"]] == ["c0006", "c0007", "c0008"]
    assert all(row["has_profile"] for row in rows.values())


def test_a_schema_that_does_not_fit_refuses_the_file(tmp_path: Path, capsys: Capture) -> None:
    """Rule: anything else. Exit 65 naming file, column and both types."""
    job = write_job(tmp_path)
    other = records(3, 6)
    write_night(tmp_path, records(0, 3), other.set_column(2, "age", pa.array(["thirty"] * 3)))

    assert_refused(run_command(capsys, job), 65, "01.parquet", "column 'age'", "must be double", "got string")


def test_a_column_that_no_file_has_is_a_mistake_of_the_job(tmp_path: Path, capsys: Capture) -> None:
    """Exit 78: the same input will never fit this job file."""
    modalities = {**SOURCE["modalities"], "review": {"type": "text", "column": "review"}}
    job = write_job(tmp_path, modalities=modalities)
    write_night(tmp_path, records(0, 3))

    assert_refused(run_command(capsys, job), 78, "modalities.review: ", "'review'")


@pytest.mark.beam
def test_pictures_may_be_given_as_hugging_face_writes_them(tmp_path: Path, capsys: Capture) -> None:
    """Structs of bytes and path, plain paths below the input, and a path that leads out of it."""
    job = write_job(tmp_path, modalities={"photo": {"type": "image", "column": "photo"}, "note": MEDIA["note"]})
    folder = write_night(tmp_path)
    (folder / "a.png").write_bytes(photo())
    (tmp_path / "secret.png").write_bytes(photo())
    photos = [
        {"bytes": photo(), "path": None},
        {"bytes": None, "path": f"date={DATE}/a.png"},
        {"bytes": None, "path": "../secret.png"},
    ]
    table = pa.table({"id": ["c0", "c1", "c2"], "photo": photos, "note": ["fine"] * 3})
    pq.write_table(table, folder / "00.parquet")

    ran = run_command(capsys, job)

    rows = rows_of(job)
    assert ran.ledger["issues"] == {"photo.path_not_allowed": 1}
    assert [rows[key]["has_photo"] for key in ("c0", "c1", "c2")] == [True, True, False]
    assert rows["c0"]["emb_photo"] == rows["c1"]["emb_photo"]
