"""How near is Amalgam to the floor: the same models and decoders alone, on the same rows, with nothing around them?

    python benchmarks/floor.py --rows 20000
    python benchmarks/floor.py --rows 20000 --modalities text --share 0.1

The floor of a modality is (core-seconds of bare decoding + core-seconds of bare forward passes) / cores: what the best
schedule of these two kinds of work would take that never leaves a core idle. Forward passes run over inputs that are
prepared beforehand, sorted by length over all rows and padded; batch size and thread plan are the best ones that a
sweep finds. Decoding is Pillow, soundfile with soxr, or the tokenizer. Neither reads or writes Parquet.

Amalgam runs as `amalgam run`, Parquet to Parquet, each time into an empty output. Nights of two lengths are run: what
each further row takes is compared with the floor; what the rows do not explain is start-up, and shown apart. Floor and
nights are measured in turn, so that a busy moment meets both; the ratio is the median over the rounds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import nights
from benchmarks.bare import crew
from benchmarks.bare.crew import Plan, Task
from benchmarks.bench_data.job import DATE, partition, real_weights, write_job
from benchmarks.bench_data.night import CONTENTS, Night, write

ALL = tuple(CONTENTS)
SHORT = "2026-11-22"  # the night of fewer rows
GOAL = 0.92  # of the floor
BATCHES = (8, 16, 32, 64)
SWEPT_ROWS = 512  # of each batch size and plan: some seconds each


@dataclass(frozen=True)
class Floor:
    """What a row takes at the least, in seconds of all cores."""

    decode: float
    forward: float

    @property
    def seconds(self) -> float:
        """Both together."""
        return self.decode + self.forward


@dataclass(frozen=True)
class Round:
    """The floor and Amalgam, measured once."""

    floor: Floor
    pace: nights.Pace

    @property
    def ratio(self) -> float:
        """1 is the floor itself."""
        return self.floor.seconds / self.pace.row_seconds


class Site:
    """The data, models and job files of a measurement."""

    def __init__(self, folder: Path, rows: int, modalities: Sequence[str], cache: Path) -> None:
        self.folder = folder
        self.modalities = tuple(modalities)
        self.weights = real_weights(cache.resolve(), self.modalities)
        data = folder / "data"
        # A quarter as long: enough that as many processes are started as for the whole.
        self.nights = {SHORT: -(-rows // 4), DATE: rows}
        first = 0
        for date, count in self.nights.items():
            if not (data / partition(date)).exists():
                write(data, Night(partition(date), count, first, self.modalities))
            first += count

    def task(self, modality: str, share: float = 1.0) -> Task:
        """What a crew measures of a modality on about this share of the rows."""
        folder = self.folder / "data" / partition(DATE)
        return Task(modality, self.weights[modality], folder, CONTENTS[modality].column, max(1, round(1 / share)))

    def pace(self, modalities: Sequence[str], settings: Sequence[str]) -> nights.Pace:
        """Run both nights of a job over these modalities."""
        name = "-".join(modalities)
        job = write_job(self.folder / f"{name}.yaml", {m: self.weights[m] for m in modalities})
        return nights.Pace(*(self._run(job, date, settings) for date in self.nights))

    def _run(self, job: Path, date: str, settings: Sequence[str]) -> nights.Run:
        output = self.folder / "out"
        shutil.rmtree(output, ignore_errors=True)  # nothing is known from before
        return nights.run(job, date, output, settings)


def best_plan(site: Site, modality: str, cores: int) -> Plan:
    """The batch size and thread plan that take the fewest core-seconds for a row."""
    layouts = {(1, cores), (cores, 1)}
    plans = [Plan(replicas, threads, batch) for replicas, threads in sorted(layouts) for batch in BATCHES]
    rows = site.nights[DATE]

    def cost(plan: Plan) -> float:
        share = max(SWEPT_ROWS, plan.replicas * plan.batch) / rows  # every replica gets a batch
        return crew.forward(site.task(modality, min(share, 1.0)), plan).per_row

    return min(plans, key=cost)


def floor_of(site: Site, modality: str, plan: Plan, cores: int, share: float) -> Floor:
    """Measure the floor of a modality."""
    task = site.task(modality, share)
    return Floor(crew.decode(task, cores).per_row / cores, crew.forward(task, plan).per_row / cores)


def measure(
    site: Site, rounds: int, share: float = 1.0, settings: Sequence[str] = ()
) -> tuple[Mapping[str, Plan], Mapping[str, list[Round]]]:
    """The best plan of each modality, and the rounds of each and of all together.

    Args:
        site: data and models.
        rounds: how often everything is measured.
        share: of the batches that the floor runs; the others are taken to cost as much.
        settings: of the job file, as after `--set`.
    """
    cores = len(os.sched_getaffinity(0))
    plans = {modality: best_plan(site, modality, cores) for modality in site.modalities}
    jobs: list[tuple[str, ...]] = [(modality,) for modality in site.modalities]
    jobs += [site.modalities] if len(site.modalities) > 1 else []
    site.pace(site.modalities, settings)  # once for nothing: plans that are found out and remembered, files in memory
    found: dict[str, list[Round]] = {" + ".join(job): [] for job in jobs}
    for _ in range(rounds):
        floors = {modality: floor_of(site, modality, plans[modality], cores, share) for modality in site.modalities}
        for job in jobs:
            together = Floor(sum(floors[m].decode for m in job), sum(floors[m].forward for m in job))
            found[" + ".join(job)].append(Round(together, site.pace(job, settings)))
    return plans, found


def table(plans: Mapping[str, Plan], found: Mapping[str, list[Round]]) -> Iterator[str]:
    """A line for each job; times are of one row, in milliseconds of all cores."""
    width = max(map(len, found)) + 2
    yield f"{'job':<{width}}{'decode':>9}{'forward':>9}{'amalgam':>9}{'ratio':>7}{'range':>13}{'start-up':>11}"
    for name, rounds in found.items():
        decode, forward, amalgam = (
            1e3 * median(times)
            for times in (
                [one.floor.decode for one in rounds],
                [one.floor.forward for one in rounds],
                [one.pace.row_seconds for one in rounds],
            )
        )
        ratios = sorted(one.ratio for one in rounds)
        spread = f"{ratios[0]:.2f}-{ratios[-1]:.2f}"
        start = median(one.pace.start_up for one in rounds)
        times = f"{decode:>9.2f}{forward:>9.2f}{amalgam:>9.2f}"
        yield f"{name:<{width}}{times}{median(ratios):>7.2f}{spread:>13}{start:>9.1f} s"
    for modality, plan in plans.items():
        yield f"best plan for {modality}: {plan}"
    for name, rounds in found.items():
        yield f"stages of {name}, s: {_stages(rounds[-1].pace.long)}"


def _stages(run: nights.Run) -> str:
    return ", ".join(f"{name} {seconds:.1f}" for name, seconds in sorted(run.stages.items(), key=lambda one: -one[1]))


def main() -> int:
    """Measure and print the table; 0 if every ratio is good enough."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of the long night")
    parser.add_argument("--modalities", default=",".join(ALL), help="with commas between; all of them by default")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured; the median counts")
    parser.add_argument("--share", type=float, default=1.0, help="of the batches that the floor runs")
    parser.add_argument("--data", type=Path, help="where data and models are kept for the next time")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the job file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="floor-") as scratch:
        data = options.data or Path(scratch)
        modalities = options.modalities.split(",")
        site = Site(data / f"floor-{'-'.join(modalities)}-{options.rows}", options.rows, modalities, data / "weights")
        plans, found = measure(site, options.rounds, options.share, options.set)
    for line in table(plans, found):
        sys.stdout.write(line + "\n")
    return 0 if all(median(one.ratio for one in rounds) >= GOAL for rounds in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
