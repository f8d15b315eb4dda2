"""`amalgam run`: one date, from input to published output; safe to start again, resumes by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from models.artifacts import load_card
from models.errors import DataRefused, NoInput
from pipelines import recipes
from pipelines.execute import Outcome, Work, execute, plan_work
from pipelines.job import Job
from pipelines.policies import recorded
from pipelines.recipes import Interval
from transforms.ledger import Ledger
from transforms.units import InputPlan, plan_input

_PACKAGES = ("amalgam", "apache-beam", "pyarrow", "pandas", "numpy", "torch", "transformers", "ray")
_TOLERANCE = 1e-5  # float32 on CPUs: CONTRACT.md, guarantee 3


def run(job: Job, interval: Interval, beam_args: Sequence[str] = ()) -> Outcome:
    """Process a date and publish it, or find that it was published already.

    Raises:
        AmalgamError: see `models.errors`; whatever happens, the last good output still stands.
    """
    check_beam_options(job, beam_args)  # before anything is touched
    work = prepare(job, interval)
    outcome = execute(work, beam_args, details=details_of(work), accept=lambda ledger: refuse_too_many(job, ledger))
    if not work.report.exists():
        from pipelines.report import write_report  # loads what it draws with, which nothing before the end needs

        write_report(outcome.manifest, work.features, work.report)
    return outcome


def check_beam_options(job: Job, beam_args: Sequence[str]) -> None:
    """Refuse what the user wrote after `--` and Beam does not take; without any of it Beam is not loaded.

    Raises:
        UsageError: see `pipelines.runners.options_for`.
    """
    if beam_args:
        from pipelines.runners import options_for

        options_for(beam_args, processes=job.execution.processes)


def prepare(job: Job, interval: Interval) -> Work:
    """Plan a date's run from footers and settings alone; needs neither weights nor workers.

    Raises:
        NoInput: nothing there for the date.
        DataRefused: a file cannot be read or used, and `quarantine.unreadable_files` does not allow it.
        ConfigError: the job does not fit the input, or something was not fitted or trained yet.
    """
    execution = job.execution
    location = job.input.location(interval.date)
    inputs = plan_input(location, job.input_columns(), execution.unit_rows, execution.unit_bytes)
    refuse_unusable_files(job, inputs)
    recipe = recipes.nightly_recipe(job, inputs.schema, interval)
    return plan_work(job, interval, interval.date, inputs, recipe, job.output)


def refuse_unusable_files(job: Job, inputs: InputPlan) -> None:
    """Refuse the run when a file's rows cannot be counted or used, unless the job file allows that.

    Raises:
        DataRefused: naming every such file.
        NoInput: there is no file left.
    """
    unusable = {**inputs.unreadable, **inputs.refused}
    if unusable and job.quarantine.unreadable_files == "refuse":
        listed = "; ".join(f"{name}: {why.removeprefix(f'{name}: ')}" for name, why in sorted(unusable.items()))
        raise DataRefused(
            f"every input file must be readable; got {len(unusable)} that cannot be used: {listed}. "
            "Set quarantine.unreadable_files to allow to go on without"
        )
    if not inputs.files:
        raise NoInput("there must be a readable input file; got none")


def refuse_too_many(job: Job, ledger: Ledger) -> None:
    """Refuse to publish when too many rows are quarantined, or none is left.

    Raises:
        DataRefused: with the counts by reason.
    """
    total = ledger.total()
    reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in total.quarantined.most_common())
    limit = job.quarantine.max_fraction
    if total.rows_quarantined > limit * total.rows_read:
        raise DataRefused(
            f"quarantined rows must be at most {limit:.2%} of those read (quarantine.max_fraction); got "
            f"{total.rows_quarantined:,} of {total.rows_read:,}: {reasons}. The last good output still stands"
        )
    if total.rows_read and not total.rows_published:
        raise DataRefused(f"at least one row must be left to publish; got none of {total.rows_read:,}: {reasons}")


def details_of(work: Work) -> Mapping[str, Any]:
    """What the manifest records of a run's settings."""
    job = work.job
    deciding = recipes.policies(job) if work.recipe.score is not None else {}
    return {
        "settings": job.source,
        "precision": "float32",
        "tolerance": _TOLERANCE,
        "versions": versions(),
        "fingerprints": recipes.fingerprints(work.recipe),
        "heads": {name: head.kind for name, head in job.heads.items()},
        "policies": {name: recorded(name, recipes.policy_places(job, name)) for name in deciding},
        "labels": _noted(job) if work.recipe.score is not None else {},
        "modalities": {name: m.spec.kind for name, m in job.modalities.items()},
    }


def _noted(job: Job) -> dict[str, Any]:
    """What training noted of the fusion and the heads with labels: metrics, and how the loss fell."""
    card = load_card(recipes.fusion_folder(job))
    return {noted: card[noted] for noted in ("metrics", "history") if noted in card}


def versions() -> dict[str, str]:
    """Package -> version, for the manifest."""
    return {package: metadata.version(package) for package in _PACKAGES}
