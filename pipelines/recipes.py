"""From a Job and its input's schema to the Recipe of a run, with what `fit` and `train` left in the artifacts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa

from models.artifacts import CONFIG
from models.batch import OpSpec
from models.encoders._learned import LearnedEncoderSpec
from models.encoders.base import EncoderSpec
from models.errors import ConfigError, Problem, UsageError
from models.heads._decision_spec import DecisionHeadSpec
from models.heads._spec import LabelHeadSpec
from models.ops import FuseSpec
from models.schema import FUSED, ISSUES, ROW, clean_column, emb_column, share_column
from models.scoring import ScoreSpec
from models.spec import digest
from models.statistics import Statistics, load_statistics
from pipelines.decision_columns import nightly_problems
from pipelines.job import Job
from pipelines.policies import Places, require_policy, require_same_settings
from transforms.modalities.base import ModalitySpec
from transforms.recipe import Recipe


@dataclass(frozen=True)
class Interval:
    """The half-open UTC interval that a run is for; its first day names the partition."""

    start: datetime
    end: datetime

    @property
    def date(self) -> str:
        """The UTC day that names the partition, YYYY-MM-DD."""
        return self.start.date().isoformat()

    @classmethod
    def of_day(cls, text: str) -> Interval:
        """One UTC day.

        Raises:
            UsageError: not a date.
        """
        try:
            day = date.fromisoformat(text)
        except ValueError as error:
            raise UsageError(f"--date must be a day such as 2026-11-23; got {text!r}") from error
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return cls(start, start + timedelta(days=1))

    @classmethod
    def of(cls, start: str, end: str) -> Interval:
        """An interval in ISO 8601; times without a zone are UTC.

        Raises:
            UsageError: not times, or the end is not after the start.
        """
        bounds = []
        for name, text in (("start", start), ("end", end)):
            try:
                moment = datetime.fromisoformat(text)
            except ValueError as error:
                raise UsageError(f"--interval-{name} must be a time in ISO 8601; got {text!r}") from error
            bounds.append(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC))
        if bounds[1] <= bounds[0]:
            raise UsageError(f"--interval-end must be after --interval-start; got {start!r} and {end!r}")
        return cls(*bounds)


HISTORY = Interval(datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 2, tzinfo=UTC))
"""Stands for "no date" where history is embedded for training."""


def statistics_folder(job: Job) -> Path:
    """Where `fit` keeps what it learned."""
    return job.artifacts / "statistics"


def fusion_folder(job: Job) -> Path:
    """Where `train` keeps the fusion."""
    return job.artifacts / "fusion"


def head_folder(job: Job, head: str) -> Path:
    """Where `train` keeps a head."""
    return job.artifacts / "heads" / head


def encoder_folder(job: Job, modality: str) -> Path:
    """Where `train` keeps an encoder that learns."""
    return job.artifacts / "encoders" / modality


def policy_places(job: Job, head: str) -> Places:
    """Where `train` keeps a decision head: the policy that decides, and one that is not good enough to."""
    return Places(head_folder(job, head), job.artifacts / "candidates" / head)


def policies(job: Job) -> dict[str, DecisionHeadSpec]:
    """The heads that decide."""
    return {name: head for name, head in job.heads.items() if isinstance(head, DecisionHeadSpec)}


def label_heads(job: Job) -> dict[str, LabelHeadSpec]:
    """The heads that learn from a label."""
    return {name: head for name, head in job.heads.items() if isinstance(head, LabelHeadSpec)}


def resolved_modalities(
    job: Job, schema: pa.Schema, where: str, keep: Sequence[str] = (), missing: Sequence[Problem] = ()
) -> dict[str, ModalitySpec]:
    """The modalities' specs, completed from the input's schema.

    Args:
        job: the job.
        schema: of the input.
        where: what the input is called in messages.
        keep: columns that are passed through and must be there too.
        missing: what else is known to be wrong with the input, to be told with the rest.

    Raises:
        ConfigError: a column is missing or has a type that its modality cannot read; all problems at once.
    """
    problems = _column_problems(job, schema, where)
    problems += [
        Problem("output.keep", f"must name columns of {where}; got {column!r}")
        for column in keep
        if column not in schema.names
    ]
    problems += missing
    modalities = {}
    for name, modality in job.modalities.items():
        found = modality.spec.check_types(schema)
        problems += [Problem(f"modalities.{name}", sentence) for sentence in found]
        modalities[name] = modality.spec if found else modality.spec.resolve(schema)
    if problems:
        raise ConfigError(problems)
    return modalities


def _column_problems(job: Job, schema: pa.Schema, where: str) -> list[Problem]:
    """Key and event time must be there and usable, and no column may have a name that the run needs itself."""
    problems = []
    wanted = [("input.key", job.input.key, _is_key, "strings, bytes, integers, decimals or dates")]
    if job.input.event_timestamp is not None:
        wanted.append(("input.event_timestamp", job.input.event_timestamp, _is_time, "timestamps or dates"))
    for path, column, is_usable, what in wanted:
        if column not in schema.names:
            problems.append(Problem(path, f"must be a column of {where}; got {column!r}; columns: {schema.names}"))
        elif not is_usable(found := schema.field(column).type):
            problems.append(Problem(path, f"must be a column of {what}; got {column!r}, which holds {found}"))
    own = {ROW, ISSUES, FUSED, *(of(m) for m in job.modalities for of in (clean_column, emb_column, share_column))}
    own |= {field.name for name, head in job.heads.items() for field in head.output_fields(name)}
    for column in sorted(own & set(schema.names)):
        problems.append(Problem("input.path", f"must hold no column of a name that the run makes; got {column!r}"))
    return problems


def _is_key(found: pa.DataType) -> bool:
    return not (pa.types.is_nested(found) or pa.types.is_floating(found))


def _is_time(found: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(found) or pa.types.is_date(found))


def with_statistics(job: Job, modalities: Mapping[str, ModalitySpec]) -> dict[str, ModalitySpec]:
    """The specs with the statistics that `fit` learned, where they need some.

    Raises:
        ConfigError: `fit` has not run, or not for these fields.
    """
    if not any(spec.fields() for spec in modalities.values()):
        return dict(modalities)
    with problems_at("modalities"):
        statistics: Statistics = load_statistics(statistics_folder(job))
    problems, fitted = [], {}
    for name, spec in modalities.items():
        known = {field: s for field, s in statistics.get(name, {}).items() if field in spec.fields()}
        if missing := sorted(set(spec.fields()) - set(known)):
            problems.append(
                Problem(
                    f"modalities.{name}",
                    f"statistics must hold {missing[0]!r}; got {sorted(known)}: run `amalgam fit`",
                )
            )
        fitted[name] = spec.model_copy(update={"statistics": known}) if known else spec
    if problems:
        raise ConfigError(problems)
    return fitted


def embedding_recipe(job: Job, schema: pa.Schema, keep: tuple[str, ...]) -> Recipe:
    """The recipe that stops after the embeddings: what fusion and heads are trained on."""
    modalities = with_statistics(job, resolved_modalities(job, schema, str(job.need_training("train").path)))
    found = encoders(job, modalities)
    return Recipe(
        schema=schema,
        key=job.input.key,
        event_timestamp=job.input.event_timestamp,
        keep=keep,
        modalities=modalities,
        encoders=found,
        fuse=None,
        score=None,
        fused_dim=0,
        score_fields=(),
        interval=(HISTORY.start, HISTORY.end),
        fingerprint=digest(_fingerprints(modalities, found, None, None)),
        unique_keys=False,
        limits=job.execution.limits(),
    )


def nightly_recipe(job: Job, schema: pa.Schema, interval: Interval) -> Recipe:
    """The recipe of a night: cleaned, encoded, fused, scored.

    Raises:
        ConfigError: columns, statistics or trained weights are missing or do not fit; nothing is loaded for that.
    """
    missing = nightly_problems(job.heads, schema)
    modalities = with_statistics(job, resolved_modalities(job, schema, "the input", job.output.keep, missing))
    found = encoders(job, modalities)
    sources = embedding_sources(modalities, found)
    fuse = fusion_op(job, sources)
    score = score_op(job, fuse, sources, interval)
    return Recipe(
        schema=schema,
        key=job.input.key,
        event_timestamp=job.input.event_timestamp,
        keep=job.output.keep,
        modalities=modalities,
        encoders=found,
        fuse=fuse,
        score=score,
        fused_dim=job.fusion.dim,
        score_fields=tuple(score.output_fields()) if score is not None else (),
        interval=(interval.start, interval.end),
        fingerprint=digest(_fingerprints(modalities, found, fuse, score)),
        limits=job.execution.limits(),
    )


def encoders(job: Job, modalities: Mapping[str, ModalitySpec]) -> dict[str, EncoderSpec]:
    """Modality -> its encoder; those that learn as they were trained.

    Args:
        job: the job.
        modalities: with their fitted statistics.

    Raises:
        ConfigError: an encoder was not trained, or on values that were cleaned otherwise; all of them at once.
    """
    found, problems = {name: job.modalities[name].encoder for name in modalities}, []
    for name, encoder in found.items():
        if isinstance(encoder, LearnedEncoderSpec):
            try:
                found[name] = encoder.with_artifact(encoder_folder(job, name), modalities[name].fingerprint())
            except ConfigError as error:
                problems += error.at(f"modalities.{name}.encoder").problems
    if problems:
        raise ConfigError(problems)
    return found


def embedding_sources(modalities: Mapping[str, ModalitySpec], encoders: Mapping[str, EncoderSpec]) -> dict[str, str]:
    """Modality -> fingerprint of what makes its embeddings: cleaning with its statistics, and the trained encoder."""
    return {name: digest([spec.fingerprint(), encoders[name].fingerprint()]) for name, spec in modalities.items()}


@contextmanager
def problems_at(path: str) -> Iterator[None]:
    """Give a configuration error that is raised inside, and has no YAML path of its own, this one."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError([Problem(p.path or path, p.message) for p in error.problems]) from error


def fusion_op(job: Job, sources: Mapping[str, str]) -> FuseSpec:
    """The trained fusion, or the seeded one where nothing was trained and no head needs it to be.

    Args:
        job: the job.
        sources: modality -> fingerprint of what makes its embeddings.

    Raises:
        ConfigError: heads are configured but `train` has not run, or with other statistics, encoders or settings.
    """
    folder = fusion_folder(job)
    if not job.heads and not (folder / CONFIG).exists():
        return FuseSpec(fusion=job.fusion)
    with problems_at("fusion"):
        fuse = FuseSpec(artifact=str(folder))
        require_same_settings("fusion", fuse.fusion_spec(), job.fusion)
        fuse.require_encoders(sources)
    return fuse


def score_op(job: Job, fuse: FuseSpec, sources: Mapping[str, str], interval: Interval) -> ScoreSpec | None:
    """The trained heads, or None where the job has none.

    Args:
        job: the job.
        fuse: the fusion that label heads read.
        sources: modality -> fingerprint of what makes its embeddings, which decision heads read.
        interval: what decision heads draw for.

    Raises:
        ConfigError: a head was not trained, or on something else, or with other settings; or no policy may decide.
    """
    if not job.heads:
        return None
    labels = {name: partial(_require_label_head, job, name, fuse) for name in label_heads(job)}
    deciding = {
        name: partial(require_policy, f"heads.{name}", head, policy_places(job, name), sources)
        for name, head in policies(job).items()
    }
    _require_all({**labels, **deciding})
    folders = {name: str(head_folder(job, name)) for name in job.heads}
    return ScoreSpec(heads=folders, key=job.input.key, occasion=f"{job.name}/{interval.date}")


def require_label_heads(job: Job, fuse: FuseSpec) -> None:
    """Refuse label heads that were not trained, or not on this fusion, or with other settings.

    Raises:
        ConfigError: naming each of them.
    """
    _require_all({name: partial(_require_label_head, job, name, fuse) for name in label_heads(job)})


def _require_label_head(job: Job, name: str, fuse: FuseSpec) -> None:
    trained = ScoreSpec(heads={name: str(head_folder(job, name))})
    require_same_settings(f"heads.{name}", trained.head_specs()[name], job.heads[name])
    trained.require_sources(fuse.fingerprint(), {})


def _require_all(checks: Mapping[str, Callable[[], None]]) -> None:
    """Make every head's check, and tell all that is wrong at once."""
    problems: list[Problem] = []
    for name, check in checks.items():
        try:
            check()
        except ConfigError as error:
            problems += error.at(f"heads.{name}").problems
    if problems:
        raise ConfigError(problems)


def fingerprints(recipe: Recipe) -> dict[str, object]:
    """Fingerprints of everything that decides a published number, for the manifest."""
    return _fingerprints(recipe.modalities, recipe.encoders, recipe.fuse, recipe.score)


def _fingerprints(
    modalities: Mapping[str, ModalitySpec],
    found: Mapping[str, EncoderSpec],
    fuse: OpSpec | None,
    score: OpSpec | None,
) -> dict[str, object]:
    return {
        "modalities": {name: spec.fingerprint() for name, spec in modalities.items()},
        "encoders": {name: encoder.fingerprint() for name, encoder in found.items()},
        "fusion": fuse.fingerprint() if fuse is not None else "",
        "heads": score.fingerprint() if score is not None else "",
    }
