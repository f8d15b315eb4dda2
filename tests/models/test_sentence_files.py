"""Tests of what is read from the files of sentence-transformers, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.errors import ConfigError
from models.sentence_files import stored_pooling


@pytest.mark.parametrize(
    ("settings", "pooling"),
    [
        ({"pooling_mode": "lasttoken"}, "last"),
        ({"pooling_mode": ["cls"]}, "cls"),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
        ({}, "mean"),
    ],
)
def test_stored_poolings_are_understood(settings: dict[str, Any], pooling: str) -> None:
    """Today's key and the older flags."""
    assert stored_pooling(settings, Path("folder")) == pooling


@pytest.mark.parametrize("settings", [{"pooling_mode": "max"}, {"pooling_mode": ["cls", "mean"]}])
def test_other_stored_poolings_are_refused(settings: dict[str, Any]) -> None:
    """Maximum, and several at once, are not offered."""
    with pytest.raises(ConfigError, match="pooling must be cls, mean or last"):
        stored_pooling(settings, Path("folder"))


def test_a_pooling_that_leaves_the_prompt_out_is_refused() -> None:
    """INSTRUCTOR's models average the text alone, which is not offered."""
    with pytest.raises(ConfigError, match="pooling must take in the prompt"):
        stored_pooling({"pooling_mode_mean_tokens": True, "include_prompt": False}, Path("folder"))
