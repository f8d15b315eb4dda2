"""What the fault tests share: the small shop with its undisturbed night, and a tiny one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import logs
from tests.e2e.conftest import shop, undisturbed
from tests.faults.nights import TinyNight, make_night

__all__ = ["shop", "undisturbed"]


@pytest.fixture(autouse=True)
def _quiet_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that run in this process leave pytest's own log handlers where they are."""
    monkeypatch.setattr(logs, "configure", lambda: None)


@pytest.fixture
def tiny_night(tmp_path: Path) -> TinyNight:
    """300 records in two files of two row groups each."""
    return make_night(tmp_path / "tiny")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every row of the matrix is marked, so that the fast tier can do without: whole nights take their time."""
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.name.startswith("test_f"):
            item.add_marker(pytest.mark.faults)
