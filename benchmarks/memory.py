"""Does memory grow with the input? A night against one that is many times as long: peaks over all processes.

    python benchmarks/memory.py --rows 20000 --times 10
    python benchmarks/memory.py --rows 2000 --times 5 --modalities text,image

The long night is the short one, repeated under new keys; with `--modalities`, both are drawn anew, no value twice, and
go through pretrained models (MiniLM, ViT-Ti/16): these nights must also stay under a limit. Each is published into an
output of its own, as a subprocess.
Memory is counted as proportional set size (what several processes share, each counts in part), summed over the
command and everything that it started, Ray and its object store included, five times a second.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.bench_data.job import partition, real_weights, write_job
from benchmarks.bench_data.night import Night as Drawn
from benchmarks.bench_data.night import write
from models.arrow import set_column
from pipelines.scenarios import create
from tests.e2e.retail import weight_free

DATE = "2026-11-23"
KEY = "customer_id"
AMALGAM = (sys.executable, "-m", "pipelines")
SAMPLE_SECONDS = 0.2
LIMIT = 2.5 * 2**30  # bytes of a night of texts and pictures on two cores
GROWTH = 0.15  # CONTRACT.md, guarantee 5, as far as sampling and the allocator allow to see it


@dataclass(frozen=True)
class Night:
    """What one night took."""

    rows: int
    peak: int
    """Bytes."""
    seconds: float


def compare(folder: Path, rows: int, times: int, settings: Sequence[str] = ()) -> tuple[Night, Night]:
    """Run a night of so many rows and one that is `times` as long.

    Args:
        folder: where the data sets and outputs go.
        rows: of the short night.
        times: how much longer the other one is.
        settings: of the job file, as after `--set`.
    """
    shop = folder / "shop"
    weight_free(create(shop, rows=rows, history=1000, nights=1).job)
    lengthen(shop / "data" / f"date={DATE}", shop / "long" / f"date={DATE}", times)
    amalgam("fit", shop, "execution.processes=1")
    amalgam("train", shop, "execution.processes=1", "workers.address=inline")
    short = measure(shop, rows, "output.path=out_short", *settings)
    return short, measure(shop, rows * times, "output.path=out_long", "input.path=long/date={date}", *settings)


def compare_encoders(
    folder: Path, modalities: tuple[str, ...], rows: int, times: int, settings: Sequence[str] = ()
) -> tuple[Night, Night]:
    """The same with pretrained models over these modalities."""
    write_job(folder / "job.yaml", real_weights(folder / "weights", modalities))
    write(folder / "data", Drawn(partition(DATE), rows, modalities=modalities))
    write(folder / "long", Drawn(partition(DATE), rows * times, rows, modalities))
    short = measure(folder, rows, "output.path=out_short", *settings)
    return short, measure(folder, rows * times, "output.path=out_long", "input.path=long/date={date}", *settings)


def lengthen(night: Path, target: Path, times: int) -> None:
    """Write every file of a night so many times, each time with other keys; row group by row group."""
    target.mkdir(parents=True)
    for path in sorted(night.glob("*.parquet")):
        for number in range(times):
            with (
                pq.ParquetFile(path) as source,
                pq.ParquetWriter(target / f"{number:03d}-{path.name}", source.schema_arrow, compression="zstd") as file,
            ):
                for group in range(source.num_row_groups):
                    for batch in source.read_row_group(group).to_batches():
                        file.write_batch(_renamed(batch, number))


def _renamed(batch: pa.RecordBatch, number: int) -> pa.RecordBatch:
    """The batch with other keys; a key that is missing stays so."""
    keys = batch.column(KEY)
    others = pc.binary_join_element_wise(keys, str(number), "-")
    return set_column(batch, KEY, pc.if_else(pc.equal(keys, ""), keys, others))


def measure(shop: Path, rows: int, *settings: str) -> Night:
    """Run the night and watch it."""
    began, peak = time.monotonic(), 0
    with subprocess.Popen(command("run", shop, *settings, date=DATE), stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(SAMPLE_SECONDS)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return Night(rows, peak, time.monotonic() - began)


def resident(pid: int) -> int:
    """Bytes that a process and all that it started hold now; 0 once it has ended."""
    try:
        root = psutil.Process(pid)
        return sum(_proportional(process) for process in (root, *root.children(recursive=True)))
    except psutil.NoSuchProcess:
        return 0


def _proportional(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # it has ended meanwhile; a zombie holds nothing
        return 0


def amalgam(name: str, shop: Path, *settings: str) -> None:
    """Run a command to its end."""
    subprocess.run(command(name, shop, *settings), check=True, capture_output=True)


def command(name: str, shop: Path, *settings: str, date: str = "") -> list[str]:
    """A command line of Amalgam; relative paths in settings start at the shop's folder."""
    pairs = [argument for setting in settings for argument in ("--set", setting)]
    return [*AMALGAM, name, str(shop / "job.yaml"), *(["--date", date] if date else []), *pairs]


def main() -> int:
    """Measure and print the table; 0 if memory is flat and, with pretrained models, within the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of the short night")
    parser.add_argument("--times", type=int, default=10, help="how many times as long the other night is")
    parser.add_argument("--modalities", help="with commas between: pretrained models over these, without any others")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the job file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if options.modalities:
            modalities = tuple(options.modalities.split(","))
            short, long = compare_encoders(Path(scratch), modalities, options.rows, options.times, options.set)
        else:
            short, long = compare(Path(scratch), options.rows, options.times, options.set)
    sys.stdout.write(f"{'rows':>10}{'peak, MB':>12}{'seconds':>10}{'rows/s':>10}\n")
    for night in (short, long):
        spent = f"{night.seconds:>10.1f}{night.rows / night.seconds:>10.0f}"
        sys.stdout.write(f"{night.rows:>10,}{night.peak / 1e6:>12,.0f}{spent}\n")
    sys.stdout.write(f"{options.times} times the rows, {long.peak / short.peak:.3f} times the memory\n")
    is_flat = long.peak <= (1 + GROWTH) * short.peak
    return 0 if is_flat and (options.modalities is None or long.peak <= LIMIT) else 1


if __name__ == "__main__":
    sys.exit(main())
