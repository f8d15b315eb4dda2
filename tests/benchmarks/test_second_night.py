"""Tests of what the second night's benchmark reports."""

from __future__ import annotations

from benchmarks.nights import Pace, Run, Took
from benchmarks.second_night import Second, lines


def night(seconds: float, encoded: int, rows: int = 1000, core_seconds: float = 0.0) -> Run:
    """A night of `rows` rows that took so long and encoded so many texts."""
    return Run(rows, Took(seconds, core_seconds), {"ledger": {"total": {"encoded": {"text": encoded}}}})


def test_the_share_is_of_the_first_nights_time() -> None:
    """4 of 100 s; nothing was encoded again."""
    second = Second(night(100.0, 1000), night(3.0, 0), night(4.0, 10))

    assert second.share == 0.04
    assert second.encoded_again(["text"]) == 0


def test_a_value_that_is_encoded_again_is_told() -> None:
    """Seven were, in the night with a changed head."""
    second = Second(night(100.0, 1000), night(3.0, 7), night(4.0, 10))
    known = Pace(night(1.0, 0, 100, 1.0), night(1.0, 0, 1100, 1.1))

    told = list(lines([second], [known], ["text"]))

    assert "encoded again: 7" in told[1]
    assert "4.0%" in told[2]
    assert "takes 100 µs" in told[3]  # 0.1 s of a core over 1,000 rows
