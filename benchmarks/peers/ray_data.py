"""Ray Data: `map_batches` over a pool of actors, each with a model."""

from __future__ import annotations

import os

import pyarrow as pa

from benchmarks.peers.model import load
from benchmarks.peers.table import table
from benchmarks.peers.task import KEY, WINDOW, Task


class Encoder:
    """An actor's model."""

    def __init__(self, task: Task) -> None:
        self.column = task.column
        self.embed = load(task)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Keys and embeddings of a batch."""
        return table(batch[KEY], self.embed(batch[self.column].to_pylist()))


def run(task: Task) -> None:
    """Read, map over actors, write."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    ray.init(address="local", num_cpus=len(os.sched_getaffinity(0)), include_dashboard=False, log_to_driver=False)
    DataContext.get_current().enable_progress_bars = False
    rows = ray.data.read_parquet(str(task.source), columns=[KEY, task.column], partitioning=None)
    embedded = rows.map_batches(
        Encoder,
        fn_constructor_args=(task,),
        batch_size=WINDOW,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(size=task.replicas),
        # Less than a core each, so that reading and writing find one too.
        num_cpus=0.5,
        runtime_env={"env_vars": {"OMP_NUM_THREADS": str(task.threads)}},
    )
    embedded.write_parquet(str(task.target))
    ray.shutdown()
