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
from pipelines.evaluate import comparison_text
from pipelines.execute import Work
from pipelines.history import VALIDATION, embed_history, read_split
from pipelines.job import Job
from pipelines.recipes import embedding_sources, fusion_folder, head_folder, label_heads
from pipelines.run import versions


@dataclass(frozen=True)
class Trained:
    """What training reached."""

    fitted: Fitted
    split: Split
    comparison: Comparison
    folder: str

    def text(self) -> str:
        """The result for people."""
        last = self.fitted.history[-1]
        best = min(epoch.validation_loss for epoch in self.fitted.history)
        sizes = (len(self.split.train), len(self.split.validation), len(self.split.held_out))
        rows = ", ".join(
            f"{quantities.count(n)} {part}"
            for n, part in zip(sizes, ("training", "validation", "held-out"), strict=True)
        )
        return (
            f"{comparison_text(self.comparison)}\n\n"
            f"Trained {', '.join(self.fitted.heads)} on {rows} rows: {last.epoch + 1} epochs, best validation loss "
            f"{best:.4f}\nSaved: {self.folder}"
        )


def train(job: Job, beam_args: Sequence[str] = ()) -> Trained:
    """Embed the history, fit fusion and heads, judge them on held-out rows, and save them.

    Raises:
        AmalgamError: see `models.errors`; artifacts that stand stay as they are.
    """
    if not label_heads(job):
        raise ConfigError([Problem("heads", "must name at least one head with a label to train; got none")])
    work, _ = embed_history(job, beam_args)
    split = read_split(job, work)
    learner = job.need_training("train").learner.build()
    fitted = learner.fit(job.fusion, label_heads(job), split.train, split.validation)
    comparison = compare(fitted, learner, split)
    _save(job, work, fitted, split, comparison)
    return Trained(fitted, split, comparison, str(job.artifacts))


def _save(job: Job, work: Work, fitted: Fitted, split: Split, comparison: Comparison) -> None:
    """Save the fusion, then each head with the fusion's fingerprint; a reader in between refuses the old heads."""
    training = job.need_training("train")
    card = {
        "job": job.name,
        "intended_use": "Offline scoring of records like those of the training table, by the job file named here.",
        "limits": "Held-out rows come from the same table and time as the training rows; drift is not measured.",
        "data": {
            "path": training.path,
            "fingerprint": work.info.input_fingerprint,
            "rows": {"train": len(split.train), "validation": len(split.validation), "held_out": len(split.held_out)},
            "split": {**training.split.model_dump(), "validation": VALIDATION},
        },
        "learner": training.learner.settings(),
        "history": [epoch._asdict() for epoch in fitted.history],
        "versions": versions(),
    }
    sources = embedding_sources(job, work.recipe.modalities)
    judged: dict[str, Any] = comparison.as_json()
    fusion = save(
        fusion_folder(job), fitted.fusion_spec, fitted.fusion, sources=sources, card={**card, "metrics": judged}
    )
    for name, head in fitted.heads.items():
        own = {key: [row for row in rows if row["head"] == name] for key, rows in judged.items()}
        save(
            head_folder(job, name),
            fitted.head_specs[name],
            head,
            sources={FUSED: fusion},
            card={**card, "metrics": own},
        )
