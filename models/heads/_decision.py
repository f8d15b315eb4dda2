"""Decision heads as torch modules: a fusion of their own, preferences and values."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.fusion.base import seeded
from models.heads._decision_spec import DecisionHeadSpec
from models.heads.base import DecisionHead
from models.layers import Linear


class DecisionNetwork(DecisionHead):
    """Two small networks on the fused vector; each starts by preferring nothing, at the mean return."""

    def __init__(self, spec: DecisionHeadSpec) -> None:
        super().__init__()
        fusion, actions = spec.fusion_spec(), len(spec.actions)
        self.fusion = fusion.build()
        if not (spec.tune_fusion and fusion.trained):
            self.fusion.requires_grad_(False)
        self.scale, self.mean = spec.reward_scale, spec.reward_mean
        with seeded(spec.steps.seed):
            self.preferences = network(fusion.dim, spec.hidden, actions)
            self.values = network(fusion.dim, spec.hidden, actions)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """See `DecisionHead.forward`."""
        z = self.fusion(x, mask).z
        return torch.cat([self.preferences(z), self.mean + self.scale * self.values(z)], dim=1)


def network(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """`[B, inputs] -> [B, outputs]` through two hidden ReLU layers; its first outputs are all 0."""
    last = Linear(hidden, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(Linear(inputs, hidden), nn.ReLU(), Linear(hidden, hidden), nn.ReLU(), last)
