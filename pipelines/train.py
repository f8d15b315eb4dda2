"""`amalgam train`: fusion and heads, fitted to the embedded history and saved with a card of what they reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.artifacts import save
from models.errors import ConfigError, Problem
from models.evaluate.comparison import Comparison, compare
from models.learn.data import Split
from models.learn.fitting import Fitted
from models.schema import FUSED
from pipelines import quantities
from pipelines.decisions import Deciding, observed, train_policies
from pipelines.encoders import Result, train_encoders
from pipelines.encoders import text as encoders_text
from pipelines.evaluate import comparison_text
from pipelines.execute import Work
from pipelines.history import VALIDATION, embed_history, read_split, sources_of
from pipelines.job import Job
from pipelines.policies import Clock, now
from pipelines.recipes import fusion_folder, head_folder, label_heads
from pipelines.run import versions


@dataclass(frozen=True)
class Labelled:
    """The fusion, and the heads that learn from labels."""

    fitted: Fitted
    split: Split | None
    """None: there is no such head."""
    comparison: Comparison

    def text(self) -> str:
        """The result for people."""
        if self.split is None:
            return "The fusion is as seeded, since no head has a label to train it by."
        last = self.fitted.history[-1]
        best = min(epoch.validation_loss for epoch in self.fitted.history)
        rows = ", ".join(f"{quantities.count(n)} {part.replace('_', '-')}" for part, n in sizes(self.split).items())
        return (
            f"{comparison_text(self.comparison)}\n\n"
            f"Trained {', '.join(self.fitted.heads)} on {rows} rows: {last.epoch + 1} epochs, best validation loss "
            f"{best:.4f}"
        )


@dataclass(frozen=True)
class Trained:
    """What training reached."""

    labels: Labelled
    policies: list[Deciding]
    folder: str
    encoders: Sequence[Result] = ()

    @property
    def comparison(self) -> Comparison:
        """Of the heads with labels, with each modality alone."""
        return self.labels.comparison

    def text(self) -> str:
        """The result for people."""
        first = [encoders_text(self.encoders)] if self.encoders else []
        parts = [*first, self.labels.text(), *(policy.text() for policy in self.policies), f"Saved: {self.folder}"]
        return "\n\n".join(parts)


def train(job: Job, beam_args: Sequence[str] = (), clock: Clock = now) -> Trained:
    """Fit encoders; embed the history; fit fusion and label heads, then decision heads; judge all on held-out rows.

    Args:
        job: the job.
        beam_args: what the user wrote after `--`.
        clock: for the dates on policies' cards.

    Raises:
        AmalgamError: see `models.errors`; artifacts that stand stay as they are.
    """
    if not job.heads:
        raise ConfigError([Problem("heads", "must name at least one head to train; got none")])
    encoders = train_encoders(job, beam_args)
    work, _ = embed_history(job, beam_args)
    labels = train_labels(job, work)
    save_labels(job, work, labels)
    policies = train_policies(job, work, clock)
    return Trained(labels, policies, str(job.artifacts), encoders)


def train_labels(job: Job, work: Work) -> Labelled:
    """The fusion and the label heads, fitted together; without such a head, the fusion as decision heads begin with."""
    heads = label_heads(job)
    if not heads:
        return Labelled(observed(job, work), None, Comparison([], []))
    split, learner = read_split(job, work), job.need_training("train").learner.build()
    fitted = learner.fit(job.fusion, heads, split.train, split.validation)
    return Labelled(fitted, split, compare(fitted, learner, split))


def sizes(split: Split | None) -> dict[str, int]:
    """Part -> rows."""
    if split is None:
        return {}
    return {"training": len(split.train), "validation": len(split.validation), "held_out": len(split.held_out)}


def save_labels(job: Job, work: Work, labels: Labelled) -> None:
    """Save the fusion, then each head with the fusion's fingerprint; a reader in between refuses the old heads."""
    training, fitted = job.need_training("train"), labels.fitted
    card = {
        "job": job.name,
        "intended_use": "Offline scoring of records like those of the training table, by the job file named here.",
        "limits": "Held-out rows come from the same table and time as the training rows; drift is not measured.",
        "data": {
            "path": training.path,
            "fingerprint": work.info.input_fingerprint,
            "rows": sizes(labels.split),
            "split": {**training.split.model_dump(), "validation": VALIDATION},
        },
        "learner": training.learner.settings(),
        "history": [epoch._asdict() for epoch in fitted.history],
        "versions": versions(),
    }
    sources = sources_of(work)
    judged: dict[str, Any] = labels.comparison.as_json()
    metrics = {**card, "metrics": judged}
    fusion = save(fusion_folder(job), fitted.fusion_spec, fitted.fusion, sources=sources, card=metrics)
    for name, head in fitted.heads.items():
        own = {key: [row for row in rows if row["head"] == name] for key, rows in judged.items()}
        spec, metrics = fitted.head_specs[name], {**card, "metrics": own}
        save(head_folder(job, name), spec, head, sources={FUSED: fusion}, card=metrics)
