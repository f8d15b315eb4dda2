"""Tests of what is said of a policy's worth: numbers beside the log's, or reasons and no number."""

from __future__ import annotations

from typing import Any

from models.evaluate.base import Interval
from models.evaluate.estimates import UNKNOWN, Estimate
from models.evaluate.judgement import Judgement
from models.evaluate.support import Support
from pipelines.worth import account


def judgement(**changes: Any) -> Judgement:
    """What was found of a policy on 400 decisions of 300 customers, with changes."""
    found: dict[str, Any] = {
        "rows": 400,
        "left_out": 0,
        "clusters": 300,
        "episodes": 400,
        "gamma": 0.0,
        "estimated": 0,
        "cut": 0,
        "refusals": [],
        "support": Support(400, 400, 300, 158.4, 11.93, 0.03, 0.9581, 0.0644, 0.0),
        "estimates": {
            "ips": Estimate(22.5, Interval(19.0, 26.5)),
            "direct": Estimate(24.5, UNKNOWN),
            "doubly_robust": Estimate(23.5, Interval(22.25, 24.75)),
        },
        "logging": Estimate(19.5, Interval(18.5, 20.5)),
        "gain": Estimate(4.0, Interval(2.75, 5.0)),
    }
    return Judgement(**{**found, **changes})


def test_a_policys_value_stands_beside_the_logs() -> None:
    """Which estimate counts, and which is only a model's word, is said beside it; then how much the log knows."""
    assert account("offer", "published", "q_learning", judgement()).splitlines() == [
        "offer: the published policy (q_learning) on 400 held-out decisions of 300 groups",
        "estimate                    value   95 % interval",
        "────────────────────────────────────────────────────────────────",
        "as logged                    19.5   18.5 to 20.5",
        "ips                          22.5   19 to 26.5",
        "direct                       24.5   –                model-based",
        "doubly robust                23.5   22.25 to 24.75   counts",
        "doubly robust - as logged       4   2.75 to 5",
        "The log is worth 158 decisions of equal weight (of 400); largest weight 11.93; mean weight 0.958 ± 0.064, 1 "
        "expected.",
    ]


def test_episodes_are_counted_as_such() -> None:
    """Where decisions follow each other, the weights are the episodes'."""
    last = account("offer", "candidate", "q_learning", judgement(episodes=120)).splitlines()[-1]

    assert last.startswith("The log is worth 158 episodes of equal weight (of 120); ")


def test_what_cannot_be_told_has_reasons_and_no_number() -> None:
    """A line for each."""
    reasons = ["propensities must be known; got none in 7 of 400 rows", "another"]

    told = account("offer", "candidate", "q_learning", judgement(refusals=reasons, estimates={}, support=None))

    assert told.splitlines() == [
        "offer: the candidate policy (q_learning) on 400 held-out decisions: what it is worth cannot be told",
        "  - propensities must be known; got none in 7 of 400 rows",
        "  - another",
        "As logged: 19.5.",
    ]


def test_what_rests_on_a_model_or_was_left_out_is_said() -> None:
    """Propensities, ends of episodes, rows."""
    told = account("offer", "candidate", "q_learning", judgement(estimated=5, cut=2, left_out=3, support=None))

    assert told.splitlines()[-3:] == [
        "5 propensities are a model's, not the log's.",
        "2 episodes were cut off: what would have followed is the model's word.",
        "3 decisions were left out: their action or reward is not known.",
    ]
