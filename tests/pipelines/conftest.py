"""Fixtures that all tests of the pipelines share."""

from __future__ import annotations

import pytest

from pipelines import logs


@pytest.fixture(autouse=True)
def _quiet_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that run in this process leave pytest's own log handlers where they are."""
    monkeypatch.setattr(logs, "configure", lambda: None)
