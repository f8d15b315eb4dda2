"""F18: commit made, answer lost.

A file server acts on the atomic step and its answer gets lost on the way: exactly one version must stand, the run must
know whether it is its own, and a rerun must find out the same.
"""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from models.errors import StorageAway
from tests.faults.nights import TinyNight
from tests.faults.watcher import watching
from tests.pipelines.tiny_jobs import DATE, records
from tests.transforms.sinks.systems import LosesAnswers, WithoutExchange
from transforms.sinks import storage
from transforms.sinks.layout import Layout
from transforms.sinks.retry import Patience
from transforms.sinks.standing import published_run
from transforms.sinks.storage import System

pytestmark = pytest.mark.beam
SYSTEMS = {"exchange": System, "links": WithoutExchange}


@pytest.fixture(params=sorted(SYSTEMS))
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> System:
    """Each of the two layouts; nobody waits between attempts."""
    monkeypatch.setattr(storage, "SYSTEM", SYSTEMS[request.param]())
    monkeypatch.setattr(storage, "PATIENCE", Patience(sleep=lambda _: None))
    return storage.SYSTEM


def is_commit(path: Path) -> bool:
    """Whether a call that changes this path is the atomic step."""
    return path.name == f"date={DATE}" and path.parent.name == "features"


def commits(night: TinyNight) -> list[str]:
    """The runs of which anything lies where a reader could come to it."""
    layout = Layout(night.out)
    stands = {layout.features(DATE).resolve(), *layout.versions(DATE).glob("*/features")}
    names = {path.name.rpartition("-")[2] for folder in stands for path in folder.iterdir()}
    return sorted(names)


@pytest.mark.parametrize(("first", "code"), [(True, errno.EIO), (False, errno.EIO), (False, errno.ETIMEDOUT)])
def test_a_commit_whose_answer_is_lost_is_recognized(
    tiny_night: TinyNight, monkeypatch: pytest.MonkeyPatch, system: System, first: bool, code: int
) -> None:
    """It is looked up: published, once; readers see one version or the other; a rerun does nothing."""
    if not first:
        tiny_night.run()
        tiny_night.replace_input(records(0, 200))
    losing = LosesAnswers(code, is_commit, inner=system)
    monkeypatch.setattr(storage, "SYSTEM", losing)

    with watching(tiny_night.out, DATE):
        outcome = tiny_night.run()

    assert (outcome.status, losing.lost) == ("published", 1)
    assert commits(tiny_night) == [outcome.manifest.run.run_id.rpartition("-")[2] + ".parquet"]
    tiny_night.assert_sound()
    assert tiny_night.run().status == "already published"


def test_a_commit_that_did_not_happen_is_not_taken_for_one(
    tiny_night: TinyNight, monkeypatch: pytest.MonkeyPatch, system: System
) -> None:
    """The same answer without the act: 75, the old version stands, and the rerun publishes without encoding again."""
    old = tiny_night.run().manifest.run.run_id
    tiny_night.replace_input(records(0, 100), records(100, 200))  # a unit each

    with monkeypatch.context() as away, watching(tiny_night.out, DATE):
        away.setattr(storage, "SYSTEM", LosesAnswers(errno.EIO, is_commit, acts=False, inner=system))
        with pytest.raises(StorageAway):
            tiny_night.run()

    assert published_run(tiny_night.out, DATE) == old
    outcome = tiny_night.run()
    assert outcome.manifest.details["units"] == {"done": 2, "resumed": 2}
    tiny_night.assert_sound()
