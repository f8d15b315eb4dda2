"""Daft: its built-in `embed_text`, which runs sentence-transformers."""

from __future__ import annotations

import os

from benchmarks.peers.task import EMBEDDING, KEY, WINDOW, Task


def run(task: Task) -> None:
    """Read, embed, write; within a batch of WINDOW rows the model sorts by length, 32 at once."""
    os.environ["OMP_NUM_THREADS"] = str(task.threads)
    import daft  # type: ignore[import-not-found]  # lives in the peers' environment
    from daft.functions import embed_text  # type: ignore[import-not-found]  # as above

    daft.set_runner_native()
    rows = daft.read_parquet(f"{task.source}/*.parquet").select(KEY, task.column)
    options = {"batch_size": WINDOW, "concurrency": task.replicas}
    embedding = embed_text(daft.col(task.column), provider="transformers", model=str(task.weights), **options)
    rows.select(KEY, embedding.alias(EMBEDDING)).write_parquet(str(task.target))
