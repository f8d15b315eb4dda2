"""Tests of processing a unit: every row is published or quarantined, in order, and batching changes no number."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from models.arrow import Float32
from models.batch import OpSpec
from models.columns import with_issues
from models.encoders.base import Encoder
from models.errors import TemporaryError
from models.ops import FuseOp
from models.schema import emb_column, has_column
from tests.transforms.parquet_inputs import flip_byte, write_folder
from tests.transforms.sinks.samples import run_info
from tests.transforms.tiny_recipes import (
    DIM,
    ENCODERS,
    FUSED_DIM,
    MODALITIES,
    LettersSpec,
    letters,
    make_recipe,
    plan_units,
    process,
)
from transforms.diary import Diary, Entry
from transforms.process import Care, Notes, UnitProcessor
from transforms.process_units import ProcessUnits
from transforms.recipe import Limits
from transforms.sinks.memory import MemorySinkSpec, output
from transforms.sinks.owner import Owner
from transforms.trial import Work
from transforms.workers.base import Future, WorkersSpec
from transforms.workers.inline import InlineOp, InlineWorkers

NOTHING: np.ndarray[Any, np.dtype[np.int64]] = np.empty(0, np.int64)


def customers(start: int, stop: int, **columns: Sequence[Any]) -> pa.Table:
    """Rows `c<i>` with a note, an age and a segment, for start <= i < stop; `columns` replace whole columns."""
    numbers = range(start, stop)
    plain: dict[str, Any] = {
        "id": [f"c{i}" for i in numbers],
        "note": [f"row {i} {'e' * (i % 5)}" for i in numbers],
        "age": [20.0 + i for i in numbers],
        "segment": [("gold", "silver", "bronze")[i % 3] for i in numbers],
    }
    schema = pa.schema([("id", pa.string()), ("note", pa.string()), ("age", pa.float64()), ("segment", pa.string())])
    return pa.table({**plain, **columns}, schema=schema)


def mixed(rows: int = 70) -> pa.Table:
    """Customers with absent notes (every 7th), absent profiles (every 11th), unusable notes (every 13th) and no key."""
    table = customers(0, rows).to_pydict()
    for i in range(rows):
        if i % 7 == 0:
            table["note"][i] = None
        if i % 11 == 0:
            table["age"][i] = table["segment"][i] = None
        if i % 13 == 0:
            table["note"][i] = "broken"
    table["id"][5] = None
    return customers(0, rows, **table)


# Counts and reasons -------------------------------------------------------------------------------------------------


def test_good_rows_are_published_in_input_order(tmp_path: Path) -> None:
    """Nothing is lost, nothing is in another place, and the ledger says so."""
    folder = write_folder(tmp_path, {"a.parquet": customers(0, 30)}, row_group_rows=8)

    done = process(folder, limits=Limits(batch_rows=7))

    counts = done.part.counts
    assert done.rows.column("id").to_pylist() == [f"c{i}" for i in range(30)]
    assert (counts.rows_read, counts.rows_published, counts.rows_quarantined) == (30, 30, 0)
    assert counts.present == {"note": 30, "profile": 30}
    assert counts.bytes_read > 0
    assert done.part.quarantine is None


def test_each_removed_row_has_its_reason(tmp_path: Path) -> None:
    """No key, a key that is no text, a repeated key, nothing usable: one row each, the others go on."""
    ids = pa.array([b"a", None, b"\xff", b"a", b"d", b"e"], pa.binary())
    table = customers(0, 6).set_column(0, "id", pa.Array.from_buffers(pa.string(), 6, ids.buffers()))
    empty = customers(4, 5, note=[None], age=[None], segment=[None]).set_column(0, "id", table.column("id").slice(4, 1))
    folder = write_folder(tmp_path, {"a.parquet": pa.concat_tables([table.slice(0, 4), empty, table.slice(5)])})

    done = process(folder, repeated=[3])

    assert done.rows.column("id").to_pylist() == ["a", "e"]
    assert done.reasons == {
        1: ("clean", "key.missing"),
        2: ("clean", "key.not_utf8"),
        3: ("clean", "key.duplicate"),
        4: ("clean", "row.no_modality"),
    }
    assert done.part.counts.quarantined == {reason: 1 for _, reason in done.reasons.values()}
    # A missing key is no example; one that is not UTF-8 is shown with U+FFFD.
    assert done.part.counts.examples == {"key.not_utf8": "\ufffd", "key.duplicate": "a", "row.no_modality": "d"}


def test_quarantine_holds_the_record_as_it_was_read(tmp_path: Path) -> None:
    """Also the columns that the job does not use, and bytes that are not UTF-8."""
    raw = pa.array([b"\xff\xfe"], pa.binary())
    note = pa.Array.from_buffers(pa.string(), 1, raw.buffers())
    table = pa.table({"id": [None], "note": note, "age": [1.5], "segment": ["gold"], "city": ["Bonn"]})
    folder = write_folder(tmp_path, {"a.parquet": table.cast(table.schema.set(0, pa.field("id", pa.string())))})

    done = process(folder)

    assert done.quarantine is not None
    record = done.quarantine.column("record").combine_chunks()
    assert record.field("note").cast(pa.binary()).to_pylist() == [b"\xff\xfe"]
    assert record.field("city").to_pylist() == ["Bonn"]


class DoubtSpec(OpSpec):
    """Stands for heads: every second row gets the code `offer.nothing_allowed`; a row of `poison` cannot be scored."""

    kind: ClassVar[str] = "doubt"

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """As it was."""
        return schema

    def build(self) -> Doubt:
        """The op."""
        return Doubt()


class Doubt:
    """See `DoubtSpec`."""

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """As it was."""
        return schema

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the codes."""
        if "poison" in batch.column("note").to_pylist():
            raise ValueError("poison")
        numbers = [int(key[1:]) for key in batch.column("id").to_pylist()]
        return with_issues(batch, {"offer.nothing_allowed": np.array([number % 2 == 0 for number in numbers])})


def test_what_heads_say_is_counted_once_and_of_published_rows(tmp_path: Path) -> None:
    """Rows 0, 2 and 4, of which 4 cannot be scored; what the cleaner said of row 2 is not counted a second time."""
    notes = ["fine", "fine", "   ", "fine", "poison", "fine"]
    folder = write_folder(tmp_path, {"a.parquet": customers(0, 6, note=notes)})

    done = process(folder, limits=Limits(batch_rows=4), score=DoubtSpec())

    assert done.part.counts.issues == {"note.empty": 1, "offer.nothing_allowed": 2}
    assert done.part.counts.examples["offer.nothing_allowed"] == "c0"
    assert done.rows.column("issues").to_pylist() == [
        *(["offer.nothing_allowed"], [], ["note.empty", "offer.nothing_allowed"], [], [])
    ]
    assert done.reasons == {4: ("score", "row.failed")}


def test_absent_and_unusable_modalities_are_counted_apart(tmp_path: Path) -> None:
    """Null in the input is absent; a text of nothing but blanks was there and is masked with its issue code."""
    notes = ["fine", None, "   ", "fine"]
    folder = write_folder(tmp_path, {"a.parquet": customers(0, 4, note=notes)})

    done = process(folder)

    counts = done.part.counts
    assert (counts.present["note"], counts.absent["note"], counts.masked["note"]) == (2, 1, 1)
    assert counts.issues == {"note.empty": 1}
    assert counts.examples == {"note.empty": "c2"}
    assert done.rows.column("issues").to_pylist() == [[], [], ["note.empty"], []]
    assert done.rows.column("has_note").to_pylist() == [True, False, False, True]


def test_examples_are_the_first_keys_of_the_unit(tmp_path: Path) -> None:
    """Whatever the batches: code and reason name the first row in input order."""
    notes = ["fine", "fine", " ", " ", " ", "fine"]
    folder = write_folder(tmp_path, {"a.parquet": customers(0, 6, note=notes)})

    examples = [process(folder, limits=Limits(batch_rows=n)).part.counts.examples for n in (1, 2, 6)]

    assert examples == [{"note.empty": "c2"}] * 3


def test_a_unit_without_a_row_to_publish_is_a_part_all_the_same(tmp_path: Path) -> None:
    """Whether that may be published is for the run to judge."""
    folder = write_folder(tmp_path, {"a.parquet": customers(0, 3, id=[None, None, ""])})

    done = process(folder)

    assert done.part.counts.quarantined == {"key.missing": 3}
    assert done.rows.num_rows == 0
    assert done.rows.schema == done.processor.output_schema


# Batching -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "limits",
    [
        Limits(batch_rows=1),
        Limits(batch_rows=7),
        Limits(batch_rows=256),
        Limits(batch_rows=256, batch_bytes=64),
        Limits(batch_rows=7, window_bytes=1),
    ],
    ids=["one by one", "7", "256", "few bytes", "no window"],
)
def test_batches_and_windows_change_no_bit(tmp_path: Path, limits: Limits) -> None:
    """Rows, issues, quarantine and counts are those of one large batch."""
    folder = write_folder(tmp_path, {"a.parquet": mixed()}, row_group_rows=20)
    expected = process(folder, limits=Limits(batch_rows=70))

    done = process(folder, limits=limits)

    assert done.rows.equals(expected.rows)
    assert done.reasons == expected.reasons != {}
    for name in ("quarantined", "issues", "examples", "present", "absent", "masked"):
        assert getattr(done.part.counts, name) == getattr(expected.part.counts, name), name


@pytest.mark.parametrize("unit_rows", [1, 9, 20, 33])
def test_units_change_no_bit(tmp_path: Path, unit_rows: int) -> None:
    """However the file is cut into units, their parts put together are the same table."""
    folder = write_folder(tmp_path, {"a.parquet": mixed()}, row_group_rows=20)

    assert process(folder, unit_rows=unit_rows).rows.equals(process(folder).rows)


def test_a_row_does_not_depend_on_its_neighbours(tmp_path: Path) -> None:
    """Good rows among damaged ones are bit by bit what they are among themselves."""
    among = mixed()
    good = [i for i, note in enumerate(among.column("note").to_pylist()) if note not in (None, "broken") and i != 5]
    damaged = write_folder(tmp_path / "damaged", {"a.parquet": among})
    alone = write_folder(tmp_path / "alone", {"a.parquet": among.take(good)})

    rows = process(damaged).rows
    kept = [i for i, key in enumerate(rows.column("id").to_pylist()) if int(key[1:]) in set(good)]

    assert rows.take(kept).combine_chunks().equals(process(alone).rows.combine_chunks())


def test_a_unit_processed_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """What a retry writes has the checksum of what it replaces."""
    folder = write_folder(tmp_path, {"a.parquet": mixed()})

    first, second = process(folder).part, process(folder).part

    assert first.features == second.features
    assert first.quarantine == second.quarantine is not None


class CountingWorkers(InlineWorkers):
    """Notes how many batches are under way to the encoder of the notes."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way = self.most = 0

    def remote(self, spec: OpSpec, name: str) -> InlineOp:
        """The op of this process; that of the notes is counted."""
        op = super().remote(spec, name)
        return CountedOp(op, self) if name == "note" else op


class CountedOp(InlineOp):
    """Passes batches on, and counts them from `submit` to `result`."""

    def __init__(self, op: InlineOp, owner: CountingWorkers) -> None:
        super().__init__(op)
        self._owner = owner

    def submit(self, batch: pa.RecordBatch) -> Any:
        """The counted batch."""
        self._owner.under_way += 1
        self._owner.most = max(self._owner.most, self._owner.under_way)
        return CountedFuture(super().submit(batch), self._owner)


class CountedFuture:
    """A batch that leaves the window when its result is asked for."""

    def __init__(self, future: Future, owner: CountingWorkers) -> None:
        self._future = future
        self._owner = owner

    def result(self) -> pa.RecordBatch:
        """The result."""
        self._owner.under_way -= 1
        return self._future.result()


@pytest.mark.parametrize(("window_bytes", "most"), [(1, 2), (1 << 30, 10)])
def test_the_window_is_bounded_in_bytes(tmp_path: Path, window_bytes: int, most: int) -> None:
    """Ten batches: with room for all, all are under way; with room for none, one is worked on while one is read."""
    folder = write_folder(tmp_path, {"a.parquet": customers(0, 50)})
    workers = CountingWorkers()

    process(folder, limits=Limits(batch_rows=5, window_bytes=window_bytes), workers=workers)

    assert (workers.most, workers.under_way) == (most, 0)


# What goes wrong inside a unit --------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_rows", [3, 100])
@pytest.mark.parametrize("bad", [0, 1, 2], ids=["first", "middle", "last"])
def test_an_unreadable_row_group_costs_its_own_rows(tmp_path: Path, bad: int, batch_rows: int) -> None:
    """They are quarantined by number, the other row groups are published, and the ledger balances."""
    folder = write_folder(tmp_path, {"a.parquet": customers(0, 30)}, row_group_rows=10)
    flip_byte(folder / "a.parquet", row_group=bad, column=0)
    lost = range(10 * bad, 10 * bad + 10)

    done = process(folder, limits=Limits(batch_rows=batch_rows, window_bytes=1))

    counts = done.part.counts
    assert (counts.rows_read, counts.rows_published) == (30, 20)
    assert counts.quarantined == {"file.row_group": 10}
    assert counts.examples["file.row_group"].startswith(f"a.parquet, row group {bad}: ")
    assert done.reasons == dict.fromkeys(lost, ("read", "file.row_group"))
    assert done.rows.column("id").to_pylist() == [f"c{i}" for i in range(30) if i not in lost]


def test_a_file_of_unreadable_row_groups_is_all_quarantined(tmp_path: Path) -> None:
    """Every restart leaves out one more, until none is left."""
    folder = write_folder(tmp_path, {"a.parquet": customers(0, 20)}, row_group_rows=10)
    for row_group in (0, 1):
        flip_byte(folder / "a.parquet", row_group, column=1)

    done = process(folder)

    assert done.part.counts.quarantined == {"file.row_group": 20}
    assert done.rows.num_rows == 0


def test_a_lost_row_group_of_which_the_unit_holds_a_part_costs_that_part(tmp_path: Path) -> None:
    """A row group that was cut into two units is quarantined half by each."""
    folder = write_folder(tmp_path, {"a.parquet": customers(0, 20)}, row_group_rows=20)
    flip_byte(folder / "a.parquet", row_group=0, column=0)

    done = process(folder, unit_rows=10)

    assert [part.counts.quarantined for part in done.parts] == [{"file.row_group": 10}] * 2
    assert sorted(done.reasons) == list(range(20))


def test_an_embedding_that_is_not_finite_masks_its_modality(tmp_path: Path) -> None:
    """The row is published from the rest, with an issue code and zeros; its neighbours are untouched."""
    folder = write_folder(tmp_path, {"a.parquet": customers(0, 3, note=["a e", "broken", "be"])})

    done = process(folder)

    assert done.rows.column("issues").to_pylist() == [[], ["note.embedding_non_finite"], []]
    assert done.rows.column("has_note").to_pylist() == [True, False, True]
    assert done.rows.column("emb_note").to_pylist() == [[3, 1, 1, 0], [0] * DIM, [2, 1, 1, 0]]
    assert done.rows.column("share_note").to_pylist()[1] == 0
    counts = done.part.counts
    assert (counts.present["note"], counts.absent["note"], counts.masked["note"]) == (2, 0, 1)


def test_a_row_that_loses_its_last_modality_when_embedded_is_quarantined_there(tmp_path: Path) -> None:
    """It cannot be fused from nothing; the stage says where it was lost."""
    table = customers(0, 3, note=["fine", "broken", "fine"], age=[1.0, None, 2.0], segment=["gold", None, "gold"])
    folder = write_folder(tmp_path, {"a.parquet": table})

    done = process(folder)

    assert done.reasons == {1: ("embed", "row.no_modality")}
    assert done.rows.column("id").to_pylist() == ["c0", "c2"]
    assert done.part.counts.quarantined == {"row.no_modality": 1}


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    """What stops a unit goes up as it is, and the unit is not done."""

    class Away(InlineOp):
        def submit(self, batch: pa.RecordBatch) -> Any:
            raise TemporaryError("Ray must answer; got nothing")

    class NoWorkers(InlineWorkers):
        def remote(self, spec: OpSpec, name: str) -> InlineOp:
            return Away(super().remote(spec, name))

    folder = write_folder(tmp_path, {"a.parquet": customers(0, 3)})
    sink = MemorySinkSpec(name="nothing left").for_run(run_info()).build()

    with pytest.raises(TemporaryError, match="Ray must answer"):
        process(folder, workers=NoWorkers(), sink=sink)

    assert sink.finished() == {}


# What is published --------------------------------------------------------------------------------------------------


def test_the_published_schema_is_the_promised_one_and_holds_no_nulls(tmp_path: Path) -> None:
    """Absent modalities, missing keys and all: no column of the published rows has a null."""
    folder = write_folder(tmp_path, {"a.parquet": mixed()})

    done = process(folder)

    assert done.rows.schema.equals(done.processor.output_schema, check_metadata=True)
    assert [name for name in done.rows.column_names if done.rows.column(name).null_count] == []
    assert [f.name for f in done.rows.schema if f.nullable] == []


def test_vectors_are_always_full_length_and_zero_where_masked(tmp_path: Path) -> None:
    """Every list has the length in its field's metadata; shares sum to 1 and are 0 where the mask is."""
    folder = write_folder(tmp_path, {"a.parquet": mixed()})

    rows = process(folder).rows.combine_chunks()

    shares = np.stack([rows.column(f"share_{m}").to_numpy() for m in MODALITIES], axis=1)  # [n, M]
    for index, (modality, encoder) in enumerate(ENCODERS.items()):
        column = rows.column(emb_column(modality))
        matrix = np.array(column.to_pylist(), np.float32)
        mask = rows.column(has_column(modality)).to_numpy()
        assert matrix.shape == (len(rows), encoder.output_dim)
        assert rows.schema.field(emb_column(modality)).metadata == {b"amalgam.dim": str(encoder.output_dim).encode()}
        assert not matrix[~mask].any()
        assert matrix[mask].any(axis=1).all()
        np.testing.assert_array_equal(shares[:, index] > 0, mask)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    assert np.array(rows.column("fused").to_pylist()).shape == (len(rows), FUSED_DIM)


def test_without_fusion_only_embeddings_are_published(tmp_path: Path) -> None:
    """As training reads them: no `fused`, no shares, and what it wants to keep."""
    folder = write_folder(tmp_path, {"a.parquet": customers(0, 3)})

    done = process(folder, fuse=None, fused_dim=0, keep=("segment",))

    assert done.rows.column_names == [
        *("id", "event_timestamp", "created_timestamp", "has_note", "has_profile", "emb_note", "emb_profile"),
        *("issues", "segment", "fingerprint"),
    ]
    assert done.rows.column("segment").to_pylist() == ["gold", "silver", "bronze"]


@pytest.mark.parametrize("keys", [[3, 1, 2], [b"\xff", b"\x00", b"a"]], ids=["numbers", "bytes"])
def test_keys_stay_what_they_are(tmp_path: Path, keys: list[Any]) -> None:
    """A key keeps its type and its value."""
    table = customers(0, 3).set_column(0, "id", pa.array(keys))
    folder = write_folder(tmp_path, {"a.parquet": table})

    rows = process(folder).rows

    assert rows.column("id").to_pylist() == keys
    assert rows.schema.field("id").type == table.schema.field("id").type


def test_time_is_told_by_stage(tmp_path: Path) -> None:
    """With a clock that ticks once at every look, each stage's seconds are how often it was entered."""
    folder = write_folder(tmp_path, {"a.parquet": customers(0, 10)})
    schema, (unit,) = plan_units(folder)
    ticks = iter(range(10_000))
    sink = MemorySinkSpec(name="clock").for_run(run_info()).build()
    recipe = make_recipe(schema, limits=Limits(batch_rows=5))
    processor = UnitProcessor(recipe, sink, InlineWorkers(), clock=lambda: float(next(ticks)))

    seconds = processor(unit, NOTHING).counts.seconds

    # Two batches; reading is entered once more, to find that there is no third.
    assert seconds == {"read": 3, "recall": 2, "clean": 2, "submit": 2, "embed": 2, "score": 2, "write": 2}


# The DoFn -----------------------------------------------------------------------------------------------------------


def test_the_dofn_processes_units_and_gives_their_ids(tmp_path: Path) -> None:
    """Repeated rows come from several shuffle buckets; a unit that was done before comes without itself."""
    folder = write_folder(tmp_path, {"a.parquet": customers(0, 6)})
    schema, (unit,) = plan_units(folder)
    spec = MemorySinkSpec(name="dofn").for_run(run_info())
    notes = Notes(failures=str(tmp_path / "failures"), diary=str(tmp_path / "diary"))
    dofn = ProcessUnits(make_recipe(schema), spec, WorkersSpec(address="inline"), notes)

    dofn.setup()
    done = list(dofn.process((unit.id, {"unit": [unit], "repeated": [np.array([1]), np.array([4])]})))
    nothing = list(dofn.process(("done before", {"unit": [], "repeated": [np.array([1])]})))
    dofn.teardown()

    counts = output("dofn").staging[run_info().run_id][unit.id].part.counts
    assert (done, nothing) == ([unit.id], [])
    assert counts.quarantined == {"key.duplicate": 2}


# Rows that are to blame ---------------------------------------------------------------------------------------------


class PickyLettersSpec(LettersSpec):
    """Letters, but a text with `broken` in it makes it fail."""

    kind: ClassVar[str] = "picky_letters"

    def build(self) -> Encoder:
        """The encoder."""

        def picky(values: pa.Array) -> Float32:
            if any("broken" in text for text in values.to_pylist()):
                raise ValueError("no letters")
            return letters(values)

        return picky


def test_a_row_at_which_an_encoder_fails_costs_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its neighbours' rows are those of a night without it; the log says what was raised."""
    notes = [f"row {i}" for i in range(20)]
    notes[13] = "broken"
    folder = write_folder(tmp_path / "with", {"a.parquet": customers(0, 20, note=notes)})
    without = customers(0, 20, note=notes).take([i for i in range(20) if i != 13])
    encoders = {**ENCODERS, "note": PickyLettersSpec()}

    done = process(folder, encoders=encoders)

    assert done.reasons == {13: ("embed", "row.failed")}
    assert done.part.counts.quarantined == {"row.failed": 1}
    assert done.rows.equals(process(write_folder(tmp_path / "without", {"a.parquet": without})).rows)
    assert "stage embed: 1 rows go to quarantine: ValueError: no letters" in caplog.text


def test_a_row_at_which_the_fusion_fails_costs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fused vector that is not finite is one row's affair."""
    fuse = FuseOp.__call__

    def overflow(op: FuseOp, batch: pa.RecordBatch) -> pa.RecordBatch:
        if "c3" in batch.column("id").to_pylist():
            raise FloatingPointError("the fusion must give finite numbers; got NaN or infinity")
        return fuse(op, batch)

    monkeypatch.setattr(FuseOp, "__call__", overflow)
    folder = write_folder(tmp_path, {"a.parquet": customers(0, 10)})

    done = process(folder)

    assert done.reasons == {3: ("score", "row.failed")}
    assert done.rows.column("id").to_pylist() == [f"c{i}" for i in range(10) if i != 3]


def test_a_unit_of_which_every_row_fails_is_a_part_without_rows(tmp_path: Path) -> None:
    """Whether that may be published is for the run to judge."""
    folder = write_folder(tmp_path, {"a.parquet": customers(0, 3, note=["broken"] * 3)})

    done = process(folder, encoders={**ENCODERS, "note": PickyLettersSpec()})

    assert set(done.reasons.values()) == {("embed", "row.failed")}
    assert done.rows.num_rows == 0


def test_rows_at_which_processes_died_are_tried_in_a_child_first(tmp_path: Path) -> None:
    """Two deaths are in the diary: of those rows the one that kills a child too is quarantined, the others go on."""
    folder = write_folder(tmp_path, {"a.parquet": customers(0, 20, note=["fine"] * 11 + ["broken"] + ["fine"] * 8)})
    schema, (unit,) = plan_units(folder)
    recipe = make_recipe(schema, limits=Limits(batch_rows=10))
    diary = tmp_path / "diary"
    gone = replace(Owner.this_process(), started="0")  # no process of this number started then
    diary.mkdir()
    (diary / f"{unit.id}.json").write_text(json.dumps(asdict(Entry(gone, first=10, last=19, deaths=1))))
    sink = MemorySinkSpec(name="trial").for_run(run_info()).build()
    care = Care(Diary(str(diary)), fatal_notes, deadline=60)

    part = UnitProcessor(recipe, sink, InlineWorkers(), care=care)(unit, NOTHING)

    assert (part.counts.rows_published, part.counts.quarantined) == (19, {"row.process_crash": 1})
    assert part.counts.examples["row.process_crash"] == "c11"
    assert list(diary.iterdir()) == []


def fatal_notes() -> Work:
    """Work that ends the process at a note with `broken` in it, also where the page says nothing of it."""

    def work(batch: pa.RecordBatch) -> None:
        if "broken" in batch.column("note").to_pylist():
            os._exit(1)

    return work
