"""What `amalgam fit` counts while it reads: mean, variance, quantiles and vocabularies that merge exactly.

Beam cuts the input and merges the pieces in an order that nobody chooses. So that the same input gives the
same statistics, and so the same fingerprint, every state here depends on the *set* of values alone:

    ExactSums        sums of x and x² as whole numbers: nothing is rounded, so adding is associative
    QuantileSketch   counts per fixed bucket: merging adds counts
    Vocabulary       counts per category, exact up to CAPACITY different ones

(Merging means and sums of squared deviations in float64, as Chan, Golub & LeVeque 1979 do, is stable; but the
last digits, and every digit of a mean near zero, follow the order, and rounding the result in the end cannot
remove that: it only moves the places where two orders differ.)
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.arrow import Int64
from models.statistics import QUANTILES, CategoryStatistics, NumberStatistics

Float64: TypeAlias = npt.NDArray[np.float64]

RELATIVE_ERROR: Final = 0.005  # of a quantile: a bucket's width over its smallest magnitude
CAPACITY: Final = 100_000  # different categories counted exactly; at some 100 bytes each, 10 MB per field
MAX_VOCABULARY: Final = 10_000  # categories kept in the end; a job file may use fewer without a new fit
MAX_CATEGORY_LENGTH: Final = 256  # code points; what is longer is free text and enters no vocabulary


@dataclass
class ExactSums:
    """Count, sum and sum of squares of float64 values, without any rounding.

    A finite float64 is m·2^e with whole |m| < 2^53, so the sums of x and of x² are whole multiples of 2^UNIT
    and 4^UNIT: a superaccumulator (Neal 2015, arXiv:1505.05571), here a Python int of some 4,300 bits at most.
    """

    UNIT = -1_126  # frexp's smallest exponent is -1073, and its mantissa has 53 bits
    EXPONENTS = 2_098  # -1073 … 1024

    count: int = 0
    total: int = 0
    squares: int = 0

    def update(self, values: Float64) -> None:
        """Add finite values, `[n]`."""
        mantissas, exponents = np.frexp(values)
        whole = np.ldexp(mantissas, 53).astype(np.int64)
        bins = exponents.astype(np.int64) - 53 - self.UNIT
        high, low = whole >> 26, whole & (2**26 - 1)  # high·2^26 + low: so that int64 holds their products
        self.count += len(values)
        self.total += self._sum(bins, whole, 1)
        self.squares += self._sum(bins, high * high, 2) << 52
        self.squares += self._sum(bins, high * low, 2) << 27
        self.squares += self._sum(bins, low * low, 2)

    def _sum(self, bins: Int64, whole: Int64, power: int) -> int:
        """Σ whole·2^(power·bin): halves of 32 bits summed per bin as int64, put together as Python ints."""
        high, low = np.zeros(self.EXPONENTS, np.int64), np.zeros(self.EXPONENTS, np.int64)
        np.add.at(high, bins, whole >> 32)
        np.add.at(low, bins, whole & (2**32 - 1))
        used = np.flatnonzero(high | low).tolist()
        return sum(((int(high[b]) << 32) + int(low[b])) << (power * b) for b in used)

    def merge(self, other: ExactSums) -> None:
        """Add another's values."""
        self.count += other.count
        self.total += other.total
        self.squares += other.squares

    def mean(self) -> float:
        """Σx / n, rounded once; 0 without values."""
        return float(Fraction(self.total, self.count << -self.UNIT)) if self.count else 0.0

    def variance(self) -> float:
        """(n·Σx² - (Σx)²) / n², rounded once; 0 without values, the largest float64 if it overflows."""
        if not self.count:
            return 0.0
        exact = Fraction(self.count * self.squares - self.total**2, self.count**2 << -2 * self.UNIT)
        return float(min(exact, Fraction(sys.float_info.max)))


@dataclass
class QuantileSketch:
    """Counts of values in buckets of fixed relative width: DDSketch (Masson, Rim & Lee, VLDB 2019).

    Each octave [2^e, 2^(e+1)) is cut into 200 equal buckets: the paper's mapping with linear interpolation,
    which needs no logarithm and so finds the same bucket on every machine. Negative values have buckets of
    their own, zero has one. Merging adds counts: it is exact and does not depend on the order, which is why
    KLL and t-digest, where it does, were not taken. Their number is bounded: magnitudes below 2^-64 of the
    largest count as zero.
    """

    PER_OCTAVE = round(1 / RELATIVE_ERROR)
    FIRST = -1_074 * PER_OCTAVE  # below every bucket's number, so that keys of positive values are positive
    SPAN = 64 * PER_OCTAVE  # 2^-64 of the largest value is far below what float64 resolves beside it

    keys: Int64 = field(default_factory=lambda: np.empty(0, np.int64))
    """`[k]` rising, in the order of the values: ± (bucket's number - FIRST), and 0 for zero."""
    counts: Int64 = field(default_factory=lambda: np.empty(0, np.int64))
    """`[k]`: values in each bucket."""
    low: float = math.inf
    high: float = -math.inf

    def update(self, values: Float64) -> None:
        """Add finite values, `[n]`."""
        mantissas, exponents = np.frexp(np.abs(values))  # |x| = mantissa·2^exponent, 0.5 <= mantissa < 1
        within = ((2 * mantissas - 1) * self.PER_OCTAVE).astype(np.int64)
        magnitudes = exponents.astype(np.int64) * self.PER_OCTAVE + within - self.FIRST
        self._absorb(np.sign(values).astype(np.int64) * magnitudes, np.ones(len(values), np.int64))
        self.low = min(self.low, float(values.min(initial=math.inf)))
        self.high = max(self.high, float(values.max(initial=-math.inf)))

    def merge(self, other: QuantileSketch) -> None:
        """Add another's values."""
        self._absorb(other.keys, other.counts)
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)

    def _absorb(self, keys: Int64, counts: Int64) -> None:
        keys, counts = np.concatenate([self.keys, keys]), np.concatenate([self.counts, counts])
        magnitudes = np.abs(keys)
        keys = np.where(magnitudes > magnitudes.max(initial=0) - self.SPAN, keys, 0)
        self.keys, where = np.unique(keys, return_inverse=True)
        self.counts = np.zeros(len(self.keys), np.int64)
        np.add.at(self.counts, where, counts)

    def quantile(self, q: float) -> float:
        """The value of rank ⌊q·(n - 1)⌋, counted from 0, within RELATIVE_ERROR and on its outer side.

        Below the median it is the lower end of its bucket, above it the upper end, both within the extremes
        seen: so clipping to two quantiles cuts no more than was asked. (A column of years lies in two
        buckets: clipped to values inside them it would become constant.)
        """
        rank = int(q * (int(self.counts.sum()) - 1))
        key = int(self.keys[np.searchsorted(np.cumsum(self.counts), rank, side="right")])
        ends = [math.copysign(self._end(abs(key) + step), key) if key else 0.0 for step in (0, 1)]
        value = min(ends) if q < 0.5 else max(ends) if q > 0.5 else ends[0] / 2 + ends[1] / 2
        return min(max(value, self.low), self.high)

    def _end(self, magnitude: int) -> float:
        """The smallest value of the positive bucket with this key."""
        exponent, within = divmod(magnitude + self.FIRST, self.PER_OCTAVE)
        return math.ldexp((1 + within / self.PER_OCTAVE) / 2, exponent) if exponent <= 1024 else math.inf


@dataclass
class Vocabulary:
    """Counts of categories, exact up to `capacity` different ones.

    Beyond that, small counts are given up as in Misra & Gries 1982, merged as in Agarwal et al. 2012
    (Mergeable Summaries): what makes up more than 1 / capacity of all values is always kept. Only then does
    the order matter.
    """

    counts: Counter[str] = field(default_factory=Counter)
    count: int = 0
    capacity: int = CAPACITY

    def update(self, values: pa.Array) -> None:
        """Add strings; nulls are left out."""
        values = values.drop_null()
        self.count += len(values)
        short = values.filter(pc.less_equal(pc.utf8_length(values), MAX_CATEGORY_LENGTH))
        names, counts = short.value_counts().flatten()
        self._absorb(Counter(dict(zip(names.to_pylist(), counts.to_pylist(), strict=True))))

    def merge(self, other: Vocabulary) -> None:
        """Add another's counts."""
        self.count += other.count
        self._absorb(other.counts)

    def _absorb(self, counts: Counter[str]) -> None:
        self.counts.update(counts)
        if len(self.counts) > self.capacity:
            spare = sorted(self.counts.values(), reverse=True)[self.capacity]
            self.counts = Counter({name: n - spare for name, n in self.counts.items() if n > spare})

    def top(self, size: int) -> tuple[str, ...]:
        """The `size` most frequent categories, by falling count, then by name."""
        ordered = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        return tuple(name for name, _ in ordered[:size])


@dataclass
class NumberAccumulator:
    """Mean, variance and quantiles of a numeric field."""

    sums: ExactSums = field(default_factory=ExactSums)
    sketch: QuantileSketch = field(default_factory=QuantileSketch)

    def update(self, values: pa.Array | npt.NDArray[np.generic]) -> None:
        """Add numbers of any type; nulls, NaN and infinities are left out."""
        if not isinstance(values, np.ndarray):
            values = values.drop_null().cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        floats = values.astype(np.float64)
        floats = floats[np.isfinite(floats)]
        self.sums.update(floats)
        self.sketch.update(floats)

    def merge(self, other: NumberAccumulator) -> None:
        """Add what another has seen."""
        self.sums.merge(other.sums)
        self.sketch.merge(other.sketch)

    def finish(self) -> NumberStatistics:
        """The statistics of all values seen."""
        count, sketch = self.sums.count, self.sketch
        quantiles = {name: sketch.quantile(float(name)) for name in QUANTILES} if count else {}
        mean, variance = self.sums.mean(), self.sums.variance()
        return NumberStatistics(count=count, mean=mean, variance=variance, quantiles=quantiles)


@dataclass
class CategoryAccumulator:
    """Vocabulary of a categorical field."""

    vocabulary: Vocabulary = field(default_factory=Vocabulary)

    def update(self, values: pa.Array | npt.NDArray[np.generic]) -> None:
        """Add strings; nulls are left out."""
        self.vocabulary.update(pa.array(values, pa.string()))

    def merge(self, other: CategoryAccumulator) -> None:
        """Add what another has seen."""
        self.vocabulary.merge(other.vocabulary)

    def finish(self) -> CategoryStatistics:
        """The statistics of all values seen."""
        vocabulary = self.vocabulary.top(MAX_VOCABULARY)
        return CategoryStatistics(count=self.vocabulary.count, vocabulary=vocabulary)


Accumulator: TypeAlias = NumberAccumulator | CategoryAccumulator

ACCUMULATORS: Final[Mapping[str, type[Accumulator]]] = {
    "number": NumberAccumulator,
    "category": CategoryAccumulator,
}
"""What `ModalitySpec.fields()` calls a field -> its accumulator."""
