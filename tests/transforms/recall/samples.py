"""Entries whose embeddings can be told from their keys."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from models.schema import ISSUES_TYPE
from transforms.recall.keys import Keys
from transforms.recall.segment import Entries

DIM = 3


def keys(*numbers: int) -> Keys:
    """`[n, 2]`: for each number a key that is spread over the range of keys by it (2^56 apart)."""
    return np.array([[number << 56, number] for number in numbers], np.uint64).reshape(-1, 2)


def entries(*numbers: int, day: int = 10) -> Entries:
    """For each number its key, the embedding `[number, number / 2, day]`, and the code `odd` where it is odd."""
    codes = pa.array([["odd"] if number % 2 else [] for number in numbers], ISSUES_TYPE)
    rows = [[number, number / 2, day] for number in numbers]
    days = np.full(len(numbers), day, np.int32)
    return Entries(keys(*numbers), days, codes, np.array(rows, np.float32).reshape(-1, DIM))


def numbers_of(found: Entries) -> list[int]:
    """The numbers that the embeddings were made of."""
    return [int(row[0]) for row in found.embeddings]
