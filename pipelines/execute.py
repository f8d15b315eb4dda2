"""Carries out planned work on one partition: lease, graph, ledger, publish; finds what an earlier attempt finished."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from models.errors import AmalgamError, InternalError, OutputError, WorkerCrashed
from models.ops import EmbedSpec
from models.spec import digest
from pipelines.cores import helpful_processes, row_seconds
from pipelines.job import Job
from pipelines.progress import Progress
from pipelines.recipes import Interval
from pipelines.warm_up import load_encoders
from transforms.diary import DEADLY
from transforms.failures import clear_failures, read_failure
from transforms.ledger import Ledger
from transforms.process import Notes
from transforms.project import Project
from transforms.recall.spec import RecallSpec, device_of
from transforms.recipe import Recipe
from transforms.sinks.base import Manifest, Part, RunInfo
from transforms.sinks.layout import Layout
from transforms.sinks.lease import Lease, is_left_behind
from transforms.sinks.manifest import read_manifest
from transforms.sinks.parquet import ParquetSink, ParquetSinkSpec
from transforms.sinks.preflight import check_output, free_bytes
from transforms.sinks.standing import refuse_foreign
from transforms.sinks.sweep import sweep_abandoned
from transforms.units import InputPlan
from transforms.workers.base import Usage, WorkersSpec

if TYPE_CHECKING:  # Beam is loaded where a pipeline is made: work is planned, and found done, without it
    import apache_beam as beam

_LOG = logging.getLogger(__name__)

Clock = Callable[[], float]

MERGE_SECONDS: Final = 30.0
"""Between looks whether units have left many segments of known embeddings."""
MOST_DEATHS: Final = 3 * DEADLY
"""Beam worker processes that may die before a run gives up: enough to find three rows that kill one."""


@dataclass(frozen=True)
class Work:
    """One partition's work, known in full before any row is read."""

    job: Job
    inputs: InputPlan
    recipe: Recipe
    info: RunInfo
    sink: ParquetSinkSpec

    @property
    def layout(self) -> Layout:
        """Where everything lies below the output folder."""
        return Layout(Path(self.sink.path))

    @property
    def features(self) -> Path:
        """The folder that readers read."""
        return self.layout.features(self.info.date)

    @property
    def report(self) -> Path:
        """The page for people, beside the manifest."""
        return self.layout.manifest(self.info.run_id).with_name("report.html")


@dataclass(frozen=True)
class Outcome:
    """How a run ended well."""

    status: str
    """`published` or `already published`."""
    manifest: Manifest
    seconds: float

    def json_line(self) -> str:
        """The last line on stdout of `amalgam run`: what schedulers and scripts read."""
        total, run = self.manifest.ledger.total(), self.manifest.run
        return json.dumps(
            {
                "status": self.status,
                "job": run.job,
                "date": run.date,
                "run_id": run.run_id,
                "rows_read": total.rows_read,
                "rows_published": total.rows_published,
                "rows_quarantined": total.rows_quarantined,
                "quarantined": dict(sorted(total.quarantined.items())),
                "issues": dict(sorted(total.issues.items())),
                "encoded": dict(sorted(total.encoded.items())),
                "recalled": dict(sorted(total.recalled.items())),
                "repeated": dict(sorted(total.repeated.items())),
                "parts": len(self.manifest.features),
                "units_resumed": self.manifest.details.get("units", {}).get("resumed", 0),
                "fingerprint": run.settings_fingerprint,
                "seconds": round(self.seconds, 3),
            }
        )


def plan_work(
    job: Job, interval: Interval, partition: str, inputs: InputPlan, recipe: Recipe, sink: ParquetSinkSpec
) -> Work:
    """Work with its identity: the same job, interval, input and settings give the same run id."""
    bounds = (interval.start.isoformat(), interval.end.isoformat())
    settings = {
        "job": job.name,
        "interval": bounds,
        "input": inputs.fingerprint,
        "recipe": recipe.fingerprint,
        "schema": str(recipe.schema),
        "columns": [recipe.key, recipe.event_timestamp, *recipe.keep],
        "output": sink.model_dump(mode="json", exclude={"path", "run"}),
        "units": [job.execution.unit_rows, job.execution.unit_bytes],
    }
    run_id = f"{partition}-{digest(settings)[:12]}"
    info = RunInfo(run_id, job.name, partition, *bounds, inputs.fingerprint, recipe.fingerprint)
    return Work(job, inputs, recipe, info, sink.for_run(info))


def execute(
    work: Work,
    beam_args: Sequence[str],
    *,
    details: Mapping[str, Any],
    accept: Callable[[Ledger], None],
    clock: Clock = time.monotonic,
) -> Outcome:
    """Process what is not done yet and publish the partition, unless exactly this run stands there already.

    Args:
        work: what to do.
        beam_args: options that go to Beam as they are.
        details: what the manifest records beside the ledger.
        accept: raises when the balanced ledger must not be published.
        clock: steady seconds.
    """
    began = clock()
    sink = work.sink.build()
    published = sink.is_published()
    if published and is_tidy(work):
        return _already_published(work, clock() - began)
    if not published:
        refuse_foreign(work.layout.root, work.info.date, work.job.name)
        check_output(work.sink.path, bytes_needed=least_bytes(work))
    with Lease.acquire(work.layout.leases, work.job.name, work.info.date) as lease:
        sweep_abandoned(work.layout.root, work.info)
        if sink.is_published():  # by whoever held the lease before, perhaps killed before it had tidied up
            sink.sweep()
            return _already_published(work, clock() - began)
        with telling_room(work):
            return complete(
                work, sink, lease, planned_rows(work), beam_args, details=details, accept=accept, clock=clock
            )


def is_tidy(work: Work) -> bool:
    """Whether an earlier run of the same work left nothing to be cleaned up: neither staging nor a lease."""
    layout, info = work.layout, work.info
    return not layout.staging(info.run_id).root.exists() and not is_left_behind(layout.leases, info.job, info.date)


def _already_published(work: Work, seconds: float) -> Outcome:
    return Outcome("already published", read_manifest(work.layout.manifest(work.info.run_id)), seconds)


def least_bytes(work: Work) -> int:
    """What the parts to come take at the very least: the vectors' bytes, of which compression saved up to a half."""
    widths = sum(encoder.output_dim for encoder in work.recipe.encoders.values()) + work.recipe.fused_dim
    return (work.inputs.rows - _rows_done(work)) * widths * 4 // 2


@contextmanager
def telling_room(work: Work) -> Iterator[None]:
    """Adds to an error of writing how much room the parts to come need, where that is why.

    Raises:
        OutputError: what was raised, with both numbers.
    """
    try:
        yield
    except OutputError as error:
        needed, free = _bytes_to_come(work), free_bytes(work.layout.all_staging)
        if free >= needed:
            raise
        raise OutputError(f"{error}; what is left to do needs about {needed:,} bytes, {free:,} are free") from error


def _bytes_to_come(work: Work) -> int:
    """By what the rows took that are done; where none are, the least."""
    staging, done = work.layout.staging(work.info.run_id), _rows_done(work)
    files = [path for folder in (staging.features, staging.quarantine) for path in folder.glob("*.parquet")]
    per_row = sum(path.stat().st_size for path in files) / max(done, 1)
    return max(least_bytes(work), int(per_row * (work.inputs.rows - done)))


def complete(
    work: Work,
    sink: ParquetSink,
    lease: Lease,
    planned: Mapping[str, int],
    beam_args: Sequence[str],
    *,
    details: Mapping[str, Any],
    accept: Callable[[Ledger], None],
    clock: Clock = time.monotonic,
) -> Outcome:
    """Process the units that are not done, check the ledger against `planned` (unit id -> rows), and publish.

    The caller holds the lease; `planned` may name units that were put into staging by other means than processing.
    """
    began = clock()
    before = sink.finished()
    processed = process(work, before, beam_args)
    parts = sink.finished()
    ledger = Ledger.of((unit, parts[unit].counts) for unit in planned if unit in parts)
    ledger.check(planned)
    accept(ledger)
    schema = Project(work.recipe).output_schema(work.recipe.schema)
    record = {
        **details,
        "key": work.recipe.key,
        "keep": list(work.recipe.keep),
        "options": list(beam_args),
        "fencing": lease.number,
        "seconds": clock() - began,
        "throughput": processed.throughput,
        "workers": processed.workers,
        "worker_restarts": processed.restarts,
        "worker_usage": {name: usage.told() for name, usage in processed.usage.items()},
        "worker_plans": dict(processed.plans),
        "units": {"done": len(ledger.units), "resumed": len(before)},
        "unusable_files": {**work.inputs.unreadable, **work.inputs.refused},
        "unverified_files": list(work.inputs.unverified),
        "input_files": work.inputs.digests,
        "schema": [[field.name, str(field.type)] for field in schema],
    }
    chosen = [parts[unit] for unit in ledger.units]
    manifest = sink.publish(chosen, ledger, record, schema=schema, fence=lease.fence)
    return Outcome("published", manifest, clock() - began)


def planned_rows(work: Work) -> dict[str, int]:
    """Unit id -> rows, by the footers."""
    return {unit.id: unit.rows for unit in work.inputs.units}


@dataclass(frozen=True)
class Processed:
    """How the units were processed."""

    workers: str = "not needed: every unit was done"
    """One line on where encoders ran."""
    throughput: Sequence[Sequence[float]] = ()
    """[seconds, rows done] from time to time."""
    restarts: int = 0
    """Workers that died and were started again."""
    usage: Mapping[str, Usage] = field(default_factory=dict)
    """Modality -> what its encoder's workers did."""
    plans: Mapping[str, str] = field(default_factory=dict)
    """Modality -> how its encoder was run."""


def process(work: Work, done: Mapping[str, Part], beam_args: Sequence[str]) -> Processed:
    """Run the graph over the units that are not done; again, a few times, when a Beam worker process died."""
    if all(unit.id in done for unit in work.inputs.units):
        return Processed()
    root = work.layout.staging(work.info.run_id).root
    notes = Notes(failures=str(root / "failures"), diary=str(root / "diary"))
    rows = sum(unit.rows for unit in work.inputs.units if unit.id not in done)
    ops = {name: EmbedSpec(name=name, encoder=encoder) for name, encoder in work.recipe.encoders.items()}
    with work.job.workers.start(ops, rows) as workers:
        recall = recall_of(work, workers.spec)
        known = recall.known(work.recipe, rows) if recall is not None else frozenset()
        load_encoders(workers.spec, work.recipe.encoders, known)
        _LOG.info("workers: %s", workers.found)
        with Progress(work.inputs.rows, lambda: _rows_done(work)) as progress, _tended(recall, work.recipe):
            deaths = _process_all(work, done, workers.spec, notes, beam_args, recall)
        plans = {name: str(workers.spec.plan(name)) for name in ops}
        return Processed(workers.found, progress.throughput, deaths + workers.restarts(), workers.usage(), plans)


def _process_all(
    work: Work,
    done: Mapping[str, Part],
    workers: WorkersSpec,
    notes: Notes,
    beam_args: Sequence[str],
    recall: RecallSpec | None,
) -> int:
    """Process until no unit is left; gives the number of Beam worker processes that died on the way."""
    import apache_beam as beam

    from pipelines.nightly import night
    from pipelines.runners import options_for

    deaths = 0
    while True:
        todo = [unit for unit in work.inputs.units if unit.id not in done]
        processes = processes_for(work, sum(unit.rows for unit in todo))
        clear_failures(notes.failures)
        pipeline = beam.Pipeline(options=options_for(beam_args, processes=processes))
        night(pipeline, work.inputs, todo, work.recipe, work.sink, workers, notes, recall)
        try:
            run_pipeline(pipeline, notes)
            return deaths
        except WorkerCrashed as error:
            deaths += 1
            if deaths > MOST_DEATHS:
                raise
            _LOG.warning("%s; what was not finished is done again", error)
            done = work.sink.build().finished()


def processes_for(work: Work, rows: int) -> int:
    """Worker processes of the default runner: as configured, or as many as help with so many rows."""
    inline = work.job.workers.address == "inline"
    cost = row_seconds(work.recipe.modalities.values(), inline=inline)
    return work.job.execution.processes or helpful_processes(rows, cost)


def recall_of(work: Work, workers: WorkersSpec, *, writes: bool = True) -> RecallSpec | None:
    """Where a run's embeddings are known from; None if it is to make all of them.

    Args:
        work: what is to be done.
        workers: where encoders run.
        writes: whether new ones are to be known from now on.
    """
    if not work.job.execution.recall:
        return None
    day = (work.recipe.interval[0].date() - date(1970, 1, 1)).days
    staging = str(work.layout.staging(work.info.run_id).recall) if writes else None
    keep_days = work.job.execution.recall_days
    return RecallSpec(str(work.layout.recall), staging, day, keep_days, device_of(workers))


@contextmanager
def _tended(recall: RecallSpec | None, recipe: Recipe) -> Iterator[None]:
    """While a run goes on, what earlier runs and its own units left in its stores is merged."""
    if recall is None:
        yield
        return
    recall.describe(recipe)
    done = threading.Event()
    merging = threading.Thread(target=_keep_merging, args=(recall, recipe, done), daemon=True)
    merging.start()
    try:
        yield
    finally:
        done.set()
    merging.join()  # not when the run fails: then nothing waits


def _keep_merging(recall: RecallSpec, recipe: Recipe, done: threading.Event) -> None:
    recall.merge(recipe)
    while not done.wait(MERGE_SECONDS):
        recall.merge(recipe)


def _rows_done(work: Work) -> int:
    planned = planned_rows(work)
    folder = work.layout.staging(work.info.run_id).units
    return sum(planned.get(path.stem, 0) for path in folder.glob("*.json"))


def run_pipeline(pipeline: beam.Pipeline, notes: Notes | None = None) -> None:
    """Run a pipeline to its end.

    Args:
        pipeline: with its graph.
        notes: where its workers note failures and what they are at, if they do.

    Raises:
        AmalgamError: the one that stopped a worker where it can be told, else InternalError.
    """
    from pipelines import runners

    try:
        runners.run(pipeline, notes.diary if notes else None)
    except AmalgamError:
        raise
    except Exception as error:  # runners wrap what a worker raised in types of their own
        noted = read_failure(notes.failures) if notes else None
        raise noted or runners.cause(error) or _internal(error) from error


def _internal(error: Exception) -> InternalError:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return InternalError(f"the Beam pipeline must end as DONE; got {type(error).__name__}: {(lines or ['?'])[-1]}")
