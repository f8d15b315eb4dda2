"""`amalgam evaluate`: modalities alone and fused, and what policies are worth, on rows that nothing was fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from models.artifacts import load, load_card
from models.evaluate.comparison import Comparison, compare
from models.fusion.base import Fusion, FusionSpec
from models.heads.base import LabelHead, LabelHeadSpec
from models.learn.fitting import Fitted
from pipelines import tables
from pipelines.decisions import Deciding, judge_policies, require_policies_trained
from pipelines.history import embed_history, plan_embedding, read_split, sources_of
from pipelines.job import Job
from pipelines.recipes import fusion_folder, fusion_op, head_folder, label_heads, require_label_heads


@dataclass(frozen=True)
class Evaluation:
    """What was measured."""

    comparison: Comparison
    """Of the heads with labels; empty where there are none."""
    policies: list[Deciding]
    """One for each head that decides."""
    rows: int
    """Held-out rows of the heads with labels."""
    groups: str
    """The column that keeps parts apart."""
    cards: Mapping[str, Mapping[str, Any]]
    """Fusion and heads with labels -> what training noted, with its `history`; policies have theirs."""

    def text(self) -> str:
        """All of it for people."""
        labels = [self.labels_text()] if self.rows else []
        return "\n\n".join([*labels, *(policy.text() for policy in self.policies)])

    def labels_text(self) -> str:
        """The comparison of the heads with labels."""
        return f"{comparison_text(self.comparison)}\n\nHeld out: {self.rows:,} rows, apart by {self.groups}"


def evaluate(job: Job, beam_args: Sequence[str] = ()) -> Evaluation:
    """Judge the trained fusion, heads and policies on the held-out rows.

    Each modality alone is trained here, in the same way and on the same rows, so that the comparison is fair.

    Raises:
        ConfigError: `train` has not run for this job.
    """
    training = job.need_training("evaluate")
    fitted = load_fitted(job, sources_of(plan_embedding(job)))  # what is missing is said before any work
    require_policies_trained(job)
    work, _ = embed_history(job, beam_args)
    comparison, rows = Comparison([], []), 0
    if fitted.heads:
        split = read_split(job, work)
        comparison, rows = compare(fitted, training.learner.build(), split), len(split.held_out)
    cards = {"fusion": load_card(fusion_folder(job)), **{n: load_card(head_folder(job, n)) for n in fitted.heads}}
    return Evaluation(comparison, judge_policies(job, work), rows, training.split.by, cards)


def load_fitted(job: Job, sources: Mapping[str, str]) -> Fitted:
    """The fusion and label heads that `train` saved, checked to belong together and to what makes embeddings now."""
    fuse = fusion_op(job, sources)
    require_label_heads(job, fuse)
    fusion = load(str(fuse.artifact))
    heads = {name: load(head_folder(job, name)) for name in label_heads(job)}
    return Fitted(
        cast(FusionSpec, fusion.config.spec),
        cast(Fusion, fusion.module),
        {name: cast(LabelHeadSpec, loaded.config.spec) for name, loaded in heads.items()},
        {name: cast(LabelHead, loaded.module) for name, loaded in heads.items()},
    )


def comparison_text(comparison: Comparison) -> str:
    """One table per head, and the margin of fusing in a sentence."""
    blocks = []
    for margin in comparison.margins:
        rows = [
            {
                "head": row.head,
                "predictor": row.predictor,
                "rows": row.rows,
                **row.metrics,
                "95 % interval": row.interval,
            }
            for row in comparison.rows
            if row.head == margin.head and row.pattern == "all"
        ]
        low, high = margin.interval
        blocks.append(
            f"{tables.evaluation(rows)}\n{margin.head}: fused is {margin.value:+.4f} {margin.metric} "
            f"({low:+.4f} to {high:+.4f}) against the best single modality, {margin.best_single}"
        )
    return "\n\n".join(blocks)
