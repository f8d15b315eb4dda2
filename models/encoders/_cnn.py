"""The picture network as a torch module; `cnn` describes it."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.encoders._networks import EncoderNetwork
from models.encoders.cnn import CnnSpec
from models.layers import Linear


class CnnNetwork(EncoderNetwork):
    """A stem that halves the picture, three residual blocks that halve it again; their means, and the last maximum.

    For 64 pixels and 16 channels: 32·32·16, 16·16·32, 8·8·64, 4·4·96; 10 million multiplications a picture. The means
    of the early maps tell colours and directions of edges without a detour, which is learned from few pictures.
    """

    def __init__(self, spec: CnnSpec) -> None:
        super().__init__()
        self.spec = spec
        widths = [spec.width, 2 * spec.width, 4 * spec.width, 6 * spec.width]
        self.stem = nn.Sequential(nn.Conv2d(3, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU())
        self.blocks = nn.ModuleList(Residual(a, b) for a, b in pairwise(widths))
        self.last = Linear(sum(widths) + widths[-1], spec.dim)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """uint8 or float32 `[B, 1, size·size·3]` in 0 … 255 to `[B, dim]`."""
        side = self.spec.size
        pixels = x.reshape(-1, side, side, 3).permute(0, 3, 1, 2).float() / 127.5 - 1  # [B, 3, S, S]
        maps = [self.stem(pixels.contiguous())]  # [B, C, S/2, S/2]
        for block in self.blocks:
            maps.append(block(maps[-1]))  # … [B, 6 C, S/16, S/16]
        found = [each.mean(dim=(2, 3)) for each in maps]
        z: Tensor = self.last(torch.cat([*found, maps[-1].amax(dim=(2, 3))], dim=1))
        return z

    def augment(self, x: Tensor, lengths: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pictures that are shifted (the border is repeated), mirrored where allowed, and of another light."""
        spec, side, n = self.spec, self.spec.size, len(x)
        most = round(spec.shift * side)
        pixels = x.reshape(n, side, side, 3)
        down, across = torch.randint(-most, most + 1, (2, n, 1), generator=generator)
        rows, columns = ((torch.arange(side) + moved).clamp(0, side - 1) for moved in (down, across))  # [B, S] each
        if spec.flip:
            mirrored = torch.rand(n, 1, generator=generator) < 0.5
            columns = torch.where(mirrored, side - 1 - columns, columns)
        moved = pixels[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]].float()
        brightness, contrast = 1 + spec.colour * (2 * torch.rand(2, n, 1, 1, 1, generator=generator) - 1)
        middle = moved.mean(dim=(1, 2, 3), keepdim=True)
        lit = (middle * brightness + (moved - middle) * contrast).clamp(0, 255)
        return lit.reshape(x.shape), lengths


class Residual(nn.Module):
    """ReLU(BN(conv(ReLU(BN(conv x))))) + the halved input; He et al. 2016, with one block per size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.short = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, inputs, H, W]` to `[B, outputs, H/2, W/2]`."""
        inner = functional.relu(self.first_norm(self.first(x)))
        halved = self.short(functional.avg_pool2d(x, 2))
        return functional.relu(self.second_norm(self.second(inner)) + halved)
