"""Measuring in processes: batches as encoders cut them, rows/s of all replicas, and processes that fail."""

from __future__ import annotations

import time

import psutil
import pyarrow as pa
import pytest

from models.errors import AmalgamError, MemoryExceeded, WorkerDied
from tests.transforms.workers.ops import DoubledSpec
from transforms.workers.layout import Layout
from transforms.workers.measuring import Bench, Question, Sample, answered, cut

SAMPLE = Sample(pa.RecordBatch.from_pydict({"x": pa.array([0, 1, 2, 3], pa.int64())}), [1.0, 4.0, 2.0, 3.0])


def numbers(batches: list[pa.RecordBatch]) -> list[list[int]]:
    """The rows of each batch."""
    return [batch.column("x").to_pylist() for batch in batches]


def for_ever() -> float:
    """There is time enough."""
    return 60.0


@pytest.mark.parametrize(
    ("rows", "size", "expected"),
    [
        (4, 8, [[1, 3], [2, 0]]),  # 2 x 4, 2 x 2: what padding to the first makes of them
        (4, 3, [[1], [3], [2], [0]]),  # 4 alone is too much already, and goes alone; 2 x 2 is more than 3
        (4, 1e9, [[1, 3, 2, 0]]),
        (6, 8, [[1, 1], [3, 2], [0, 0]]),  # rows 0 and 1 a second time
        (4, float("inf"), [[1, 3, 2, 0]]),
    ],
)
def test_batches_are_cut_by_cost(rows: int, size: float, expected: list[list[int]]) -> None:
    """The most expensive first, each batch within the size, the sample again when it is used up."""
    assert numbers(cut(SAMPLE, rows, size)) == expected


def test_all_rows_count_in_the_rate() -> None:
    """Four rows with one call of 10 ms each cannot be faster than 100 rows/s, however long it goes on."""
    calls: list[int] = []

    def op(batch: pa.RecordBatch) -> None:
        time.sleep(0.01)
        calls.append(batch.num_rows)

    found = answered(op, SAMPLE, Question(4, 1, 3, 0.05))

    assert sum(calls) % 4 == 0
    assert 0 < found.rate <= 100
    assert found.core < 0.9  # it slept
    assert found.memory > 0


def test_replicas_add_up() -> None:
    """Two processes that sleep 50 ms for four rows: 160 rows/s at most, more than the 80 that one of them could do."""
    sample = Sample(SAMPLE.rows, [1.0] * 4)
    with Bench(DoubledSpec(seconds=0.05), "doubled", sample, 2, for_ever) as bench:
        both, one = (bench.rate(Layout(replicas, 1), 4) for replicas in (2, 1))

    assert one <= 80 < both <= 160
    assert bench.disturbed  # sleeping looks like a core that others took
    assert bench.device_memory == 0


def test_no_process_is_left() -> None:
    """They end with the block."""
    before = set(psutil.Process().children())
    with Bench(DoubledSpec(), "doubled", SAMPLE, 1, for_ever):
        started = set(psutil.Process().children()) - before
    assert started
    assert not any(_serves(process) for process in started)


def _serves(process: psutil.Process) -> bool:
    """Whether it is a measuring process, and not Python's own tracker of resources, which stays."""
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def test_a_batch_that_does_not_fit_can_be_followed_by_a_smaller_one() -> None:
    """The process lives on: four rows with the poison at once are too many, and raise each time they are asked for."""
    spec = DoubledSpec(misbehave="memory", poison=-1)
    rows = pa.RecordBatch.from_pydict({"x": pa.array([0, 1, 2, 3, -1], pa.int64())})  # the first four are tried first
    with Bench(spec, "doubled", Sample(rows, [1.0] * 5), 1, for_ever) as bench:
        for _ in range(2):
            with pytest.raises(MemoryExceeded):
                bench.rate(Layout(1, 1), 8)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (DoubledSpec(build_fails="missing"), "worker doubled must load"),
        (DoubledSpec(build_fails="die"), "must live until it is done; got its death"),
        (DoubledSpec(misbehave="data"), "ZeroDivisionError: row 3"),
    ],
    ids=["weights", "death", "data"],
)
def test_what_goes_wrong_is_told(spec: DoubledSpec, told: str) -> None:
    """An op that cannot be loaded, dies, or raises: one of our errors, for the caller to warn of."""
    with pytest.raises(AmalgamError, match=told), Bench(spec, "doubled", SAMPLE, 1, for_ever):
        pass


def test_time_is_bounded() -> None:
    """An op that takes an hour is not waited for."""
    with pytest.raises(WorkerDied, match=r"got none within workers\.measuring"):
        Bench(DoubledSpec(misbehave="spin"), "doubled", SAMPLE, 1, lambda: 0.1).__enter__()
