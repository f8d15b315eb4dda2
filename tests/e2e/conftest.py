"""What the end-to-end tests share: one small shop, and one undisturbed night of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.e2e.retail import Shop, make_shop

ROWS = 600
"""Of the night: two files of two row groups each, two damaged records (one of each block of 333)."""


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A small shop, fitted and trained."""
    return _shop(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def undisturbed(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of one run of the night in a single process; not to be changed."""
    return _undisturbed(shop, tmp_path_factory.getbasetemp())


@cache  # the fault tests have these fixtures too, and pytest would make them once for each folder of tests
def _shop(folder: Path) -> Shop:
    return make_shop(folder / "retail" / "shop", rows=ROWS, history=500)


@cache
def _undisturbed(shop: Shop, folder: Path) -> Path:
    out = folder / "undisturbed" / "out"
    shop.run(out)
    return out
