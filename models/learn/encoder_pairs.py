"""The contrastive learner at work; `contrastive` describes it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.arrow import Bool, Float32, Int64, to_numpy
from models.devices import resolve_device
from models.encoders._learned import LearnedEncoderSpec
from models.errors import ConfigError
from models.fusion.base import seeded
from models.heads.base import LabelHeadSpec
from models.layers import Linear
from models.learn.contrastive import ContrastiveSpec
from models.learn.encoder_learner import EncoderRows, FittedEncoder
from models.learn.encoder_training import Learning, optimize, shuffled

COLDEST = 0.01  # least temperature: CLIP's bound on the scale of its logits (Radford et al. 2021)
CROWD = 100  # records among which a match is looked for when recall is told


class ContrastiveLearner:
    """Minimizes the mean over pairs of modalities of a symmetric InfoNCE, so that a record's embeddings lie close.

    Radford et al. 2021 (CLIP), between any two of the modalities that a record has. Encoders that do not learn take
    part through a linear map that only training has.
    """

    def __init__(self, spec: ContrastiveSpec) -> None:
        self.spec = spec

    def fit(
        self, encoders: Mapping[str, LearnedEncoderSpec], heads: Mapping[str, LabelHeadSpec], rows: EncoderRows
    ) -> dict[str, FittedEncoder]:
        """See `EncoderLearner.fit`; heads and labels play no part."""
        dims = {name: encoder.dim for name, encoder in encoders.items()}
        if len(set(dims.values())) > 1:
            raise ConfigError(f"encoders that learn together must have one dim; got {dims}")
        if len(rows.values) < 2:
            raise ConfigError(f"contrastive learning must have at least two modalities; got {', '.join(rows.values)}")
        validation = rows.validation(self.spec.seed)
        for name in encoders:
            rows.parts(name, self.spec.seed)  # says what is missing
        device = resolve_device(self.spec.device)
        with seeded(self.spec.seed):
            learning = {name: _learning(name, encoder, rows, ~validation) for name, encoder in encoders.items()}
            task = Pairs(learning, _frozen(encoders, rows, ~validation), rows, self.spec.temperature, device)
            history = optimize(
                task,
                self.spec,
                lambda generator: _batches(np.flatnonzero(~validation), self.spec.batch_rows, generator),
                task.loss,
                lambda: task.judge(np.flatnonzero(validation), self.spec.batch_rows),
            )
            found = task.recall(np.flatnonzero(validation))
        return {
            name: FittedEncoder(
                one.spec,
                one.network.cpu(),
                history,
                {f"recall@1 of {CROWD}, {pair}": value for pair, value in found.items() if name in pair.split(" to ")},
            )
            for name, one in learning.items()
        }


class Pairs(nn.Module):
    """All encoders, those that learn and the maps of those that do not, and a temperature for each pair of them.

    Modalities that have little in common learn a high one, and pull little on what others share.

    Args:
        learning: modality -> encoder that learns.
        frozen: modality -> standardized embeddings `[N, d]` of one that does not, and where they are.
        rows: the records.
        temperature: that it begins with.
        device: where it all runs.
    """

    def __init__(
        self,
        learning: Mapping[str, Learning],
        frozen: Mapping[str, tuple[Float32, Bool]],
        rows: EncoderRows,
        temperature: float,
        device: torch.device,
    ) -> None:
        super().__init__()
        self.learning, self.frozen, self.device = dict(learning), dict(frozen), device
        dim = next(iter(learning.values())).spec.dim
        self.networks = nn.ModuleDict({name: one.network for name, one in learning.items()})
        self.maps = nn.ModuleDict({name: Linear(x.shape[1], dim) for name, (x, _) in frozen.items()})
        pairs = len(list(self._pairs()))
        self.log_scales = nn.Parameter(torch.full((pairs,), -math.log(temperature)))
        codes = rows.groups.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
        self.group = torch.from_numpy(codes.copy())
        self.to(device)

    def loss(self, records: Int64, generator: torch.Generator | None) -> Tensor:
        """Mean over pairs of modalities of InfoNCE on the records that have both, each pair by its number of these."""
        found = {name: self._embed(name, records, generator) for name in (*self.learning, *self.frozen)}
        group = self.group[torch.from_numpy(records)].to(self.device)
        scales = self.log_scales.exp().clamp(max=1 / COLDEST)
        total, weight = torch.zeros((), device=self.device), 0
        for scale, (a, b) in zip(scales, self._pairs(), strict=True):
            (z_a, at_a), (z_b, at_b) = found[a], found[b]
            both, in_a, in_b = (torch.from_numpy(part) for part in np.intersect1d(at_a, at_b, return_indices=True))
            if len(both) > 1:
                total = total + len(both) * info_nce(scale * z_a[in_a] @ z_b[in_b].T, group[both.to(self.device)])
                weight += len(both)
        return total / max(weight, 1)

    @torch.no_grad()
    def judge(self, records: Int64, rows: int) -> float:
        """The mean loss over blocks of records."""
        blocks = np.array_split(records, max(1, round(len(records) / rows)))
        losses = [self.loss(block, None).item() * len(block) for block in blocks]
        return sum(losses) / len(records)

    @torch.no_grad()
    def recall(self, records: Int64) -> dict[str, float]:
        """`a to b` -> how often, among CROWD records of different groups, a record's b lies nearest to its a."""
        out = {}
        embedded = {name: self._embed(name, records, None) for name in (*self.learning, *self.frozen)}
        for a, b in itertools.permutations(embedded, 2):
            (z_a, at_a), (z_b, at_b) = embedded[a], embedded[b]
            both, in_a, in_b = np.intersect1d(at_a, at_b, return_indices=True)
            _, alone = np.unique(self.group[torch.from_numpy(records[both])].numpy(), return_index=True)
            hits = recall_at_1(z_a[torch.from_numpy(in_a[alone])], z_b[torch.from_numpy(in_b[alone])], CROWD)
            if hits is not None:
                out[f"{a} to {b}"] = hits
        return out

    def _pairs(self) -> Iterator[tuple[str, str]]:
        """Two encoders of which at least one learns."""
        yield from itertools.combinations(self.learning, 2)
        yield from itertools.product(self.learning, self.frozen)

    def _embed(self, name: str, records: Int64, generator: torch.Generator | None) -> tuple[Tensor, Int64]:
        """`[b, dim]` of length 1, and the places in `records` that have the modality."""
        if name in self.frozen:
            x, present = self.frozen[name]
            at = np.flatnonzero(present[records])
            z = self.maps[name](torch.from_numpy(x[records[at]]).to(self.device))
            return functional.normalize(z, dim=1), at
        one = self.learning[name]
        value = np.searchsorted(one.records, records)
        value = np.minimum(value, len(one.records) - 1)
        at = np.flatnonzero(one.records[value] == records)
        if self.training and generator is not None:
            z = one.embed(value[at], self.device, generator)
        else:
            z = torch.from_numpy(one.embed_all(value[at], self.device)).to(self.device)
        return functional.normalize(z, dim=1), at


def info_nce(logits: Tensor, group: Tensor) -> Tensor:
    """Mean of the cross-entropies by rows and by columns, with the diagonal as the truth (van den Oord et al. 2018).

    Args:
        logits: `[B, B]` similarities over the temperature.
        group: `[B]`; other records of one group are no negatives, since they may be as good a match.
    """
    same = group[:, None] == group[None, :]
    same.fill_diagonal_(False)
    kept = logits.masked_fill(same, float("-inf"))
    truth = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(kept, truth) + functional.cross_entropy(kept.T, truth)) / 2


def recall_at_1(a: Tensor, b: Tensor, crowd: int) -> float | None:
    """How often row i of `b` is the nearest to row i of `a` among `crowd` rows; None if there are fewer."""
    blocks = [slice(start, start + crowd) for start in range(0, len(a) - crowd + 1, crowd)]
    if not blocks:
        return None
    hits = [(a[block] @ b[block].T).argmax(dim=1).cpu() == torch.arange(crowd) for block in blocks]
    return float(torch.cat(hits).float().mean())


def _learning(name: str, encoder: LearnedEncoderSpec, rows: EncoderRows, train: Bool) -> Learning:
    records = rows.present(name)
    values = rows.values[name].drop_null()
    learned = encoder.taught(values.filter(pa.array(train[records])))
    return Learning(learned, learned.network(), learned.inputs(values), records)


def _frozen(
    encoders: Mapping[str, LearnedEncoderSpec], rows: EncoderRows, train: Bool
) -> dict[str, tuple[Float32, Bool]]:
    """Embeddings of encoders that do not learn, standardized by the training records, zeros where absent."""
    out = {}
    for name, values in rows.values.items():
        if name in encoders:
            continue
        present = np.zeros(len(rows), np.bool_)
        present[rows.present(name)] = True
        x = np.where(present[:, None], to_numpy(values), np.float32(0)).astype(np.float32)
        seen = x[present & train]
        if len(seen) < 2:
            continue
        spread = seen.std(axis=0)
        x = np.where(present[:, None], (x - seen.mean(axis=0)) / np.where(spread > 1e-6, spread, 1), np.float32(0))
        out[name] = (x.astype(np.float32), present)
    return out


def _batches(records: Int64, rows: int, generator: torch.Generator) -> list[Int64]:
    return [records[batch] for batch in shuffled(len(records), rows, generator)]
