"""F09: the GPU's memory does not hold a batch (the encoder raises what torch raises)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.treachery import PLUGINS, ROWS, misdeeds, removed, rows_of, run, treacherous_night, without

pytestmark = pytest.mark.beam


@pytest.fixture(autouse=True)
def _plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS))


def test_batches_are_halved_until_they_fit(tmp_path: Path) -> None:
    """Room for 40 values: 128 and 64 do not fit, 32 does; no row is lost and no number differs."""
    night = treacherous_night(tmp_path / "small", {}, most=40)

    done = run(night)

    assert done.code == 0, done.err
    assert done.result["rows_published"] == ROWS
    assert misdeeds(night) == [("memory", 128), ("memory", 64), ("memory", 64)]
    night.assert_sound(undisturbed=without(tmp_path / "large", ()))


def test_a_value_that_does_not_fit_alone_is_masked(tmp_path: Path) -> None:
    """Its row is scored from what else it has."""
    night = treacherous_night(tmp_path, {5: "a note [memory]"})

    done = run(night)

    assert done.code == 0, done.err
    assert done.result["issues"] == {"note.embedding_out_of_memory": 1}
    assert (removed(night), rows_of(night)["has_note"].to_pylist().count(False)) == ([], 1)
    night.assert_sound()


def test_a_worker_too_small_for_any_value_stops_the_run(tmp_path: Path) -> None:
    """A night of masked notes would hide it: exit 70, naming the modality, nothing published."""
    night = treacherous_night(tmp_path, {}, most=0)

    done = run(night)

    assert (done.code, done.out) == (70, "")
    assert "modalities.note: a value must fit into its worker's memory; got 128 values" in done.err
    assert not (night.out / "features").exists()
