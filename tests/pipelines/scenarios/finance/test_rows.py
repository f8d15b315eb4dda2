"""Rows of the finance scenario."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipelines.scenarios.finance import rows as finance
from pipelines.scenarios.finance.outcomes import LIMITS
from pipelines.scenarios.finance.world import GAPS
from pipelines.scenarios.layout import partitions

HISTORY, FIRST, SECOND = partitions(100, 100, 2)


def test_rows_do_not_depend_on_chunks() -> None:
    """Ten rows drawn alone are those ten rows of forty."""
    forty, ten = finance.rows(7, HISTORY, np.arange(40)), finance.rows(7, HISTORY, np.arange(20, 30))
    for whole, part in zip(forty, ten, strict=True):
        assert whole.slice(20, 10).equals(part)


def test_another_seed_gives_other_rows() -> None:
    """No document and no label stays as it was, the keys do."""
    one, other = (finance.rows(seed, HISTORY, np.arange(10))[0] for seed in (0, 1))
    assert one["firm_id"].equals(other["firm_id"])
    assert not one["utilisation"].equals(other["utilisation"])
    assert not one["document"].equals(other["document"])


def test_nights_have_no_labels_but_what_is_allowed() -> None:
    """A night has the history's columns up to the labels, the allowed decisions among them."""
    history, night = (finance.rows(0, part, np.arange(5))[0].schema for part in (HISTORY, FIRST))
    assert night.names == history.names[: len(night.names)]
    assert night.names[-1] == "allowed"
    assert history.names[len(night.names) :] == [
        "quarter", "defaulted", "utilisation", "limit_action", "propensity", "profit",
    ]  # fmt: skip


def test_unchanged_documents_and_news_keep_their_bytes() -> None:
    """From one night to the next a document is the same bytes unless it is new; the call is always new."""
    (before, _), (after, known) = (finance.rows(0, part, np.arange(40)) for part in (FIRST, SECOND))
    regular = np.arange(40) % 5 != 4
    for column, is_always_new in (("document", False), ("news", False), ("call", True)):
        pairs = zip(before[column].to_pylist(), after[column].to_pylist(), strict=True)
        same = np.array([a == b and a is not None for a, b in pairs])
        both = np.array(before[column].is_valid()) & np.array(after[column].is_valid()) & regular
        is_new = np.ones(40, bool) if is_always_new else np.array(known[f"{column}_is_new"])
        np.testing.assert_array_equal(same[both], ~is_new[both])


def test_gaps_are_3_to_10_percent() -> None:
    """Every modality has its rate, and it lies between 3 and 10 %."""
    assert set(GAPS.absent) == {"document", "news", "call", "accounts", "transactions"}
    assert all(0.03 <= rate <= 0.1 for rate in GAPS.absent.values())


def test_ordinary_rows_hold_no_nan() -> None:
    """Absent numbers are null; NaN is damage."""
    batch = finance.rows(0, HISTORY, np.arange(100))[0]
    for field in batch.schema:
        if pa.types.is_floating(field.type):
            assert np.isfinite(batch[field.name].drop_null().to_numpy()).all(), field.name


def test_transactions_lie_before_the_event() -> None:
    """All transactions are earlier than the row's event time."""
    batch = finance.rows(0, HISTORY, np.arange(50))[0]
    for when, events in zip(batch["event_time"].to_pylist(), batch["transactions"].to_pylist(), strict=True):
        assert events is None or all(event["time"] < when for event in events)


def test_labels_follow_their_probabilities() -> None:
    """Defaults happen as often as the true probabilities say, and use and profit scatter around what is expected."""
    now = finance.STAGE.situation(0, partitions(1, 2_000, 1)[0], np.arange(2_000))
    labels, truths = finance.labels(now), finance.truths(now)
    chance = truths["default_probability"].to_numpy()
    defaulted = np.array(labels["defaulted"].to_pylist())
    error = 4 * np.sqrt((chance * (1 - chance)).mean() / 2_000)
    assert defaulted.mean() == pytest.approx(chance.mean(), abs=error)
    use = labels["utilisation"].to_numpy() - truths["utilisation_expected"].to_numpy()
    expected = np.array(
        [truths[f"profit_{name}"][i].as_py() for i, name in enumerate(labels["limit_action"].to_pylist())]
    )
    profit = labels["profit"].to_numpy() - expected
    for residual, noise in ((use, 7), (profit, 5)):
        assert residual.std() == pytest.approx(noise, rel=4 / np.sqrt(2 * 2_000))
        assert residual.mean() == pytest.approx(0, abs=4 * noise / np.sqrt(2_000))


def test_large_raises_need_accounts_that_are_not_watched() -> None:
    """What is allowed can be told from the record itself: from its review class."""
    batch = finance.rows(0, FIRST, np.arange(100))[0]
    pairs = list(zip(batch["review_class"].to_pylist(), batch["allowed"].to_pylist(), strict=True))
    for review_class, allowed in pairs:
        expected = LIMITS[:-1] if review_class in (None, "watch") else LIMITS
        assert allowed == list(expected)
    assert len({tuple(allowed) for _, allowed in pairs}) == 2


def test_episodes_of_one_step_pay_what_is_expected() -> None:
    """Each decision is over after one action, which brings its expected profit; and what is seen is a night's row."""
    now = finance.begin(3, np.arange(6))
    action = np.array([0, 1, 2, 3, 0, 1])
    acted = now.act(action)
    np.testing.assert_array_equal(acted.reward, now.expected[np.arange(6), action])
    assert not acted.runs_on.any()
    assert now.records().schema.equals(finance.rows(3, FIRST, np.arange(1))[0].schema)
