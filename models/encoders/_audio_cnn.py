"""The sound network as a torch module; `audio_cnn` describes it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.encoders._networks import EncoderNetwork, masked_mean, within
from models.encoders.audio_cnn import AudioCnnSpec
from models.layers import Linear


class AudioCnnNetwork(EncoderNetwork):
    """Convolutions that halve bands and time three times, a map of what is left of the bands, mean and spread in time.

    Statistics pooling: Snyder et al. 2018, "X-vectors". What is no sound is set to zero after every layer.
    """

    def __init__(self, spec: AudioCnnSpec) -> None:
        super().__init__()
        self.spec = spec
        width = spec.width
        self.layers = nn.ModuleList(
            [Layer(1, width, 5), Layer(width, 2 * width, 3), Layer(2 * width, 4 * width, 3)],
        )
        self.bands = Linear(4 * width * spec.n_mels // 8, 8 * width)
        self.dropout = nn.Dropout(spec.dropout)
        self.last = Linear(16 * width, spec.dim)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """uint8 or float32 `[B, T, n_mels]` in 0 … 255 to `[B, dim]`."""
        short = -x.shape[1] % 8  # three halvings
        sound = torch.where(within(lengths, x.shape[1])[..., None], x.float() / 64, torch.zeros((), device=x.device))
        maps = functional.pad(sound, (0, 0, 0, short))[:, None]  # [B, 1, T, mels]
        left = lengths
        for layer in self.layers:
            maps, left = layer(maps, left)  # [B, C, T/2, mels/2]
        frames = maps.permute(0, 2, 1, 3).flatten(2)  # [B, T/8, C · mels/8]
        states = functional.relu(self.bands(frames))
        mask = within(left, states.shape[1])
        mean = masked_mean(states, mask)
        spread = (masked_mean((states - mean[:, None]).square(), mask) + 1e-4).sqrt()
        z: Tensor = self.last(self.dropout(torch.cat([mean, spread], dim=1)))
        return z

    def augment(self, x: Tensor, lengths: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Sounds of another loudness, a stretch of bands and one of time silenced (SpecAugment, Park et al. 2019)."""
        spec, (n, frames, bands) = self.spec, x.shape
        louder = 255 * spec.loudness * (2 * torch.rand(n, 1, 1, generator=generator) - 1)
        sound = torch.where(x > 0, x.float() + louder, 0.0).clamp(0, 255)
        silent_bands = stretch(torch.full((n,), bands), bands, spec.masked, generator)
        silent_time = stretch(lengths, frames, spec.masked, generator)
        return sound.masked_fill(silent_bands[:, None, :] | silent_time[:, :, None], 0.0), lengths


class Layer(nn.Module):
    """ReLU(BN(conv x)) with stride 2; BN learns the mean and spread of the sounds, and not of what stands behind."""

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, 2, size // 2, bias=False)
        self.norm = MaskedNorm(outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`[B, inputs, T, F]` and lengths `[B]` to `[B, outputs, T/2, F/2]` and the lengths there."""
        halved = (lengths + 1) // 2
        maps = self.conv(x)
        mask = within(halved, maps.shape[2])[:, None, :, None]  # [B, 1, T/2, 1]
        return torch.where(mask, functional.relu(self.norm(maps, mask)), torch.zeros((), device=x.device)), halved


class MaskedNorm(nn.Module):
    """Batch normalization (Ioffe & Szegedy 2015) whose statistics count what stands under a mask."""

    MOMENTUM = 0.1  # torch's default

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """`[B, C, T, F]` and its mask `[B, 1, T, 1]` to the same shape."""
        mean, variance = self.get_buffer("mean"), self.get_buffer("variance")
        if self.training:
            counted = (mask.sum() * x.shape[3]).clamp(min=1)
            zero = torch.zeros((), device=x.device)
            now = torch.where(mask, x, zero).sum(dim=(0, 2, 3)) / counted
            spread = torch.where(mask, (x - now[:, None, None]).square(), zero).sum(dim=(0, 2, 3)) / counted
            with torch.no_grad():
                mean.lerp_(now, self.MOMENTUM)
                variance.lerp_(spread, self.MOMENTUM)
            mean, variance = now, spread
        scale = self.weight * (variance + 1e-5).rsqrt()
        return x * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]


def stretch(lengths: Tensor, width: int, most: float, generator: torch.Generator) -> Tensor:
    """`[B, width]` bool: in each row a stretch at random, up to `most` of its length long."""
    size, start = torch.rand(2, len(lengths), 1, generator=generator)
    size = (size * most * lengths[:, None]).floor()
    first = (start * (lengths[:, None] - size + 1)).floor()
    place = torch.arange(width)
    inside: Tensor = (place >= first) & (place < first + size)
    return inside
