"""The firm's accounts: numbers and categories that show pressure, stability and collateral."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipelines.scenarios.streams import Bools, Floats

NUMERIC = (
    "debt_ratio",
    "limit_used",
    "open_loans",
    "revenue_swing",
    "years_trading",
    "assets_pledged",
    "staff",
    "inquiries_6m",
)
CATEGORICAL = ("review_class", "premises", "industry", "legal_form")

REVIEW_CLASSES = ("prime", "good", "standard", "watch")
_CLASS_BOUNDS = (-1.0, -0.1, 0.9)  # of the pressure shown: 16 %, 30 %, 36 % and 18 % of the firms
PREMISES = ("none", "rented", "leased", "owned")
_PREMISES_BOUNDS = (-1.2, 0.0, 0.9)  # of the collateral shown
INDUSTRIES = ("food", "transport", "crafts", "retail", "media", "care", "farming", "repairs")
_INDUSTRY_SHARES = (0.2, 0.16, 0.16, 0.15, 0.11, 0.1, 0.07, 0.05)
LEGAL_FORMS = ("sole_trader", "partnership", "limited", "cooperative")
_FORM_SHARES = (0.46, 0.2, 0.29, 0.05)
_GAP = 0.04  # share of single values that are null in accounts that are there
_DRAWS = 32  # uniform numbers per row, more than are used, so that a new column need not shift the others


def is_watched(pressure: Floats) -> Bools:
    """Whether accounts that show this pressure (standardized, `[n]`) are in the review class `watch`."""
    return pressure >= _CLASS_BOUNDS[-1]


def draw(shown: Floats, rngs: Sequence[np.random.Generator], present: Bools) -> dict[str, pa.Array]:
    """The columns; null where the accounts are absent, and here and there where they are present.

    Args:
        shown: `[n, 3]` standardized view: pressure, stability, collateral.
        rngs: one per row.
        present: `[n]`.
    """
    normal = np.array([rng.standard_normal(len(NUMERIC)) for rng in rngs]).reshape(-1, len(NUMERIC))
    uniform = np.array([rng.random(_DRAWS) for rng in rngs]).reshape(-1, _DRAWS)
    columns = {**_numbers(shown, normal), **_categories(shown, uniform)}
    gaps = uniform[:, : len(columns)] < _GAP
    gaps[:, len(NUMERIC)] = False  # the review class is never missing: what is allowed depends on it
    return {
        name: pa.array(values, mask=gaps[:, index] | ~present) for index, (name, values) in enumerate(columns.items())
    }


def _numbers(shown: Floats, normal: Floats) -> dict[str, Floats]:
    pressure, stability, collateral = shown.T
    debt, used, loans, swing, years, assets, staff, inquiries = normal.T
    return {
        "debt_ratio": np.round(np.exp(-0.4 + 0.45 * (pressure + 0.15 * debt)), 3),  # median 0.67
        "limit_used": np.round(1 / (1 + np.exp(-0.3 - 0.9 * (pressure + 0.3 * used))), 3),
        "open_loans": np.clip(np.round(2.8 + 1.4 * (pressure + 0.35 * loans)), 0, None),
        "revenue_swing": np.round(np.exp(-1.4 - 0.4 * (stability + 0.2 * swing)), 3),  # median 0.25
        "years_trading": np.clip(np.round(11 + 4.5 * (stability + 0.4 * years)), 0, None),
        "assets_pledged": np.round(np.exp(10.4 + 0.6 * (collateral + 0.2 * assets)), -2),  # median 33,000
        "staff": np.round(np.exp(1.3 + 0.8 * staff)),
        "inquiries_6m": np.clip(np.round(1 + 1.4 * inquiries), 0, None),
    }


def _categories(shown: Floats, uniform: Floats) -> dict[str, list[str]]:
    industry, form = uniform[:, -1], uniform[:, -2]
    return {
        "review_class": _named(REVIEW_CLASSES, _CLASS_BOUNDS, shown[:, 0]),
        "premises": _named(PREMISES, _PREMISES_BOUNDS, shown[:, 2]),
        "industry": _named(INDUSTRIES, np.cumsum(_INDUSTRY_SHARES[:-1]), industry),
        "legal_form": _named(LEGAL_FORMS, np.cumsum(_FORM_SHARES[:-1]), form),
    }


def _named(names: Sequence[str], bounds: Sequence[float] | Floats, values: Floats) -> list[str]:
    return [names[i] for i in np.searchsorted(bounds, values, side="right")]
