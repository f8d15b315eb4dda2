"""Tests of how much is held at once."""

from __future__ import annotations

from transforms.modalities.audio import AudioSpec
from transforms.modalities.image import ImageSpec
from transforms.modalities.text import TextSpec
from transforms.recipe import Limits


def test_batches_of_texts_are_large() -> None:
    """Encoders sort within a batch."""
    assert Limits().rows_at_once({"note": TextSpec(column="x")}) == 1024


def test_batches_of_large_values_are_small() -> None:
    """A picture of 224² takes 150,528 bytes, five seconds at 16 kHz 320,000: a quarter of 128 MiB holds so many."""
    picture, sound = ImageSpec(column="x", size=224), AudioSpec(column="y")

    assert Limits().rows_at_once({"photo": picture}) == (32 << 20) // 150_528 == 222
    assert Limits().rows_at_once({"photo": picture, "call": sound}) == (32 << 20) // 470_528 == 71
    assert Limits(window_bytes=1).rows_at_once({"photo": picture}) == 16
    assert Limits(batch_rows=5, window_bytes=1).rows_at_once({"photo": picture}) == 5
