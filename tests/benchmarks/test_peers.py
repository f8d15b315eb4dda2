"""Tests of what the benchmark against peers decides: whether embeddings are alike, and who is faster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.bench_data.night import CONTENTS
from benchmarks.peers import task
from benchmarks.peers.run import PEERS, Result, least_cosine, times_the_best
from benchmarks.peers.table import table
from benchmarks.peers.task import Task, parse


def rows(keys: list[str], *embeddings: list[float]) -> pa.Table:
    """A table of keys and embeddings."""
    return table(pa.array(keys), np.array(embeddings, dtype=np.float32))


def test_alike_embeddings_have_a_cosine_of_one() -> None:
    """Their lengths do not count."""
    ours, theirs = rows(["a", "b"], [1, 0], [0, 2]), rows(["a", "b"], [3, 0], [0, 1])

    assert least_cosine(ours, theirs) == 1.0


def test_the_worst_row_decides() -> None:
    """The second one points elsewhere: cos 90° = 0."""
    assert least_cosine(rows(["a", "b"], [1, 0], [0, 2]), rows(["a", "b"], [1, 0], [1, 0])) == 0.0


@pytest.mark.parametrize("keys", [["a"], ["a", "c"]], ids=["missing", "another"])
def test_a_peer_that_loses_a_row_is_told(keys: list[str]) -> None:
    """Fewer rows, or others, are no result."""
    with pytest.raises(ValueError, match="keys must be the same"):
        least_cosine(rows(["a", "b"], [1, 0], [0, 2]), rows(keys, *[[1.0, 0.0] for _ in keys]))


def test_the_best_peer_counts() -> None:
    """Medians of 20 and 30 s against our 10: twice as fast as the best."""
    results = [Result("amalgam", "", [9, 10, 50]), Result("a", "", [30, 30, 30]), Result("b", "", [1, 20, 99])]

    assert times_the_best(results) == 2.0


def test_a_task_travels_as_a_command_line(tmp_path: Path) -> None:
    """What the driver writes, the peer's process reads."""
    sent = Task("image", tmp_path / "in", tmp_path / "out", tmp_path / "weights", 2, 1, 32)

    assert parse(sent.arguments()) == sent


def test_every_peer_is_a_module_and_reads_our_columns() -> None:
    """All files that the driver names exist; columns are those of the drawn data."""
    folder = Path(task.__file__).parent

    assert [name for name in PEERS if not (folder / f"{name}.py").is_file()] == []
    assert {modality: CONTENTS[modality].column for modality in task.COLUMNS} == dict(task.COLUMNS)
