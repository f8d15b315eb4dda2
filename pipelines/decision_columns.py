"""Columns of logged decisions: what the training table, and for `allowed` the nightly input, must hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pyarrow as pa
import pyarrow.types as pt

from models.errors import Problem
from models.heads._decision_spec import DecisionHeadSpec
from models.heads._spec import HeadSpec


class Wanted(NamedTuple):
    """What a setting's column may hold."""

    fits: Callable[[pa.DataType], bool]
    what: str


def _is_action(found: pa.DataType) -> bool:
    return bool(pt.is_string(found) or pt.is_integer(found) or pt.is_boolean(found))


def _is_number(found: pa.DataType) -> bool:
    return bool(pt.is_integer(found) or pt.is_floating(found) or pt.is_decimal(found))


def _is_reward(found: pa.DataType) -> bool:
    return _is_number(found) or bool(pt.is_boolean(found))


def _are_actions(found: pa.DataType) -> bool:
    return bool(pt.is_list(found)) and (_is_action(found.value_type) or bool(pt.is_null(found.value_type)))


def _is_step(found: pa.DataType) -> bool:
    return _is_number(found) or bool(pt.is_temporal(found))


def _is_flag(found: pa.DataType) -> bool:
    return bool(pt.is_boolean(found) or pt.is_null(found))


def _is_name(found: pa.DataType) -> bool:
    return not (pt.is_nested(found) or pt.is_floating(found))


TYPES: Mapping[str, Wanted] = {
    "action": Wanted(_is_action, "strings, integers or booleans"),
    "reward": Wanted(_is_reward, "numbers"),
    "propensity": Wanted(_is_number, "numbers"),
    "allowed": Wanted(_are_actions, "lists of actions"),
    "episode": Wanted(_is_name, "strings, integers or dates"),
    "step": Wanted(_is_step, "numbers or times"),
    "terminated": Wanted(_is_flag, "true and false"),
    "truncated": Wanted(_is_flag, "true and false"),
}
"""Setting of a decision head -> what its column may hold."""


def nightly_problems(heads: Mapping[str, HeadSpec], schema: pa.Schema) -> list[Problem]:
    """What is missing or of a wrong type in a night's input for its heads.

    Args:
        heads: name -> Spec.
        schema: of the input, in plain types.
    """
    return [
        problem
        for name, head in heads.items()
        for setting, column in head.nightly_columns().items()
        for problem in _problems(f"heads.{name}.{setting}", setting, column, schema, "the input")
    ]


def history_problems(heads: Mapping[str, HeadSpec], schema: pa.Schema) -> list[Problem]:
    """What is missing in the training table for its heads, or of a wrong type for those that decide.

    Args:
        heads: name -> Spec.
        schema: of the training table, in plain types.
    """
    return [
        problem
        for name, head in heads.items()
        for setting, column in head.training_columns().items()
        for problem in _problems(
            f"heads.{name}.{setting}",
            setting if isinstance(head, DecisionHeadSpec) else "",
            column,
            schema,
            "training.path",
        )
    ]


def _problems(path: str, setting: str, column: str, schema: pa.Schema, where: str) -> list[Problem]:
    if column not in schema.names:
        known = ", ".join(schema.names)
        return [Problem(path, f"must be a column of {where}; got {column!r}; columns: {known}")]
    wanted, found = TYPES.get(setting), schema.field(column).type
    if wanted is None or wanted.fits(found):
        return []
    return [Problem(path, f"must be a column of {wanted.what}; got {column!r}, which holds {found}")]
