"""Values to measure with: of the type that cleaners give, and of typical size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pyarrow as pa

from models.encoders.base import EncoderSpec
from transforms.workers.samples import ROWS, costs, values


class Reader(EncoderSpec):
    """An encoder of which only what it asks for is known."""

    kind: ClassVar[str] = "reader"
    modality: ClassVar[str] = "text"
    wishes: ClassVar[Mapping[str, object]] = {}

    @property
    def output_dim(self) -> int:
        return 1

    def requires(self) -> Mapping[str, object]:
        return self.wishes


class Viewer(Reader):
    modality: ClassVar[str] = "image"
    wishes: ClassVar[Mapping[str, object]] = {"size": 8}


class Listener(Reader):
    modality: ClassVar[str] = "audio"
    wishes: ClassVar[Mapping[str, object]] = {"rate": 100}


class Other(Reader):
    modality: ClassVar[str] = "smell"


def test_texts_are_as_long_as_reviews() -> None:
    """1 to 250 words, half of them below 45 and some far above; a word counts for a token and more."""
    found = values(Reader())
    assert found is not None
    words = np.array([len(text.split()) for text in found.to_pylist()])

    assert (len(words), words.min() >= 1, words.max() <= 250) == (ROWS, True, True)
    assert 35 < np.median(words) < 55
    assert words.max() > 3 * np.median(words)
    assert all(cost > count for cost, count in zip(costs(found, Reader()), words, strict=True))


def test_pictures_have_the_side_that_is_asked_for() -> None:
    """8 x 8 RGB, each costing one."""
    found = values(Viewer())
    assert found is not None
    assert found.type == pa.list_(pa.uint8(), 8 * 8 * 3)
    assert costs(found, Viewer()) == [1.0] * ROWS


def test_sounds_have_the_rate_that_is_asked_for() -> None:
    """1 to 5 s of noise at 100 samples a second; they cost their seconds."""
    found = values(Listener())
    assert found is not None
    assert found.type == pa.list_(pa.float32())
    seconds = np.array(costs(found, Listener()))
    assert (len(found), seconds.min() >= 1, seconds.max() <= 5) == (ROWS, True, True)
    assert seconds[0] == len(found[0]) / 100


def test_of_other_modalities_nothing_is_known() -> None:
    """Then nothing is measured."""
    assert values(Other()) is None


def test_samples_are_the_same_each_time() -> None:
    """Figures of two nights are of the same values."""
    assert values(Reader()).equals(values(Reader()))  # type: ignore[union-attr]  # texts are known
