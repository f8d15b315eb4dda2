"""How fast are others at the same job? Ray Data, Daft, Beam's RunInference and sentence-transformers against Amalgam.

    python benchmarks/peers/run.py --rows 5000
    python benchmarks/peers/run.py --rows 5000 --duplicates 0.2 --modalities text

Same rows, same weights, same machine; Parquet to Parquet, each as a command of its own, start-up included. Every peer
is tuned: its replicas, threads and batch size are swept on a quarter of the rows, and its best plan counts. Amalgam
runs as it comes, with what it finds out by itself, into an empty output. All are measured in turn; times are medians
over the rounds. A peer whose embeddings are not ours (cosine of every row above 0.9999) stops the benchmark.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks import nights
from benchmarks.bench_data.job import DATE, partition, real_weights, write_job
from benchmarks.bench_data.night import Night, write
from benchmarks.peers.environment import python
from benchmarks.peers.task import EMBEDDING, KEY, Task
from models.schema import emb_column

ROOT = Path(__file__).parents[2]
SWEPT = "2026-11-22"  # the night that plans are swept on
PEERS: Mapping[str, tuple[str, ...]] = {
    "sentence_transformers_encode": ("text",),
    "ray_data": ("text", "image"),
    "daft_class": ("text", "image"),
    "daft_embed_text": ("text",),
    "beam_run_inference": ("text", "image"),
}
"""Module in this folder -> the modalities that it does."""
FIXED_BATCH = frozenset({"daft_embed_text"})  # no setting reaches the model's own batch
BATCHES = (8, 16, 32, 64)
GOALS = ((0.0, 1.25), (0.2, 1.5))  # share of duplicates -> times as fast as the best peer, at least
ALIKE = 0.9999  # least cosine between a peer's embedding and ours
AMALGAM = "amalgam"


@dataclass(frozen=True)
class Result:
    """All seconds of one contender, with its plan."""

    name: str
    plan: str
    seconds: Sequence[float]


class Arena:
    """Data, weights and the peers' interpreter, for one modality and share of duplicates."""

    def __init__(self, folder: Path, modality: str, rows: int, duplicates: float, cache: Path) -> None:
        self.folder, self.modality = folder / f"{modality}-{rows}-{duplicates}", modality
        self.python = python((cache / "peers").resolve())
        self.weights = real_weights((cache / "weights").resolve(), (modality,))[modality]
        self.job = self.folder / "bench.yaml"
        data = self.folder / "data"
        for date, count, first in ((SWEPT, -(-rows // 4), rows), (DATE, rows, 0)):
            if not (data / partition(date)).exists():
                write(data, Night(partition(date), count, first, (modality,), duplicates))
        write_job(self.job, {modality: self.weights})

    def amalgam(self, settings: Sequence[str]) -> float:
        """Seconds of a night into an empty output."""
        output = self.folder / "out"
        shutil.rmtree(output, ignore_errors=True)
        return nights.run(self.job, DATE, output, settings).took.seconds

    def peer(self, name: str, task: Task) -> float:
        """Seconds of a peer's command."""
        shutil.rmtree(task.target, ignore_errors=True)
        command = [str(self.python), "-m", "benchmarks.peers", name, *task.arguments()]
        threads = {variable: str(task.threads) for variable in nights.REMEMBERED}
        return nights.timed(command, PYTHONPATH=str(ROOT), **threads).seconds

    def task(self, date: str, replicas: int, threads: int, batch: int) -> Task:
        """What a peer is asked for."""
        source, target = self.folder / "data" / partition(date), self.folder / "peer"
        return Task(self.modality, source.resolve(), target.resolve(), self.weights, replicas, threads, batch)

    def best_task(self, name: str) -> Task:
        """The peer's best plan, by its wall time on fewer rows: first the layout, then the batch size."""
        cores = len(os.sched_getaffinity(0))
        layouts = [self.task(SWEPT, replicas, cores // replicas, 32) for replicas in sorted({1, cores})]
        best = min(layouts, key=lambda task: self.peer(name, task))
        if name not in FIXED_BATCH:
            best = min((replace(best, batch=batch) for batch in BATCHES), key=lambda task: self.peer(name, task))
        return replace(best, source=self.task(DATE, 1, 1, 1).source)

    def check(self, name: str) -> None:
        """Compare what the peer and Amalgam wrote last.

        Raises:
            ValueError: other keys, or other embeddings.
        """
        column = emb_column(self.modality)
        ours = _embeddings(self.folder / "out" / "features" / partition(DATE), column)
        theirs = _embeddings(self.folder / "peer", EMBEDDING)
        least = least_cosine(ours, theirs)
        if least < ALIKE:
            raise ValueError(f"{name}: every embedding must be ours (cosine of {ALIKE}); got {least:.6f}")


def _embeddings(folder: Path, column: str) -> pa.Table:
    table = pq.read_table(folder, columns=[KEY, column], partitioning=None)
    return table.rename_columns([KEY, EMBEDDING]).sort_by(KEY)


def least_cosine(ours: pa.Table, theirs: pa.Table) -> float:
    """The least cosine between embeddings of the same key, of two tables that are sorted by key.

    Raises:
        ValueError: the keys differ.
    """
    if not pc.all(pc.equal(ours[KEY], theirs[KEY])).as_py() if len(ours) == len(theirs) else True:
        raise ValueError(f"keys must be the same; got {len(ours)} and {len(theirs)} rows")
    a, b = (_unit(table[EMBEDDING]) for table in (ours, theirs))
    return float((a * b).sum(axis=1).min())


def _unit(lists: pa.ChunkedArray) -> npt.NDArray[np.float32]:
    """`[n, dim]`, each row of length 1."""
    flat = pc.list_flatten(lists).to_numpy().reshape(len(lists), -1)
    return np.asarray(flat / np.linalg.norm(flat, axis=1, keepdims=True), dtype=np.float32)


def measure(arena: Arena, names: Sequence[str], rounds: int, settings: Sequence[str]) -> list[Result]:
    """Every contender's seconds; Amalgam first."""
    arena.amalgam(settings)  # once for nothing, as the peers' sweep: files in memory, a plan found out
    tasks = {name: arena.best_task(name) for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in (AMALGAM, *names)}
    for _ in range(rounds):
        seconds[AMALGAM].append(arena.amalgam(settings))
        for name, task in tasks.items():
            seconds[name].append(arena.peer(name, task))
            arena.check(name)
    plans = {name: f"{t.replicas} x {t.threads} threads, batches of {t.batch}" for name, t in tasks.items()}
    return [Result(name, plans.get(name, "its own"), times) for name, times in seconds.items()]


def table(results: Sequence[Result], rows: int) -> Iterator[str]:
    """A line for each contender; `times` is how many times as fast Amalgam is."""
    ours = median(results[0].seconds)
    yield f"{'contender':<32}{'seconds':>9}{'rows/s':>8}{'times':>7}  plan"
    for result in results:
        spent = median(result.seconds)
        yield f"{result.name:<32}{spent:>9.1f}{rows / spent:>8.0f}{spent / ours:>7.2f}  {result.plan}"


def times_the_best(results: Sequence[Result]) -> float:
    """How many times as fast as the best peer Amalgam is."""
    ours, *theirs = (median(result.seconds) for result in results)
    return min(theirs) / ours


def main() -> int:
    """Measure and print the tables; 0 if Amalgam is as much faster as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--modalities", default="text,image", help="with commas between")
    parser.add_argument("--duplicates", type=float, help="share of rows; 0 and 0.2 in turn by default")
    parser.add_argument("--peers", nargs="+", choices=sorted(PEERS), default=list(PEERS), metavar="PEER")
    parser.add_argument("--rounds", type=int, default=3, help="how often all are measured; the median counts")
    parser.add_argument("--data", type=Path, help="where data, models and the environment are kept for the next time")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the job file")
    options = parser.parse_args()
    goals = [goal for goal in GOALS if options.duplicates in (None, goal[0])] or [(options.duplicates, GOALS[0][1])]
    is_good = True
    with tempfile.TemporaryDirectory(prefix="peers-") as scratch:
        folder = options.data or Path(scratch)
        for modality in options.modalities.split(","):
            names = [name for name in options.peers if modality in PEERS[name]]
            for duplicates, goal in goals:
                arena = Arena(folder / "arena", modality, options.rows, duplicates, folder)
                results = measure(arena, names, options.rounds, options.set)
                sys.stdout.write(f"{modality}, {options.rows:,} rows, {duplicates:.0%} duplicates; start-up included\n")
                sys.stdout.writelines(f"{line}\n" for line in table(results, options.rows))
                times = times_the_best(results)
                sys.stdout.write(f"{times:.2f} times as fast as the best peer; {goal} is the aim\n\n")
                is_good &= times >= goal
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
