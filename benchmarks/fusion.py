"""What each fusion makes of embeddings whose best use is known, and what it loses without a modality.

    python benchmarks/fusion.py                            # every kind, 2,000 and 6,400 rows, two worlds
    python benchmarks/fusion.py --gaps concat --rows 2000  # without each modality: as trained, and trained without it

A world: eight normal factors, of which five modalities (24 to 256 numbers) show two or three each, with noise, as
random functions of them. Labels: whether a customer leaves, what is spent (a sum of factors and two products of them
that no modality shows alone), and which of three things is bought. The best prediction of what is spent is known in
closed form from what modalities show, before it is hidden in their numbers; no model that learns from a sample gets
there.

Every figure is of 4,000 rows that nothing was fitted to.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from models.evaluate.metrics import accuracy, r_squared, roc_auc
from models.heads.base import LabelHeadSpec
from models.heads.classifier import ClassifierSpec
from models.heads.regressor import RegressorSpec
from models.learn.data import Examples
from models.learn.fitting import Fitted
from models.learn.supervised import SupervisedSpec
from models.spec import discover

Float64 = npt.NDArray[np.float64]

WIDTHS = {"photo": 192, "review": 256, "call": 128, "profile": 24, "visits": 64}
SHOWN = ((0, 1, 2), (2, 3, 4), (4, 5), (5, 6, 0), (6, 7, 1))  # factors that each modality shows
NOISE = (0.5, 0.7, 0.6)  # standard deviation of a modality's first, second and third factor
FACTORS, HIDDEN, TEST_ROWS = 8, 40, 4000
HEADS: dict[str, LabelHeadSpec] = {
    "churn": ClassifierSpec(label="churn"),
    "spend": RegressorSpec(label="spend"),
    "bought": ClassifierSpec(label="bought"),
}


@dataclass(frozen=True)
class Sample:
    """Rows of a world, and the best prediction of what is spent from what their modalities show."""

    rows: Examples
    best: Float64


def sample(world: int, rows: int, seed: int, absent: float) -> Sample:
    """Draw rows; the same world has the same functions and labels for every seed."""
    rng, fixed = np.random.default_rng([seed, world]), np.random.default_rng(100 + world)
    z = rng.standard_normal((rows, FACTORS))
    mask = rng.random((rows, len(WIDTHS))) >= absent
    mask[~mask.any(axis=1), 0] = True
    x = np.zeros((rows, len(WIDTHS), max(WIDTHS.values())), np.float32)
    shown = []
    for index, width in enumerate(WIDTHS.values()):
        factors = SHOWN[index]
        s = z[:, factors] + rng.standard_normal((rows, len(factors))) * NOISE[: len(factors)]
        hidden = np.tanh(s @ fixed.standard_normal((len(factors), HIDDEN)) + fixed.standard_normal(HIDDEN))
        clean = hidden @ fixed.standard_normal((HIDDEN, width)) / 6
        x[:, index, :width] = clean + 0.5 * rng.standard_normal((rows, width)) + fixed.standard_normal(width)
        shown.append(s)
    x[~mask] = 0
    c = fixed.standard_normal(FACTORS)
    c = 0.8 * c / np.linalg.norm(c)
    u = z @ c + 0.6 * (z[:, 0] * z[:, 3] + z[:, 5] * z[:, 7]) / 1.4
    things = np.stack([z[:, [0, 3]].sum(1), z[:, [5, 7]].sum(1), z[:, [2, 6]].sum(1)], axis=1)
    labels = {
        "churn": pa.array(rng.random(rows) < 1 / (1 + np.exp(-2.2 * u))),
        "spend": pa.array(u + 0.3 * rng.standard_normal(rows)),
        "bought": pa.array((things + 0.3 * rng.standard_normal(things.shape)).argmax(axis=1)),
    }
    groups = pa.array([str(i) for i in range(rows)])
    examples = Examples(dict(WIDTHS), torch.from_numpy(x), torch.from_numpy(mask), labels, groups)
    return Sample(examples, _best(shown, mask, c))


def _best(shown: Sequence[Float64], mask: npt.NDArray[np.bool_], c: Float64) -> Float64:
    """`[n]` E[spend | what present modalities show]: factors are normal given it, with mean m and covariance C.

    E[z_i z_j] = m_i m_j + C_ij. C depends on the presence pattern alone.
    """
    found = np.zeros(len(mask))
    for pattern in np.unique(mask, axis=0):
        rows = (mask == pattern).all(axis=1)
        owners = [(m, i, f) for m in np.flatnonzero(pattern).tolist() for i, f in enumerate(SHOWN[m])]
        a = np.zeros((len(owners), FACTORS))
        a[np.arange(len(owners)), [f for _, _, f in owners]] = 1
        weights = a.T / np.square([NOISE[i] for _, i, _ in owners])  # [F, k] Aᵀ Σ⁻¹
        covariance = np.linalg.inv(np.eye(FACTORS) + weights @ a)
        seen = np.stack([shown[m][rows, i] for m, i, _ in owners], axis=1)
        m = seen @ (covariance @ weights).T  # [n, F]
        products = m[:, 0] * m[:, 3] + covariance[0, 3] + m[:, 5] * m[:, 7] + covariance[5, 7]
        found[rows] = m @ c + 0.6 * products / 1.4
    return found


def without(rows: Examples, modality: int) -> Examples:
    """The rows as if nobody had this modality; those that have nothing else are left out."""
    mask = rows.mask.clone()
    mask[:, modality] = False
    masked = replace(rows, mask=mask, x=torch.where(mask.unsqueeze(-1), rows.x, 0.0))
    return masked.take(masked.present())


def never(rows: Examples, modality: int) -> Examples:
    """The rows of a job that does not know this modality."""
    kept = [index for index in range(len(WIDTHS)) if index != modality]
    inputs = {name: width for index, (name, width) in enumerate(WIDTHS.items()) if index in kept}
    x = rows.x[:, kept, : max(inputs.values())]
    fewer = replace(rows, inputs=inputs, x=x, mask=rows.mask[:, kept])
    return fewer.take(fewer.present())


def fit(kind: str, train: Examples, validation: Examples, **settings: object) -> Fitted:
    """With the defaults, or other settings of the learner."""
    fusion = discover("fusion")[kind].model_validate({})
    return SupervisedSpec.model_validate(settings).build().fit(fusion, HEADS, train, validation)  # type: ignore[arg-type]


def quality(fitted: Fitted, rows: Examples) -> Float64:
    """ROC AUC of churn, R² of what is spent, accuracy of what is bought."""
    scores = {name: score.double().numpy() for name, score in fitted.scores(rows).items()}
    churn, spend, bought = (rows.labels[name].to_numpy(zero_copy_only=False) for name in ("churn", "spend", "bought"))
    return np.array([
        roc_auc(churn, scores["churn"]), r_squared(spend, scores["spend"]), accuracy(bought, scores["bought"])
    ])  # fmt: skip


def parts(world: int, rows: int, absent: float) -> tuple[Sample, Sample, Sample]:
    """Training, validation and test rows."""
    train, validation = sample(world, rows, 1, absent), sample(world, rows // 5, 2, absent)
    return train, validation, sample(world, TEST_ROWS, 3, absent)


def print_kinds(kinds: Sequence[str], rows: int, world: int, absent: float) -> None:
    """One line per kind, beside the best single modality and the best that could be."""
    train, validation, test = parts(world, rows, absent)
    spend = test.rows.labels["spend"].to_numpy()
    _say(f"\n{rows:,} rows, world {world}: of what is spent, R² {r_squared(spend, test.best):.3f} can be known")
    _say(f"  {'':24} churn AUC   spend R²   bought accuracy   seconds")
    singles = {name: _single(name, train.rows, validation.rows, test.rows) for name in WIDTHS}
    best = np.max(list(singles.values()), axis=0)
    _say(f"  {'best single modality':24} {best[0]:9.4f} {best[1]:10.4f} {best[2]:17.4f}")
    for kind in kinds:
        began = time.process_time()
        fitted = fit(kind, train.rows, validation.rows)
        took = time.process_time() - began
        found = quality(fitted, test.rows)
        _say(f"  {kind:24} {found[0]:9.4f} {found[1]:10.4f} {found[2]:17.4f} {took:9.1f}")


def _single(modality: str, train: Examples, validation: Examples, test: Examples) -> Float64:
    """Of the test rows that have it: an upper bound of what it is worth on all."""
    only = [part.only(modality) for part in (train, validation, test)]
    train, validation, test = (part.take(part.present()) for part in only)
    return quality(fit("weighted_sum", train, validation), test)


def print_gaps(kind: str, rows: int, world: int, absent: float, dropouts: Sequence[float]) -> None:
    """What a trained model loses where a modality is absent, against one that was trained without it."""
    train, validation, test = (part.rows for part in parts(world, rows, absent))
    retrained = []
    for modality in range(len(WIDTHS)):
        model = fit(kind, never(train, modality), never(validation, modality))
        retrained.append(quality(model, never(test, modality)))
    _say(f"\n{kind}, {rows:,} rows, world {world}: all modalities; without one, minus a model trained without it")
    for dropout in dropouts:
        model = fit(kind, train, validation, modality_dropout=dropout)
        gaps = np.array([quality(model, without(test, m)) - retrained[m] for m in range(len(WIDTHS))])
        full, worst, mean = quality(model, test), gaps.min(axis=0), gaps.mean(axis=0)
        for name, *numbers in zip(("churn AUC", "spend R²", "bought accuracy"), full, worst, mean, strict=True):
            all_of_it, at_worst, on_average = numbers
            _say(f"  dropout {dropout:.1f}  {name:16} {all_of_it:.4f}   worst {at_worst:+.4f}   mean {on_average:+.4f}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[2000, 6400])
    parser.add_argument("--worlds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--absent", type=float, default=0.1, help="share of absent values")
    parser.add_argument("--kinds", nargs="+", default=sorted(discover("fusion")))
    parser.add_argument("--gaps", metavar="KIND", help="instead: what this kind loses without each modality")
    parser.add_argument("--dropouts", type=float, nargs="+", default=[0.0, 0.1, 0.3])
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    for rows in chosen.rows:
        for world in chosen.worlds:
            if chosen.gaps:
                print_gaps(chosen.gaps, rows, world, chosen.absent, chosen.dropouts)
            else:
                print_kinds(chosen.kinds, rows, world, chosen.absent)


if __name__ == "__main__":
    main()
