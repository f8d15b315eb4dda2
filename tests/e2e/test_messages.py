"""What a night prints: what was found and how far it is on stderr, the ledger on stdout, and nothing of libraries."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.retail import Shop, amalgam


@pytest.mark.beam
def test_stderr_says_what_was_found_and_how_far_it_is(shop: Shop, tmp_path: Path) -> None:
    """Without a terminal: one line on workers, then lines of progress; worker processes are silent."""
    done = amalgam(*shop.arguments("run", tmp_path / "out", "workers.address=inline", "execution.processes=2"))

    found, *progress = done.err.splitlines()
    assert found == "workers: inline: encoders run inside the Beam processes, without Ray"
    assert progress[-1].startswith("progress: 600 of 600 rows")
    assert all(line.startswith("progress: ") for line in progress)
    assert done.result["status"] == "published"


@pytest.mark.ray
def test_the_line_on_workers_names_ray_python_and_resources(shop: Shop, tmp_path: Path) -> None:
    """Ray's version, Python's patch version, CPUs, GPUs and the object store."""
    done = amalgam(*shop.arguments("run", tmp_path / "out", "workers.address=local", "execution.processes=2"))

    found, *progress = done.err.splitlines()
    assert found.startswith("workers: local: Ray ")
    assert all(part in found for part in (", Python 3.", " CPUs, ", " GPUs, object store "))
    assert all(line.startswith("progress: ") for line in progress)
