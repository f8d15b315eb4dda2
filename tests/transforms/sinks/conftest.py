"""Both layouts of an output, for tests that must hold in each."""

from __future__ import annotations

import pytest

from tests.transforms.sinks.systems import WithoutExchange
from transforms.sinks import storage


@pytest.fixture(params=["exchange", "links"])
def both_layouts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where folders can be exchanged, and where they cannot."""
    if request.param == "links":
        monkeypatch.setattr(storage, "SYSTEM", WithoutExchange())
    return str(request.param)
