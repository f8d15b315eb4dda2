"""The first stage of `amalgam train`: encoders of our own, fitted to a part of the history that nothing else sees."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from models.artifacts import load_card, load_config, save
from models.encoders._learned import CLEANING, LearnedEncoderSpec
from models.encoders.base import EncoderSpec
from models.errors import ConfigError, CorruptArtifact, Problem
from models.learn.encoder_learner import VALIDATION, EncoderLearnerSpec, EncoderRows, FittedEncoder
from models.spec import digest
from pipelines import quantities, tables
from pipelines.fit import plan_history
from pipelines.job import Job
from pipelines.recipes import encoder_folder, label_heads, resolved_modalities, with_statistics
from transforms.modalities.base import ModalitySpec
from transforms.units import InputPlan

_LOG = logging.getLogger(__name__)

MADE_OF = "made_of"  # card.json: hash of all that decided the weights


class Result(NamedTuple):
    """One encoder after training."""

    modality: str
    kind: str
    status: str
    """`trained`, or `as trained` where nothing had changed."""
    rows: int
    passes: int
    validation_loss: float


def learned_encoders(job: Job) -> dict[str, LearnedEncoderSpec]:
    """Modality -> encoder, for those that learn."""
    found = {name: modality.encoder for name, modality in job.modalities.items()}
    return {name: encoder for name, encoder in found.items() if isinstance(encoder, LearnedEncoderSpec)}


def train_encoders(job: Job, beam_args: Sequence[str] = ()) -> list[Result]:
    """Fit the encoders that learn, unless they stand as they would become.

    Raises:
        AmalgamError: see `models.errors`; artifacts that stand stay as they are.
    """
    if not learned_encoders(job):
        return []
    stage = _Stage.of(job)
    todo = stage.todo()
    if todo:
        rows = stage.rows(todo, beam_args)
        for name in [todo] if stage.learner.together else [[name] for name in todo]:
            stage.fit(name, rows)
        shutil.rmtree(stage.folder(todo))
    return [stage.result(name, "trained" if name in todo else "as trained") for name in stage.encoders]


def text(results: Sequence[Result]) -> str:
    """What became of the encoders, for people."""
    headers = ("encoder of", "kind", "", "rows", "passes", "validation loss")
    lines = [(*r[:3], quantities.count(r.rows), r.passes, f"{r.validation_loss:.4f}") for r in results]
    return tables.table(headers, lines)


@dataclass(frozen=True)
class _Stage:
    job: Job
    learner: EncoderLearnerSpec
    inputs: InputPlan
    modalities: Mapping[str, ModalitySpec]
    """All, with their statistics."""
    encoders: Mapping[str, LearnedEncoderSpec]

    @classmethod
    def of(cls, job: Job) -> _Stage:
        training = job.need_training("train")
        inputs = plan_history(job)
        modalities = with_statistics(job, resolved_modalities(job, inputs.schema, training.path))
        return cls(job, training.encoders, inputs, modalities, learned_encoders(job))

    def todo(self) -> list[str]:
        """The encoders whose artifact is not what training would give now; all of them where they learn together."""
        stale = [name for name in self.encoders if self._card(name).get(MADE_OF) != self.made_of(name)]
        return list(self.encoders) if stale and self.learner.together else stale

    def made_of(self, name: str) -> str:
        """Hash of all that decides an encoder's weights."""
        training = self.job.need_training("train")
        seen = self.seen([name])
        return digest(
            {
                "input": self.inputs.fingerprint,
                "columns": [self.job.input.key],
                "split": training.split.model_dump(),
                "learner": self.learner.settings(),
                "cleaning": {each: self.modalities[each].fingerprint() for each in seen},
                "encoders": {each: encoder.fingerprint() for each, encoder in seen.items()},
                "heads": {n: head.settings() for n, head in label_heads(self.job).items()} if self.labels() else {},
            }
        )

    def seen(self, names: Sequence[str]) -> dict[str, EncoderSpec]:
        """Modality -> encoder, for all that take part when these are trained."""
        if not self.learner.together:
            return {name: self.encoders[name] for name in names}
        found = {name: modality.encoder for name, modality in self.job.modalities.items()}
        # Pretrained encoders stay out: what they cost on the whole part is the user's to decide.
        return {n: e for n, e in found.items() if isinstance(e, LearnedEncoderSpec) or not e.content()}

    def labels(self) -> list[str]:
        """The label columns that are learned from."""
        heads = {} if self.learner.together else label_heads(self.job)
        return list(dict.fromkeys(head.label for head in heads.values()))

    def folder(self, names: Sequence[str]) -> Path:
        """Where prepared rows lie while these are trained."""
        return self.job.artifacts / "encoders" / f".rows-{digest([self.made_of(name) for name in names])[:16]}"

    def rows(self, names: Sequence[str], beam_args: Sequence[str]) -> EncoderRows:
        """The rows to learn from; what an earlier attempt has prepared of them is not prepared again."""
        from pipelines.encoder_preparing import prepare  # loads Beam

        folder, seen = self.folder(names), self.seen(names)
        for other in folder.parent.glob(".rows-*"):
            if other != folder:
                shutil.rmtree(other)
        modalities = {name: self.modalities[name] for name in seen}
        rows = prepare(self.job, self.inputs, modalities, seen, self.labels(), folder, beam_args)
        if rows is None:
            raise ConfigError(
                [Problem("training.encoders.share", "must leave encoders at least one row to learn from; got none")]
            )
        return rows

    def fit(self, names: Sequence[str], rows: EncoderRows) -> None:
        """Fit these at once, and save them."""
        encoders = {name: self.encoders[name] for name in names}
        for name, encoder in encoders.items():
            _LOG.info("encoder of %s: %s learns from %s rows", name, encoder.kind, quantities.count(len(rows)))
        fitted = self.learner.build().fit(encoders, label_heads(self.job), rows)
        for name, one in fitted.items():
            self._save(name, one, rows)

    def _save(self, name: str, fitted: FittedEncoder, rows: EncoderRows) -> None:
        training = self.job.need_training("train")
        present = rows.present(name)
        card = {
            "job": self.job.name,
            "intended_use": "Embeddings of values like those of the training table, by the job file named here.",
            "limits": "Learned from the encoders' part of one table; rows of that part must not be judged by it.",
            "data": {
                "path": training.path,
                "fingerprint": self.inputs.fingerprint,
                "rows": {
                    "train": int((~rows.validation(self.learner.seed)[present]).sum()),
                    "validation": int(rows.validation(self.learner.seed)[present].sum()),
                },
                "split": {**training.split.model_dump(), "encoders": self.learner.share, "validation": VALIDATION},
            },
            "learner": self.learner.settings(),
            "history": [entry._asdict() for entry in fitted.history],
            "metrics": fitted.metrics,
            MADE_OF: self.made_of(name),
        }
        sources = {CLEANING: self.modalities[name].fingerprint()}
        save(encoder_folder(self.job, name), fitted.spec, fitted.network, sources=sources, card=card)
        best = min(entry.validation_loss for entry in fitted.history)
        _LOG.info("encoder of %s: %d passes, validation loss %.4f", name, len(fitted.history), best)

    def _card(self, name: str) -> dict[str, Any]:
        """The card of the artifact that stands, empty if none does that can be used."""
        folder = encoder_folder(self.job, name)
        try:
            load_config(folder)
            return load_card(folder)
        except (ConfigError, CorruptArtifact):
            return {}

    def result(self, name: str, status: str) -> Result:
        """What stands now."""
        card = self._card(name)
        losses = [entry["validation_loss"] for entry in card["history"]]
        return Result(
            name, self.encoders[name].kind, status, sum(card["data"]["rows"].values()), len(losses), min(losses)
        )
