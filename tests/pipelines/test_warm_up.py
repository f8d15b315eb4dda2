"""Tests that encoders are asked for before Beam is loaded, and under the names under which they are used."""

from __future__ import annotations

from functools import partial

from models.batch import OpSpec
from models.encoders.hashed_ngrams import HashedNgramsSpec
from models.ops import EmbedSpec
from pipelines.warm_up import load_encoders
from transforms.workers.base import RemoteOp, Workers, WorkersSpec
from transforms.workers.inline import InlineWorkers

Asked = list[tuple[OpSpec, str]]
LOADED: dict[str, int | None] = {}
"""Modality -> how many replicas were told to load."""
ENCODERS = {"review": HashedNgramsSpec(dim=64), "note": HashedNgramsSpec(dim=128)}


class Noting(InlineWorkers):
    """Workers of this process that note what they are asked for."""

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self._asked = asked

    def remote(self, spec: OpSpec, name: str) -> RemoteOp:  # type: ignore[override]  # any RemoteOp will do here
        """Note it."""
        self._asked.append((spec, name))
        op = super().remote(spec, name)
        op.load = partial(LOADED.__setitem__, name)  # type: ignore[method-assign]  # noted too
        return op


def noting(address: str, asked: Asked) -> WorkersSpec:
    """Workers at an address, which note."""

    class NotingSpec(WorkersSpec):
        def build(self) -> Workers:
            return Noting(asked)

    return NotingSpec(address=address)


def test_each_encoder_is_asked_for_as_the_reading_processes_ask_for_it() -> None:
    """The same op under the modality's name: so these find the actor that is loading already."""
    asked: Asked = []

    load_encoders(noting("local", asked), ENCODERS)

    assert asked == [(EmbedSpec(name=name, encoder=encoder), name) for name, encoder in ENCODERS.items()]


def test_one_worker_loads_an_encoder_that_little_is_asked_of() -> None:
    """All of them load the others."""
    asked: Asked = []

    load_encoders(noting("local", asked), ENCODERS, known={"note"})

    assert LOADED == {"review": None, "note": 1}


def test_inline_encoders_are_left_to_the_processes_that_use_them() -> None:
    """What was built here would be no use to them, and take memory."""
    asked: Asked = []

    load_encoders(noting("inline", asked), ENCODERS)

    assert asked == []
