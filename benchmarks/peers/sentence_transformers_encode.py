"""sentence-transformers alone: the whole column at once, which `encode` sorts by length."""

from __future__ import annotations

import os

import pyarrow.parquet as pq

from benchmarks.peers.table import table
from benchmarks.peers.task import KEY, Task


def run(task: Task) -> None:
    """Read, encode (in a pool of processes where several replicas are asked for), write."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(task.threads)
    os.environ["OMP_NUM_THREADS"] = str(task.threads)  # for the pool's processes
    rows = pq.read_table(task.source, columns=[KEY, task.column], partitioning=None)
    texts = rows[task.column].to_pylist()
    model = SentenceTransformer(str(task.weights), device="cpu")
    if task.replicas == 1:
        embeddings = model.encode(texts, batch_size=task.batch, show_progress_bar=False)
    else:
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))  # the pool cuts before it sorts
        pool = model.start_multi_process_pool(["cpu"] * task.replicas)
        found = model.encode([texts[row] for row in order], batch_size=task.batch, pool=pool, chunk_size=4 * task.batch)
        model.stop_multi_process_pool(pool)
        embeddings = found.copy()
        embeddings[order] = found
    task.target.mkdir(parents=True)
    pq.write_table(table(rows[KEY], embeddings), task.target / "part.parquet")
