"""Decision heads as modules: they prefer nothing at first, expect the mean, and train only what is to be trained."""

from __future__ import annotations

import pyarrow as pa
import torch

from models.fusion.weighted_sum import WeightedSumSpec
from models.heads._decision import DecisionNetwork
from models.heads.q_learning import QLearningHeadSpec

FUSION = WeightedSumSpec(dim=4, inputs={"photo": 3, "visits": 2})
X, MASK = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0)), torch.ones(5, 2, dtype=torch.bool)


def spec(fusion: WeightedSumSpec = FUSION, *, tune_fusion: bool = True) -> QLearningHeadSpec:
    """Two actions; returns of 10 ± 4."""
    described = QLearningHeadSpec(action="offer", reward="revenue", tune_fusion=tune_fusion, hidden=8)
    return described.with_actions(pa.array(["a", "b"]), fusion).with_scale(10.0, 4.0)


def test_an_untrained_head_prefers_nothing_and_expects_the_mean() -> None:
    """Preferences 0 for both actions, then the mean return for both."""
    outputs = DecisionNetwork(spec())(X, MASK)
    assert outputs.tolist() == [[0, 0, 10, 10]] * 5


def test_values_are_in_the_rewards_unit() -> None:
    """A standardized value of 1.5 is 10 + 4 · 1.5."""
    head = DecisionNetwork(spec())
    with torch.no_grad():
        list(head.values.parameters())[-1].fill_(1.5)
    assert head(X, MASK)[:, 2:].tolist() == [[16, 16]] * 5


def test_the_seed_decides_the_weights() -> None:
    """Whatever torch's generator did before."""
    torch.manual_seed(1)
    one = DecisionNetwork(spec()).preferences.state_dict()
    torch.manual_seed(2)
    other = DecisionNetwork(spec()).preferences.state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_fixed_weights_of_a_tuned_fusion_stay_fixed() -> None:
    """Tuning trains what the fusion itself would train: not the weights of `mode: fixed`."""
    head = DecisionNetwork(spec(FUSION.model_copy(update={"mode": "fixed"})))
    trained = {name for name, parameter in head.fusion.named_parameters() if parameter.requires_grad}
    assert "log_weights" not in trained
    assert "projections.linears.0.weight" in trained


def test_a_fusion_is_tuned_only_where_it_may_be() -> None:
    """Not with `tune_fusion: false`, and not where the fusion itself is not trained."""
    untrained = FUSION.model_copy(update={"trained": False})
    for head in (DecisionNetwork(spec(tune_fusion=False)), DecisionNetwork(spec(untrained))):
        assert not any(parameter.requires_grad for parameter in head.fusion.parameters())
        assert all(parameter.requires_grad for parameter in head.preferences.parameters())


def test_a_returns_spread_of_nothing_is_one() -> None:
    """Rewards that are all the same have no unit."""
    assert spec().with_scale(3.0, 0.0).reward_scale == 1.0
