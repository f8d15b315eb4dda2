"""What do the same faults do to plain Beam? ReadFromParquet, RunInference and WriteToParquet, run and judged for real.

    python benchmarks/plain_beam.py
    python benchmarks/plain_beam.py --only F04 F15

The job is `benchmarks/plain/job.py`, what a user would write around the same encoder. Every fault is injected into a
real run in a process of its own; what stands in the output folder afterwards is read with pyarrow and compared with the
input files, with the questions of the tests' oracle: is a row lost, doubled, torn, or wrong, and did anything say so?
Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the oracle belongs to the checkout's tests

from benchmarks.faults.forks import preload
from benchmarks.plain.cases import CASES, NOT_ASKED, Finding
from benchmarks.plain.lab import Lab


def findings(faults: Iterable[str]) -> Iterator[Finding]:
    """Ask each fault in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="plain-beam-") as scratch:
        for fault in faults:
            yield CASES[fault](Lab(Path(scratch)).fresh(fault))


def table(found: Iterable[Finding]) -> Iterator[str]:
    """The lines of the Markdown table, each as soon as it is known."""
    yield "| fault | asked as | plain Beam | verdict |"
    yield "|---|---|---|---|"
    for finding in found:
        cells = (finding.fault, finding.asked, finding.happened, finding.verdict)
        yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def main() -> int:
    """Run the faults and print the table, then what was not asked and why."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=sorted(CASES), metavar="FAULT", help="these faults alone")
    options = parser.parse_args()
    preload()
    for line in table(findings(options.only or CASES)):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    for faults, reason in () if options.only else NOT_ASKED.items():
        sys.stdout.write(f"| {faults} | not asked: {reason} | | |\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
