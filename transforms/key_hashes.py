"""Keys of records: which are usable, and the 128 bits that stand for one when repeats are looked for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from models.arrow import Bool


def usable_keys(keys: pa.Array) -> Bool:
    """`[n]` bool: False where the key is null or empty."""
    usable = keys.is_valid()
    if pt.is_string(keys.type) or pt.is_binary(keys.type):
        usable = pc.and_(usable, pc.fill_null(pc.greater(pc.binary_length(keys), 0), False))
    mask: Bool = usable.to_numpy(zero_copy_only=False)
    return mask


def key_hashes(keys: pa.Array) -> npt.NDArray[np.uint64]:
    """`[n, 2]` uint64: 128 bits for each key without nulls; the same key gives the same bits on every machine.

    SipHash with two fixed hash keys (pandas.util.hash_array): two different keys among 10 million collide with a
    probability of about 1e-25.
    """
    import pandas as pd  # takes longer to load than all else here, and `plan` only asks which keys are usable

    if not (pt.is_string(keys.type) or pt.is_binary(keys.type)):
        keys = keys.cast(pa.string())
    raw = np.asarray(keys.cast(pa.binary()).to_numpy(zero_copy_only=False), dtype=object)
    halves = [
        pd.util.hash_array(raw, hash_key=seed, categorize=False) for seed in ("amalgam-key-high", "amalgam-key-low.")
    ]
    return np.stack(halves, axis=1)
