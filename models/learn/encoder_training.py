"""How encoders are optimized: passes over shuffled rows, the best pass kept; and their inputs as blocks of tensors."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from models.arrow import Float32, Int64
from models.encoders._learned import LearnedEncoderSpec
from models.encoders._networks import BLOCK_ROWS, EncoderNetwork
from models.errors import ConfigError
from models.learn.encoder_learner import EncoderLearnerSpec, Pass
from models.learn.losses import cosine_rate, decayed
from models.sequences import Sequences, rounded_up

SORTED_BATCHES = 16  # batches whose rows are sorted by length together, so that they hold little padding


class Learning(NamedTuple):
    """One modality: its encoder, what it reads, and which record each value is of."""

    spec: LearnedEncoderSpec
    network: EncoderNetwork
    inputs: Sequences
    records: Int64  # [n] numbers of records, ascending

    def embed(self, values: Int64, device: torch.device, generator: torch.Generator | None = None) -> Tensor:
        """`[B, dim]` of the values of these numbers; with a generator as training shows them."""
        width = int(rounded_up(self.inputs.lengths[values]).max(initial=1))
        x = torch.from_numpy(self.inputs.padded(values, width))
        lengths = torch.from_numpy(self.inputs.lengths[values])
        if generator is not None:
            x, lengths = self.network.augment(x, lengths, generator)
        z: Tensor = self.network(x.to(device), lengths.to(device))
        return z

    @torch.no_grad()
    def embed_all(self, values: Int64, device: torch.device) -> Float32:
        """`[n, dim]` of these values in evaluation mode, in bounded memory."""
        was_training = self.network.training
        self.network.eval()
        order = np.argsort(self.inputs.lengths[values], kind="stable")
        out = np.empty((len(values), self.spec.dim), np.float32)
        for start in range(0, len(order), 4 * BLOCK_ROWS):
            chosen = order[start : start + 4 * BLOCK_ROWS]
            out[chosen] = self.embed(values[chosen], device).cpu().numpy()
        self.network.train(was_training)
        return out


def optimize(
    module: nn.Module,
    spec: EncoderLearnerSpec,
    batches: Callable[[torch.Generator], list[Int64]],
    loss: Callable[[Int64, torch.Generator], Tensor],
    judge: Callable[[], float],
) -> list[Pass]:
    """Minimize a loss by AdamW; the module is left at its best pass, in evaluation mode.

    Args:
        module: holds all parameters.
        spec: how.
        batches: the batches of a pass, drawn anew for each.
        loss: mean loss of a batch.
        judge: loss on validation rows.

    Raises:
        ConfigError: the loss is not finite.
    """
    generator = torch.Generator().manual_seed(spec.seed)
    optimizer = torch.optim.AdamW(decayed(module.parameters(), spec.weight_decay), lr=spec.learning_rate)
    per_pass = len(batches(torch.Generator().manual_seed(spec.seed)))
    passes = min(spec.epochs, -(-spec.steps // per_pass))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: cosine_rate(step, passes * per_pass, spec.warmup)
    )
    history: list[Pass] = []
    best, best_state = math.inf, module.state_dict()
    for number in range(passes):
        module.train()
        trained = [_step(module, spec, optimizer, schedule, loss(batch, generator)) for batch in batches(generator)]
        module.eval()
        history.append(Pass(number, sum(trained) / len(trained), judge()))
        if not math.isfinite(history[-1].validation_loss):
            raise ConfigError(
                f"training.encoders.learning_rate must be small enough to converge; got {spec.learning_rate}"
            )
        if history[-1].validation_loss < best:
            best, best_state = history[-1].validation_loss, copy.deepcopy(module.state_dict())
        elif number - min(range(len(history)), key=lambda i: history[i].validation_loss) >= spec.patience:
            break
    module.load_state_dict(best_state)
    module.eval()
    return history


def _step(
    module: nn.Module,
    spec: EncoderLearnerSpec,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LambdaLR,
    loss: Tensor,
) -> float:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward untyped
    nn.utils.clip_grad_norm_(module.parameters(), spec.clip)
    optimizer.step()
    schedule.step()
    return loss.item()


def shuffled(count: int, rows: int, generator: torch.Generator, lengths: Int64 | None = None) -> list[Int64]:
    """Numbers 0 … count in batches of `rows` in a fresh order; the last, smaller one joins in unless it is of one row.

    Args:
        count: of rows.
        rows: of a batch.
        generator: source of randomness.
        lengths: `[count]`; batches then hold rows of similar length, as far as SORTED_BATCHES allow.
    """
    order: Int64 = torch.randperm(count, generator=generator).numpy()
    if lengths is not None:
        window = rows * SORTED_BATCHES
        parts = [order[start : start + window] for start in range(0, count, window)]
        order = np.concatenate([part[np.argsort(lengths[part], kind="stable")] for part in parts])
    batches = [order[start : start + rows] for start in range(0, count, rows)]
    batches = [batch for batch in batches if len(batch) > 1] or batches
    mixed = torch.randperm(len(batches), generator=generator).tolist()
    return [batches[place] for place in mixed]
