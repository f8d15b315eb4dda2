"""Tests of embedding a batch: submitted at once, collected later, with what encoders could not make finite."""

from __future__ import annotations

import pyarrow as pa
import pytest

from models.errors import ConfigError, MemoryExceeded, WorkerCrashed, WorkerDied
from models.ops import EmbedSpec
from models.schema import ISSUES, ISSUES_TYPE
from tests.transforms.tiny_recipes import DIM, ENCODERS
from transforms.embed import Embed
from transforms.workers.base import RemoteOp
from transforms.workers.inline import InlineFuture, InlineOp, InlineWorkers

NOTES = ["ee", None, "broken", "e"]
PROFILES = [{"age": 1.0, "segment": "gold"}, {"age": 0.0, "segment": "gold"}, None, None]
KNOWN = [[], ["note.empty"], ["note.too_long"], []]


def cleaned() -> pa.RecordBatch:
    """Four cleaned rows: all there; no note; a note without an embedding; no profile."""
    profile = pa.struct([("age", pa.float32()), ("segment", pa.string())])
    return pa.record_batch(
        {
            "id": ["a", "b", "c", "d"],
            ISSUES: pa.array(KNOWN, ISSUES_TYPE),
            "clean_note": pa.array(NOTES, pa.string()),
            "clean_profile": pa.array(PROFILES, profile),
        }
    )


def ops() -> dict[str, RemoteOp]:
    """The two encoders, in this process."""
    workers = InlineWorkers()
    return {name: workers.remote(EmbedSpec(name=name, encoder=spec), name) for name, spec in ENCODERS.items()}


def test_embeddings_take_the_place_of_cleaned_values() -> None:
    """Null stays null; the input's columns stay."""
    result = Embed(ops()).submit(cleaned()).result().batch

    assert result.schema.names == ["id", ISSUES, "emb_note", "emb_profile"]
    # Length, number of e's, 1, 0: see `tiny_recipes.letters`.
    assert result.column("emb_note").to_pylist() == [[2, 2, 1, 0], None, None, [1, 1, 1, 0]]
    assert result.column("emb_note").type == pa.list_(pa.float32(), DIM)
    assert [v is None for v in result.column("emb_profile").to_pylist()] == [False, False, True, True]


def test_what_the_encoder_lost_is_added_to_the_issues() -> None:
    """Behind what the cleaner found; an absent value is not lost."""
    result = Embed(ops()).submit(cleaned()).result().batch

    assert result.column(ISSUES).to_pylist() == [
        [],
        ["note.empty"],
        ["note.too_long", "note.embedding_non_finite"],
        [],
    ]
    assert result.column(ISSUES).type == ISSUES_TYPE


def test_slices_are_embedded_like_whole_batches() -> None:
    """Offsets of sliced arrays are respected."""
    embed = Embed(ops())

    assert embed.submit(cleaned().slice(1, 3)).result().batch.equals(embed.submit(cleaned()).result().batch.slice(1, 3))


def test_only_the_modality_travels() -> None:
    """An encoder is sent its own cleaned column and nothing else of the row."""
    sent: list[list[str]] = []

    class Spy(InlineOp):
        def submit(self, batch: pa.RecordBatch) -> InlineFuture:
            sent.append(batch.schema.names)
            return super().submit(batch)

    Embed({name: Spy(op) for name, op in ops().items()}).submit(cleaned())

    assert sent == [["clean_note"], ["clean_profile"]]


def test_absent_values_do_not_travel() -> None:
    """Nor is an encoder asked where there is no value at all."""
    note = SmallMemory(ops()["note"], most=1000)
    embed = Embed({**ops(), "note": note})

    embed.submit(cleaned()).result()
    embed.submit(cleaned().slice(1, 1)).result()

    assert note.asked == [3]


def test_a_pending_batch_no_longer_holds_its_cleaned_values() -> None:
    """Pictures and sounds would be kept twice; its size counts those that are there while they are under way."""
    pending = Embed(ops()).submit(cleaned())

    assert pending.batch.schema.names == ["id", ISSUES]
    kept = cleaned().select(["id", ISSUES])
    notes, profiles = (cleaned().select([f"clean_{m}"]) for m in ("note", "profile"))
    assert pending.nbytes == kept.nbytes + notes.take([0, 2, 3]).nbytes + profiles.take([0, 1]).nbytes


def test_a_worker_that_is_lost_is_told_when_the_result_is_asked_for() -> None:
    """The error of the worker goes up as it is."""

    class Lost(InlineFuture):
        def result(self) -> pa.RecordBatch:
            raise WorkerDied("an actor must answer; got none")

    class Dying(InlineOp):
        def submit(self, batch: pa.RecordBatch) -> InlineFuture:
            return Lost(self, batch)

    pending = Embed({name: Dying(op) for name, op in ops().items()}).submit(cleaned())

    with pytest.raises(WorkerDied, match="an actor must answer"):
        pending.result()


class SmallMemory:
    """An op that holds at most so many rows, and notes how many it was given."""

    def __init__(self, op: RemoteOp, most: int) -> None:
        self._op = op
        self._most = most
        self.asked: list[int] = []

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        return self._op.output_schema(schema)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        self.asked.append(batch.num_rows)
        if batch.num_rows > self._most:
            raise MemoryExceeded("must fit")
        return self._op(batch)

    def load(self, replicas: int | None = None) -> None:
        """It is loaded."""

    def submit(self, batch: pa.RecordBatch) -> InlineFuture:
        return InlineOp(self).submit(batch)


def test_a_batch_that_does_not_fit_is_halved_until_it_does() -> None:
    """Three notes where two fit: asked for 3, 1 and 2, and the result is that of a worker with more memory."""
    small = SmallMemory(ops()["note"], most=2)

    result = Embed({**ops(), "note": small}).submit(cleaned()).result().batch

    assert small.asked == [3, 1, 2]
    assert result.equals(Embed(ops()).submit(cleaned()).result().batch)


def test_what_fitted_is_remembered(caplog: pytest.LogCaptureFixture) -> None:
    """The next batch of three notes is cut at once, and nothing fails any more."""
    small = SmallMemory(ops()["note"], most=2)
    embed = Embed({**ops(), "note": small})
    embed.submit(cleaned()).result()
    small.asked.clear()

    result = embed.submit(cleaned()).result().batch

    assert small.asked == [2, 1]
    assert result.equals(Embed(ops()).submit(cleaned()).result().batch)
    assert "modalities.note: 3 values at once are too many for its worker; from now on at most 2" in caplog.text


def test_a_poison_row_makes_no_batch_smaller() -> None:
    """It was to blame, and not the number of its neighbours."""
    poisoned = Poisoned(ops()["note"], WorkerCrashed("killed"))
    embed = Embed({**ops(), "note": poisoned})
    embed.submit(cleaned()).result()
    poisoned.asked.clear()

    embed.submit(cleaned().take([0, 3])).result()

    assert poisoned.asked == [2]


def test_a_worker_without_room_for_any_value_stops_the_run() -> None:
    """Halving ends at one row each: only more memory helps, and a night of masked values would hide that."""
    small = SmallMemory(ops()["note"], most=0)

    with pytest.raises(MemoryExceeded, match=r"modalities\.note: .* got 3 values of which not one does"):
        Embed({"note": small}).submit(cleaned()).result()

    assert small.asked == [3, 1, 2, 1, 1]


class Poisoned(SmallMemory):
    """An op that raises its error for batches with the note `broken` in them."""

    def __init__(self, op: RemoteOp, error: Exception) -> None:
        super().__init__(op, most=1000)
        self._error = error

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if "broken" in batch.column("clean_note").to_pylist():
            raise self._error
        return super().__call__(batch)


@pytest.mark.parametrize("error", [ValueError("no"), WorkerCrashed("killed")], ids=["data", "death"])
def test_a_value_that_the_encoder_fails_at_costs_its_own_row(error: Exception) -> None:
    """Row 2 is to blame; the embeddings of the others are those of a batch without it."""
    embedded = Embed({**ops(), "note": Poisoned(ops()["note"], error)}).submit(cleaned()).result()

    others = cleaned().take([0, 1, 3])
    assert list(embedded.guilty) == [2]
    assert embedded.batch.take([0, 1, 3]).equals(Embed(ops()).submit(others).result().batch)
    # It is no issue of a published row.
    assert embedded.batch.column(ISSUES).to_pylist() == KNOWN


def test_a_value_that_does_not_fit_alone_is_masked() -> None:
    """The row goes on with what else it has, and its issue says why."""
    small = Poisoned(ops()["note"], MemoryExceeded("too large"))

    embedded = Embed({**ops(), "note": small}).submit(cleaned()).result()

    assert embedded.guilty == {}
    assert embedded.batch.column("emb_note").is_valid().to_pylist() == [True, False, False, True]
    assert embedded.batch.column(ISSUES).to_pylist()[2] == ["note.too_long", "note.embedding_out_of_memory"]


def test_no_value_at_all_comes_through() -> None:
    """Then there is no embedding to take the type from but the op's promise."""
    broken = cleaned().slice(2, 1)

    embedded = Embed({"note": Poisoned(ops()["note"], MemoryExceeded("too large"))}).submit(broken).result()

    assert embedded.batch.column("emb_note").to_pylist() == [None]
    assert embedded.batch.column("emb_note").type == pa.list_(pa.float32(), DIM)


def test_an_encoder_that_is_configured_wrongly_is_named_by_its_place_in_the_job_file() -> None:
    """No row is blamed for weights that are missing."""
    wrong = Poisoned(ops()["note"], ConfigError("weights must exist; got none"))

    with pytest.raises(ConfigError, match=r"^modalities\.note\.encoder: weights must exist"):
        Embed({"note": wrong}).submit(cleaned()).result()
