"""Coverage-guided fuzzing of the cleaners and the reader: each in a process of its own, which may die."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("atheris", reason="atheris must be installed, which is built for Linux and Python 3.11")

from tests.fuzz.targets import TARGETS  # needs atheris

ROOT = Path(__file__).parents[2]
RUNS = {"reader": 1_500}
"""Of the reader, whose every input is a file and a question to another process: 20 s. The same ones each time."""
MOST_RUNS, SECONDS = 20_000, 60
"""Whichever comes first."""
OPTIONS = (
    f"-max_total_time={SECONDS}",
    "-seed=1",
    "-timeout=10",  # seconds for one input, after which libFuzzer calls it a hang
    "-rss_limit_mb=2048",
    "-max_len=20000",
    "-detect_leaks=0",  # Python's own, which live until it ends
)

BETWEEN = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
"""A small process between these tests and the fuzzing: libFuzzer limits its peak of resident memory, and Linux hands
a program the peak of the process it was forked from (`getrusage(2)`, `ru_maxrss`): gigabytes, late in a long run."""


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_found(target: str, tmp_path: Path) -> None:
    """No crash, no exception, no hang, no broken promise; what was found is kept, and named here."""
    corpus, found = tmp_path / "corpus", tmp_path / "found"
    corpus.mkdir()
    found.mkdir()
    command = [
        *(sys.executable, "-c", BETWEEN),
        sys.executable,
        "-m",
        "tests.fuzz.targets",
        target,
        str(corpus),
        f"-runs={RUNS.get(target, MOST_RUNS)}",
        *OPTIONS,
        f"-artifact_prefix={found}/",
    ]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS + 240)

    inputs = sorted(map(str, found.iterdir()))
    assert (done.returncode, inputs) == (0, []), "\n".join(done.stderr.splitlines()[-40:])
