"""What a valid job file says: its sections, and the Job that they make together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, InstanceOf, field_validator

from models.encoders.base import EncoderSpec
from models.errors import ConfigError, Problem
from models.learn.encoder_learner import EncoderLearnerSpec
from models.learn.labels import LabelsSpec
from models.learn.supervised import SupervisedSpec
from models.spec import JobPath
from transforms.modalities.base import ModalitySpec
from transforms.recipe import Limits
from transforms.sinks.parquet import ParquetSinkSpec
from transforms.workers.base import WorkersSpec

if TYPE_CHECKING:  # these load torch, which nobody needs who only reads a job file
    from models.fusion.base import FusionSpec
    from models.heads.base import HeadSpec


class Section(BaseModel):
    """One part of the job file; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Input(Section):
    """Where the records are."""

    path: JobPath
    """File, folder or glob; `{date}` stands for the run's UTC day."""
    key: str = Field(min_length=1)
    """Column that identifies a record; unique within a date."""
    event_timestamp: str | None = None
    """Column with the event's time; else the run's date."""
    allowed_roots: tuple[JobPath, ...] = ()
    """Folders or URIs below which columns of paths may be followed; the input's own folder when empty."""

    @field_validator("path")
    @classmethod
    def _only_known_placeholders(cls, path: str) -> str:
        if unknown := [found for found in re.findall(r"{[^}]*}", path) if found != "{date}"]:
            raise ValueError(f"must hold no placeholder but {{date}}; got {unknown[0]!r}")
        return path

    def location(self, date: str) -> str:
        """The path for one date."""
        return self.path.replace("{date}", date)

    def roots(self) -> tuple[str, ...]:
        """The allowed roots, with the default filled in."""
        fixed = re.split(r"[{*?\[]", self.path, maxsplit=1)[0]
        return self.allowed_roots or (fixed if fixed == self.path else fixed.rpartition("/")[0],)


class Split(Section):
    """Which rows of the history are held out."""

    by: str
    """Column whose values never stand in both halves."""
    held_out: float = Field(default=0.2, gt=0, lt=1)
    """Share of the groups that is held out."""
    seed: int = 0
    """Another seed gives another split."""


class Training(Section):
    """For fit, train and evaluate."""

    path: JobPath
    """The same columns plus labels (and logged decisions)."""
    split: Split
    learner: SupervisedSpec = SupervisedSpec()
    """How fusion and heads with labels are fitted; a decision head has a learner of its own."""
    encoders: InstanceOf[EncoderLearnerSpec] = LabelsSpec()
    """How encoders that learn are fitted, and to which share of the groups."""
    workers: int = Field(default=1, ge=1, le=64)
    """Processes that train a decision head together."""


class Quarantine(Section):
    """When a run is refused for what it had to leave out."""

    max_fraction: float = Field(default=0.01, ge=0, le=1)
    """Largest share of rows that may be quarantined."""
    unreadable_files: Literal["refuse", "allow"] = "refuse"
    """What happens when a file has no readable footer, or a schema that does not fit."""


class Execution(Section):
    """How work is cut and spread; changes no published number."""

    unit_rows: int = Field(default=5000, ge=1)
    """Most rows of a unit: what is retried, resumed and counted as one."""
    unit_bytes: int = Field(default=512 << 20, ge=1 << 10)
    """About how many uncompressed input bytes a unit holds."""
    batch_rows: int = Field(default=Limits.batch_rows, ge=1)
    """Most rows of a batch."""
    batch_bytes: int = Field(default=Limits.batch_bytes, ge=1 << 10)
    """About how many input bytes a batch holds."""
    window_bytes: int = Field(default=Limits.window_bytes, ge=1 << 10)
    """Most bytes of cleaned batches under way to the workers, per process."""
    processes: int | None = Field(default=None, ge=1, le=256)
    """Beam worker processes on one machine; by default as many as help, by what rows cost; at most one per core."""

    recall: bool = True
    """Keep embeddings beside the output, and take them from there instead of encoding the same value again."""
    recall_days: int = Field(default=30, ge=1)
    """Days that an embedding is kept which no run asks for."""

    def limits(self) -> Limits:
        """The part of these settings that a unit's processing needs."""
        return Limits(self.batch_rows, self.batch_bytes, self.window_bytes)


@dataclass(frozen=True)
class Modality:
    """A modality's cleaning and its encoder."""

    spec: ModalitySpec
    encoder: EncoderSpec


@dataclass(frozen=True)
class Job:
    """A valid job file."""

    name: str
    folder: Path
    source: Mapping[str, Any]
    """The job file as parsed, with overrides."""
    input: Input
    modalities: Mapping[str, Modality]
    fusion: FusionSpec
    heads: Mapping[str, HeadSpec]
    training: Training | None
    output: ParquetSinkSpec
    quarantine: Quarantine
    workers: WorkersSpec
    execution: Execution
    artifacts: Path
    """Folder of what `fit` and `train` write."""

    def record_columns(self) -> list[str]:
        """The columns of a record: key, event time, and what the modalities read."""
        columns = [self.input.key, *([self.input.event_timestamp] if self.input.event_timestamp else [])]
        columns += [c for m in self.modalities.values() for c in m.spec.input_columns()]
        return list(dict.fromkeys(columns))

    def input_columns(self) -> list[str]:
        """The columns that a night reads: those of a record, what heads must know of it, and what is passed through."""
        heads = [column for head in self.heads.values() for column in head.nightly_columns().values()]
        return list(dict.fromkeys([*self.record_columns(), *heads, *self.output.keep]))

    def history_columns(self) -> list[str]:
        """The columns that the training table must have: those of a record, the split's group, and the heads'."""
        group = [] if self.training is None else [self.training.split.by]
        return list(dict.fromkeys([*self.record_columns(), *group, *self.head_columns()]))

    def head_columns(self) -> list[str]:
        """What the heads learn from: labels and logged decisions; each column once."""
        return list(dict.fromkeys(c for head in self.heads.values() for c in head.training_columns().values()))

    def need_training(self, command: str) -> Training:
        """The training section, which fit, train and evaluate cannot do without."""
        if self.training is None:
            raise ConfigError([Problem("training", f"is missing and must be given for `amalgam {command}`")])
        return self.training
