"""What becomes of a batch, death after death, by what the witness says of each; with a script in place of Ray."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest
from ray import exceptions as failures

from models.errors import MemoryExceeded, WorkerCrashed, WorkerDied
from tests.transforms.workers.ops import batch
from transforms.workers.base import WorkersSpec
from transforms.workers.ray_actors import Death
from transforms.workers.ray_ops import Life, Pieces, RayFuture, RayOp, Replica, Sent
from transforms.workers.wire import Changes

BEHIND = Death(at_work=False, fruitless=False, deaths=1)
"""The actor died over another batch."""
AT_START = Death(at_work=False, fruitless=True, deaths=1)
AT_WORK = Death(at_work=True, fruitless=False, deaths=1)


class ScriptedOp:
    """An op whose actors die as the script says, then work; stands for the op, its replica and its witness."""

    def __init__(self, script: Iterable[Death], error: Exception | None = None) -> None:
        self.name = "scripted"
        self.workers = WorkersSpec(max_restarts=2, max_crashes=5)
        self.testimony = self
        self.successions = 0
        self.sent = 0
        self._script = list(script)
        self._error = error or failures.ActorDiedError()

    def send(self, _batch: pa.RecordBatch) -> Sent:
        self.sent += 1
        return Sent(cast(Replica, self), Life(None, None, str(self.sent)), str(self.sent), 0, None)

    def collect(self, _sent: Sent) -> Changes:
        if self._script:
            raise self._error
        return Changes(batch(1).select([]), ())

    def death(self, _sent: Sent) -> Death:
        return self._script.pop(0)

    def succeed(self, _dead: Life) -> None:
        self.successions += 1

    def future(self) -> RayFuture:
        """A batch on its way to it."""
        return RayFuture(cast(RayOp, self), batch(4))


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that are waited, without waiting."""
    found: list[float] = []
    monkeypatch.setattr("time.sleep", found.append)
    return found


def test_deaths_over_other_batches_do_not_count(pauses: list[float]) -> None:
    """Ten times behind a poison row with max_restarts 2: sent again at once, each time to a successor."""
    op = ScriptedOp([BEHIND] * 10)

    assert op.future().result().num_rows == 4
    assert (op.sent, op.successions, sum(pauses)) == (11, 10, 0)


def test_deaths_at_the_start_are_limited(pauses: list[float]) -> None:
    """Two in a row are borne with growing pauses, the third is the end."""
    assert ScriptedOp([AT_START] * 2).future().result().num_rows == 4
    assert pauses == [0.5, 1.0]

    with pytest.raises(WorkerDied, match="3 died before") as caught:
        ScriptedOp([AT_START] * 3).future().result()
    assert not isinstance(caught.value, WorkerCrashed)


def test_only_deaths_in_a_row_count() -> None:
    """An actor that began something in between shows that it can be started."""
    op = ScriptedOp([AT_START, AT_START, BEHIND, AT_START, AT_START])

    assert op.future().result().num_rows == 4


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (failures.ActorDiedError(), WorkerCrashed),
        (failures.GetTimeoutError("it did not finish within 2 s"), WorkerCrashed),
        (failures.OutOfMemoryError("the node ran low on memory"), MemoryExceeded),
    ],
)
def test_the_batch_at_work_is_told_after_one_death(error: Exception, told: type[Exception]) -> None:
    """Nothing is tried again here, but a successor is there for what the caller does; memory has its own class."""
    op = ScriptedOp([AT_WORK, AT_WORK], error)

    with pytest.raises(told, match="worker scripted must survive a batch of 4 rows; got ") as caught:
        op.future().result()

    assert type(caught.value) is told
    assert (op.sent, op.successions) == (1, 1)


@pytest.mark.parametrize("death", [AT_WORK, BEHIND])
def test_deaths_of_a_run_are_limited(death: Death) -> None:
    """With max_crashes 5 the sixth ends the run, whosever fault it was."""
    with pytest.raises(WorkerDied, match=r"at most 5 workers may die in a run \(workers.max_crashes\)") as caught:
        ScriptedOp([death._replace(deaths=6)]).future().result()

    assert not isinstance(caught.value, WorkerCrashed)


def test_a_batch_that_ray_cannot_take_is_refused_where_its_result_is_asked_for() -> None:
    """Submitting says nothing; the result is MemoryExceeded, so that the caller halves the batch."""

    class Full(ScriptedOp):
        def send(self, _batch: pa.RecordBatch) -> Any:
            raise failures.ObjectStoreFullError("full")

    future = Full([]).future()

    with pytest.raises(MemoryExceeded, match="must fit into Ray's memory"):
        future.result()


class DoublingOp(ScriptedOp):
    """A ScriptedOp that adds `y = 2 x` when it is done."""

    def __init__(self, script: Iterable[Death], error: Exception | None = None) -> None:
        super().__init__(script, error)
        self.under_way: dict[str, pa.RecordBatch] = {}

    def send(self, batch: pa.RecordBatch) -> Sent:
        sent = super().send(batch)
        self.under_way[sent.token] = batch
        return sent

    def collect(self, sent: Sent) -> Changes:
        rows = self.under_way.pop(sent.token)
        super().collect(sent)
        return Changes(pa.RecordBatch.from_pydict({"y": [2 * x for x in rows.column("x").to_pylist()]}), ())


def shared(op: DoublingOp) -> Pieces:
    """A batch of four rows in two pieces, not in order."""
    whole, among = batch(4), [np.array([3, 1]), np.array([0, 2])]
    return Pieces(whole, among, [RayFuture(cast(RayOp, op), whole.take(rows)) for rows in among])


def test_pieces_are_put_together_in_order() -> None:
    """The batch's own columns and what the op added to each piece; asked for twice, it is the same."""
    future = shared(DoublingOp([]))

    assert future.result().to_pydict() == {"x": [0, 1, 2, 3], "y": [0, 2, 4, 6]}
    assert future.result().equals(future.result())


def test_a_piece_that_fails_is_the_failure_of_its_batch() -> None:
    """The other piece is collected all the same, so that nothing stays under way."""
    op = DoublingOp([AT_WORK])

    with pytest.raises(WorkerCrashed):
        shared(op).result()

    assert op.under_way == {}
