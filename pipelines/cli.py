"""The program `amalgam`: parsing only; one function per command."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from models.errors import AmalgamError, UsageError
from pipelines import logs

app = typer.Typer(
    name="amalgam",
    help="Tables of mixed records in, fused embeddings, scores and decisions out: every night, at any size.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

JobFile = Annotated[Path, typer.Argument(metavar="JOB", help="The job file (YAML).")]
Overrides = Annotated[
    list[str], typer.Option("--set", metavar="dotted.key=value", help="Override a key of the job file.")
]
Date = Annotated[str, typer.Option("--date", metavar="YYYY-MM-DD", help="The UTC day.")]
Start = Annotated[
    str, typer.Option("--interval-start", "--interval_start", metavar="ISO8601", help="Instead of --date.")
]
End = Annotated[str, typer.Option("--interval-end", "--interval_end", metavar="ISO8601", help="Half-open end.")]
RETENTION_DAYS = 7.0
"""An unfinished run is resumed the next night, or after a long weekend; what lies longer is not waited for."""
BEAM = {"allow_extra_args": True}  # what follows `--` goes to Beam as it is


@app.callback()
def common(
    debug: Annotated[bool, typer.Option("--debug", help="Print a traceback with an error.")] = False,  # read by main()
) -> None:
    """Amalgam."""


@app.command(epilog="Example: amalgam new shop --scenario retail --rows 2000")
def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that does not exist yet, or is empty.")],
    scenario: Annotated[str, typer.Option("--scenario", help="education, finance, medical or retail.")] = "retail",
    rows: Annotated[int, typer.Option("--rows", min=1, help="Rows of the history and of each night.")] = 2000,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same bytes.")] = 0,
    nights: Annotated[int, typer.Option("--nights", min=1, help="How many nightly partitions.")] = 3,
) -> None:
    """Write a job file and a data set: history with labels, nights, and the truth behind them."""
    from pipelines import commands

    commands.new(folder, scenario, rows, seed, nights)


@app.command(epilog="Example: amalgam kinds encoder")
def kinds(family: Annotated[str, typer.Argument(metavar="[FAMILY]", help="One family only.")] = "") -> None:
    """List every kind of every family with its settings."""
    from pipelines import commands

    commands.kinds(family)


@app.command(context_settings=BEAM, epilog="Example: amalgam plan job.yaml --date 2026-11-23")
def plan(
    ctx: typer.Context,
    job: JobFile,
    date: Date = "",
    start: Start = "",
    end: End = "",
    overrides: Overrides = [],
) -> None:
    """Check everything, measure a small sample, and say what a run would do."""
    from pipelines import commands

    commands.plan(job, overrides, date, start, end, ctx.args)


@app.command(context_settings=BEAM, epilog="Example: amalgam fit job.yaml")
def fit(ctx: typer.Context, job: JobFile, overrides: Overrides = []) -> None:
    """Learn normalization statistics from the history, in one pass."""
    from pipelines import commands

    commands.fit(job, overrides, ctx.args)


@app.command(context_settings=BEAM, epilog="Example: amalgam train job.yaml")
def train(ctx: typer.Context, job: JobFile, overrides: Overrides = []) -> None:
    """Train fusion, heads and policies on the history; publish a policy if it is better than what was logged."""
    from pipelines import commands

    commands.train(job, overrides, ctx.args)


@app.command(context_settings=BEAM, epilog="Example: amalgam evaluate job.yaml --out evaluation.html")
def evaluate(
    ctx: typer.Context,
    job: JobFile,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it as a page (HTML) too.")] = None,
    overrides: Overrides = [],
) -> None:
    """Held-out quality: each modality alone, all fused, the baseline; and what policies are worth by the log."""
    from pipelines import commands

    commands.evaluate(job, overrides, out, ctx.args)


@app.command(
    context_settings=BEAM,
    epilog="Example: amalgam run job.yaml --date 2026-11-23 -- --runner=FlinkRunner --flink_master=host:8081",
)
def run(
    ctx: typer.Context,
    job: JobFile,
    date: Date = "",
    start: Start = "",
    end: End = "",
    overrides: Overrides = [],
) -> None:
    """The nightly job: read, clean, encode, fuse, score, publish. Safe to run again."""
    from pipelines import commands

    commands.run(job, overrides, date, start, end, ctx.args)


@app.command(context_settings=BEAM, epilog="Example: amalgam redrive job.yaml --date 2026-11-23")
def redrive(ctx: typer.Context, job: JobFile, date: Date = "", overrides: Overrides = []) -> None:
    """Run only the quarantined records of a date again and publish the result with the rest."""
    from pipelines import commands

    commands.redrive(job, overrides, date, ctx.args)


@app.command(epilog="Example: amalgam runs job.yaml")
def runs(job: JobFile, overrides: Overrides = []) -> None:
    """The history of published runs."""
    from pipelines import commands

    commands.runs(job, overrides)


@app.command(epilog="Example: amalgam show job.yaml 2026-11-23-1f6a0c2b9d3e")
def show(job: JobFile, run_id: Annotated[str, typer.Argument(metavar="RUN")], overrides: Overrides = []) -> None:
    """One run's ledger."""
    from pipelines import commands

    commands.show(job, overrides, run_id)


@app.command(epilog="Example: amalgam verify job.yaml --date 2026-11-23")
def verify(job: JobFile, date: Date = "", overrides: Overrides = []) -> None:
    """Read again what was published; exit 0 only if files, checksums, rows, schema and ledger agree."""
    from pipelines import commands

    commands.verify(job, overrides, date)


@app.command(epilog="Example: amalgam gc job.yaml --older-than 30 --yes")
def gc(
    job: JobFile,
    older_than: Annotated[
        float, typer.Option("--older-than", "--older_than", metavar="DAYS", min=0, help="Keep what changed since then.")
    ] = RETENTION_DAYS,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without this, only say what would go.")] = False,
    overrides: Overrides = [],
) -> None:
    """List what dead runs left behind, and remove it if told so: staging, temporary files, replaced versions."""
    from pipelines import commands

    commands.gc(job, overrides, older_than, yes)


class Stopped(BaseException):
    """SIGTERM or SIGINT arrived: unwinds like KeyboardInterrupt, so that everything is released on the way out."""


# Work is spread over processes; threads of numerical libraries beside them only wait for each other: training took
# three times the CPU time with two threads as with one, and no less time.
_THREAD_POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def stopped_by_signals() -> Iterator[list[int]]:
    """Raise Stopped in this block when a signal asks to end; gives the list to which its number is added.

    (Whoever catches it on its way, as Beam does with whatever a DoFn raises, may have made another exception of it.)
    """
    received: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        for each in previous:
            signal.signal(each, signal.SIG_IGN)  # a second one must not interrupt the clean-up
        received.append(number)
        raise Stopped

    previous = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def program() -> NoReturn:
    """`amalgam`: `main`, and an end at once, as soon as whatever asked to be told of the end was told.

    Python would go on to take its modules apart, which takes 1.5 to 2 s of a core where torch is one of them.
    """
    code = main()
    atexit._run_exitfuncs()  # what Python itself calls, before it takes anything apart
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()
    os._exit(code)


def main(args: list[str] | None = None) -> int:
    """Run the command line; every error becomes one paragraph on stderr and the exit code of its class."""
    arguments = sys.argv[1:] if args is None else args
    debug = "--debug" in arguments[: arguments.index("--") if "--" in arguments else None]
    arguments = [a for i, a in enumerate(arguments) if a != "--debug" or "--" in arguments[:i]]
    _open_closed_streams()
    logs.configure()
    for library in _THREAD_POOLS:  # before any of them is loaded
        os.environ.setdefault(library, "1")
    with stopped_by_signals() as received:
        try:
            # Commands return nothing; a number is typer's own code for --help (0).
            code = typer.main.get_command(app).main(args=arguments, prog_name="amalgam", standalone_mode=False)
            return int(code or 0)
        except TyperException as error:
            return _tell(UsageError(f"{error.format_message()} (see `amalgam --help`)"), debug)
        except Stopped:
            return _code_of(received[0])
        except Exception as error:  # noqa: BLE001  # the last frame: whatever it is must end in a readable paragraph
            return _code_of(received[0]) if received else _tell(error, debug)


def _open_closed_streams() -> None:
    """Let a program that was started without stdout or stderr (`>&-`) write them to nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # open to the end


def _code_of(number: int) -> int:
    """The exit code of a command that a signal ended, as shells give it: 130 for SIGINT, 143 for SIGTERM."""
    return 128 + number


def _tell(error: Exception, debug: bool) -> int:
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    text = str(error) if isinstance(error, AmalgamError) else f"internal error: {type(error).__name__}: {error}"
    start = "" if text.startswith("  ") else " "
    sys.stderr.write(f"amalgam:{start or chr(10)}{text}\n")
    return error.exit_code if isinstance(error, AmalgamError) else 70


if __name__ == "__main__":
    program()
