"""Off-policy estimates: a ratio of sums over rows, its interval by a bootstrap over groups; free of torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from models.evaluate.base import COVERAGE, Interval
from models.evaluate.logged import Float64, Logged
from models.spec import Spec

DRAWS = 2000
_AT_ONCE = 256  # draws; bounds memory


class Terms(NamedTuple):
    """What each row adds: the estimate is Σ numerator / Σ denominator."""

    numerator: Float64
    """`[n]`"""
    denominator: Float64
    """`[n]`, ones for a mean."""

    @property
    def value(self) -> float:
        """The estimate."""
        total = self.denominator.sum()
        return float(self.numerator.sum() / total) if total else float("nan")


def mean_of(rows: Float64) -> Terms:
    """The terms of a plain mean."""
    return Terms(rows, np.ones(len(rows)))


class Estimator(Protocol):
    """One function of what each row shows; mean and interval are shared."""

    def __call__(self, logged: Logged) -> Terms:
        """The row's terms."""
        ...


class EstimatorSpec(Spec[Estimator]):
    """Describes an off-policy estimator."""

    needs_model: ClassVar[bool]
    """Whether it uses expected rewards (`Logged.model`)."""


class Estimate(NamedTuple):
    """A value with its 95 % interval."""

    value: float
    interval: Interval


def estimate(terms: Terms, logged: Logged, *, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """The estimate, and the percentile interval of a bootstrap over groups (Efron 1979; Field & Welsh 2007).

    Only sums by group are drawn: a draw of 100,000 rows in 1,000 groups costs 1,000 additions.

    Args:
        terms: of the rows of `logged`.
        logged: whose groups are drawn.
        draws: number of resamples.
        seed: of the resampling.
    """
    numerators, denominators = by_group(terms, logged)
    rng = np.random.default_rng(seed)
    drawn = np.concatenate(list(_resampled(numerators, denominators, rng, draws)))
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return Estimate(terms.value, Interval(float("nan"), float("nan")))
    low, high = np.quantile(known, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return Estimate(terms.value, Interval(float(low), float(high)))


def by_group(terms: Terms, logged: Logged) -> tuple[Float64, Float64]:
    """`[g]` sums of numerators and of denominators for each group."""
    codes = logged.groups.dictionary_encode(null_encoding="encode").indices.to_numpy(zero_copy_only=False)
    numerators: Float64 = np.bincount(codes, terms.numerator).astype(np.float64, copy=False)
    denominators: Float64 = np.bincount(codes, terms.denominator).astype(np.float64, copy=False)
    return numerators, denominators


def _resampled(numerators: Float64, denominators: Float64, rng: np.random.Generator, draws: int) -> Iterator[Float64]:
    groups = len(numerators)
    for start in range(0, draws, _AT_ONCE):
        chosen = rng.integers(groups, size=(min(_AT_ONCE, draws - start), groups))
        with np.errstate(invalid="ignore", divide="ignore"):
            yield numerators[chosen].sum(axis=1) / denominators[chosen].sum(axis=1)
