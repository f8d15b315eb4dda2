"""ScoreOp: what a row's action depends on, what is said of it, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from models.artifacts import save
from models.errors import ConfigError
from models.fusion.weighted_sum import WeightedSumSpec
from models.heads._policy import row_uniforms
from models.heads.q_learning import QLearningHeadSpec
from models.heads.regressor import RegressorSpec
from models.schema import ISSUES_TYPE
from models.scoring import ScoreSpec

FUSION = WeightedSumSpec(dim=4, inputs={"photo": 2})
ACTIONS = ["call", "mail", "none"]


def decide(
    folder: Path,
    *,
    allowed: Sequence[list[str] | None] | None = None,
    rows: int = 1,
    first: int = 0,
    occasion: str = "shop/2026-11-23",
    epsilon: float = 0.05,
) -> pa.RecordBatch:
    """What a head publishes that prefers `mail` to `none` to `call`, and expects them to bring 10, 20 and 30.

    Args:
        folder: of its artifact.
        allowed: a list for each row; None: everything is allowed.
        rows: as many rows, with the keys `first`, `first` + 1, …
        first: see there.
        occasion: what is drawn for.
        epsilon: of the head.
    """
    column = None if allowed is None else "allowed"
    spec = QLearningHeadSpec(action="a", reward="r", hidden=2, epsilon=epsilon, allowed=column)
    spec = spec.with_actions(pa.array(ACTIONS), FUSION)
    head = spec.build()
    with torch.no_grad():  # the last layers' weights are 0: what remains is their bias
        head.get_parameter("preferences.4.bias").copy_(torch.tensor([1.0, 3.0, 2.0]))
        head.get_parameter("values.4.bias").copy_(torch.tensor([10.0, 20.0, 30.0]))
    save(folder, spec, head, sources={}, card={})
    score = ScoreSpec(heads={"offer": str(folder)}, key="id", occasion=occasion)
    lists = [None] * rows if allowed is None else allowed
    columns = {
        "id": pa.array([f"c{first + i}" for i in range(rows)]),
        "emb_photo": pa.array([[1.0, 2.0]] * rows, pa.list_(pa.float32(), 2)),
        "allowed": pa.array(lists, pa.list_(pa.string())),
        "issues": pa.array([["photo.odd"]] * rows, ISSUES_TYPE),
    }
    return score.build()(pa.RecordBatch.from_pydict(columns))


def test_the_largest_is_chosen_with_its_probability(tmp_path: Path) -> None:
    """1 − ε + ε/3 for the best of three, whose value is published."""
    batch = decide(tmp_path, epsilon=0.0)

    assert batch.column("action_offer").to_pylist() == ["mail"]
    assert batch.column("prob_offer").to_pylist() == [1.0]
    assert batch.column("value_offer").to_pylist() == [20.0]


def test_probabilities_are_those_with_which_actions_are_drawn(tmp_path: Path) -> None:
    """ε = 0.6 over three actions: 0.6 for the best (0.4 + 0.2), 0.2 for each other; and as often among 3,000 rows."""
    batch = decide(tmp_path, rows=3000, epsilon=0.6)
    actions = np.array(batch.column("action_offer").to_pylist())
    probabilities = batch.column("prob_offer").to_numpy()

    for action, expected in {"mail": 0.6, "call": 0.2, "none": 0.2}.items():
        drawn = actions == action
        np.testing.assert_allclose(probabilities[drawn], expected, rtol=1e-6)
        # Standard deviation of a share of 0.6 in 3,000 rows: 0.009. Four of them.
        assert drawn.mean() == pytest.approx(expected, abs=0.036)


def test_what_is_not_allowed_is_never_chosen(tmp_path: Path) -> None:
    """The best of what remains, with the probability that remains: 1 − ε + ε/2 of two, 1 of one."""
    batch = decide(tmp_path, rows=2, allowed=[["call", "none", "unheard of"], ["call"]], epsilon=0.0)

    assert batch.column("action_offer").to_pylist() == ["none", "call"]
    assert batch.column("prob_offer").to_pylist() == [1.0, 1.0]
    assert batch.column("issues").to_pylist() == [["photo.odd"], ["photo.odd"]]


@pytest.mark.parametrize("nothing", [None, [], ["unheard of"]])
def test_where_nothing_is_allowed_nothing_is_done_and_said(tmp_path: Path, nothing: list[str] | None) -> None:
    """No null, no action, no probability; the code is added to the row's other issues."""
    batch = decide(tmp_path, rows=2, allowed=[nothing, ["mail"]], epsilon=0.0)

    assert batch.column("action_offer").to_pylist() == ["", "mail"]
    assert batch.column("prob_offer").to_pylist() == [0.0, 1.0]
    assert batch.column("value_offer").to_pylist() == [0.0, 20.0]
    assert batch.column("issues").to_pylist() == [["photo.odd", "offer.nothing_allowed"], ["photo.odd"]]


def test_a_key_draws_the_same_in_a_rerun_and_anew_on_another_night(tmp_path: Path) -> None:
    """The draw depends on the key, the head and the occasion: nothing else, not even the batch."""
    night, again, part, next_night = (
        decide(tmp_path, rows=200, epsilon=1.0).column("action_offer"),
        decide(tmp_path, rows=200, epsilon=1.0).column("action_offer"),
        decide(tmp_path, rows=50, first=150, epsilon=1.0).column("action_offer"),
        decide(tmp_path, rows=200, epsilon=1.0, occasion="shop/2026-11-24").column("action_offer"),
    )

    assert night.equals(again)
    assert night.slice(150).equals(part)
    equal = np.mean([one == other for one, other in zip(night.to_pylist(), next_night.to_pylist(), strict=True)])
    assert equal == pytest.approx(1 / 3, abs=0.14)  # independent draws of three; 0.033 is a standard deviation


def test_a_draw_is_the_place_of_a_hash_in_the_summed_probabilities(tmp_path: Path) -> None:
    """ε = 1: a third each, in the order of the actions' names; the hash is of key and `<job>/<date>/<head>`."""
    keys = [f"c{i}" for i in range(20)]
    places = np.floor(3 * row_uniforms(pa.array(keys), "shop/2026-11-23/offer")).astype(int)

    batch = decide(tmp_path, rows=20, epsilon=1.0)

    assert batch.column("action_offer").to_pylist() == [ACTIONS[place] for place in places]


@pytest.mark.parametrize("missing", ["id", "emb_photo", "allowed"])
def test_a_column_that_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    """The key, an embedding, what is allowed."""
    decide(tmp_path, allowed=[["mail"]])
    columns = {
        "id": pa.array(["c"]),
        "emb_photo": pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2)),
        "allowed": pa.array([["mail"]]),
    }
    batch = pa.RecordBatch.from_pydict({name: column for name, column in columns.items() if name != missing})

    with pytest.raises(ConfigError, match=f"must have the column '{missing}'"):
        ScoreSpec(heads={"offer": str(tmp_path)}, key="id").build()(batch)


def test_a_head_of_another_fusion_is_refused(tmp_path: Path) -> None:
    """A label head's artifact knows the fusion that it was trained on."""
    spec = RegressorSpec(label="spend").fitted(pa.array([1.0, 2.0]), 4)
    save(tmp_path, spec, spec.build(), sources={"fused": "a"}, card={})
    score = ScoreSpec(heads={"spend": str(tmp_path)})
    score.require_sources("a", {"photo": "x"})
    with pytest.raises(ConfigError, match="the fused that it was trained on"):
        score.require_sources("b", {"photo": "x"})


def test_a_policy_of_other_embeddings_is_refused(tmp_path: Path) -> None:
    """A decision head's artifact knows the encoders; the job's fusion does not matter to it."""
    spec = QLearningHeadSpec(action="a", reward="r").with_actions(pa.array(ACTIONS), FUSION)
    save(tmp_path, spec, spec.build(), sources={"photo": "x"}, card={})
    score = ScoreSpec(heads={"offer": str(tmp_path)})
    score.require_sources("a", {"photo": "x"})
    score.require_sources("b", {"photo": "x"})
    with pytest.raises(ConfigError, match="the photo that it was trained on"):
        score.require_sources("a", {"photo": "y"})


def test_a_missing_head_says_what_to_run(tmp_path: Path) -> None:
    """Planning finds it, before anything runs."""
    with pytest.raises(ConfigError, match="amalgam train"):
        ScoreSpec(heads={"churn": str(tmp_path / "churn")}).output_fields()


def test_the_night_is_no_part_of_the_fingerprint(tmp_path: Path) -> None:
    """The models and settings that made a row are the same on two nights."""
    decide(tmp_path)
    nights = [ScoreSpec(heads={"offer": str(tmp_path)}, key="id", occasion=f"shop/{day}") for day in ("one", "two")]

    assert nights[0].fingerprint() == nights[1].fingerprint()
