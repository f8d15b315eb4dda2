"""What a policy is worth by the log: estimates with intervals, how much of the log speaks of it, its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines import quantities
from pipelines.report.forest import Mark, forest
from pipelines.report.markup import Markup, element, join
from pipelines.report.plot import Tick, frame, note, short

MODEL_BASED = "model-based"  # what stands behind an estimate that only a model vouches for


def worth(judgement: Mapping[str, Any]) -> Markup:
    """A policy's off-policy evaluation, from `Judgement.as_json`."""
    if judgement["refusals"]:
        return join([_refused(judgement["refusals"]), _facts(judgement), _weights(judgement)])
    marks = [
        Mark(
            name.replace("_", " "),
            of["value"],
            of["low"],
            of["high"],
            main=name == judgement["headline"],
            remark=MODEL_BASED if of["model_based"] else "",
        )
        for name, of in judgement["estimates"].items()
    ]
    logging = judgement["logging"]
    lines = [*marks, Mark("logged decisions", logging["value"], logging["low"], logging["high"])]
    return join([forest(lines, ("the logged decisions", logging["value"])), _facts(judgement), _weights(judgement)])


def _refused(reasons: Sequence[str]) -> Markup:
    listed = element("ul", *(element("li", reason) for reason in reasons))
    return element("div", element("p", element("b", "No value can be told from this log.")), listed, class_="refused")


def _facts(judgement: Mapping[str, Any]) -> Markup:
    facts = [
        ("decisions", quantities.count(judgement["rows"])),
        ("episodes", quantities.count(judgement["episodes"])),
        ("independent groups", quantities.count(judgement["clusters"])),
    ]
    support = judgement["support"]
    if support is not None:
        facts += [
            ("effective sample", _number(support["effective"])),
            ("largest weight", _number(support["largest"])),
            ("mean weight", _number(support["mean"])),
        ]
    if judgement["propensities"] == "estimated":
        facts.append(("propensities", "estimated by a model"))
    if judgement["cut_off"]:
        facts.append(("episodes cut off", quantities.count(judgement["cut_off"])))
    shown = (element("span", name, " ", element("b", value)) for name, value in facts)
    return element("p", *shown, class_="facts")


def _number(value: float | None) -> str:
    return "–" if value is None else quantities.number(value)


def _weights(judgement: Mapping[str, Any]) -> Markup:
    """How far the policy is from the log: a histogram of importance weights, on a scale of doublings."""
    counts, edges = judgement["weights"]["counts"], judgement["weights"]["edges"]
    filled = [index for index, count in enumerate(counts) if count]
    if not filled:
        return note("No weights: propensities are missing or impossible.")
    first, last = filled[0], filled[-1]
    shown, bounds = counts[first : last + 1], edges[first : last + 2]
    width, top = 100 / len(shown), max(shown)
    bars = [
        element(
            "rect",
            element("title", f"weight {short(bounds[i])} to {short(bounds[i + 1])}: {quantities.count(n)}"),
            x=i * width + 0.08 * width,
            y=100 - 100 * n / top,
            width=0.84 * width,
            height=100 * n / top,
            class_="column",
        )
        for i, n in enumerate(shown)
        if n
    ]
    ticks = [Tick(i / len(shown), short(bound)) for i, bound in enumerate(bounds) if i % 3 == 0]
    label = f"Importance weights between {short(bounds[0])} and {short(bounds[-1])}"
    return join([element("h3", "Importance weights"), frame(label, bars, ticks)])
