"""Rows of the finance scenario: the five modalities, labels, the logged decision on the limit, and the truth."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipelines.scenarios.decisions import decide, names_where
from pipelines.scenarios.finance import accounts, call, decisions, document, news, transactions
from pipelines.scenarios.finance.outcomes import (
    DEFAULT_LOGIT,
    LIMITS,
    PROFIT_NOISE,
    UTILISATION,
    UTILISATION_NOISE,
    profits,
)
from pipelines.scenarios.finance.world import GAPS, KEY, LAYOUT, WORLD
from pipelines.scenarios.layout import Partition
from pipelines.scenarios.onestep import OneStep
from pipelines.scenarios.quadratic import sigmoid
from pipelines.scenarios.stage import Situation, Stage
from pipelines.scenarios.streams import Ints
from pipelines.scenarios.values import strings

STAGE = Stage(
    KEY,
    WORLD,
    GAPS,
    LAYOUT,
    decisions.allowed_limits,
    chances=("moment", "default", "limit", "utilisation", "profit"),
)


def rows(seed: int, partition: Partition, numbers: Ints) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """The given rows of a partition, undamaged: what the pipeline may read, and what is true of them."""
    now = STAGE.situation(seed, partition, numbers)
    tail = labels(now) if partition.is_history else {}
    return pa.record_batch({**record(now), **tail}), pa.record_batch({**now.head(), **truths(now)})


def begin(seed: int, subjects: Ints) -> OneStep:
    """Decisions about these firms (`[n]`), each in its first quarter."""
    now = STAGE.first(seed, subjects)
    return OneStep(pa.record_batch(record(now)), now.allowed, profits(now.hidden))


def record(now: Situation) -> dict[str, pa.Array]:
    """The columns of a night: key, time, all five modalities, and what may be decided."""
    shown, present = now.shown, now.present
    moves = transactions.draw(shown["transactions"], now.rngs("transactions"), present["transactions"], now.times)
    return {
        **now.head(),
        "document": pa.array(now.drawn("document", document.draw), pa.binary()),
        "news": strings(now.drawn("news", news.draw)),
        "call": pa.array(now.drawn("call", call.draw), pa.binary()),
        **accounts.draw(shown["accounts"], now.rngs("accounts"), present["accounts"]),
        "transactions": moves,
        "allowed": names_where(now.allowed, LIMITS),
    }


def labels(now: Situation) -> dict[str, pa.Array]:
    """The history's further columns: labels and the logged decision."""
    made = decide(decisions.chances(now.shown, now.present, now.allowed), now.chance["limit"])
    expected = np.take_along_axis(profits(now.hidden), made.action[:, None], axis=1)[:, 0]
    return {
        "quarter": pa.array(now.who.step, pa.int32()),
        "defaulted": pa.array(now.chance["default"] < sigmoid(DEFAULT_LOGIT(now.hidden))),
        "utilisation": pa.array(np.round(UTILISATION(now.hidden) + UTILISATION_NOISE * now.chance["utilisation"], 1)),
        "limit_action": pa.array(LIMITS).take(pa.array(made.action)),
        "propensity": pa.array(made.propensity),
        "profit": pa.array(np.round(expected + PROFIT_NOISE * now.chance["profit"], 2)),
    }


def truths(now: Situation) -> dict[str, pa.Array]:
    """What no pipeline may read: latents, the chances that follow from them, and what each decision would earn."""
    return {
        **now.latents(),
        "default_probability": pa.array(sigmoid(DEFAULT_LOGIT(now.hidden))),
        "utilisation_expected": pa.array(UTILISATION(now.hidden)),
        **{f"profit_{name}": pa.array(column) for name, column in zip(LIMITS, profits(now.hidden).T, strict=True)},
        **now.is_new(),
    }
