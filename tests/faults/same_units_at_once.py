"""Script: several processes do every unit of a night at the same moment, as a runner does that speculates.

Usage: same_units_at_once.py JOB PROCESSES
"""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np

from pipelines.config import load_job
from pipelines.execute import Work
from pipelines.run import prepare
from tests.pipelines.tiny_jobs import NIGHT
from transforms.process import UnitProcessor
from transforms.workers.inline import InlineWorkers


def do_all(work: Work, together: Barrier) -> None:
    """Process every unit, beginning each at the same moment as the others."""
    processor = UnitProcessor(work.recipe, work.sink.build(), InlineWorkers())
    for unit in work.inputs.units:
        together.wait()
        processor(unit, np.empty(0, np.int64))


def main(job: Path, processes: int) -> int:
    """How many of the processes failed."""
    context = multiprocessing.get_context("fork")
    work, together = prepare(load_job(job), NIGHT), context.Barrier(processes, timeout=60)
    doing = [context.Process(target=do_all, args=(work, together)) for _ in range(processes)]
    for process in doing:
        process.start()
    for process in doing:
        process.join()
    return sum(process.exitcode != 0 for process in doing)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
