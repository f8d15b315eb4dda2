"""F19: storage that fails or times out on some or all reads of the input."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.nights import TinyNight
from tests.pipelines.tiny_jobs import run_command
from tests.transforms.failing_storage import BUSY, FailingStorage, Sleeps, read_through, sleeps
from tests.transforms.parquet_inputs import flip_byte
from transforms.units import plan_input

__all__ = ["sleeps"]

Capture = pytest.CaptureFixture[str]
pytestmark = pytest.mark.beam


def calls_of_planning(night: TinyNight, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many calls to the storage planning takes, of which none fails."""
    storage = FailingStorage(0)
    with monkeypatch.context() as patch:
        read_through(patch, storage)
        plan_input(str(night.inputs), ["id"], 5000, 1 << 30)
    return storage.calls


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_call_in_five_fails_and_every_row_is_published(
    tiny_night: TinyNight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sleeps: Sleeps, seed: int
) -> None:
    """Listing, footers and pages are asked for again until they come; the result is that of a quiet night."""
    tiny_night.run(f"output.path={tmp_path / 'quiet'}")
    storage = FailingStorage(0.2, seed)
    read_through(monkeypatch, storage)

    outcome = tiny_night.run()

    assert storage.failures == len(sleeps.slept) > 0
    assert outcome.manifest.ledger.total().rows_quarantined == 0
    tiny_night.assert_sound(undisturbed=tiny_night.published(tmp_path / "quiet"))


@pytest.mark.parametrize("when", ["from the start", "after planning"])
def test_a_storage_that_is_gone_is_told_as_such_and_costs_no_row(
    tiny_night: TinyNight, monkeypatch: pytest.MonkeyPatch, sleeps: Sleeps, capsys: Capture, when: str
) -> None:
    """Exit 75 in the storage's own words; nothing is quarantined or published; a rerun completes."""
    planning = calls_of_planning(tiny_night, monkeypatch)
    with monkeypatch.context() as patch:
        read_through(patch, FailingStorage(1.0, sound=0 if when == "from the start" else planning))
        away = run_command(capsys, tiny_night.job)
    visible = list(tiny_night.out.glob("*ine/*")) + list(tiny_night.out.glob("features/*"))

    again = run_command(capsys, tiny_night.job)

    assert (away.code, visible) == (75, [])
    assert f"must be readable; got {BUSY}, 8 times in a row" in away.error
    assert sum(sleeps.slept) >= 12.7  # the delays of one call that is given up
    assert again.code == 0
    tiny_night.assert_sound()


def test_a_refusal_is_told_at_once(
    tiny_night: TinyNight, monkeypatch: pytest.MonkeyPatch, sleeps: Sleeps, capsys: Capture
) -> None:
    """Exit 77, without a second try."""
    denied = "AWS Error ACCESS_DENIED during HeadObject operation"
    read_through(monkeypatch, FailingStorage(1.0, error=lambda: OSError(denied)))

    refused = run_command(capsys, tiny_night.job)

    assert (refused.code, sleeps.slept) == (77, [])
    assert denied in refused.error


def test_damage_is_still_damage_where_storage_fails_too(
    tiny_night: TinyNight, monkeypatch: pytest.MonkeyPatch, sleeps: Sleeps
) -> None:
    """A flipped bit in one row group costs its 100 rows, whatever the storage does meanwhile."""
    flip_byte(tiny_night.inputs / "00.parquet", row_group=0, column=1)
    read_through(monkeypatch, FailingStorage(0.2, seed=4))

    outcome = tiny_night.run()

    assert outcome.manifest.ledger.total().quarantined == {"file.row_group": 100}
    tiny_night.assert_sound()


def test_a_file_that_is_exchanged_during_the_run_is_not_mixed_in(
    tiny_night: TinyNight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """What was planned by one footer is not read by another: exit 75, and the rerun plans anew."""
    planning = calls_of_planning(tiny_night, monkeypatch)
    path = tiny_night.inputs / "01.parquet"
    storage = Exchanging(path, (tiny_night.inputs / "00.parquet").read_bytes(), after=planning)
    with monkeypatch.context() as patch:
        read_through(patch, storage)
        changed = run_command(capsys, tiny_night.job)

    assert changed.code == 75
    assert "01.parquet must stay as it is while a run reads it; got another file" in changed.error
    assert run_command(capsys, tiny_night.job).ledger["quarantined"] == {"key.duplicate": 150}


class Exchanging(FailingStorage):
    """A storage in which somebody overwrites a file after so many calls."""

    def __init__(self, path: Path, content: bytes, after: int) -> None:
        super().__init__(0)
        self._path, self._content, self._after = path, content, after

    def call(self) -> None:
        """Count one call, and overwrite the file when its time has come."""
        super().call()
        if self.calls == self._after + 1:
            self._path.write_bytes(self._content)
