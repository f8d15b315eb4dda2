"""How much do more processes and Ray help on one machine? Whole nights, each way, in turn; ratios to one process.

    python benchmarks/processes.py --rows 4000

Every way publishes the same night of the retail scenario into an output of its own, as a subprocess, start-up included.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pipelines.scenarios import create
from tests.e2e.retail import weight_free

DATE = "2026-11-23"
AMALGAM = (sys.executable, "-m", "pipelines")


@dataclass(frozen=True)
class Way:
    """One way of running the night."""

    name: str
    settings: tuple[str, ...]


WAYS = (
    Way("1 process, inline", ("execution.processes=1", "workers.address=inline")),
    Way("2 processes, inline", ("execution.processes=2", "workers.address=inline")),
    Way("4 processes, inline", ("execution.processes=4", "workers.address=inline")),
    Way("1 process, Ray", ("execution.processes=1", "workers.address=local")),
    Way("2 processes, Ray", ("execution.processes=2", "workers.address=local")),
)


def amalgam(*arguments: str) -> str:
    """Run the program and give its standard output."""
    return subprocess.run([*AMALGAM, *arguments], check=True, capture_output=True, text=True).stdout


def measure(job: Path, way: Way, unit_rows: int) -> float:
    """Seconds of the whole command."""
    shutil.rmtree(job.parent / "out", ignore_errors=True)
    settings = [s for setting in (*way.settings, f"execution.unit_rows={unit_rows}") for s in ("--set", setting)]
    began = time.monotonic()
    amalgam("run", str(job), "--date", DATE, *settings)
    return time.monotonic() - began


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4000, help="rows of the night")
    parser.add_argument("--unit-rows", type=int, default=500, help="rows of a unit")
    parser.add_argument("--rounds", type=int, default=3, help="how often every way is measured; the median counts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        job = weight_free(create(Path(scratch) / "shop", rows=options.rows, history=1000, nights=1).job)
        amalgam("fit", str(job))
        amalgam("train", str(job), "--set", "workers.address=inline")
        seconds: dict[str, list[float]] = {way.name: [] for way in WAYS}
        for _ in range(options.rounds):
            for way in WAYS:
                seconds[way.name].append(measure(job, way, options.unit_rows))
    base = median(seconds[WAYS[0].name])
    sys.stdout.write(f"{'way':<22}{'seconds':>10}{'rows/s':>10}{'ratio':>8}\n")
    for name, times in seconds.items():
        spent = median(times)
        sys.stdout.write(f"{name:<22}{spent:>10.1f}{options.rows / spent:>10.0f}{base / spent:>8.2f}\n")


if __name__ == "__main__":
    main()
