"""F19: storage times out or refuses while a run writes.

A fifth of all calls that change storage fail, half of them after they acted: the run waits, repeats what is safe to
repeat, and publishes. Storage that stays away ends it with 75, and nothing half-written is visible.
(The exchange of two folders is not among these calls: where there is one, the file system is local. See F18.)
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from models.errors import StorageAway
from tests.faults.nights import TinyNight
from tests.faults.watcher import watching
from tests.pipelines.tiny_jobs import DATE, records
from tests.transforms.sinks.systems import Flaky, WithoutExchange, Wrapping
from transforms.sinks import storage
from transforms.sinks.owner import Owner
from transforms.sinks.retry import Patience
from transforms.sinks.standing import published_run
from transforms.sinks.storage import System

pytestmark = pytest.mark.beam
T = TypeVar("T")
CALLS = frozenset({"open", "pwrite", "fsync", "mkdir", "rename", "link", "symlink", "unlink"})
SYSTEMS = {"exchange": System, "links": WithoutExchange}


class Away(Wrapping):
    """From a certain call on, every call fails without acting.

    Args:
        after: calls that come through, but never the commit.
        inner: the system behind.
    """

    def __init__(self, after: float, inner: System) -> None:
        super().__init__(inner)
        self._left = after

    def around(self, name: str, call: Callable[[], T], path: Path | None) -> T:
        commit = path is not None and (path.parent.name, path.name) == ("features", f"date={DATE}")
        self._left = 0 if commit else self._left - 1
        if self._left < 0 or commit:
            raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), str(path))
        return call()


@pytest.fixture(params=sorted(SYSTEMS))
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> System:
    """Each of the two layouts; nobody waits between attempts."""
    monkeypatch.setattr(storage, "PATIENCE", Patience(sleep=lambda _: None))
    return SYSTEMS[request.param]()


@pytest.mark.parametrize("seed", [0, 1])
def test_a_fifth_of_all_calls_fails_and_the_night_is_published(
    tiny_night: TinyNight, monkeypatch: pytest.MonkeyPatch, system: System, seed: int
) -> None:
    """The same values as without the fault, nothing left over; an old version was replaced on the way."""
    monkeypatch.setattr(storage, "SYSTEM", system)
    tiny_night.run()
    undisturbed = tiny_night.published()
    tiny_night.replace_input(records(0, 150), records(150, 320))
    flaky = Flaky(0.2, CALLS, seed, inner=system)
    monkeypatch.setattr(storage, "SYSTEM", flaky)

    with watching(tiny_night.out, DATE):
        outcome = tiny_night.run()

    assert outcome.status == "published"
    assert {"pwrite", "fsync", "rename"} <= flaky.failed.keys()
    added = [f"c{i:04d}" for i in range(300, 320)]
    tiny_night.assert_sound(undisturbed=undisturbed, altered=added)


@pytest.mark.parametrize("calls", [0, 20, float("inf")])
def test_storage_that_stays_away_ends_the_run_with_75(
    tiny_night: TinyNight, monkeypatch: pytest.MonkeyPatch, system: System, calls: float
) -> None:
    """After some calls, at the latest at the commit, nothing can be written any more: the old version stands."""
    monkeypatch.setattr(storage, "SYSTEM", system)
    old = tiny_night.run().manifest.run.run_id
    tiny_night.replace_input(records(0, 100), records(100, 200))

    with monkeypatch.context() as away, watching(tiny_night.out, DATE):
        away.setattr(storage, "SYSTEM", Away(calls, system))
        with pytest.raises(StorageAway, match=r"got Connection timed out.*; run the same command again") as told:
            tiny_night.run()

    assert told.value.exit_code == 75
    assert published_run(tiny_night.out, DATE) == old
    monkeypatch.setattr(Owner, "is_dead", lambda *_: True)  # the process that could not give its lease back has ended
    assert tiny_night.run().status == "published"
    tiny_night.assert_sound()
