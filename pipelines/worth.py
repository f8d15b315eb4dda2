"""What a policy is worth by a log of other decisions, in a sentence and as a table; or why that cannot be told."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines import quantities
from pipelines.tables import table

if TYPE_CHECKING:  # these load torch, which nobody needs who only reads what training noted
    from models.evaluate.estimates import Estimate
    from models.evaluate.judgement import Judgement


def sentence(judgement: Judgement) -> str:
    """What counts when a policy is published."""
    if judgement.refusals:
        return f"its value cannot be told from the held-out log: {judgement.refusals[0]}"
    low, logged = judgement.estimates[judgement.headline].interval.low, judgement.logging.value
    against = "more than" if judgement.better else "which is not above"
    return f"it is worth at least {low:.4g} (lower bound of 95 %), {against} the {logged:.4g} that was logged"


def account(head: str, which: str, kind: str, judgement: Judgement, *, width: int | None = None) -> str:
    """All estimates beside what was logged, and how much the log knows; or the reasons why there are none.

    Args:
        head: the head's name.
        which: `published` or `candidate`.
        kind: the head's.
        judgement: what was found.
        width: columns of the terminal.
    """
    title = f"{head}: the {which} policy ({kind}) on {judgement.rows:,} held-out decisions"
    if judgement.refusals:
        found = [f"{title}: what it is worth cannot be told", *(f"  - {why}" for why in judgement.refusals)]
        found += [f"As logged: {judgement.logging.value:.4g}."] if math.isfinite(judgement.logging.value) else []
    else:
        found = [f"{title} of {judgement.clusters:,} groups", _estimates(judgement, width)]
    return "\n".join([*found, *_notes(judgement)])


def _estimates(judgement: Judgement, width: int | None) -> str:
    from models.evaluate.judgement import MODEL_BASED

    notes = {**dict.fromkeys(MODEL_BASED, "model-based"), judgement.headline: "counts"}
    named = {"as logged": judgement.logging, **judgement.estimates}
    named[f"{judgement.headline} - as logged"] = judgement.gain
    rows = [[name.replace("_", " "), *_estimate(found), notes.get(name, "")] for name, found in named.items()]
    return table(("estimate", "value", "95 % interval", ""), rows, ("left", "right", "left", "left"), width=width)


def _estimate(found: Estimate) -> list[object]:
    return [found.value, None if math.isnan(found.interval.low) else tuple(found.interval)]


def _notes(judgement: Judgement) -> Iterator[str]:
    """What is to be known before believing a number."""
    found = judgement.support
    if found is not None:
        of = "decisions" if judgement.episodes == judgement.rows else "episodes"
        worth, largest = quantities.number(round(found.effective)), quantities.number(found.largest)
        mean = f"{found.mean:.3f} ± {found.standard_error:.3f}"
        yield (
            f"The log is worth {worth} {of} of equal weight (of {judgement.episodes:,}); largest weight {largest}; "
            f"mean weight {mean}, 1 expected."
        )
    if judgement.estimated:
        yield f"{judgement.estimated:,} propensities are a model's, not the log's."
    if judgement.cut:
        yield f"{judgement.cut:,} episodes were cut off: what would have followed is the model's word."
    if judgement.left_out:
        yield f"{judgement.left_out:,} decisions were left out: their action or reward is not known."
