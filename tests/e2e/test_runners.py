"""The same night on other runners: Beam's portable job service and Flink's local cluster, with external workers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pipelines.run import run
from pipelines.verify import verify
from tests.e2e.retail import DATE, NIGHT, Shop, by_key, read, unequal_bits
from tests.runners.portable import flink, portable_service

Service = Callable[[Path], AbstractContextManager[list[str]]]


@pytest.mark.parametrize(
    "service",
    [
        pytest.param(portable_service, marks=pytest.mark.beam, id="portable job service"),
        pytest.param(flink, marks=pytest.mark.flink, id="Flink"),
    ],
)
def test_the_night_is_the_same_on_another_runner(
    shop: Shop, undisturbed: Path, tmp_path: Path, service: Service
) -> None:
    """Rows equal those of one process bit by bit, and `verify` finds nothing: Flink makes one bundle of everything."""
    out = tmp_path / "out"

    with service(tmp_path) as beam_args:
        outcome = run(shop.load(out, "workers.address=inline", "execution.unit_rows=150"), NIGHT, beam_args)

    assert outcome.status == "published"
    assert unequal_bits(by_key(read(out)), by_key(read(undisturbed))) == []
    assert verify(out, DATE).problems == []


@pytest.mark.ray
@pytest.mark.flink
def test_flink_workers_share_the_runs_ray_actors(shop: Shop, undisturbed: Path, tmp_path: Path) -> None:
    """Worker processes that Flink asked for find the actors of the Ray that the driver started."""
    out = tmp_path / "out"

    with flink(tmp_path) as beam_args:
        run(shop.load(out, "workers.address=local", "execution.unit_rows=150"), NIGHT, beam_args)

    assert unequal_bits(by_key(read(out)), by_key(read(undisturbed))) == []
