"""Tests that a command loads only what it needs: Beam, torch, Ray and their like take seconds each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.pipelines.tiny_jobs import DATE, records, write_job, write_night

ROOT = Path(__file__).parents[2]
HEAVY = frozenset({"apache_beam", "matplotlib", "pandas", "ray", "torch", "transformers"})
TELLING = "import sys; from pipelines.cli import main; code = main(sys.argv[1:]); print(code, *sorted(sys.modules))"


def loaded_by(code: int, *arguments: str, folder: Path = ROOT) -> frozenset[str]:
    """The heavy packages that a process has loaded once a command of Amalgam ended there with this exit code."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", TELLING, *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    ended, *modules = done.stdout.splitlines()[-1].split()
    assert ended == str(code), done.stderr
    assert "pipelines.cli" in modules  # what is looked at is a list of modules
    return HEAVY & set(modules)


def write_tiny(folder: Path) -> Path:
    """A job with a night's input; gives the job file."""
    write_night(folder, records(0, 20))
    return write_job(folder)


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (0, ("--help",)),
        (0, ("run", "--help")),
        (64, ("run",)),
        (0, ("kinds",)),
        (78, ("plan", "no-such-job.yaml", "--date", DATE)),
    ],
    ids=["help", "help of a command", "wrong usage", "kinds", "no job file"],
)
def test_what_only_reads_and_tells_loads_nothing_heavy(code: int, arguments: tuple[str, ...]) -> None:
    """Help, usage errors, the list of kinds and a job file that is not there need numbers from nobody."""
    assert loaded_by(code, *arguments) == frozenset()


@pytest.mark.parametrize("command", ["runs", "gc"])
def test_history_and_garbage_load_nothing_heavy(tmp_path: Path, command: str) -> None:
    """A valid job file is read without torch, whatever fusion it names."""
    assert loaded_by(0, command, str(write_tiny(tmp_path))) == frozenset()


def test_a_plan_for_local_workers_loads_neither_beam_nor_ray(tmp_path: Path) -> None:
    """Its sample is fused (torch) and handed between numpy and pyarrow (pandas); no pipeline is made of it."""
    job = write_tiny(tmp_path)

    loaded = loaded_by(0, "plan", str(job), "--date", DATE, "--set", "workers.address=local")

    assert loaded == {"torch", "pandas"}


def test_beam_options_are_checked_by_beam(tmp_path: Path) -> None:
    """A plan with options for Beam loads it and refuses what it does not take, before anything heavier is loaded."""
    job = write_tiny(tmp_path)

    assert loaded_by(64, "plan", str(job), "--date", DATE, "--", "--no_such_option=1") >= {"apache_beam"}


def test_a_job_that_does_not_fit_its_input_is_refused_without_torch(tmp_path: Path) -> None:
    """The columns of the input are known from its footers."""
    job = write_tiny(tmp_path)
    source = yaml.safe_load(job.read_text(encoding="utf-8"))
    source["modalities"]["note"]["column"] = "none"
    job.write_text(yaml.safe_dump(source), encoding="utf-8")

    assert loaded_by(78, "run", str(job), "--date", DATE) == frozenset()


def test_a_night_that_is_published_is_found_so_without_beam_or_torch(tmp_path: Path) -> None:
    """The same command a second time only reads footers and settings."""
    job = write_tiny(tmp_path)
    loaded_by(0, "run", str(job), "--date", DATE)

    assert loaded_by(0, "run", str(job), "--date", DATE) == frozenset()
