"""The WorkersSpec: which addresses it takes, and what it refuses."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from models.errors import MemoryExceeded
from tests.transforms.workers.ops import DoubledSpec, batch
from transforms.workers.base import WorkersSpec, run


@pytest.mark.parametrize("address", ["inline", "local", "auto", "ray://head.example:10001", "10.0.0.5:6379"])
def test_known_addresses(address: str) -> None:
    """Each form of the job file is taken."""
    assert WorkersSpec(address=address).address == address


@pytest.mark.parametrize("address", ["", "Local", "ray://head", "http://head:10001", "head:port", "a b:1"])
def test_unknown_addresses(address: str) -> None:
    """Anything else is refused in one sentence that lists the forms."""
    with pytest.raises(ValidationError, match="must be inline, local, auto, ray://host:port or host:port"):
        WorkersSpec(address=address)


@pytest.mark.parametrize("setting", [{"gpus": -1}, {"replicas": 0}, {"deadline": 0}, {"max_restarts": -1}])
def test_impossible_numbers(setting: dict[str, float]) -> None:
    """Numbers below their least value are refused."""
    with pytest.raises(ValidationError):
        WorkersSpec.model_validate(setting)


def test_inline_needs_no_ray() -> None:
    """Workers inline are found at once, and say so."""
    with WorkersSpec(address="inline").start() as running:
        assert running.spec.address == "inline"
        assert "without Ray" in running.found


def test_other_runtime_errors_pass() -> None:
    """Only memory is translated: a RuntimeError of the op's stays one."""

    def fail(_: object) -> None:
        raise RuntimeError("shapes differ")

    op = DoubledSpec().build()
    op.__class__ = type("Failing", (op.__class__,), {"__call__": lambda _self, b: fail(b)})

    with pytest.raises(RuntimeError, match="shapes differ") as caught:
        run(op, batch())
    assert not isinstance(caught.value, MemoryExceeded)
