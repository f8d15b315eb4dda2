"""Ops in the process itself: with the batch of their plan, and accounts that the run's driver reads."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest

from models.arrow import Float32
from models.encoders.base import Encoder, EncoderSpec
from models.errors import InternalError
from models.ops import EmbedSpec
from tests.transforms.workers.ops import DoubledSpec, batch
from transforms.workers.base import Usage, WorkersSpec
from transforms.workers.fitting import fitted
from transforms.workers.inline import InlineWorkers
from transforms.workers.layout import Plan


def work(spec: WorkersSpec, name: str, rows: int) -> None:
    """One batch in a process of the run."""
    InlineWorkers(spec).remote(DoubledSpec(), name)(batch(rows))


def test_accounts_of_all_processes_are_added() -> None:
    """Two batches here and one in another process, which ends without saying so."""
    with WorkersSpec(address="inline").start() as running:
        here = InlineWorkers(running.spec).remote(DoubledSpec(seconds=0.01), "doubled")
        for rows in (1, 2):
            here(batch(rows))
        other = multiprocessing.get_context("spawn").Process(target=work, args=(running.spec, "doubled", 4))
        other.start()
        other.join()

        found = running.usage()

    assert set(found) == {"doubled"}
    assert (found["doubled"].batches, found["doubled"].rows) == (3, 7)
    assert found["doubled"].busy >= 0.02


def test_accounts_are_remembered_when_the_run_is_over() -> None:
    """They are asked for when the manifest is written."""
    with WorkersSpec(address="inline").start() as running:
        work(running.spec, "doubled", 4)

    assert running.usage()["doubled"].rows == 4


def test_without_a_run_there_are_no_accounts() -> None:
    """`plan` and rehearsals use workers that belong to no run."""
    work(WorkersSpec(address="inline"), "doubled", 1)

    with WorkersSpec(address="inline").start() as running:
        assert running.usage() == {}


def test_a_batch_that_fails_is_accounted() -> None:
    """It took its time."""
    with WorkersSpec(address="inline").start() as running:
        op = InlineWorkers(running.spec).remote(DoubledSpec(misbehave="data"), "bad")
        with pytest.raises(ZeroDivisionError):
            op(batch(3))

        assert running.usage()["bad"]._replace(busy=0.0) == Usage(batches=1, rows=3)


class CountingSpec(EncoderSpec):
    """Embeds a text as the settings of its batches."""

    kind: ClassVar[str] = "counting"
    modality: ClassVar[str] = "text"
    unhashed: ClassVar[frozenset[str]] = frozenset({"max_batch_rows", "max_batch_seconds"})

    max_batch_rows: int = 64
    max_batch_seconds: float = 120.0
    dim: int = 2

    @property
    def output_dim(self) -> int:
        return self.dim

    def build(self) -> Encoder:
        return Counting([len(range(self.max_batch_rows)), self.max_batch_seconds])  # range takes whole numbers only


class Counting:
    def __init__(self, settings: list[float]) -> None:
        self.settings = settings

    def __call__(self, values: pa.Array) -> Float32:
        return np.tile(np.asarray(self.settings, np.float32), (len(values), 1))


OP = EmbedSpec(name="note", encoder=CountingSpec())


def embedded(plans: Mapping[str, Plan]) -> list[float]:
    """What the encoder was built with."""
    op = InlineWorkers(WorkersSpec(address="inline", plans=dict(plans))).remote(OP, "note")
    found: list[float] = op(pa.RecordBatch.from_pydict({"clean_note": ["a"]})).column("emb_note")[0].as_py()
    return found


def test_the_encoder_is_built_with_the_batch_of_its_plan() -> None:
    """Whole numbers stay whole; what the plan does not name stays as it was; other ops' plans are theirs."""
    assert embedded({"note": Plan(batch={"max_batch_rows": 8.0})}) == [8, 120]
    assert embedded({"note": Plan(batch={"max_batch_seconds": 7.5})}) == [64, 7.5]
    assert embedded({"another": Plan(batch={"max_batch_rows": 8.0})}) == [64, 120]


def test_a_plan_leaves_the_fingerprint_alone() -> None:
    """Embeddings of yesterday's plan are recalled."""
    assert fitted(OP, Plan(batch={"max_batch_rows": 8.0})).fingerprint() == OP.fingerprint()


def test_a_plan_cannot_change_results() -> None:
    """Only settings that are not in the fingerprint may be planned."""
    with pytest.raises(InternalError, match="a plan must leave results alone; got dim for encoder counting"):
        fitted(OP, Plan(batch={"dim": 3}))


def test_an_op_without_an_encoder_is_left_alone() -> None:
    """It has no batches of its own."""
    spec = DoubledSpec()
    assert fitted(spec, Plan(batch={"max_batch_rows": 8})) is spec


def test_an_account_that_cannot_be_written_costs_no_row(tmp_path: Path) -> None:
    """The driver was ended and its folder is gone, while a worker is still at its unit."""
    workers = InlineWorkers(WorkersSpec(address="inline", notes=str(tmp_path / "gone")))

    result = workers.remote(DoubledSpec(), "doubled")(pa.record_batch({"x": [1, 2]}))

    assert result.num_rows == 2
