"""Script: two processes race for leases; prints for each race how many got it.

Usage: race_for_leases.py FOLDER RACES
"""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing.synchronize import Barrier
from pathlib import Path

from models.errors import LeaseHeld
from transforms.sinks.lease import Lease


def run(folder: Path, races: int, start: Barrier, won: list[int]) -> None:
    """Take part in every race, holding what was won until the race is over."""
    for race in range(races):
        start.wait()
        try:
            lease = Lease.acquire(folder, f"race{race}", "2026-11-23")
        except LeaseHeld:
            start.wait()
        else:
            won[race] += 1
            start.wait()
            lease.release()


def main(folder: Path, races: int) -> None:
    """Race with two processes."""
    context = multiprocessing.get_context("fork")
    start = context.Barrier(2)
    scores = [context.Array("i", races) for _ in range(2)]
    racers = [context.Process(target=run, args=(folder, races, start, score)) for score in scores]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    sys.stdout.write(" ".join(str(sum(both)) for both in zip(*scores, strict=True)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
