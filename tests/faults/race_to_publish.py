"""Script: two processes run the same night into the same output at the same moment; prints how each of them ended.

Usage: race_to_publish.py JOB PREPARED FOLDER RACES. PREPARED is an output in which every unit is staged, so that a race
is about lease and publication alone; each race has a copy of its own below FOLDER. A line for each race: two words.
"""

from __future__ import annotations

import multiprocessing
import shutil
import sys
from collections.abc import Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from models.errors import AmalgamError
from pipelines.config import load_job
from pipelines.execute import Work, execute
from pipelines.run import prepare
from tests.pipelines.tiny_jobs import NIGHT


def compete(works: Sequence[Work], together: Barrier, ends: Queue[tuple[int, str]]) -> None:
    """Take part in every race."""
    for race, work in enumerate(works):
        together.wait()
        try:
            ends.put((race, execute(work, (), details={}, accept=lambda _ledger: None).status))
        except AmalgamError as error:
            ends.put((race, f"exit {error.exit_code}"))


def main(job: Path, prepared: Path, folder: Path, races: int) -> None:
    """Race with two processes."""
    outputs = [folder / str(race) for race in range(races)]
    for output in outputs:
        shutil.copytree(prepared, output)
    works = [prepare(load_job(job, [f"output.path={output}"]), NIGHT) for output in outputs]
    context = multiprocessing.get_context("fork")
    together, ends = context.Barrier(2, timeout=60), context.Queue()
    for _ in range(2):
        context.Process(target=compete, args=(works, together, ends)).start()
    ended = [ends.get(timeout=120) for _ in range(2 * races)]
    for race in range(races):
        sys.stdout.write(",".join(sorted(status for number, status in ended if number == race)) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
