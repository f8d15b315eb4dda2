"""Job file -> Job: everything is validated before anything runs, and all problems are reported at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from models.encoders.base import EncoderSpec
from models.errors import ConfigError, Problem
from models.learn.encoder_learner import EncoderLearnerSpec
from models.schema import (
    CREATED_TIMESTAMP,
    EVENT_TIMESTAMP,
    FINGERPRINT,
    FUSED,
    ISSUES,
    emb_column,
    has_column,
    share_column,
)
from models.spec import nearest, parse, problems_of, validate
from pipelines.job import Execution, Input, Job, Modality, Quarantine, Training
from transforms.modalities.base import ModalitySpec
from transforms.sinks.parquet import ParquetSinkSpec
from transforms.workers.base import WorkersSpec

if TYPE_CHECKING:  # these load torch, which nobody needs who only reads a job file
    from models.fusion.base import FusionSpec
    from models.heads.base import HeadSpec

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_KEYS = (
    "job",
    "input",
    "modalities",
    "fusion",
    "heads",
    "training",
    "output",
    "quarantine",
    "workers",
    "execution",
    "artifacts",
)
_REQUIRED = ("job", "input", "modalities", "output")


def load_job(path: Path, overrides: Sequence[str] = ()) -> Job:
    """Read and validate a job file.

    Args:
        path: the YAML file.
        overrides: `dotted.key=value`, values in YAML.

    Raises:
        ConfigError: with every problem found, each with its YAML path.
    """
    source = _read_yaml(path)
    for override in overrides:
        _override(source, override)
    return parse_job(source, path.resolve().parent)


class _Loader(yaml.SafeLoader):
    """Safe YAML that also refuses a key given twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"line {key.start_mark.line + 1}: a key must be a name; got a {key.id}")
            if key.value in seen:
                raise ConfigError(f"line {key.start_mark.line + 1}: key {key.value!r} must stand once; got it twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        source = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # a SafeLoader
    except FileNotFoundError as error:
        raise ConfigError(f"the job file must exist; got nothing at {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the job file must be readable text; got {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} must be YAML; got {' '.join(str(error).split())}") from error
    if not isinstance(source, dict):
        raise ConfigError(f"{path} must hold a mapping with the keys {', '.join(_KEYS)}; got {source!r}")
    return source


def _override(source: dict[str, Any], override: str) -> None:
    dotted, equals, text = override.partition("=")
    if not equals or not dotted:
        raise ConfigError(f"--set must be dotted.key=value; got {override!r}")
    *parents, last = dotted.split(".")
    place = source
    for parent in parents:
        place = place.setdefault(parent, {})
        if not isinstance(place, dict):
            raise ConfigError(f"--set {override}: {parent!r} must be a mapping; got {place!r}")
    try:
        place[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override}: the value must be YAML; got {text!r}") from error


def parse_job(source: Mapping[str, Any], folder: Path) -> Job:
    """A Job from a parsed job file; see `load_job`."""
    return _Parser(source, folder).job()


S = TypeVar("S", bound=BaseModel)


class _Parser:
    """Collects problems while it reads, so that all of them are told at once."""

    def __init__(self, source: Mapping[str, Any], folder: Path) -> None:
        self._source = source
        self._folder = folder
        self.problems: list[Problem] = []

    def job(self) -> Job:
        """The Job.

        Raises:
            ConfigError: with every problem found.
        """
        self._top_level()
        name = self._source.get("job")
        if name is not None and not (isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name)):
            self._problem("job", f"must be a name of letters, digits, '_', '-' and '.'; got {name!r}")
        input_ = self._section("input", Input)
        modalities = self._modalities(input_)
        fusion = self._fusion(modalities)
        heads = self._named("heads", "head")
        training = self._training() if self._source.get("training") is not None else None
        output = self._section("output", ParquetSinkSpec)
        quarantine = self._section("quarantine", Quarantine)
        workers = self._section("workers", WorkersSpec)
        execution = self._section("execution", Execution)
        artifacts = self._source.get("artifacts", "artifacts")
        if not isinstance(artifacts, str):
            self._problem("artifacts", f"must be a folder; got {artifacts!r}")
        self._names_apart(input_, output, modalities, heads)
        if self.problems:
            raise ConfigError(self.problems)
        # Every section is there, or a problem would have said why not.
        assert input_ is not None
        assert output is not None
        assert quarantine is not None
        assert workers is not None
        assert execution is not None
        assert fusion is not None
        return Job(
            name=str(name),
            folder=self._folder,
            source=self._source,
            input=input_,
            modalities=modalities,
            fusion=fusion,
            heads=heads,
            training=training,
            output=output,
            quarantine=quarantine,
            workers=workers,
            execution=execution,
            artifacts=(self._folder / artifacts).resolve(),
        )

    def _problem(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))

    def _top_level(self) -> None:
        known = _KEYS
        for key in self._source:
            if key not in known:
                self._problem(str(key), f"unknown key {key!r}{nearest(key, known)}; known keys: {', '.join(known)}")
        for key in _REQUIRED:
            if self._source.get(key) is None:
                self._problem(key, "is missing and must be given")

    def _training(self) -> Training | None:
        """The training section, in which the learner of encoders is one of several kinds."""
        value = self._source["training"]
        if not isinstance(value, Mapping) or value.get("encoders") is None:
            return self._section("training", Training)
        path = "training.encoders"
        learner = self._component("learner", path, value["encoders"])
        if learner is not None and not isinstance(learner, EncoderLearnerSpec):
            self._problem(f"{path}.kind", f"must be contrastive or labels; got {learner.kind!r}")
            learner = None
        others = {key: setting for key, setting in value.items() if key != "encoders"}
        return self._section("training", Training, others if learner is None else {**others, "encoders": learner})

    def _section(self, key: str, cls: type[S], value: object = None) -> S | None:
        value = self._source.get(key) if value is None else value
        if value is None and key in _REQUIRED:
            return None  # said already
        if value is not None and not isinstance(value, Mapping):
            self._problem(key, f"must be a mapping; got {value!r}")
            return None
        section, problems = validate(cls, dict(value or {}), key, folder=str(self._folder))
        self.problems += problems
        return section

    def _component(self, family: str, path: str, value: object, key: str = "kind") -> Any:
        spec, problems = parse(family, value, path, key=key, folder=str(self._folder))
        self.problems += problems
        return spec

    def _fusion(self, modalities: Mapping[str, Modality]) -> FusionSpec | None:
        """The fusion with its inputs, which may contradict its settings; not judged while a modality is missing."""
        spec: FusionSpec | None = self._component(
            "fusion", "fusion", self._source.get("fusion") or {"kind": "weighted_sum"}
        )
        if spec is None or self.problems:
            return spec
        inputs = {name: modality.encoder.output_dim for name, modality in modalities.items()}
        try:
            return type(spec).model_validate({**spec.model_dump(exclude_unset=True), "inputs": inputs})
        except ValidationError as error:
            self.problems += problems_of(error, "fusion", type(spec))
            return None

    def _entries(self, section: str) -> Iterable[tuple[str, object]]:
        value = self._source.get(section) or {}
        if not isinstance(value, Mapping):
            self._problem(section, f"must be a mapping of names; got {value!r}")
            return
        for name, entry in value.items():
            if isinstance(name, str) and _NAME.fullmatch(name):
                yield name, entry
            else:
                self._problem(f"{section}.{name}", f"names must be lower-case letters, digits and '_'; got {name!r}")

    def _named(self, section: str, family: str) -> dict[str, Any]:
        specs = {n: self._component(family, f"{section}.{n}", value) for n, value in self._entries(section)}
        return {name: spec for name, spec in specs.items() if spec is not None}

    def _modalities(self, input_: Input | None) -> dict[str, Modality]:
        found = {}
        for name, value in self._entries("modalities"):
            modality = self._modality(f"modalities.{name}", value, input_)
            if modality is not None:
                found[name] = modality
        if self._source.get("modalities") in ({}, []):
            self._problem("modalities", "must name at least one modality; got none")
        return found

    def _modality(self, path: str, value: object, input_: Input | None) -> Modality | None:
        settings = dict(value) if isinstance(value, Mapping) else value
        encoder_value = settings.pop("encoder", None) if isinstance(settings, dict) else None
        spec = self._component("modality", path, settings, key="type")
        if encoder_value is None and spec is not None:
            encoder_value = {"kind": spec.default_encoder}
        encoder = None if encoder_value is None else self._component("encoder", f"{path}.encoder", encoder_value)
        if spec is None or encoder is None:
            return None
        if encoder.modality != spec.kind:
            self._problem(
                f"{path}.encoder.kind",
                f"must be an encoder of {spec.kind}; got {encoder.kind!r}, which encodes {encoder.modality}",
            )
            return None
        return self._fitted_together(path, spec, encoder, input_)

    def _fitted_together(
        self, path: str, spec: ModalitySpec, encoder: EncoderSpec, input_: Input | None
    ) -> Modality | None:
        try:
            wanted = dict(encoder.requires())
            encoder.check()
            encoder.output_dim  # noqa: B018  # reads the weights' configuration, which must be there
        except ConfigError as error:
            self.problems += [Problem(f"{path}.encoder", p.message) for p in error.problems]
            return None
        for setting, required in wanted.items():
            given = getattr(spec, setting)
            if setting in spec.model_fields_set and given != required:
                self._problem(f"{path}.{setting}", f"must be {required!r}, as {encoder.kind} wants it; got {given!r}")
        if (
            input_ is not None
            and "allowed_roots" in type(spec).model_fields
            and "allowed_roots" not in spec.model_fields_set
        ):
            wanted["allowed_roots"] = input_.roots()
        return Modality(spec.model_copy(update=wanted), encoder)

    def _names_apart(
        self,
        input_: Input | None,
        output: ParquetSinkSpec | None,
        modalities: Mapping[str, Modality],
        heads: Mapping[str, HeadSpec],
    ) -> None:
        made = {EVENT_TIMESTAMP, CREATED_TIMESTAMP, FUSED, ISSUES, FINGERPRINT}
        made |= {of(m) for m in modalities for of in (has_column, emb_column, share_column)}
        made |= {f.name for name, head in heads.items() for f in head.output_fields(name)}
        for name in sorted(set(heads) & set(modalities)):
            self._problem(f"heads.{name}", f"must not be a modality's name: issue codes begin with it; got {name!r}")
        if input_ is not None:
            if input_.key in made:
                self._problem("input.key", f"must not be the name of an output column; got {input_.key!r}")
            made.add(input_.key)
        for column in output.keep if output is not None else ():
            if column in made:
                self._problem("output.keep", f"must name columns that are not published anyway; got {column!r}")
            made.add(column)
