"""How long the rows of a run are said to take."""

from __future__ import annotations

import pytest

from pipelines.expected import Cost

COST = Cost(feeding=0.001, encoding={"photo": 0.008, "review": 0.003})


@pytest.mark.parametrize(
    ("cores", "processes", "workers", "expected"),
    [
        (2, 1, None, 0.012),  # all of it in one process
        (2, 2, None, 0.006),
        (2, 4, None, 0.006),  # more processes than cores do not help
        (2, 1, {"photo": 2, "review": 2}, 0.006),  # all cores are busy
        (16, 1, {"photo": 2, "review": 2}, 0.004),  # photos are waited for
        (16, 1, {"photo": 16, "review": 16}, 0.001),  # the one process that reads is waited for
        (16, 4, {"photo": 16, "review": 16}, 0.00075),
    ],
)
def test_a_row_takes_as_long_as_wherever_there_is_most_to_do(
    cores: int, processes: int, workers: dict[str, int] | None, expected: float
) -> None:
    """The machine, the processes that read, or an encoder's workers."""
    assert COST.seconds_per_row(cores, processes, workers) == pytest.approx(expected)
