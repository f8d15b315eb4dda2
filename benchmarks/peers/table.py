"""Keys and embeddings as an Arrow table."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.peers.task import EMBEDDING, KEY


def table(keys: pa.Array | pa.ChunkedArray, embeddings: npt.NDArray[np.float32]) -> pa.Table:
    """Two columns: the key, and a fixed-size list of float32 from embeddings `[n, dim]`."""
    values = pa.array(np.ascontiguousarray(embeddings).reshape(-1))
    return pa.table({KEY: keys, EMBEDDING: pa.FixedSizeListArray.from_arrays(values, embeddings.shape[1])})
