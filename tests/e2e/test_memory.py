"""Memory does not grow with the input."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.memory import compare

pytestmark = [pytest.mark.beam, pytest.mark.slow]

GROWTH = 0.15  # CONTRACT.md, guarantee 5, as far as sampling and the allocator allow to see it


def test_a_longer_night_needs_no_more_memory(tmp_path: Path) -> None:
    """The peak over all processes for 6,000 rows is that for 1,500 (`benchmarks/memory.py` compares longer nights)."""
    settings = ["workers.address=inline", "execution.processes=2", "execution.unit_rows=250"]

    short, long = compare(tmp_path, rows=1500, times=4, settings=settings)

    assert (short.rows, long.rows) == (1500, 6000)
    assert long.peak <= (1 + GROWTH) * short.peak
