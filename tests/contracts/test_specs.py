"""What every Spec of every family promises: its name, round trips, and that unknown settings are refused."""

from __future__ import annotations

import pickle
from typing import Any, get_origin

import pytest
import yaml
from pydantic import ValidationError

from models.spec import FAMILIES, Spec, discover, parse

SETTINGS: dict[tuple[str, str], dict[str, Any]] = {
    ("modality", "tabular"): {"numeric": ["age"], "categorical": ["segment"]},
    ("head", "policy_gradient"): {"action": "offer", "reward": "revenue", "propensity": "propensity"},
}
"""(family, kind) -> settings of its example, where the required ones cannot be made up from their types."""

KINDS = [(family, kind) for family in FAMILIES for kind in sorted(discover(family))]
every_kind = pytest.mark.parametrize(("family", "kind"), KINDS, ids=["-".join(pair) for pair in KINDS])


def example_settings(family: str, kind: str) -> dict[str, Any]:
    """Settings for every required field: a name for a string, a list of one name for a sequence, 2 for a number."""
    if (family, kind) in SETTINGS:
        return SETTINGS[family, kind]
    made_up: dict[Any, Any] = {str: "name", int: 2, float: 2.0, tuple: ["name"], list: ["name"]}
    fields = discover(family)[kind].model_fields
    required = {name: field.annotation for name, field in fields.items() if field.is_required()}
    unknown = {name: of for name, of in required.items() if (get_origin(of) or of) not in made_up}
    if unknown:
        pytest.fail(f"{family} {kind!r} requires {unknown}: add an entry for it to SETTINGS here")
    return {name: made_up[get_origin(of) or of] for name, of in required.items()}


def parsed(family: str, kind: str, more: dict[str, Any]) -> tuple[Spec[Any] | None, list[str]]:
    """The spec that a job file with these settings gives, or what is wrong with it."""
    key = "type" if family == "modality" else "kind"
    spec, problems = parse(family, {key: kind, **more}, "here", key=key)
    return spec, [str(problem.message) for problem in problems]


def example(family: str, kind: str) -> Spec[Any]:
    """A spec of this kind, as a job file would give it."""
    chosen = example_settings(family, kind)
    spec, problems = parsed(family, kind, chosen)
    if spec is None:
        pytest.fail(f"{family} {kind!r} cannot be made from {chosen}: add its settings to SETTINGS here ({problems})")
    return spec


@every_kind
def test_kind_is_the_file_name(family: str, kind: str) -> None:
    """The name in job files is the name of the file that defines it."""
    spec = discover(family)[kind]

    assert spec.kind == kind == spec.__module__.rpartition(".")[2]


@every_kind
def test_survives_yaml(family: str, kind: str) -> None:
    """Settings written as YAML and read back give an equal spec."""
    spec = example(family, kind)
    written = {k: v for k, v in spec.settings().items() if k != "kind" and k not in spec.derived}

    again, problems = parsed(family, kind, yaml.safe_load(yaml.safe_dump(written)))

    assert problems == []
    assert again == spec


@every_kind
def test_survives_pickle(family: str, kind: str) -> None:
    """A spec that travelled to another process is equal to the one that was sent."""
    spec = example(family, kind)

    again = pickle.loads(pickle.dumps(spec))  # noqa: S301  (our own bytes, as Beam sends them)

    assert again == spec
    assert again.settings() == spec.settings()


@every_kind
def test_unknown_key_is_refused(family: str, kind: str) -> None:
    """A key that no setting has is one problem that names it."""
    spec, problems = parsed(family, kind, {**example_settings(family, kind), "no_such_setting": 1})

    assert spec is None
    assert len(problems) == 1
    assert "no_such_setting" in problems[0]


@every_kind
def test_is_frozen(family: str, kind: str) -> None:
    """A spec cannot be changed once it is made."""
    spec = example(family, kind)
    name = next(iter(type(spec).model_fields), None)

    assert type(spec).model_config["frozen"]
    if name is not None:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(spec, name, None)


@every_kind
def test_every_setting_is_explained(family: str, kind: str) -> None:
    """`amalgam kinds` can print a sentence for each setting that a job file may hold."""
    spec = discover(family)[kind]
    explained = {name for name, field in spec.model_fields.items() if field.description}

    assert set(spec.model_fields) - explained <= spec.derived
