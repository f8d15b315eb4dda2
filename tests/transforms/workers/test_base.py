"""The WorkersSpec: which addresses it takes, and what it refuses."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from models.errors import ConfigError, MemoryExceeded, WorkerDied
from models.spec import validate
from tests.transforms.workers.ops import DoubledSpec, batch
from transforms.workers.base import MEMORY_SECONDS, WorkersSpec, built, is_device_failure, run
from transforms.workers.layout import Plan


@pytest.mark.parametrize("address", ["inline", "local", "auto", "ray://head.example:10001", "10.0.0.5:6379"])
def test_known_addresses(address: str) -> None:
    """Each form of the job file is taken."""
    assert WorkersSpec(address=address).address == address


@pytest.mark.parametrize("address", ["", "Local", "ray://head", "http://head:10001", "head:port", "a b:1"])
def test_unknown_addresses(address: str) -> None:
    """Anything else is refused in one sentence that lists the forms."""
    with pytest.raises(ValidationError, match="must be inline, local, auto, ray://host:port or host:port"):
        WorkersSpec(address=address)


@pytest.mark.parametrize(
    "setting", [{"gpus": -1}, {"replicas": 0}, {"deadline": 0}, {"max_restarts": -1}, {"max_crashes": -1}]
)
def test_impossible_numbers(setting: dict[str, float]) -> None:
    """Numbers below their least value are refused."""
    with pytest.raises(ValidationError):
        WorkersSpec.model_validate(setting)


def test_auto_is_one_where_nothing_was_found_out() -> None:
    """One worker with one thread, as configured otherwise; a plan goes first."""
    spec = WorkersSpec(plans={"photo": Plan(replicas=2)}, replicas=3)
    assert (WorkersSpec().plan("review"), spec.plan("review")) == (Plan(), Plan(replicas=3))
    assert spec.plan("photo") == Plan(replicas=2)


@pytest.mark.parametrize(("rows", "seconds"), [(1, 300), (128, 300), (1024, 2400)])
def test_large_batches_have_more_time(rows: int, seconds: float) -> None:
    """300 s are for 128 rows: 1,024 rows have eight times as long."""
    assert WorkersSpec().patience(rows) == seconds


@pytest.mark.parametrize("name", ["plans", "notes", "own_gpus"])
def test_what_is_found_out_is_no_setting(name: str) -> None:
    """In a job file it is an unknown key."""
    _, problems = validate(WorkersSpec, {name: None}, "workers")
    assert [problem.path for problem in problems] == [f"workers.{name}"]
    assert f"unknown key '{name}'" in problems[0].message


def test_inline_needs_no_ray() -> None:
    """Workers inline are found at once, and say so."""
    with WorkersSpec(address="inline").start() as running:
        assert running.spec.address == "inline"
        assert "without Ray" in running.found
        assert running.restarts() == 0


def test_other_runtime_errors_pass() -> None:
    """Only memory is translated: a RuntimeError of the op's stays one."""

    def fail(_: object) -> None:
        raise RuntimeError("shapes differ")

    op = DoubledSpec().build()
    op.__class__ = type("Failing", (op.__class__,), {"__call__": lambda _self, b: fail(b)})

    with pytest.raises(RuntimeError, match="shapes differ") as caught:
        run(op, batch())
    assert not isinstance(caught.value, MemoryExceeded)


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (RuntimeError("CUDA error: an illegal memory access was encountered"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), True),
        (RuntimeError("HIP error: invalid device function"), True),
        (RuntimeError("No CUDA GPUs are available"), True),
        (type("AcceleratorError", (RuntimeError,), {})("device-side assert triggered"), True),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"), False),
        (RuntimeError("shapes differ; no CUDA error"), False),
        (ValueError("CUDA error"), False),
    ],
)
def test_failures_of_the_device_are_told_apart(error: Exception, lost: bool) -> None:
    """By torch's class, or the words that its older parts begin with; running out of memory is not one."""
    assert is_device_failure(error) == lost


def test_a_failed_device_is_no_fault_of_the_batch() -> None:
    """In this process there is no other device to go to: the run ends with exit 75."""
    with pytest.raises(WorkerDied, match="must have a working device; got RuntimeError: CUDA error"):
        run(DoubledSpec(misbehave="device").build(), batch())


def test_an_op_without_memory_to_be_built_is_a_config_error() -> None:
    """It is not tried again where nothing could have become free."""
    with pytest.raises(ConfigError, match="worker large must load; got OutOfMemoryError: CUDA out of memory"):
        built(DoubledSpec(build_fails="memory"), "large")


def test_attempts_to_build_without_memory_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two attempts are one pause."""
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)

    with pytest.raises(ConfigError):
        built(DoubledSpec(build_fails="memory"), "large", attempts=2)

    assert pauses == [MEMORY_SECONDS]


def test_other_failures_to_build_are_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing weights stay missing."""
    monkeypatch.setattr("time.sleep", lambda _seconds: pytest.fail("it waited"))

    with pytest.raises(ConfigError, match="FileNotFoundError"):
        built(DoubledSpec(build_fails="missing"), "missing", attempts=3)
