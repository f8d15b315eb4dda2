"""F31: NaN, infinities and huge numbers in numbers, series and embeddings."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from models.encoders.hashed_ngrams import HashedNgramsSpec
from models.statistics import CategoryStatistics, FieldStatistics, NumberStatistics, save_statistics
from tests.faults.nights import TinyNight, make_night
from tests.pipelines.tiny_jobs import SOURCE, records

pytestmark = pytest.mark.beam

NAN, INF, HUGE = math.nan, math.inf, 1.7e308
"""The last is near the largest float64."""
AMOUNT = NumberStatistics(count=100, mean=10.0, variance=4.0, quantiles={"0.001": 0.0, "0.999": 20.0})
VISITS = {"type": "series", "column": "visits", "values": ["amount"], "encoder": {"kind": "series_summary"}}


def with_visits(folder: Path, table: pa.Table, **profile: object) -> TinyNight:
    """A night of notes, profiles and visits."""
    modalities = {
        "note": SOURCE["modalities"]["note"],
        "profile": {**SOURCE["modalities"]["profile"], **profile},
        "visits": VISITS,
    }
    night = make_night(folder, table, modalities=modalities)
    age = NumberStatistics(count=100, mean=40.0, variance=100.0, quantiles={"0.001": 10.0, "0.999": 90.0})
    segment = CategoryStatistics(count=100, vocabulary=("gold", "silver"))
    fitted: dict[str, dict[str, FieldStatistics]] = {
        "profile": {"age": age, "segment": segment},
        "visits": {"amount": AMOUNT},
    }
    save_statistics(folder / "artifacts" / "statistics", fitted, {})
    return night


def visits(*amounts: float) -> list[dict[str, float]]:
    """Events a second apart."""
    return [{"time": float(second), "amount": amount} for second, amount in enumerate(amounts)]


@pytest.mark.parametrize("clip", [["0.001", "0.999"], None], ids=["clipped", "not clipped"])
def test_what_is_not_finite_is_left_out_and_counted(tmp_path: Path, clip: list[str] | None) -> None:
    """NaN and infinities cost their field or event; huge numbers are clipped, or limited."""
    ages = [30.0, NAN, INF, -INF, HUGE, -HUGE, 5e-324, None]
    events = [
        visits(1, 2),
        visits(NAN),
        visits(1, INF, 3),
        visits(-INF, 1),
        visits(HUGE, -HUGE),
        visits(HUGE) * 50,
        [],
        [{"time": NAN, "amount": 1.0}, {"time": HUGE, "amount": 1.0}],
    ]
    table = records(0, 8)
    table = table.set_column(2, "age", pa.array(ages, pa.float64())).append_column("visits", pa.array(events))
    night = with_visits(tmp_path, table, clip=clip)

    outcome = night.run()

    rows = night.published().to_pylist()
    assert [row["issues"] for row in rows] == [
        [],
        ["profile.non_finite", "visits.non_finite"],
        ["profile.non_finite", "visits.non_finite"],
        ["profile.non_finite", "visits.non_finite"],
        [],
        [],
        ["visits.empty"],
        ["visits.non_finite"],
    ]
    assert outcome.manifest.ledger.total().issues == {
        "profile.non_finite": 3,
        "visits.empty": 1,
        "visits.non_finite": 4,
    }
    assert [row["has_visits"] for row in rows] == [True, False, True, True, True, True, False, True]
    night.assert_sound()


def test_an_embedding_that_is_not_finite_is_tried_alone_then_masked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An encoder gives NaN for two notes; one of them was an accident of its batch. The other one is masked."""
    build = HashedNgramsSpec.build

    def unsound(self: HashedNgramsSpec) -> object:
        encode = build(self)

        def encoder(values: pa.Array) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
            rows = encode(values).copy()
            for row, text in enumerate(values.to_pylist()):
                if text == "always" or (text == "in company" and len(values) > 1):
                    rows[row, 0] = np.nan
            return rows

        return encoder

    notes = ["fine", "always", "in company", "fine too"]
    table = records(0, 4).set_column(1, "note", pa.array(notes))
    undisturbed = make_night(tmp_path / "good", table)
    undisturbed.run()
    monkeypatch.setattr(HashedNgramsSpec, "build", unsound)
    night = make_night(tmp_path / "bad", table)

    outcome = night.run()

    rows = night.published().to_pylist()
    assert [row["issues"] for row in rows] == [[], ["note.embedding_non_finite"], [], []]
    assert [row["has_note"] for row in rows] == [True, False, True, True]
    assert outcome.manifest.ledger.total().issues == {"note.embedding_non_finite": 1}
    assert json.dumps(rows[1]["emb_note"]) == json.dumps([0.0] * 64)
    night.assert_sound(undisturbed=undisturbed.published(), altered={"c0001"})
