"""The regressor of quantiles as a torch module; `regressor` describes it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.heads._late import Pool
from models.heads._unit import Unit
from models.heads.base import LabelHead, trunk
from models.heads.regressor import RegressorSpec

SMALLEST_GAP = 1e-3  # standard deviations between neighbouring quantiles at the start, where labels repeat


class Quantiles(nn.Module):
    """Levels τ_k, and the offset that each quantile needs so that a share τ_k of validation rows lies below it.

    The offset is the τ-quantile of u = t − q_τ (conformalized quantiles: Romano et al. 2019, arXiv:1905.03222, each
    level for itself); what it makes cross is sorted, which can only lower the loss (Chernozhukov et al. 2010).
    """

    def __init__(self, spec: RegressorSpec) -> None:
        super().__init__()
        self.unit = Unit.of(spec)
        self.register_buffer("levels", torch.tensor(spec.quantiles), persistent=False)  # [K]
        self.register_buffer("offsets", torch.zeros(len(spec.quantiles)))  # [K]

    def above(self, raw: Tensor, target: Tensor) -> Tensor:
        """u `[B, K]`: how far the standardized label lies above each quantile."""
        return self.unit.standardized(target).unsqueeze(1) - raw

    def pinball(self, raw: Tensor, target: Tensor) -> Tensor:
        """`[B]` mean over levels of max(τ u, (τ − 1) u) (Koenker & Bassett 1978)."""
        levels, above = self.get_buffer("levels"), self.above(raw, target)
        return torch.maximum(levels * above, (levels - 1) * above).mean(dim=1)

    def calibrate(self, raw: Tensor, target: Tensor) -> None:
        """Set the offsets."""
        columns = self.above(raw, target).T  # [K, N]
        levels = self.get_buffer("levels").tolist()
        found = [column.quantile(level) for column, level in zip(columns, levels, strict=True)]
        self.get_buffer("offsets").copy_(torch.stack(found))

    def corrected(self, raw: Tensor) -> Tensor:
        """Moved by the offsets, in ascending order."""
        return (raw + self.get_buffer("offsets")).sort(dim=1).values


class QuantileHead(LabelHead):
    """Standardized quantiles: the middle one, and above and below it sums of positive steps, so that none crosses.

    q_mid = r_0, q_k − q_{k−1} = softplus(r_k). At first every row has the quantiles of the training labels.
    """

    def __init__(self, spec: RegressorSpec) -> None:
        super().__init__()
        self.middle = len(spec.quantiles) // 2
        self.quantiles = Quantiles(spec)
        self.net = trunk(spec, len(spec.quantiles))
        self._start_at(torch.tensor(spec.label_quantiles))

    @torch.no_grad()
    def _start_at(self, quantiles: Tensor) -> None:
        bias = self.net[-1].bias
        assert isinstance(bias, Tensor)
        gaps = quantiles.diff().clamp(min=SMALLEST_GAP)
        bias.copy_(torch.cat([quantiles[self.middle, None], gaps.expm1().log()]))  # softplus(log(e^g − 1)) = g

    def forward(self, fused: Tensor) -> Tensor:
        """`[B, F]` to `[B, K]`, ascending."""
        raw = self.net(fused)  # [B, K]
        steps = functional.pad(functional.softplus(raw[:, 1:]).cumsum(dim=1), (1, 0))  # [B, K], from the lowest
        return raw[:, :1] + steps - steps[:, self.middle, None]  # type: ignore[no-any-return]  # untyped nn.Module call

    def loss(self, raw: Tensor, target: Tensor) -> Tensor:
        """The pinball loss of the standardized label, `[B]`."""
        return self.quantiles.pinball(raw, target)

    def calibrate(self, raw: Tensor, target: Tensor) -> None:
        """Set the offsets."""
        self.quantiles.calibrate(raw, target)

    def calibrated(self, raw: Tensor) -> Tensor:
        """Moved by the offsets, in ascending order."""
        return self.quantiles.corrected(raw)

    def published(self, raw: Tensor) -> Tensor:
        """`[B, K]` in the label's units; quantiles of a logarithm are logarithms of quantiles."""
        return self.quantiles.unit.restored(raw)


class QuantilePool(Pool):
    """The mean of each quantile over present modalities, then offsets; under `product` too.

    Quantiles are no evidence that adds up, and a mean keeps their order.
    """

    def __init__(self, spec: RegressorSpec) -> None:
        super().__init__()
        self.quantiles = Quantiles(spec)

    def forward(self, raw: Tensor, mask: Tensor) -> Tensor:
        """See `Pool.forward`."""
        return self.quantiles.corrected(_mean(raw, mask))

    def calibrate(self, raw: Tensor, mask: Tensor, target: Tensor) -> None:
        """Set the offsets."""
        self.quantiles.calibrate(_mean(raw, mask), target)

    def published(self, raw: Tensor) -> Tensor:
        """`[B, K]` in the label's units."""
        return self.quantiles.unit.restored(raw)


def _mean(raw: Tensor, mask: Tensor) -> Tensor:
    """`[B, M, K]`, 0 where absent, to the mean over present modalities `[B, K]`."""
    return raw.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
