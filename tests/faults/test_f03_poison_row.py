"""F03: a poison row makes the encoder, or the cleaner, raise or crash its process."""

from __future__ import annotations

from math import log2
from pathlib import Path

import pyarrow as pa
import pytest

from tests.faults.treachery import PLUGINS, ROWS, misdeeds, removed, rows_of, run, treacherous_night, without

pytestmark = pytest.mark.beam

POISON = 77
KEY_OF_POISON = "c0077"
RAY = ("workers.address=local",)
TWO_PROCESSES = ("execution.processes=2",)


@pytest.fixture(autouse=True)
def _plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS))


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """What is published of a night without the poison row."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(PLUGINS))
        return without(tmp_path_factory.mktemp("without"), {POISON})


@pytest.mark.ray
def test_a_row_that_kills_its_actor_is_found(tmp_path: Path, others: pa.Table) -> None:
    """One run, exit 0: the row is in quarantine, the actor died at most log2(batch) + 3 times."""
    night = treacherous_night(tmp_path, {POISON: "a note [segfault]"})

    done = run(night, *RAY)

    assert done.code == 0, done.err
    assert removed(night) == [(KEY_OF_POISON, "embed", "row.process_crash")]
    assert misdeeds(night) == [("segfault", n) for n in (128, 128, 64, 32, 16, 8, 4, 2, 1, 1)]
    assert len(misdeeds(night)) <= log2(ROWS) + 3
    night.assert_sound(undisturbed=others, altered={KEY_OF_POISON})


@pytest.mark.parametrize("note", ["a note [segfault]", "a note [clean:segfault]"], ids=["encoder", "cleaner"])
def test_a_row_that_kills_the_beam_process_is_found(tmp_path: Path, others: pa.Table, note: str) -> None:
    """One run, exit 0: twice the process itself dies, then a child in its stead."""
    night = treacherous_night(tmp_path, {POISON: note})

    done = run(night, *TWO_PROCESSES)

    assert done.code == 0, done.err
    assert removed(night) == [(KEY_OF_POISON, "clean", "row.process_crash")]
    assert misdeeds(night) == [("segfault", n) for n in (128, 128, 64, 32, 16, 8, 4, 2, 1, 1)]
    night.assert_sound(undisturbed=others, altered={KEY_OF_POISON})


def test_a_row_that_kills_the_driver_is_found_by_running_again(tmp_path: Path, others: pa.Table) -> None:
    """Where the driver itself does the work, the third run of the same command gets through."""
    night = treacherous_night(tmp_path, {POISON: "a note [clean:segfault]"})

    codes = [run(night).code for _ in range(3)]

    assert codes == [-11, -11, 0]
    assert removed(night) == [(KEY_OF_POISON, "clean", "row.process_crash")]
    assert len(misdeeds(night)) <= log2(ROWS) + 3
    night.assert_sound(undisturbed=others, altered={KEY_OF_POISON})


@pytest.mark.parametrize(
    ("note", "stage"), [("a note [raise]", "embed"), ("a note [clean:raise]", "clean")], ids=["encoder", "cleaner"]
)
def test_a_row_that_raises_is_found(tmp_path: Path, others: pa.Table, note: str, stage: str) -> None:
    """No process dies: 128, 64, … 1, and the log says what was raised."""
    night = treacherous_night(tmp_path, {POISON: note})

    done = run(night)

    assert done.code == 0, done.err
    assert done.result["quarantined"] == {"row.failed": 1}
    assert removed(night) == [(KEY_OF_POISON, stage, "row.failed")]
    assert misdeeds(night) == [("raise", n) for n in (128, 64, 32, 16, 8, 4, 2, 1)]
    assert "1 rows go to quarantine: ValueError: a text must not say so" in done.err
    night.assert_sound(undisturbed=others, altered={KEY_OF_POISON})


def test_two_poison_rows_cost_two_rows(tmp_path: Path, others: pa.Table) -> None:
    """Neighbours of both come through, bit by bit."""
    night = treacherous_night(tmp_path, {POISON: "a note [raise]", POISON + 1: "another [raise]"})

    done = run(night)

    assert done.code == 0, done.err
    assert [key for key, _, _ in removed(night)] == [KEY_OF_POISON, "c0078"]
    night.assert_sound(undisturbed=others, altered={KEY_OF_POISON, "c0078"})


@pytest.mark.parametrize("settings", [pytest.param(RAY, marks=pytest.mark.ray), ()], ids=["Ray", "inline"])
def test_missing_weights_stop_the_run_at_once(tmp_path: Path, settings: tuple[str, ...]) -> None:
    """No row is blamed: exit 78 with the YAML path, and nothing is published."""
    night = treacherous_night(tmp_path, {}, missing=True)

    done = run(night, *settings)

    assert (done.code, done.out) == (78, "")
    assert "modalities.note.encoder: " in done.err
    assert "weights/model.safetensors" in done.err
    assert not (night.out / "features").exists()


def test_rows_of_a_night_that_fails_everywhere_are_refused(tmp_path: Path) -> None:
    """An encoder that fails at every row is a fault of the night, not of its rows: exit 65, nothing published."""
    night = treacherous_night(tmp_path, {row: f"{row} [raise]" for row in range(ROWS)})

    done = run(night, "quarantine.max_fraction=0.5")

    assert (done.code, done.out) == (65, "")
    assert "row.failed 128" in done.err
    assert not (night.out / "features").exists()
    assert rows_missing(night.out)


def rows_missing(out: Path) -> bool:
    """Whether no reader could find anything."""
    return not list(out.glob("features/*/*.parquet"))


def test_published_rows_are_those_of_a_night_without_the_row(tmp_path: Path, others: pa.Table) -> None:
    """The fixture's own check: all rows but one."""
    night = treacherous_night(tmp_path, {})

    assert run(night).code == 0
    assert rows_of(night).num_rows == others.num_rows + 1 == ROWS
