"""Draws a night of realistic texts, JPEGs and sounds, and writes the job file that goes with it.

python -m benchmarks.bench_data DIR --rows 20000 --modalities text,image,audio --duplicates 0.2
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.bench_data import job, night


def main() -> None:
    """Write the data and say where."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to; must hold no such night")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--modalities", default="text,image,audio", help="types, with commas between")
    parser.add_argument("--duplicates", type=float, default=0.0, help="share of rows that repeat an earlier value")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", type=Path, help="cache of models; DIR/weights by default")
    options = parser.parse_args()
    modalities = tuple(options.modalities.split(","))
    if unknown := sorted(set(modalities) - set(night.CONTENTS)):
        parser.error(f"--modalities must be of {', '.join(night.CONTENTS)}; got {', '.join(unknown)}")
    wanted = night.Night(
        job.partition(), options.rows, modalities=modalities, duplicates=options.duplicates, seed=options.seed
    )
    place = night.write(options.folder / "data", wanted)
    weights = job.real_weights((options.weights or options.folder / "weights").resolve(), modalities)
    path = job.write_job(options.folder / "bench.yaml", weights)
    size = sum(file.stat().st_size for file in place.iterdir())
    sys.stdout.write(f"Wrote {options.rows:,} rows ({size / 1e6:,.0f} MB) and {path}; run it with --date {job.DATE}\n")


if __name__ == "__main__":
    main()
