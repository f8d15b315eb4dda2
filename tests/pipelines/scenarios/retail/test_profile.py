"""Profiles."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.scenarios.retail import profile

ROWS = np.arange(2_000)


def rngs() -> list[np.random.Generator]:
    """One generator per row."""
    return np.random.default_rng(0).spawn(2_000)


def test_wealth_and_loyalty_show() -> None:
    """Income follows the wealth shown and tenure the loyalty shown, both closely; neither follows the other."""
    shown = np.random.default_rng(0).standard_normal((2_000, 2))
    drawn = profile.draw(rngs(), shown, np.ones(2_000, dtype=np.bool_))
    income, tenure = np.log(drawn["income"].fill_null(33_000)), drawn["tenure_days"].fill_null(900)
    both = np.array(drawn["income"].is_valid()) & np.array(drawn["tenure_days"].is_valid())
    found = np.corrcoef(np.stack([income, tenure, *shown.T])[:, both])
    # The numbers' own noise is 0.2 of what is shown: correlation 1 / √1.04 = 0.98.
    assert found[0, 2] == pytest.approx(0.98, abs=0.01)
    assert found[1, 3] == pytest.approx(0.98, abs=0.01)
    assert abs(found[0, 3]) < 0.1


def test_absent_profiles_are_all_null() -> None:
    """Where the profile is absent all its columns are null, elsewhere 4 % of them, and the segment never."""
    present = ROWS % 2 == 0
    drawn = profile.draw(rngs(), np.zeros((2_000, 2)), present)
    assert list(drawn) == [*profile.NUMERIC, *profile.CATEGORICAL]
    for name, values in drawn.items():
        is_null = np.array(values.is_null())
        assert is_null[~present].all()
        expected = 0.0 if name == "segment" else 0.04
        assert is_null[present].mean() == pytest.approx(expected, abs=4 * np.sqrt(0.04 * 0.96 / 1_000))


def test_starters_are_the_poorest() -> None:
    """The segment `starter` is what the rule for offers takes for it."""
    wealth = np.linspace(-2, 2, 2_000)
    segment = profile.draw(rngs(), np.stack([wealth, wealth], axis=1), np.ones(2_000, dtype=np.bool_))
    is_starter = np.array([name == "starter" for name in segment["segment"].to_pylist()])
    np.testing.assert_array_equal(is_starter, profile.is_starter(wealth))
