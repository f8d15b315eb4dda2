"""Which part of the history a row belongs to, by a hash of its group: the same on every machine; free of torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.arrow import Bool


@dataclass(frozen=True)
class Parts:
    """Training, validation, held-out and encoders' rows: each group, with all its rows, belongs to exactly one part."""

    held_out_share: float
    """Share of groups kept back for the final comparison, in (0, 1)."""
    validation_share: float
    """Share of the *other* groups on which training is stopped and calibrated, in (0, 1)."""
    seed: int
    """Another seed gives another split."""
    encoder_share: float = 0.0
    """Share of the groups that are not held out from which encoders learn; nothing that reads embeddings may."""

    def encoders(self, groups: pa.Array) -> Bool:
        """`[N]` rows that encoders learn from: of these, embeddings look better than they are."""
        mine: Bool = group_positions(groups, f"encoders {self.seed}") < self.encoder_share
        return mine & ~self.held_out(groups)

    def held_out(self, groups: pa.Array) -> Bool:
        """`[N]` rows that nothing is fitted to."""
        return held_out_mask(groups, self.held_out_share, self.seed)

    def validation(self, groups: pa.Array) -> Bool:
        """`[N]` rows on which training is stopped."""
        near: Bool = group_positions(groups, f"validation {self.seed}") < self.validation_share
        return near & ~self.held_out(groups) & ~self.encoders(groups)

    def training(self, groups: pa.Array) -> Bool:
        """`[N]` rows that are learned from."""
        return ~self.held_out(groups) & ~self.validation(groups) & ~self.encoders(groups)


def held_out_mask(groups: pa.Array, held_out: float, seed: int) -> Bool:
    """`[N]` bool: the rows that nothing may be fitted to.

    Args:
        groups: each row's group (customer, patient …).
        held_out: share of the groups, in (0, 1).
        seed: another seed gives another split.
    """
    mask: Bool = group_positions(groups, f"held out {seed}") < held_out
    return mask


def group_positions(groups: pa.Array, salt: str) -> npt.NDArray[np.float64]:
    """`[N]` positions in [0, 1), uniform over groups: the first 64 bits of BLAKE2b(salt, group) / 2^64."""
    encoded = groups.dictionary_encode()
    key = salt.encode()
    # Each *distinct* group is hashed once; null is a group of its own.
    hashes = [
        hashlib.blake2b(str(value).encode(), digest_size=8, key=key).digest()
        for value in encoded.dictionary.to_pylist()
    ]
    missing = hashlib.blake2b(b"", digest_size=8, key=key).digest()
    positions = np.frombuffer(b"".join([*hashes, missing]), ">u8") / 2.0**64
    which: npt.NDArray[np.int32] = encoded.indices.fill_null(len(hashes)).to_numpy(zero_copy_only=False)
    return positions[which]
