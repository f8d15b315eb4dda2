"""Numbers as people read them: 12,345 rows; 3.4 GB; 1 min 20 s; 0.31 %."""

from __future__ import annotations

import math
from itertools import pairwise

SIZE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")  # decimal (SI), as disks and networks are sold
TIME_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def count(value: float) -> str:
    """Whole number with thousands separated: `12,345`."""
    return f"{round(value):,}"


def counted(value: int, noun: str) -> str:
    """A number and what it counts: `1 file`, `12,345 files`."""
    return f"{count(value)} {noun}" if value == 1 else f"{count(value)} {noun}s"


def size(num_bytes: float) -> str:
    """Bytes in the largest decimal unit that leaves at least 1: `3.4 GB`."""
    value, unit = float(num_bytes), 0
    while value >= 999.5 and unit < len(SIZE_UNITS) - 1:  # 999.5 would be printed as 1000 of this unit
        value, unit = value / 1000, unit + 1
    decimals = 0 if unit == 0 or value >= 99.95 else 1  # three significant digits at most
    return f"{value:.{decimals}f} {SIZE_UNITS[unit]}"


def duration(seconds: float) -> str:
    """Seconds in at most two units: `0.4 s`, `12 s`, `1 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if 0 < seconds < 9.95:  # from here on one decimal would be printed as 10.0
        return f"{seconds:.1f} s"
    rest = round(seconds)
    for (large, name), (small, small_name) in pairwise(TIME_UNITS):
        if rest >= large:
            fine = rest % large // small
            return f"{rest // large} {name}" + (f" {fine} {small_name}" if fine else "")
    return f"{rest} s"


def percent(part: float, whole: float) -> str:
    """Share of the whole: `93.1 %`, `0.31 %`, `< 0.01 %`; only a whole is `100 %`; `–` of nothing."""
    if not whole:
        return "–"
    value = 100 * part / whole
    if value in (0, 100):
        return f"{value:.0f} %"
    if 0 < value < 0.01:
        return "< 0.01 %"
    if 99.9 < value < 100:  # cut, not rounded: 99.996 % is not 100 %
        return f"{math.floor(value * 100) / 100:.2f} %"
    return f"{value:.{2 if value < 1 else 1}f} %"


def number(value: float) -> str:
    """Any number with four significant digits, whole ones in full: `0.8123`, `12,345`, `1.2e-07`."""
    if math.isfinite(value) and (value == round(value) or abs(value) >= 10_000) and abs(value) < 1e15:
        return count(value)
    return f"{value:,.4g}"
