"""Learners of encoders: labels and pairs are learned, the same seed gives the same weights, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from models.arrow import from_numpy
from models.encoders.table import TableSpec
from models.errors import ConfigError
from models.heads.base import LabelHeadSpec
from models.heads.classifier import ClassifierSpec
from models.heads.regressor import RegressorSpec
from models.learn.contrastive import ContrastiveSpec
from models.learn.encoder_learner import EncoderRows, Pass
from models.learn.encoder_pairs import info_nce, recall_at_1
from models.learn.encoder_training import optimize, shuffled
from models.learn.labels import LabelsSpec
from models.learn.split import Parts

HEADS: dict[str, LabelHeadSpec] = {
    "churn": ClassifierSpec(label="churned", hidden=8),
    "spend": RegressorSpec(label="spend", hidden=8),
}
SMALL = TableSpec(dim=16, hidden=16, layers=1, device="cpu")


def rows(count: int = 600, seed: int = 0, **changes: Any) -> EncoderRows:
    """Two tables and an embedding that show a latent each of two, with noise; a label of each; three rows a group."""
    rng = np.random.default_rng(seed)
    latents = rng.normal(size=(count, 2))
    views = latents + 0.2 * rng.normal(size=(2, count, 2))

    def table(view: np.ndarray[Any, np.dtype[np.float64]], names: tuple[str, str]) -> pa.Array:
        columns = [pa.array(column.astype(np.float32)) for column in view.T]
        return pa.StructArray.from_arrays(columns, list(names), mask=pa.array(rng.random(count) < 0.1))

    values = {"left": table(views[0], ("a", "b")), "right": table(views[1], ("c", "d"))}
    labels = {
        "churned": pa.array(latents[:, 0] > 0, mask=rng.random(count) < 0.2),
        "spend": pa.array(latents[:, 1] * 3 + 10),
    }
    groups = pa.array([f"g{i // 3}" for i in range(count)])
    return EncoderRows(**{"values": values, "labels": labels, "groups": groups, **changes})


def labels_learner(**settings: Any) -> LabelsSpec:
    """Few passes, on the CPU."""
    return LabelsSpec(**{"epochs": 6, "device": "cpu", "learning_rate": 0.02, **settings})


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_labels_are_learned(seed: int) -> None:
    """The validation loss falls from that of a constant guess far towards 0.

    A constant guess costs ln 2 for a fair coin, and for a standardized value more than 0.3 (Huber's loss of a normal
    variable is 0.36): 0.99 or more together. Both latents are seen with noise of a fifth of their spread.
    """
    fitted = labels_learner(seed=seed).build().fit({"left": SMALL}, HEADS, rows())["left"]

    assert fitted.history[0].train_loss > 0.5
    assert fitted.metrics["validation_loss"] < 0.35
    assert not fitted.network.training
    assert isinstance(fitted.spec, TableSpec)
    assert fitted.spec.numeric == ("a", "b")


def test_the_same_seed_gives_the_same_weights() -> None:
    """Also beside other modalities; another seed gives others."""
    together = labels_learner(epochs=2).build().fit({"right": SMALL, "left": SMALL}, HEADS, rows())["left"]
    alone = labels_learner(epochs=2).build().fit({"left": SMALL}, HEADS, rows())["left"]
    other = labels_learner(epochs=2, seed=1).build().fit({"left": SMALL}, HEADS, rows())["left"]

    mine, same, different = (fitted.network.state_dict() for fitted in (alone, together, other))
    assert all(torch.equal(mine[name], same[name]) for name in mine)
    assert not torch.equal(mine["last.weight"], different["last.weight"])


def test_without_a_label_head_there_is_nothing_to_learn_from() -> None:
    """The message names what needs none."""
    with pytest.raises(ConfigError, match=r"training\.encoders\.kind must be contrastive where no head has a label"):
        labels_learner().build().fit({"left": SMALL}, {}, rows())


@pytest.mark.parametrize("learner", [labels_learner(), ContrastiveSpec(device="cpu")])
def test_both_sides_must_have_values(learner: LabelsSpec) -> None:
    """One group cannot be split into training and validation."""
    few = rows(30, groups=pa.array(["g"] * 30))

    with pytest.raises(ConfigError, match=r"modalities\.left must have values in several groups"):
        learner.build().fit({"left": SMALL, "right": SMALL}, HEADS, few)


def test_a_loss_that_is_not_finite_ends_the_training() -> None:
    """With the setting that is to blame."""
    module = torch.nn.Linear(1, 1)

    with pytest.raises(
        ConfigError, match=r"training\.encoders\.learning_rate must be small enough to converge; got 0\.5"
    ):
        optimize(
            module,
            labels_learner(learning_rate=0.5),
            lambda _: [np.array([0])],
            lambda _batch, _generator: module.weight.sum(),
            lambda: math.nan,
        )


def test_the_best_pass_is_kept_and_the_others_end() -> None:
    """Losses 3, 1, 2, 2, 2 with a patience of 3: the weights are those after the second pass."""
    module, losses, seen = torch.nn.Linear(1, 1), iter([3.0, 1.0, 2.0, 2.0, 2.0, 0.0]), []

    def judge() -> float:
        seen.append(module.weight.item())
        return next(losses)

    history = optimize(
        module,
        labels_learner(epochs=6, patience=3),
        lambda _: [np.array([0])],
        lambda _batch, _generator: module.weight.sum(),
        judge,
    )

    assert [entry.validation_loss for entry in history] == [3.0, 1.0, 2.0, 2.0, 2.0]
    assert isinstance(history[0], Pass)
    assert module.weight.item() == seen[1]


def test_batches_hold_every_row_once() -> None:
    """In an order that is new each time; rows of similar length stand together."""
    lengths = np.random.default_rng(0).integers(1, 1000, 500)
    generator = torch.Generator().manual_seed(0)

    first, second = shuffled(500, 32, generator, lengths), shuffled(500, 32, generator, lengths)

    assert sorted(np.concatenate(first).tolist()) == list(range(500))
    assert np.concatenate(first).tolist() != np.concatenate(second).tolist()
    spread = np.mean([np.ptp(lengths[batch]) for batch in first])
    assert spread < 100  # a sixteenth of 1000, where lengths are alike; a random batch of 32 spans nearly all of it


def test_a_batch_of_one_row_is_left_out() -> None:
    """Nothing can be normalized by it, and nothing told apart from it; unless there is no other."""
    assert sum(len(batch) for batch in shuffled(33, 32, torch.Generator())) == 32
    assert [len(batch) for batch in shuffled(1, 32, torch.Generator())] == [1]


# Pairs ---------------------------------------------------------------------------------------------------------------


def test_info_nce_is_the_mean_of_both_cross_entropies() -> None:
    """For logits [[2, 0], [1, 3]]: by rows ln(1 + e^-2) both times, by columns ln(1 + e^-1) and ln(1 + e^-3)."""
    found = info_nce(torch.tensor([[2.0, 0.0], [1.0, 3.0]]), torch.tensor([0, 1]))

    rows_ = math.log1p(math.exp(-2))
    columns = (math.log1p(math.exp(-1)) + math.log1p(math.exp(-3))) / 2
    assert found.item() == pytest.approx((rows_ + columns) / 2, abs=1e-6)


def test_records_of_one_group_are_no_negatives() -> None:
    """Rows 0 and 1 belong together: what they say of each other does not count, whatever it is."""
    logits = torch.tensor([[2.0, 50.0, 0.0], [50.0, 2.0, 0.0], [0.0, 0.0, 2.0]])
    plain = torch.tensor([[2.0, -99.0, 0.0], [-99.0, 2.0, 0.0], [0.0, 0.0, 2.0]])

    found = info_nce(logits, torch.tensor([7, 7, 8]))

    assert found.item() == pytest.approx(info_nce(plain, torch.tensor([0, 1, 2])).item(), abs=1e-6)


def test_recall_counts_the_nearest_of_a_crowd() -> None:
    """In a crowd of two, the first row finds its own and the second does not; the fifth row makes no crowd."""
    a = torch.tensor([[1.0, 0], [0, 1], [1, 0], [1, 0], [1, 0]])
    b = torch.tensor([[1.0, 0], [0.9, 0.1], [1, 0], [0, 1], [1, 0]])

    assert recall_at_1(a, b, 2) == 0.75  # rows 0, 1 (0.1 against 0), and 2 find theirs; row 3 finds row 2's
    assert recall_at_1(a[:1], b[:1], 2) is None


def contrastive(**settings: Any) -> ContrastiveSpec:
    """Few passes, on the CPU."""
    return ContrastiveSpec(**{"epochs": 8, "device": "cpu", "learning_rate": 0.01, "batch_rows": 64, **settings})


def test_what_belongs_together_is_found() -> None:
    """Of 100 records, a view finds the other view of its record ten times as often as by chance, either way."""
    fitted = contrastive().build().fit({"left": SMALL, "right": SMALL}, {}, rows(3000))

    for name in ("left", "right"):
        assert fitted[name].metrics["recall@1 of 100, left to right"] > 0.1
        assert fitted[name].metrics["recall@1 of 100, right to left"] > 0.1


def test_labels_play_no_part() -> None:
    """Other labels, the same weights."""
    other = rows(300, labels={})

    one, two = (contrastive(epochs=2).build().fit({"left": SMALL, "right": SMALL}, {}, r) for r in (rows(300), other))

    states = one["left"].network.state_dict(), two["left"].network.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_encoders_that_do_not_learn_take_part() -> None:
    """A map for their embeddings is learned beside; no artifact becomes of it."""
    made = rows(3000)
    embedded = np.stack([column.to_numpy(zero_copy_only=False) for column in made.values["right"].flatten()], axis=1)
    there = made.values["right"].is_valid().to_numpy(zero_copy_only=False)
    frozen = from_numpy((embedded * 100 + 7).astype(np.float32), there)

    fitted = (
        contrastive()
        .build()
        .fit({"left": SMALL}, {}, rows(3000, values={"left": made.values["left"], "right": frozen}))
    )

    assert list(fitted) == ["left"]
    assert fitted["left"].metrics["recall@1 of 100, left to right"] > 0.1


def test_one_modality_has_nothing_to_be_compared_with() -> None:
    """Named, with what there is."""
    with pytest.raises(ConfigError, match="contrastive learning must have at least two modalities; got left"):
        contrastive().build().fit({"left": SMALL}, {}, rows(values={"left": rows().values["left"]}))


def test_encoders_that_learn_together_share_a_space() -> None:
    """Embeddings of other lengths cannot be compared."""
    wide = SMALL.model_copy(update={"dim": 32})

    with pytest.raises(ConfigError, match=r"must have one dim; got \{'left': 16, 'right': 32\}"):
        contrastive().build().fit({"left": SMALL, "right": wide}, {}, rows())


# The encoders' part --------------------------------------------------------------------------------------------------


def test_no_group_stands_in_two_parts() -> None:
    """Every row belongs to exactly one of the four."""
    groups = pa.array([f"g{i}" for i in range(4000)])
    parts = Parts(0.2, 0.15, 0, 0.5)

    counts = np.sum(
        [part(groups) for part in (parts.held_out, parts.encoders, parts.validation, parts.training)], axis=0
    )

    assert (counts == 1).all()
    assert parts.encoders(groups).mean() == pytest.approx(0.8 * 0.5, abs=0.03)
    assert parts.validation(groups).mean() == pytest.approx(0.8 * 0.5 * 0.15, abs=0.02)


def test_what_is_held_out_does_not_hang_on_encoders() -> None:
    """The same rows are judged whether encoders learn or not; and without them nothing is kept for them."""
    groups = pa.array([f"g{i}" for i in range(400)])
    without, beside = Parts(0.2, 0.15, 0), Parts(0.2, 0.15, 0, 0.5)

    np.testing.assert_array_equal(without.held_out(groups), beside.held_out(groups))
    assert not without.encoders(groups).any()
    assert not (beside.training(groups) & ~without.training(groups)).any()
