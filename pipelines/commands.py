"""What each command does once it is parsed: load the job, call the part that does the work, print its result."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import DataRefused, OutputError, UsageError
from pipelines import tables
from pipelines.config import load_job
from pipelines.job import Job
from pipelines.recipes import Interval

if TYPE_CHECKING:
    from pipelines.execute import Outcome  # loads Beam, which most commands do without


def new(folder: Path, scenario: str, rows: int, seed: int, nights: int) -> None:
    """See `pipelines.scenarios.create`."""
    from pipelines.scenarios import create

    created = create(folder, scenario, rows=rows, seed=seed, nights=nights)
    say(f"{created}\nNext: cd {folder} && amalgam fit job.yaml && amalgam train job.yaml")


def kinds(family: str) -> None:
    """Print every kind, or those of one family."""
    from models.spec import FAMILIES, discover, nearest

    if family and family not in FAMILIES:
        raise UsageError(f"FAMILY must be one of {', '.join(FAMILIES)}; got {family!r}{nearest(family, FAMILIES)}")
    say(tables.kinds({name: discover(name) for name in FAMILIES if family in ("", name)}))


def plan(path: Path, overrides: Sequence[str], date: str, start: str, end: str, beam_args: Sequence[str]) -> None:
    """Print what a run with these options would do."""
    from pipelines.plan import plan as make_plan

    say(make_plan(load_job(path, overrides), interval(date, start, end), beam_args).text())


def fit(path: Path, overrides: Sequence[str], beam_args: Sequence[str]) -> None:
    """Fit statistics and say what was learned."""
    from pipelines.fit import fit as fit_statistics

    fitted = fit_statistics(load_job(path, overrides), beam_args)
    fields = sum(len(f) for f in fitted.statistics.values())
    say(f"Fitted {fields} fields on the training part of {fitted.rows:,} rows: {fitted.folder}")


def train(path: Path, overrides: Sequence[str], beam_args: Sequence[str]) -> None:
    """Train fusion and heads and print what was reached."""
    from pipelines.train import train as train_models

    say(train_models(load_job(path, overrides), beam_args).text())


def evaluate(path: Path, overrides: Sequence[str], out: Path | None, beam_args: Sequence[str]) -> None:
    """Print what models are worth on held-out rows; write it as a page too, if a file is named for it."""
    from pipelines.evaluate import evaluate as judge

    job = load_job(path, overrides)
    if out is not None:
        _require_folder_of(out)  # before the work, not after it
    evaluation = judge(job, beam_args)
    say(evaluation.text())
    if out is not None:
        from pipelines.report.learning import learning_page

        _write(out, learning_page(evaluation))
        say(f"Wrote {out}")


def _require_folder_of(file: Path) -> None:
    if file.is_dir() or not file.parent.is_dir():
        raise UsageError(f"--out must be a file in a folder that exists; got {str(file)!r}")


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{file} must be writable; got {error.strerror or error}") from error


def run(path: Path, overrides: Sequence[str], date: str, start: str, end: str, beam_args: Sequence[str]) -> None:
    """Run a night; the last line on stdout is the ledger as JSON."""
    from pipelines.run import run as run_night

    tell(run_night(load_job(path, overrides), interval(date, start, end), beam_args))


def redrive(path: Path, overrides: Sequence[str], date: str, beam_args: Sequence[str]) -> None:
    """Run a date's quarantined records again."""
    from pipelines.redrive import redrive as run_again

    tell(run_again(load_job(path, overrides), interval(date, "", ""), beam_args))


def runs(path: Path, overrides: Sequence[str]) -> None:
    """Print the published runs of a job."""
    from transforms.sinks.manifest import list_runs

    job = load_job(path, overrides)
    say(tables.runs([m for m in list_runs(output(job)) if m.run.job == job.name]))


def show(path: Path, overrides: Sequence[str], run_id: str) -> None:
    """Print one run's ledger."""
    from transforms.sinks.manifest import list_runs

    known = {m.run.run_id: m for m in list_runs(output(load_job(path, overrides)))}
    if run_id not in known:
        raise UsageError(f"RUN must be a published run; got {run_id!r}; published: {', '.join(known) or 'none yet'}")
    say(tables.ledger(known[run_id]))


def verify(path: Path, overrides: Sequence[str], date: str) -> None:
    """Check what was published."""
    from pipelines.verify import verify as check

    job = load_job(path, overrides)
    found = check(output(job), interval(date, "", "").date)
    if found.problems:
        raise DataRefused("\n".join(["  " + problem for problem in found.problems]))
    say(f"verified: {found.files} files, {found.rows:,} rows, no problem")


def gc(path: Path, overrides: Sequence[str], days: float, remove: bool) -> None:
    """Print what dead runs left behind, and what became of it."""
    from pipelines.gc import collect

    collection = collect(load_job(path, overrides), days, remove=remove)
    say(collection.text())
    if collection.errors:
        raise collection.errors[0]


def interval(date: str, start: str, end: str) -> Interval:
    """The run's interval from its flags; never from the clock.

    Raises:
        UsageError: neither or both ways of naming it were used.
    """
    if date and not (start or end):
        return Interval.of_day(date)
    if start and end and not date:
        return Interval.of(start, end)
    given = {"--date": date, "--interval-start": start, "--interval-end": end}
    got = ", ".join(name for name, value in given.items() if value) or "none of them"
    raise UsageError(f"the interval must be named by --date, or by --interval-start and --interval-end; got {got}")


def output(job: Job) -> Path:
    """The job's output folder."""
    return Path(job.output.path)


def tell(outcome: Outcome) -> None:
    """Print how a run ended: its ledger for people, then in one line for programs."""
    say(tables.ledger(outcome.manifest))
    say(f"{outcome.status}: {outcome.manifest.run.run_id}")
    say(outcome.json_line())


def say(text: str) -> None:
    """Print on stdout; a reader that has seen enough (`| head`) is no error."""
    try:
        sys.stdout.write(text.rstrip("\n") + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
