"""Rows of the retail scenario."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipelines.scenarios.layout import partitions
from pipelines.scenarios.retail import rows as retail
from pipelines.scenarios.retail.world import GAPS

HISTORY, FIRST, SECOND = partitions(100, 100, 2)


def test_rows_do_not_depend_on_chunks() -> None:
    """Ten rows drawn alone are those ten rows of forty."""
    forty, ten = retail.rows(7, HISTORY, np.arange(40)), retail.rows(7, HISTORY, np.arange(20, 30))
    for whole, part in zip(forty, ten, strict=True):
        assert whole.slice(20, 10).equals(part)


def test_another_seed_gives_other_rows() -> None:
    """No photo and no label stays as it was, the keys do."""
    one, other = (retail.rows(seed, HISTORY, np.arange(10))[0] for seed in (0, 1))
    assert one["customer_id"].equals(other["customer_id"])
    assert not one["spend_next_30d"].equals(other["spend_next_30d"])
    assert not one["photo"].equals(other["photo"])


def test_nights_have_no_labels() -> None:
    """A night has the history's columns up to the labels."""
    history, night = (retail.rows(0, part, np.arange(5))[0].schema for part in (HISTORY, FIRST))
    assert night.names == history.names[: len(night.names)]
    assert {"churned", "offer"} <= set(history.names)
    assert "allowed" in night.names
    assert not {"churned", "spend_next_30d", "offer", "revenue", "propensity"} & set(night.names)


def test_unchanged_photos_and_reviews_keep_their_bytes() -> None:
    """From one night to the next a photo is the same bytes unless it is new; the call is always new."""
    (before, _), (after, known) = (retail.rows(0, part, np.arange(40)) for part in (FIRST, SECOND))
    regular = np.arange(40) % 5 != 4
    for column, is_always_new in (("photo", False), ("review", False), ("call", True)):
        pairs = zip(before[column].to_pylist(), after[column].to_pylist(), strict=True)
        same = np.array([a == b and a is not None for a, b in pairs])
        both = np.array(before[column].is_valid()) & np.array(after[column].is_valid()) & regular
        is_new = np.ones(40, bool) if is_always_new else np.array(known[f"{column}_is_new"])
        np.testing.assert_array_equal(same[both], ~is_new[both])


def test_gaps_have_their_rates() -> None:
    """Each modality is absent at its own rate between 3 and 10 %, and no row lacks all."""
    rows = np.arange(6_000)
    masks = GAPS.present(0, rows, rows * 0)
    for modality, rate in GAPS.absent.items():
        error = 4 * np.sqrt(rate * (1 - rate) / 6_000)
        assert 1 - masks[modality].mean() == pytest.approx(rate, abs=error)
    assert np.any(list(masks.values()), axis=0).all()


def test_a_row_without_any_keeps_its_profile() -> None:
    """Where all five would be absent, the profile is not."""
    masks = GAPS.present_where(np.zeros((1, 5)))
    assert {name: mask[0] for name, mask in masks.items()} == {
        "photo": False, "review": False, "call": False, "profile": True, "visits": False,
    }  # fmt: skip


def test_ordinary_rows_hold_no_nan() -> None:
    """Absent numbers are null; NaN is damage."""
    batch = retail.rows(0, HISTORY, np.arange(100))[0]
    for field in batch.schema:
        if pa.types.is_floating(field.type):
            assert np.isfinite(batch[field.name].drop_null().to_numpy()).all(), field.name


def test_visits_lie_before_the_event() -> None:
    """All visits are earlier than the row's event time, and there are at least two."""
    batch = retail.rows(0, HISTORY, np.arange(50))[0]
    for when, visits in zip(batch["event_time"].to_pylist(), batch["visits"].to_pylist(), strict=True):
        assert visits is None or (len(visits) >= 2 and all(visit["time"] < when for visit in visits))


def test_labels_follow_their_probabilities() -> None:
    """Churn happens as often as the true probabilities say, and spend scatters around what is expected."""
    now = retail.STAGE.situation(0, partitions(1, 2_000, 1)[0], np.arange(2_000))
    labels, truths = retail.labels(now), retail.truths(now)
    chance = truths["churn_probability"].to_numpy()
    residual = labels["spend_next_30d"].to_numpy() - truths["spend_expected"].to_numpy()
    churned = np.array(labels["churned"].to_pylist())
    error = 4 * np.sqrt((chance * (1 - chance)).mean() / 2_000)
    assert churned.mean() == pytest.approx(chance.mean(), abs=error)
    assert residual.std() == pytest.approx(24, rel=4 / np.sqrt(2 * 2_000))
