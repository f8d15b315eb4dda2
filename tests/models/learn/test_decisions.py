"""Logged decisions: read in the order of episodes, with or without a file for embeddings, and split by whole groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.arrow import Bool
from models.errors import ConfigError, SchemaRefused
from models.fusion.weighted_sum import WeightedSumSpec
from models.heads.q_learning import QLearningHeadSpec
from models.learn.decisions import Decisions, read_actions, read_decisions

INPUTS = {"photo": 2, "review": 1}
NAMES: dict[str, Any] = {"action": "offer", "reward": "revenue", "propensity": "chance", "allowed": "offers"}
COLUMNS: dict[str, Any] = {**NAMES, "episode": "visit", "step": "page", "gamma": 0.5}


def table(**changed: pa.Array) -> pa.Table:
    """Visit b of customer 1 (rows 1, 0) and visit a of customer 2 (rows 3, 2), the later page first."""
    columns = {
        "emb_photo": pa.array([[1.0, 1.5], [2.0, 2.5], [3.0, 3.5], [4.0, 4.5]], pa.list_(pa.float32(), 2)),
        "emb_review": pa.array([[0.1], None, [0.3], [0.4]], pa.list_(pa.float32())),
        "offer": pa.array(["x", "y", "y", "x"]),
        "revenue": pa.array([1, 2, 3, 4]),
        "chance": pa.array([0.25, None, 0.5, 1.0]),
        "offers": pa.array([["x", "y"], ["y"], None, ["x", "z"]]),
        "visit": pa.array(["b", "b", "a", "a"]),
        "page": pa.array([2, 1, 2, 1]),
        "customer": pa.array([1, 1, 2, 2]),
    }
    return pa.table({**columns, **changed})


def spec(source: pa.Table, **changed: Any) -> QLearningHeadSpec:
    """The head with the actions of this table."""
    described = QLearningHeadSpec.model_validate({**COLUMNS, **changed})
    actions = read_actions(source, described, "customer")
    return described.with_actions(actions, WeightedSumSpec(dim=4, inputs=INPUTS))


def read(source: pa.Table, folder: Path | None = None, **changed: Any) -> Decisions:
    """The decisions of a table."""
    return read_decisions(source, spec(source, **changed), INPUTS, "customer", folder)


@pytest.mark.parametrize("in_file", [False, True])
def test_rows_stand_in_the_order_of_their_episodes(in_file: bool, tmp_path: Path) -> None:
    """Pages ascend within a visit; every column is turned the same way, wherever embeddings are kept."""
    decisions = read(table(), tmp_path if in_file else None)
    assert decisions.x[:, 0].tolist() == [[2, 2.5], [1, 1.5], [4, 4.5], [3, 3.5]]
    assert decisions.x[:, 1, 0].tolist() == pytest.approx([0, 0.1, 0.4, 0.3])
    assert decisions.mask.tolist() == [[True, False], [True, True], [True, True], [True, True]]
    assert decisions.action.tolist() == [1, 0, 0, 1]
    assert decisions.reward.tolist() == [2, 1, 4, 3]
    np.testing.assert_array_equal(decisions.propensity, [np.nan, 0.25, 1.0, 0.5])
    assert decisions.allowed.tolist() == [[False, True], [True, True], [True, False], [False, False]]
    assert decisions.groups.to_pylist() == ["1", "1", "2", "2"]
    assert decisions.episode.tolist() == [0, 0, 1, 1]
    assert decisions.following.tolist() == [1, -1, 3, -1]
    assert isinstance(decisions.x, np.memmap) == in_file


def test_embeddings_in_a_file_are_read_only_and_leave_nothing_behind(tmp_path: Path) -> None:
    """The file's name is gone at once; the system frees its space when the array is forgotten."""
    decisions = read(table(), tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="read-only"):
        decisions.x[0] = 0


def test_parquet_is_read_as_a_table_is(tmp_path: Path) -> None:
    """Several files and row groups make the same decisions."""
    whole = table()
    pq.write_table(whole.slice(0, 3), tmp_path / "a.parquet", row_group_size=1)
    pq.write_table(whole.slice(3), tmp_path / "b.parquet")
    read_back = read_decisions(tmp_path, spec(whole), INPUTS, "customer")
    assert read_back.fingerprint() == read(whole).fingerprint()


@pytest.mark.parametrize(
    ("columns", "ended"),
    [
        ({}, [False, True, False, True]),
        ({"terminated": "ended"}, [False, False, False, True]),
        ({"truncated": "ended"}, [False, True, False, False]),
    ],
)
def test_ends_are_told_from_cuts(columns: dict[str, Any], ended: list[bool]) -> None:
    """Last rows count as ends unless a column says otherwise: `terminated` names ends, `truncated` cuts."""
    source = table(ended=pa.array([None, False, True, False]))
    assert read(source, **columns).terminated.tolist() == ended


def test_an_end_before_other_steps_is_refused() -> None:
    """The message names the episode."""
    source = table(ended=pa.array([True, True, True, False]))
    with pytest.raises(ConfigError, match="last row only; got it before others in episode 'b'"):
        read(source, terminated="ended")


def test_an_episode_that_spans_groups_is_refused() -> None:
    """Otherwise a part of it could be held out from the rest."""
    with pytest.raises(ConfigError, match="got 'a' in '3' and '2'"):
        read(table(customer=pa.array([1, 1, 2, 3])))


def test_without_episodes_every_row_is_its_own() -> None:
    """Single decisions keep the order of the table and end at once."""
    decisions = read(table(), episode=None, step=None, gamma=0.0)
    assert decisions.reward.tolist() == [1, 2, 3, 4]
    assert decisions.episode.tolist() == [0, 1, 2, 3]
    assert decisions.terminated.all()


def test_a_row_that_nothing_is_known_of_cuts_its_episode() -> None:
    """Page 1 of visit a has no modality: neither it nor page 2 is kept. Page 2 of visit b: page 1 is cut off."""
    absent = table(
        emb_photo=pa.array([None, [2.0, 2.5], [3.0, 3.5], None], pa.list_(pa.float32(), 2)),
        emb_review=pa.array([None, None, [0.3], None], pa.list_(pa.float32())),
    )
    decisions = read(absent)
    assert decisions.reward.tolist() == [2]
    assert (decisions.following.tolist(), decisions.terminated.tolist()) == ([-1], [False])


def test_what_is_learnable_is_known_and_was_allowed() -> None:
    """Actions: allowed; unknown; allowed, without a reward; not allowed."""
    source = table(
        offer=pa.array(["x", None, "y", "x"]),
        revenue=pa.array([1.0, 2.0, None, 4.0]),
        offers=pa.array([["x"], ["x"], ["y"], ["y"]]),
    )
    decisions = read(source, episode=None, step=None, gamma=0.0)
    assert decisions.learnable.tolist() == [True, False, False, False]


def test_what_is_weighable_has_a_probability() -> None:
    """Propensities 0.25, none, 0 and 1.5: only the first is one."""
    source = table(chance=pa.array([0.25, None, 0.0, 1.5]), offers=pa.array([["x", "y"]] * 4))
    assert read(source, episode=None, step=None, gamma=0.0).weighable.tolist() == [True, False, False, False]


def only(customer: str) -> Any:
    """Chooses one customer's rows."""

    def chosen(groups: pa.Array) -> Bool:
        return np.array([group == customer for group in groups.to_pylist()])

    return chosen


@pytest.mark.parametrize("in_file", [False, True])
def test_groups_are_taken_with_their_episodes(in_file: bool, tmp_path: Path) -> None:
    """Row numbers and episodes count from 0 again; embeddings in a file stay in one."""
    decisions = read(table(), tmp_path if in_file else None).take_groups(only("2"))
    assert decisions.reward.tolist() == [4, 3]
    assert decisions.x[:, 0, 0].tolist() == [4, 3]
    assert (decisions.following.tolist(), decisions.episode.tolist()) == ([1, -1], [0, 0])
    assert isinstance(decisions.x, np.memmap) == in_file


def test_scattered_rows_of_a_file_are_copied_into_another(tmp_path: Path) -> None:
    """Single decisions 0 and 2: what is taken lies in a file too."""
    decisions = read(table(), tmp_path, episode=None, step=None, gamma=0.0).take(np.array([0, 2]))
    assert isinstance(decisions.x, np.memmap)
    assert decisions.x[:, 0, 0].tolist() == [1, 3]


def test_a_part_of_an_episode_cannot_be_taken() -> None:
    """What follows would be missing."""
    with pytest.raises(ValueError, match="all rows of some episodes"):
        read(table()).take(np.array([0, 2, 3]))


def test_groups_chosen_while_reading_are_those_taken_afterwards() -> None:
    """`chosen` reads the same decisions as `take_groups`, without the others ever being held."""
    chosen = read_decisions(table(), spec(table()), INPUTS, "customer", None, only("2"))
    assert chosen.fingerprint() == read(table()).take_groups(only("2")).fingerprint()


def test_actions_are_those_of_the_chosen_rows() -> None:
    """What only other customers were offered is unknown to the head."""
    source = table(offer=pa.array([7, 7, 5, None]))
    assert read_actions(source, QLearningHeadSpec.model_validate(COLUMNS), "customer", only("2")).to_pylist() == [
        5,
        None,
    ]


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"revenue": pa.array(["a"] * 4)}, ConfigError, "reward 'revenue' must be a column of numbers; got string"),
        ({"chance": pa.array(["a"] * 4)}, ConfigError, "propensity 'chance' must be a column of numbers"),
        ({"offers": pa.array(["x"] * 4)}, ConfigError, "must be a column of lists of actions"),
        ({"emb_review": pa.array([[1.0, 2.0]] * 4)}, SchemaRefused, "must hold lists of 1 numbers"),
    ],
)
def test_columns_of_another_kind_are_refused(
    changed: dict[str, pa.Array], error: type[Exception], message: str
) -> None:
    """The message names the column and what is there."""
    with pytest.raises(error, match=message):
        read(table(**changed))


def test_a_missing_column_is_refused() -> None:
    """The message names it."""
    with pytest.raises(SchemaRefused, match="must have the columns page"):
        read_decisions(table().drop_columns(["page"]), spec(table()), INPUTS, "customer")


def test_the_fingerprint_sees_every_number() -> None:
    """Another reward or another embedding is another log."""
    changed = table(emb_photo=pa.array([[1.0, 1.5], [2.0, 2.5], [3.0, 3.5], [4.0, 4.0]], pa.list_(pa.float32(), 2)))
    prints = {read(source).fingerprint() for source in (table(), table(revenue=pa.array([1, 2, 3, 5])), changed)}
    assert len(prints) == 3
