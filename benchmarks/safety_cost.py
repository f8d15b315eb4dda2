"""What does safety cost? Its share of the wall time of a night and of the `verify` that follows it; at most 5 %.

    python benchmarks/safety_cost.py --rows 20000

One night of the retail scenario is run in this process (one Beam process, encoders inline), then verified. The seconds
spent in the functions that guard it (lease, ledger, check of the parts, manifest, commit, fsync, verify) are added up
while it runs, each second once. Page checksums and sha256 are computed inside of other calls: they are measured by
writing the published rows and reading the input once more, with and without them. All are shares of one run, so that
a busy machine changes them little.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.faults.timers import Timers
from pipelines.config import load_job
from pipelines.fit import fit
from pipelines.job import Job
from pipelines.recipes import Interval
from pipelines.run import run
from pipelines.scenarios import create
from pipelines.train import train
from tests.e2e.retail import weight_free
from transforms.sinks.layout import Layout

DATE = "2026-11-23"
LIMIT = 0.05
ROUNDS = 5  # of each way of writing and reading; the fastest of each counts
IN_PROCESS = ("workers.address=inline", "execution.processes=1")

GUARDS: Mapping[str, tuple[str, ...]] = {
    "ledger: counting and balancing": (
        "transforms.process:_Attempt._count",
        "transforms.process:_Attempt._count_issues",
        "transforms.ledger:UnitCounts.check",
        "transforms.ledger:Ledger.of",
        "transforms.ledger:Ledger.check",
    ),
    "each part read back when it is closed": ("transforms.sinks.parquet_file:check_file",),
    "fsync": ("os:fsync",),
    "a record for each finished unit": ("transforms.sinks.part_writer:write_json",),
    "lease": (
        "transforms.sinks.lease:Lease.acquire",
        "transforms.sinks.lease:Lease.heartbeat",
        "transforms.sinks.lease:Lease.release",
    ),
    "preflight: output, leftovers": (
        "transforms.sinks.parquet:ParquetSink.is_published",
        "pipelines.execute:refuse_foreign",
        "pipelines.execute:check_output",
        "pipelines.execute:sweep_abandoned",
    ),
    "finished units found and checked": ("transforms.sinks.parquet:ParquetSink.finished",),
    "publish: check, manifest, atomic step, sweep": ("transforms.sinks.parquet:ParquetSink.publish",),
    "verify": ("pipelines.verify:verify",),
}
"""What guards a night -> the functions in which its time is spent."""


@dataclass(frozen=True)
class Cost:
    """What a night took, and what of it was for safety."""

    rows: int
    seconds: float
    """Of the night and of verify."""
    guards: Mapping[str, float]
    """What -> seconds."""

    @property
    def share(self) -> float:
        """Of all guards in the whole."""
        return sum(self.guards.values()) / self.seconds


def measure(folder: Path, out: Path) -> Cost:
    """Run the night of a shop and verify it.

    Raises:
        LookupError: a guard does not exist, or was never called.
    """
    job = load_job(folder / "job.yaml", [f"output.path={out}", *IN_PROCESS])
    timers = Timers()
    for name, targets in GUARDS.items():
        for target in targets:
            timers.time(name, target)
    seconds, rows = _night(job)
    _must_be_called(timers)
    return Cost(rows, seconds, {**timers.seconds, **_hidden(job, out)})


def _night(job: Job) -> tuple[float, int]:
    from pipelines import verify  # the module: its function is timed

    began = time.perf_counter()
    outcome = run(job, Interval.of_day(DATE))
    found = verify.verify(Path(job.output.path), DATE)
    seconds = time.perf_counter() - began
    if found.problems:
        raise RuntimeError("\n".join(found.problems))
    return seconds, outcome.manifest.ledger.total().rows_read


def _must_be_called(timers: Timers) -> None:
    rare = {"transforms.sinks.lease:Lease.heartbeat"}  # every 15 s
    silent = [t for targets in GUARDS.values() for t in targets if t not in timers.calls and t not in rare]
    if silent:
        raise LookupError(f"every guard must be called by a night; got no call of {', '.join(silent)}")


def _hidden(job: Job, out: Path) -> dict[str, float]:
    """Seconds of what is computed inside of other calls: page checksums and sha256 of what is written and read."""
    layout = Layout(out)
    written = [p for folder in (layout.features(DATE), layout.quarantine(DATE)) for p in sorted(folder.iterdir())]
    tables = [pq.ParquetFile(path).read() for path in written]
    inputs = sorted(Path(job.input.location(DATE)).glob("*.parquet"))
    return {
        "sha256 of the parts while they are written": min(_seconds(partial(_sha256, written)) for _ in range(ROUNDS)),
        "page checksums of the parts, computed": _difference(partial(_write, tables, job)),
        "page checksums of the input, verified": _difference(partial(_read, inputs)),
    }


def _sha256(paths: Sequence[Path]) -> None:
    for path in paths:
        hashlib.sha256(path.read_bytes()).digest()


def _read(paths: Sequence[Path], checked: bool) -> None:
    for path in paths:
        _read_file(path, checked)


def _read_file(path: Path, checked: bool) -> None:
    with pq.ParquetFile(path, page_checksum_verification=checked) as file:
        for group in range(file.metadata.num_row_groups):
            file.read_row_group(group, use_threads=False)


def _write(tables: Sequence[pa.Table], job: Job, checked: bool) -> None:
    for table in tables:
        pq.write_table(
            table,
            pa.MockOutputStream(),  # counts bytes and keeps none
            compression=job.output.compression,
            compression_level=job.output.compression_level,
            row_group_size=job.output.row_group_rows,
            write_page_checksum=checked,
        )


def _difference(work: Callable[[bool], object]) -> float:
    """How much longer `work(True)` takes than `work(False)`, at least nothing."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(ROUNDS):
        for checked in (True, False):  # in turn, so that a busy moment meets both
            seconds[checked].append(_seconds(partial(work, checked)))
    return max(0.0, min(seconds[True]) - min(seconds[False]))


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def shop(folder: Path, rows: int) -> Path:
    """A shop with one night of so many rows, fitted and trained; made unless it is there already."""
    folder = folder / f"retail-{rows}"
    trained = folder / "trained"  # written last
    if not trained.exists():
        job = load_job(weight_free(create(folder, rows=rows, history=1000, nights=1).job), IN_PROCESS)
        fit(job)
        train(job)
        trained.touch()
    return folder


def table(cost: Cost) -> Iterator[str]:
    """A line for each guard, most expensive first, and the sum."""
    width = max(map(len, cost.guards)) + 2
    yield f"{'guard':<{width}}{'seconds':>10}{'share':>10}"
    for name, seconds in sorted(cost.guards.items(), key=lambda item: -item[1]):
        yield f"{name:<{width}}{seconds:>10.3f}{seconds / cost.seconds:>10.2%}"
    yield f"{'all':<{width}}{sum(cost.guards.values()):>10.3f}{cost.share:>10.2%}"
    yield f"{cost.rows:,} rows in {cost.seconds:.1f} s, verify included; at most {LIMIT:.0%} may be for safety"


def main() -> int:
    """Measure and print the table; 0 if the share is small enough."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of the night")
    parser.add_argument("--data", type=Path, help="where the data set is kept for the next time; nowhere by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="safety-cost-") as scratch:
        folder = shop(options.data or Path(scratch), options.rows)
        cost = measure(folder, Path(scratch) / "out")
    for line in table(cost):
        sys.stdout.write(line + "\n")
    return 0 if cost.share <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
