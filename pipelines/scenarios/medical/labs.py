"""Laboratory values: routine ones that show fever and strain, and the results of the tests that were ordered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipelines.scenarios.streams import Bools, Floats

ROUTINE = ("age", "leukocytes", "neutrophils", "troponin", "lactate", "sodium", "creatinine", "hemoglobin")
RESULTS = ("culture_cfu", "bnp", "fev1", "ct_density")
"""Columns of the tests' results, in the order of world.TESTS; null until the test was done."""
NUMERIC = (*ROUTINE, *RESULTS)
CATEGORICAL = ("sex", "smoker", "ward")

_SHARES = {
    "sex": {"female": 0.5, "male": 0.5},
    "smoker": {"never": 0.5, "former": 0.3, "current": 0.2},
    "ward": {"emergency": 0.4, "internal": 0.35, "lung": 0.15, "other": 0.1},
}
_GAP = np.array([0.0, 0.02, 0.04, 0.02, 0.04, 0.3, 0.3, 0.4, 0.05, 0.3, 0.1])  # null though the labs are there


class Results(NamedTuple):
    """Of the tests, whether they were done or not."""

    found: Floats
    """`[n, 4]` standard normal over patients."""
    done: Bools
    """`[n, 4]`"""


def draw(rngs: Sequence[np.random.Generator], shown: Floats, present: Bools, tested: Results) -> dict[str, pa.Array]:
    """Columns of the labs; null where nothing was drawn, and often where something was.

    Args:
        rngs: one per row.
        shown: `[n, 2]` standardized view: fever, strain.
        present: `[n]` whether the routine values were drawn at all; tests are not affected.
        tested: the tests' results.
    """
    normal = np.array([rng.standard_normal(len(ROUTINE)) for rng in rngs]).reshape(-1, len(ROUTINE))
    count = len(CATEGORICAL) + len(_GAP)
    uniform = np.array([rng.random(count) for rng in rngs]).reshape(-1, count)
    values = {**_routine(shown, normal), **_categories(uniform[:, : len(CATEGORICAL)])}
    absent = (uniform[:, len(CATEGORICAL) :] < _GAP) | ~present[:, None]
    columns = {n: pa.array(v, mask=absent[:, i]) for i, (n, v) in enumerate(values.items())}
    results = {n: pa.array(v, mask=~tested.done[:, i]) for i, (n, v) in enumerate(_results(tested.found).items())}
    both = {**columns, **results}
    return {name: both[name] for name in (*NUMERIC, *CATEGORICAL)}


def _routine(shown: Floats, normal: Floats) -> dict[str, Floats]:
    fever, strain = shown.T
    age, leukocytes, neutrophils, troponin, lactate, sodium, creatinine, hemoglobin = normal.T
    return {
        "age": np.clip(np.round(58 + 17 * age), 18, 98),
        "leukocytes": np.round(np.exp(2.2 + 0.35 * (fever + 0.15 * leukocytes)), 2),  # 10^9 per litre
        "neutrophils": np.round(100 / (1 + np.exp(-0.8 - 0.5 * (fever + 0.2 * neutrophils))), 1),  # percent
        "troponin": np.round(np.exp(2.3 + 0.6 * (strain + 0.15 * troponin)), 2),  # ng per litre
        "lactate": np.round(np.exp(0.4 + 0.35 * (strain + 0.2 * lactate)), 3),  # mmol per litre
        "sodium": np.round(139 + 3.5 * sodium, 1),
        "creatinine": np.round(np.exp(4.4 + 0.3 * creatinine), 1),
        "hemoglobin": np.round(13.5 + 1.6 * hemoglobin, 1),
    }


def _results(found: Floats) -> dict[str, Floats]:
    culture, bnp, spirometry, ct = found.T
    return {
        "culture_cfu": np.round(np.exp(6.0 + 1.2 * culture), 1),  # colonies per millilitre
        "bnp": np.round(np.exp(5.0 + 0.8 * bnp), 1),  # ng per litre
        "fev1": np.round(100 / (1 + np.exp(-0.9 + 0.7 * spirometry)), 2),  # percent of what is expected
        "ct_density": np.round(-650 + 110 * ct, 1),  # Hounsfield units
    }


def _categories(uniform: Floats) -> dict[str, list[str]]:
    found = {}
    for column, (name, shares) in zip(uniform.T, _SHARES.items(), strict=True):
        places = np.searchsorted(np.cumsum(list(shares.values()))[:-1], column, side="right")
        found[name] = [list(shares)[place] for place in places.tolist()]
    return found
