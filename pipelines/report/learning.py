"""What training reached, for people: on a page of its own (`amalgam evaluate --out`) and in every run's report.

Everything is drawn from JSON: a `Comparison` and `Judgement`s as cards hold them. So both pages show the same, and a
run's report needs neither history nor torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from pipelines.report import curves, listing, matrix, reliability
from pipelines.report.document import card, document
from pipelines.report.forest import Mark, forest
from pipelines.report.markup import Markup, element, join
from pipelines.report.worth import worth

if TYPE_CHECKING:
    from pipelines.evaluate import Evaluation

Json: TypeAlias = Mapping[str, Any]

ALL = "all"  # the pattern that stands for every row


def learning_page(evaluation: Evaluation) -> str:
    """The page of an evaluation: heads with labels, then policies."""
    policies = {
        deciding.head: [
            {
                "which": j.which,
                "kind": j.spec.kind,
                "told": deciding.told,
                "off_policy": j.judgement.as_json(),
                **_curve(j.card),
            }
            for j in deciding.judged
        ]
        for deciding in evaluation.policies
    }
    learned = {"metrics": evaluation.comparison.as_json(), **_curve(evaluation.cards.get("fusion", {}))}
    sub = f"Held out: {evaluation.rows:,} rows, apart by {evaluation.groups}" if evaluation.rows else ""
    header = element(
        "header",
        element(
            "div",
            element("p", "Amalgam evaluation", class_="eyebrow"),
            element("h1", "What was learned"),
            element("p", sub, class_="dim"),
        ),
    )
    grid = element("div", *sections(learned, policies), class_="grid")
    return document("Evaluation", join([header, grid]))


def sections(learned: Json, policies: Mapping[str, Sequence[Json]]) -> Iterator[Markup]:
    """The cards of all heads.

    Args:
        learned: the fusion's card: `metrics` (`Comparison.as_json`) and `history`.
        policies: head -> its policies: `which`, `kind`, `told`, `off_policy` (`Judgement.as_json`) and `history`.
    """
    metrics = learned.get("metrics") or {}
    for head in dict.fromkeys(row["head"] for row in metrics.get("rows", ())):
        yield from _label_head(head, {key: [of for of in rows if of["head"] == head] for key, rows in metrics.items()})
    if learned.get("history"):
        yield card(
            12,
            "Learning curve",
            "Loss by epoch; training stops when validation no longer improves.",
            _epochs(learned["history"]),
        )
    for head, found in policies.items():
        yield from (_policy(head, policy) for policy in found)


def _curve(of: Json) -> Json:
    return {"history": of.get("history", [])}


def _label_head(head: str, of: Json) -> Iterator[Markup]:
    rows = [row for row in of["rows"] if row["pattern"] == ALL]
    if not rows:
        return
    measure = rows[0]["headline"].replace("_", " ")
    marks = [_mark(row, row["predictor"], main=row["predictor"] == "fused") for row in rows]
    yield card(
        6,
        f"{head}: alone and fused",
        f"{measure} on held-out rows, with 95 % intervals over groups.",
        forest(marks),
        _margin(of),
    )
    if without := of.get("without"):
        deltas = [Mark(f"without {one['modality']}", one["delta"], *one["interval"]) for one in without]
        subtitle = f"What {measure} changes when one modality is masked; below 0, it is missed."
        yield card(6, f"{head}: what each modality adds", subtitle, forest(deltas, ("no change", 0.0)))
    patterns = [row for row in of["rows"] if row["pattern"] != ALL]
    if patterns:
        drawn = forest([_mark(row, row["pattern"], remark=f"{row['rows']:,} rows") for row in patterns])
        yield card(
            6,
            f"{head}: by what a record has",
            f"{measure} of fused, for each frequent combination of modalities.",
            drawn,
        )
    for one in of.get("calibration", ()):
        if one.get("bins"):
            bins = [(b["said"], b["came_true"], b["rows"]) for b in one["bins"]]
            yield card(
                6,
                f"{head}: calibration",
                "On the dashed line, probabilities mean what they say.",
                reliability.reliability(bins, head),
            )
    for one in of.get("confusion", ()):
        yield card(
            6,
            f"{head}: confusion",
            "Held-out rows by true and by most probable class.",
            matrix.confusion(one["classes"], one["counts"]),
        )


def _mark(row: Json, name: str, *, main: bool = False, remark: str = "") -> Mark:
    low, high = row["interval"]
    return Mark(name, row["metrics"][row["headline"]], low, high, main=main, remark=remark)


def _margin(of: Json) -> Markup | None:
    margins = [margin for margin in of.get("margins", ()) if margin["value"] is not None]
    if not margins:
        return None
    [margin] = margins
    low, high = margin["interval"]
    interval = f" ({low:+.3f} to {high:+.3f})" if low is not None and high is not None else ""
    text = f"Fused is {margin['value']:+.3f}{interval} against the best single modality, {margin['best_single']}."
    return element("p", text, class_="note")


def _epochs(history: Sequence[Json]) -> Markup:
    x = [float(epoch["epoch"]) for epoch in history]
    series = {
        "training": [epoch["train_loss"] for epoch in history],
        "validation": [epoch["validation_loss"] for epoch in history],
    }
    return curves.curves(x, series, "Loss by epoch")


def _policy(head: str, policy: Json) -> Markup:
    role = "decides" if policy["which"] == "published" else "a candidate that does not decide"
    title = f"{head}: {policy['kind'].replace('_', ' ')}, {role}"
    subtitle = (
        "Value per decision or episode, estimated from held-out logged decisions, with 95 % intervals over groups."
    )
    steps = policy["history"]
    x = [float(check["step"]) for check in steps]
    values = [check["value"] for check in steps]
    known = sum(value is not None for value in values) > 1
    name = "value on validation rows" if known else "loss"
    series = {name: values if known else [check["loss"] for check in steps]}
    folded = listing.folded("Learning curve", name, curves.curves(x, series, name)) if steps else None
    return card(12, title, subtitle, element("p", policy["told"], class_="note"), worth(policy["off_policy"]), folded)
