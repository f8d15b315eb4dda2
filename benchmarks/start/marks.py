"""Moments of a start, written by whichever process reaches them: one line each in one file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path


def mark(file: str | Path, name: str) -> None:
    """Note that this moment has come; Linux's monotonic clock is the same for every process of the machine."""
    with Path(file).open("a", encoding="utf-8") as lines:  # one short line: appended whole
        lines.write(f"{name}\t{time.monotonic()}\n")


def moments(file: str | Path, began: float) -> Mapping[str, float]:
    """Name -> seconds after `began` at which the moment first came; in the order in which they came."""
    found: dict[str, float] = {}
    for line in Path(file).read_text(encoding="utf-8").splitlines():
        name, moment = line.split("\t")
        found[name] = min(float(moment) - began, found.get(name, float("inf")))
    return dict(sorted(found.items(), key=lambda item: item[1]))
