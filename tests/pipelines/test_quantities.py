"""Tests of humanised numbers, at the edges where rounding could lie."""

from __future__ import annotations

import pytest

from pipelines import quantities


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (3.4e9, "3.4 GB"),
        (5e18, "5000 PB"),
    ],
)
def test_size(value: float, text: str) -> None:
    """Bytes are shown in the largest unit that leaves at least 1, never as 1000 of one."""
    assert quantities.size(value) == text


@pytest.mark.parametrize(("value", "text"), [(0, "0 files"), (1, "1 file"), (1234, "1,234 files")])
def test_counted(value: int, text: str) -> None:
    """Only one is singular."""
    assert quantities.counted(value, "file") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (80, "1 min 20 s"),
        (3600, "1 h"),
        (7530, "2 h 5 min"),
        (3 * 86_400 + 4 * 3600 + 59, "3 d 4 h"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    """Seconds are shown in at most two neighbouring units, never as 60 of one."""
    assert quantities.duration(seconds) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "–"),
        (0, 5, "0 %"),
        (5, 5, "100 %"),
        (1, 10**6, "< 0.01 %"),
        (31, 10_000, "0.31 %"),
        (12, 1000, "1.2 %"),
        (99_996, 100_000, "99.99 %"),
    ],
)
def test_percent(part: int, whole: int, text: str) -> None:
    """Only nothing is 0 % and only everything is 100 %."""
    assert quantities.percent(part, whole) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (12_345, "12,345"),
        (12_345.6, "12,346"),
        (0.81234, "0.8123"),
        (1.2e-7, "1.2e-07"),
        (float("nan"), "nan"),
    ],
)
def test_number(value: float, text: str) -> None:
    """Four significant digits, whole numbers in full."""
    assert quantities.number(value) == text
