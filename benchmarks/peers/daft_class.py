"""Daft: a class UDF, which holds its model, over batches of a column."""

from __future__ import annotations

import daft  # type: ignore[import-not-found]  # lives in the peers' environment
from daft import DataType, Series

from benchmarks.peers.model import dim, load
from benchmarks.peers.task import EMBEDDING, KEY, WINDOW, Task


def run(task: Task) -> None:
    """Read, call the UDF, write."""
    embedding = DataType.embedding(DataType.float32(), dim(task))

    @daft.cls(max_concurrency=task.replicas, use_process=task.replicas > 1)
    class Encoder:
        """A model in each process."""

        def __init__(self, task: Task) -> None:
            self.embed = load(task)

        @daft.method.batch(return_dtype=embedding, batch_size=WINDOW)  # type: ignore[untyped-decorator]  # as above
        def encode(self, values: Series) -> object:
            """Embeddings `[n, dim]` of a batch."""
            return self.embed(values.to_pylist())

    daft.set_runner_native()
    rows = daft.read_parquet(f"{task.source}/*.parquet").select(KEY, task.column)
    encoder = Encoder(task)
    rows.select(KEY, encoder.encode(daft.col(task.column)).alias(EMBEDDING)).write_parquet(str(task.target))
