"""Plans of workers: when they are measured, what is remembered, and that nothing of it ever stops a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import ClassVar

import pyarrow as pa
import pytest
from pydantic import Field

from models.encoders.base import Encoder, EncoderSpec
from models.errors import WorkerDied
from models.ops import EmbedSpec
from tests.transforms.workers.ops import DoubledSpec
from transforms.workers import tuning
from transforms.workers.base import WorkersSpec
from transforms.workers.layout import Layout, Plan
from transforms.workers.machine import Machine
from transforms.workers.measuring import Sample

WIDE, DEEP = Layout(2, 1), Layout(1, 2)


class HeavySpec(EncoderSpec):
    """An encoder with weights, as far as its description tells."""

    kind: ClassVar[str] = "heavy"
    modality: ClassVar[str] = "text"
    unhashed: ClassVar[frozenset[str]] = frozenset({"max_batch_tokens", "max_batch_rows"})

    max_batch_tokens: int = 16_384
    max_batch_rows: int = Field(64, ge=1)
    seed: int = 0

    @property
    def output_dim(self) -> int:
        return 4

    def content(self) -> Mapping[str, str]:
        return {"model.safetensors": "0" * 64}

    def build(self) -> Encoder:
        raise AssertionError("planning must not load weights")


class LightSpec(HeavySpec):
    """The same without weights."""

    kind: ClassVar[str] = "light"

    def content(self) -> Mapping[str, str]:
        return {}


class FakeBench:
    """A bench whose figures are known: rows/s by layout and size; it may fail."""

    def __init__(self, rates: Mapping[tuple[Layout, float], float], fails: Exception | None = None) -> None:
        self.rates, self.fails = rates, fails
        self.memory, self.device_memory, self.disturbed = 1 << 30, 0, False
        self.opened: list[str] = []
        self.replicas = 0

    def __call__(self, spec: object, name: str, sample: Sample, replicas: int, left: Callable[[], float]) -> FakeBench:
        self.opened.append(name)
        self.replicas = replicas
        return self

    def __enter__(self) -> FakeBench:
        if self.fails is not None:
            raise self.fails
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def rate(self, layout: Layout, size: float) -> float:
        return self.rates.get((layout, size), 1.0)


@pytest.fixture(autouse=True)
def two_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two cores, no GPU and an empty cache."""
    monkeypatch.setenv("AMALGAM_PLANS", str(tmp_path))
    monkeypatch.setattr(Machine, "here", classmethod(lambda cls: cls("a processor", 2, (), "2.15.0")))


HEAVY = {"review": EmbedSpec(name="review", encoder=HeavySpec())}
WIDE_WINS: dict[tuple[Layout, float], float] = {
    (WIDE, 512): 40.0,
    (WIDE, 1024): 50.0,
    (WIDE, 2048): 45.0,
    (DEEP, 1024): 30.0,
}


def test_the_plan_is_what_measured_best() -> None:
    """Two workers with 1,024 tokens at once; both replicas were loaded to find that out."""
    bench = FakeBench(WIDE_WINS)

    plans = tuning.plans(WorkersSpec(), HEAVY, make=bench)

    assert plans == {"review": Plan(replicas=2, batch={"max_batch_tokens": 1024}, rate=50.0, memory=1 << 30)}
    assert bench.replicas == 2


def test_a_plan_is_remembered() -> None:
    """The next run measures nothing, and has the same plan."""
    first = tuning.plans(WorkersSpec(), HEAVY, make=FakeBench(WIDE_WINS))
    bench = FakeBench({})

    assert tuning.plans(WorkersSpec(), HEAVY, make=bench) == first
    assert bench.opened == []


@pytest.mark.parametrize(
    ("spec", "encoder"),
    [
        (WorkersSpec(threads=2), HeavySpec()),
        (WorkersSpec(batch=16), HeavySpec()),
        (WorkersSpec(address="inline"), HeavySpec()),
        (WorkersSpec(), HeavySpec(seed=1)),
    ],
    ids=["threads", "batch", "inline", "encoder"],
)
def test_another_question_is_asked_anew(spec: WorkersSpec, encoder: EncoderSpec) -> None:
    """A plan is that of one encoder with the same numbers given."""
    tuning.plans(WorkersSpec(), HEAVY, make=FakeBench(WIDE_WINS))
    bench = FakeBench(WIDE_WINS)

    tuning.plans(spec, {"review": EmbedSpec(name="review", encoder=encoder)}, make=bench)

    assert bench.opened == ["review"]


def test_another_machine_is_measured_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder may be shared by machines."""
    tuning.plans(WorkersSpec(), HEAVY, make=FakeBench(WIDE_WINS))
    monkeypatch.setattr(Machine, "here", classmethod(lambda cls: cls("another", 2, (), "2.15.0")))
    bench = FakeBench(WIDE_WINS)

    tuning.plans(WorkersSpec(), HEAVY, make=bench)

    assert bench.opened == ["review"]


def test_batch_settings_do_not_make_another_encoder() -> None:
    """They are not in the fingerprint: an encoder with other ones has the same plan."""
    tuning.plans(WorkersSpec(), HEAVY, make=FakeBench(WIDE_WINS))
    bench = FakeBench({})

    tuning.plans(WorkersSpec(), {"review": EmbedSpec(name="review", encoder=HeavySpec(max_batch_tokens=9))}, make=bench)

    assert bench.opened == []


def test_figures_of_a_busy_machine_are_not_remembered() -> None:
    """They serve this run, the next one measures again."""
    bench = FakeBench(WIDE_WINS)
    bench.disturbed = True

    plans = [tuning.plans(WorkersSpec(), HEAVY, make=bench) for _ in range(2)]

    assert plans[0] == plans[1]
    assert bench.opened == ["review", "review"]


def test_given_numbers_win() -> None:
    """One replica, two threads, nine rows at once: nothing is left to be found out."""
    bench = FakeBench({})
    spec = WorkersSpec(replicas=1, threads=2, batch=9)

    assert tuning.plans(spec, HEAVY, make=bench) == {"review": Plan(threads=2, batch={"max_batch_rows": 9})}
    assert bench.opened == []


@pytest.mark.parametrize(
    ("spec", "rows", "replicas"),
    [
        (WorkersSpec(measuring=0), None, 2),
        (WorkersSpec(), tuning.MEASURED_ROWS - 1, 2),
        (WorkersSpec(), tuning.LEAST_ROWS - 1, None),
        (WorkersSpec(address="inline"), tuning.MEASURED_ROWS - 1, None),
        (WorkersSpec(address="ray://head:10001"), None, None),
    ],
    ids=["forbidden", "few rows", "very few rows", "inline", "elsewhere"],
)
def test_nothing_is_measured_where_it_does_not_pay(spec: WorkersSpec, rows: int | None, replicas: int | None) -> None:
    """Then a worker per core will do; or one, in a run that is over before a second one has started."""
    bench = FakeBench({})

    plans = tuning.plans(spec, HEAVY, rows, make=bench)

    assert plans == ({} if replicas is None else {"review": Plan(replicas=replicas)})
    assert bench.opened == []


def test_encoders_of_which_nothing_is_known_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight cores for two encoders with weights are four workers each; two cores are one each."""
    ops = {name: EmbedSpec(name=name, encoder=HeavySpec()) for name in ("review", "title")}
    assert tuning.plans(WorkersSpec(measuring=0), ops) == {}
    monkeypatch.setattr(Machine, "here", classmethod(lambda cls: cls("a processor", 8, (), "2.15.0")))

    assert {plan.replicas for plan in tuning.plans(WorkersSpec(measuring=0), ops).values()} == {4}


def test_only_encoders_with_weights_are_measured() -> None:
    """Without weights, or without an encoder, a worker with one thread will do."""
    bench = FakeBench({})
    ops = {"note": EmbedSpec(name="note", encoder=LightSpec()), "double": DoubledSpec()}

    assert tuning.plans(WorkersSpec(), ops, make=bench) == {}
    assert bench.opened == []


def test_a_failure_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """The run goes on as configured, and the log says why."""
    bench = FakeBench({}, fails=WorkerDied("a measuring process must live until it is done; got its death"))

    with caplog.at_level(logging.WARNING):
        assert tuning.plans(WorkersSpec(), HEAVY, make=bench) == {"review": Plan(replicas=2)}

    assert "workers of review: nothing was measured, so they run as configured: a measuring process" in caplog.text


def test_a_plan_of_another_version_is_made_again(tmp_path: Path) -> None:
    """A note that is no plan counts as none."""
    tuning.plans(WorkersSpec(), HEAVY, make=FakeBench(WIDE_WINS))
    (path,) = tmp_path.rglob("*.json")
    path.write_text(path.read_text().replace('"threads": 1,', '"threads": 0,'))
    bench = FakeBench(WIDE_WINS)

    assert tuning.plans(WorkersSpec(), HEAVY, make=bench)["review"].threads == 1
    assert bench.opened == ["review"]


def test_plans_in_words() -> None:
    """What `amalgam plan` prints before and after the first run."""
    before = tuning.described(WorkersSpec(), HEAVY, 5000)
    tuning.plans(WorkersSpec(), HEAVY, make=FakeBench(WIDE_WINS))

    assert before == {"review": "2 workers x 1 thread, until a long run measures it"}
    after = "2 workers x 1 thread, max_batch_tokens 1,024 (measured: 50 rows/s)"
    assert tuning.described(WorkersSpec(), HEAVY, 5000) == {"review": after}


def test_on_a_gpu_the_batch_alone_is_in_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker is measured, with GPU's sizes; who sits where is decided when all are known."""

    class OnGpu(HeavySpec):
        device: str = "auto"

    monkeypatch.setattr(Machine, "here", classmethod(lambda cls: cls("a processor", 2, ("H200",), "2.15.0")))
    bench = FakeBench({(Layout(1, 1), size): float(size) for size in tuning.GPU_SIZES["max_batch_tokens"]})

    plans = tuning.plans(WorkersSpec(), {"review": EmbedSpec(name="review", encoder=OnGpu())}, make=bench)

    assert bench.replicas == 1
    assert plans["review"].batch == {"max_batch_tokens": 65_536}


def test_the_sample_is_what_the_encoder_reads() -> None:
    """A column of cleaned texts under the op's name, one cost for each."""
    samples: list[Sample] = []

    class Curious(FakeBench):
        def __call__(
            self, spec: object, name: str, sample: Sample, replicas: int, left: Callable[[], float]
        ) -> FakeBench:
            samples.append(sample)
            return self

    tuning.plans(WorkersSpec(), HEAVY, make=Curious(WIDE_WINS))

    (sample,) = samples
    assert sample.rows.schema == pa.schema([("clean_review", pa.string())])
    assert len(sample.costs) == sample.rows.num_rows
