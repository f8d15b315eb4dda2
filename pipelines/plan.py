"""`amalgam plan`: checks everything, measures a small sample, and says what a run would do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.ops import EmbedSpec
from pipelines import quantities, tables
from pipelines.cores import cores
from pipelines.execute import Work, least_bytes, processes_for, recall_of
from pipelines.expected import Cost
from pipelines.job import Job
from pipelines.policies import told
from pipelines.recipes import Interval, policies, policy_places
from pipelines.run import check_beam_options, prepare
from transforms.ledger import UnitCounts
from transforms.process import UnitProcessor
from transforms.recall.spec import Recall
from transforms.sinks.memory import MemorySinkSpec
from transforms.sinks.preflight import check_output
from transforms.units import Unit
from transforms.workers.inline import InlineWorkers
from transforms.workers.machine import peak_bytes
from transforms.workers.tuning import described, foreseen

SAMPLE_ROWS = 256  # some batches: enough to see absent shares to within 3 points, a second or two of work


@dataclass(frozen=True)
class Sample:
    """A few rows, really processed in this process."""

    counts: UnitCounts
    seconds_to_build: float
    seconds: float
    memory: int
    """Peak resident bytes of this process."""
    encoding: Mapping[str, float]
    """Modality -> seconds of these in its encoder."""


@dataclass(frozen=True)
class Plan:
    """What a run would do."""

    work: Work
    status: str
    rows_done: int
    """Rows of units that an earlier attempt finished: they are reused."""
    sample: Sample | None
    processes: int
    workers: str
    encoders: Mapping[str, EmbedSpec]
    """Modality -> its encoder's op."""

    @property
    def rows_to_do(self) -> int:
        """Rows that a run would process."""
        return 0 if self.status == "already published" else self.work.inputs.rows - self.rows_done

    @property
    def seconds(self) -> float:
        """Expected time of the rows alone, without starting Beam and Ray."""
        if self.sample is None or not self.sample.counts.rows_read:
            return 0.0
        rows, encoding = self.sample.counts.rows_read, self.sample.encoding
        feeding = max(0.0, self.sample.seconds - sum(encoding.values()))
        cost = Cost(feeding / rows, {name: seconds / rows for name, seconds in encoding.items()})
        return cost.seconds_per_row(cores(), self.processes, self._workers()) * self.rows_to_do

    def _workers(self) -> dict[str, int] | None:
        """Modality -> cores of its workers; None where encoders run in the processes that read."""
        workers = self.work.job.workers
        if workers.address == "inline":
            return None
        found = foreseen(workers, self.encoders, self.rows_to_do)
        return {name: plan.replicas * plan.threads for name, plan in found.items()}

    def text(self) -> str:
        """The plan for people."""
        return "\n\n".join([self._summary(), *([self._modalities()] if self.sample else [])])

    def _summary(self) -> str:
        inputs = self.work.inputs
        rows: list[tuple[str, str]] = [
            ("run", f"{self.work.info.run_id} ({self.status})"),
            ("input", f"{quantities.counted(len(inputs.files), 'file')}, {quantities.size(inputs.bytes)} uncompressed"),
            ("rows", f"{quantities.count(inputs.rows)} in {quantities.counted(len(inputs.units), 'unit')}"),
            ("reused", f"{quantities.count(self.rows_done)} rows of units that are done"),
            ("to do", f"{quantities.count(self.rows_to_do)} rows"),
            ("workers", self.workers),
            *(("policy", told(name, policy_places(self.work.job, name))) for name in policies(self.work.job)),
        ]
        if self.sample is not None and self.rows_to_do:
            rate = self.rows_to_do / self.seconds if self.seconds else 0.0
            processes = "1 process" if self.processes == 1 else f"{self.processes} processes"
            rows.append(
                (
                    "expected time",
                    f"about {quantities.duration(self.seconds)} ({quantities.count(rate)} rows/s in {processes}, by a "
                    f"sample of {self.sample.counts.rows_read} rows), and the start of Beam and Ray",
                )
            )
            memory = self.sample.memory * (self.processes + 1) + self.work.recipe.limits.window_bytes * self.processes
            rows.append(("expected memory", f"about {quantities.size(memory)} at its peak, all processes"))
        return tables.table(("", ""), rows, ("left", "left"))

    def _modalities(self) -> str:
        assert self.sample is not None
        counts = self.sample.counts
        read, published = max(1, counts.rows_read), max(1, counts.rows_published)
        lines = [
            (
                name,
                modality.spec.kind,
                modality.encoder.kind,
                modality.encoder.output_dim,
                f"about {quantities.count(self.rows_to_do * counts.encoded[name] / read)}",
                f"about {quantities.count(self.rows_to_do * (counts.recalled[name] + counts.repeated[name]) / read)}",
                quantities.percent(counts.absent[name], published),
                quantities.percent(counts.masked[name], published),
            )
            for name, modality in self.work.job.modalities.items()
        ]
        headers = ("modality", "type", "encoder", "dim", "to encode", "recalled", "absent", "unusable")
        plans = described(self.work.job.workers, self.encoders, self.rows_to_do)
        how = tables.table(("encoder of", "runs as"), list(plans.items()), ("left", "left"))
        return "\n\n".join([tables.table(headers, lines), how])


def plan(
    job: Job, interval: Interval, beam_args: Sequence[str] = (), clock: Callable[[], float] = time.perf_counter
) -> Plan:
    """Check job file, input, statistics, weights, workers, output and Beam options; measure a sample; change nothing.

    Raises:
        AmalgamError: what a run would stop at.
    """
    check_beam_options(job, beam_args)
    work = prepare(job, interval)
    sink = work.sink.build()
    published = sink.is_published()
    check_output(work.sink.path, bytes_needed=0 if published else least_bytes(work))
    finished = {} if published else sink.finished()
    done = sum(unit.rows for unit in work.inputs.units if unit.id in finished)
    status = "already published" if published else "resumes" if done else "new"
    workers = check_workers(job)
    processes = processes_for(work, work.inputs.rows - done)
    sample = measure(work, clock) if work.inputs.units else None
    ops = {name: EmbedSpec(name=name, encoder=encoder) for name, encoder in work.recipe.encoders.items()}
    return Plan(work, status, done, sample, processes, workers, ops)


def check_workers(job: Job) -> str:
    """Look for a cluster that is configured; a Ray of the run's own is only started by the run."""
    if job.workers.address in ("inline", "local"):
        return job.workers.address
    with job.workers.start(ops=len(job.modalities)) as workers:
        return workers.found


def measure(work: Work, clock: Callable[[], float]) -> Sample:
    """Process the first rows of the middle unit in this process, into memory."""
    unit = _head(work.inputs.units[len(work.inputs.units) // 2], SAMPLE_ROWS)
    began = clock()
    sink = MemorySinkSpec().for_run(work.info).build()
    recall = Recall(work.recipe, recall_of(work, work.job.workers, writes=False))
    workers = InlineWorkers()
    processor = UnitProcessor(work.recipe, sink, workers, recall=recall)
    built = clock()
    part = processor(unit, np.empty(0, np.int64))
    seconds = clock() - built
    encoding = {name: usage.busy for name, usage in workers.usage().items()}
    return Sample(part.counts, built - began, seconds, peak_bytes(), encoding)


def _head(unit: Unit, rows: int) -> Unit:
    first = replace(unit.slices[0], rows=min(rows, unit.slices[0].rows))
    return replace(unit, slices=(first,))
