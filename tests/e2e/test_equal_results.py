"""The same input and models give the same numbers, however the work is cut and spread."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.retail import Shop, by_key, parts, read, unequal_bits

pytestmark = pytest.mark.beam

# 600 rows in four row groups of 150, two to a file: units of 200 rows hold one of them, units of 5,000 a whole file.
UNITS = {200: 4, 5000: 2}


# Five rows of four settings with two values each, so chosen that of any two settings every pair of values occurs.
@pytest.mark.parametrize(
    ("processes", "unit_rows", "batch_rows", "workers"),
    [
        (1, 5000, 256, "inline"),
        (2, 200, 7, "inline"),
        pytest.param(2, 200, 256, "local", marks=pytest.mark.ray),
        pytest.param(2, 5000, 7, "local", marks=pytest.mark.ray),
        pytest.param(1, 200, 7, "local", marks=pytest.mark.ray),
    ],
)
def test_results_do_not_depend_on_how_work_is_spread(
    shop: Shop, undisturbed: Path, tmp_path: Path, processes: int, unit_rows: int, batch_rows: int, workers: str
) -> None:
    """Processes, units, batches and workers change no bit of a published row (1e-5 is promised, on any machine)."""
    out = tmp_path / "out"

    shop.run(
        out,
        f"execution.processes={processes}",
        f"execution.unit_rows={unit_rows}",
        f"execution.batch_rows={batch_rows}",
        f"workers.address={workers}",
    )

    assert len(parts(out)) == UNITS[unit_rows]
    assert unequal_bits(by_key(read(out)), by_key(read(undisturbed))) == []


def test_the_same_command_gives_the_same_files(shop: Shop, undisturbed: Path, tmp_path: Path) -> None:
    """Two runs with the same settings give files of the same names and bytes."""
    out = tmp_path / "out"

    shop.run(out)

    got, expected = ({path.name: path.read_bytes() for path in parts(folder)} for folder in (out, undisturbed))
    assert got == expected
