"""What the end-to-end tests share: one small shop, and one undisturbed night of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.retail import Shop, make_shop

ROWS = 600
"""Of the night: two files of two row groups each, two damaged records (one of each block of 333)."""


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A small shop, fitted and trained."""
    return make_shop(tmp_path_factory.mktemp("retail") / "shop", rows=ROWS, history=500)


@pytest.fixture(scope="session")
def undisturbed(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of one run of the night in a single process; not to be changed."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    shop.run(out)
    return out
