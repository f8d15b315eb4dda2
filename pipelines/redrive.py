"""`amalgam redrive`: a date's quarantined records, run again and published together with the rest."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.errors import ConfigError, NoInput
from models.spec import digest
from pipelines import recipes
from pipelines.execute import Outcome, Work, complete, plan_work, planned_rows
from pipelines.job import Job
from pipelines.recipes import Interval
from pipelines.run import check_beam_options, details_of, refuse_too_many
from transforms.reject import KEY_DUPLICATE, KEY_MISSING, KEY_NOT_UTF8, ROW_GROUP, quarantine_schema
from transforms.sinks.base import Manifest
from transforms.sinks.layout import Layout, part_name
from transforms.sinks.lease import Lease
from transforms.sinks.manifest import read_manifest
from transforms.sinks.parquet import ParquetSink
from transforms.sinks.standing import published_run
from transforms.units import plan_input

STAYS = (KEY_MISSING, KEY_NOT_UTF8, KEY_DUPLICATE, ROW_GROUP)
"""Reasons that running again cannot lift: the key is not usable or stood earlier, or the record was never read."""
_BATCH_ROWS = 256  # quarantined records hold whole pictures and sounds


def redrive(job: Job, interval: Interval, beam_args: Sequence[str] = ()) -> Outcome:
    """Run a date's quarantined records again; what passes now is published as parts of their own.

    The published rows are copied as they are: nothing is encoded again. Records that fail again, and those that
    cannot be helped (see `STAYS`), are quarantined as before.

    Raises:
        NoInput: nothing is published for the date.
        ConfigError: encoders, fusion or heads are not those of the published rows.
    """
    layout = Layout(Path(job.output.path))
    check_beam_options(job, beam_args)  # before anything is touched
    _published(layout, interval)
    with Lease.acquire(layout.leases, job.name, interval.date) as lease:
        before = _published(layout, interval)
        files = [layout.quarantine(interval.date) / f.name for f in before.quarantine]
        if not any(_helpable(batch).num_rows for path in files for batch in _batches(path)):
            return Outcome("nothing to redrive", before, 0.0)
        try:
            return _redrive(job, _plan(job, interval, before, files), before, lease, beam_args)
        finally:
            shutil.rmtree(_records_folder(layout, before))


def _published(layout: Layout, interval: Interval) -> Manifest:
    run_id = published_run(layout.root, interval.date)
    if run_id is None:
        raise NoInput(f"date {interval.date} must be published before it can be redriven; got nothing in {layout.root}")
    return read_manifest(layout.manifest(run_id))


def _redrive(job: Job, work: Work, before: Manifest, lease: Lease, beam_args: Sequence[str]) -> Outcome:
    sink = work.sink.build()
    for unit in _copied(before).keys() - sink.finished().keys():
        _copy(work.layout, work, sink, before, unit)
    outcome = complete(
        work,
        sink,
        lease,
        _planned(work, before),
        beam_args,
        details={**details_of(work), "redrive_of": before.run.run_id},
        accept=lambda ledger: refuse_too_many(job, ledger),
    )
    from pipelines.report import write_report  # loads what it draws with, which nothing before the end needs

    write_report(outcome.manifest, work.features, work.report)
    return outcome


def _plan(job: Job, interval: Interval, before: Manifest, files: Sequence[Path]) -> Work:
    """The work over the quarantined records, which are laid out as input files in staging."""
    layout = Layout(Path(job.output.path))
    folder = _records_folder(layout, before)
    folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        _write_records(path, folder / path.name)
    inputs = plan_input(str(folder), job.input_columns(), job.execution.unit_rows, job.execution.unit_bytes)
    recipe = recipes.nightly_recipe(job, inputs.schema, interval)
    work = plan_work(job, interval, interval.date, inputs, recipe, job.output)
    same = ("encoders", "fusion", "heads")
    known, now = before.details["fingerprints"], details_of(work)["fingerprints"]
    if changed := [name for name in same if known.get(name) != now[name]]:
        raise ConfigError(
            f"{' and '.join(changed)} must be those of the published rows, with which the redriven ones are to stand "
            f"together; got others. Run `amalgam run` to make the whole date anew"
        )
    info = replace(work.info, run_id=f"{interval.date}-{digest([work.info.run_id, before.run.run_id])[:12]}")
    return replace(work, info=info, sink=job.output.for_run(info))


def _records_folder(layout: Layout, before: Manifest) -> Path:
    return layout.all_staging / f"redrive-{before.run.run_id}"


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        yield from file.iter_batches(_BATCH_ROWS)


def _helpable(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.filter(pc.invert(pc.is_in(batch.column("reason"), pa.array(STAYS))))


def _write_records(quarantined: Path, target: Path) -> None:
    """The helpable records of a quarantine file, as an input file."""
    batches = (_helpable(batch) for batch in _batches(quarantined))
    with pq.ParquetFile(quarantined) as file:
        schema = pa.schema(list(file.schema_arrow.field("record").type))
    with pq.ParquetWriter(target, schema, write_page_checksum=True) as writer:
        for batch in batches:
            writer.write_batch(pa.RecordBatch.from_struct_array(batch.column("record")).cast(schema))


def _copy(layout: Layout, work: Work, sink: ParquetSink, before: Manifest, unit: str) -> None:
    """A published unit, written again under the new run, with the quarantined records that stay."""
    date, counts = before.run.date, before.ledger.units[unit]
    published = layout.features(date) / part_name(unit, before.run)
    quarantined = layout.quarantine(date) / part_name(unit, before.run)
    record = pa.struct(list(work.recipe.schema))
    with pq.ParquetFile(published) as file:
        writer = sink.open(unit, file.schema_arrow.remove_metadata(), record)
    stays: Counter[str] = Counter()
    try:
        for batch in _batches(published):
            writer.write(batch)
        for batch in _batches(quarantined) if quarantined.exists() else ():
            kept = batch.filter(pc.is_in(batch.column("reason"), pa.array(STAYS)))
            stays.update(kept.column("reason").to_pylist())
            writer.quarantine(kept.cast(quarantine_schema(record)))
    except BaseException:
        writer.abandon()
        raise
    rows = counts.rows_published + sum(stays.values())
    writer.close(replace(counts, rows_read=rows, quarantined=stays))


def _planned(work: Work, before: Manifest) -> dict[str, int]:
    """Rows of every unit of the new publication: those copied, and those of the redriven records."""
    return {**_copied(before), **planned_rows(work)}


def _copied(before: Manifest) -> dict[str, int]:
    """Rows that stay where they are, of every unit that has some."""
    rows = {
        unit: counts.rows_published + sum(n for reason, n in counts.quarantined.items() if reason in STAYS)
        for unit, counts in before.ledger.units.items()
    }
    return {unit: n for unit, n in rows.items() if n}
