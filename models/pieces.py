"""Long values are embedded in pieces: batches of pieces of similar length, and the pieces' mean for each value."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.arrow import Float32, Int64


def cut_by_cost(lengths: Int64, budget: int, max_rows: int | None = None) -> list[Int64]:
    """Row numbers of sub-batches of similar length, longest first, whose padded size stays within the budget.

    A row longer than the budget goes alone.

    Args:
        lengths: `[n]` what each row costs (tokens, samples).
        budget: rows times the longest of them, at most.
        max_rows: rows of a sub-batch, at most; None for no limit.
    """
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        rows = max(budget // max(int(lengths[order[start]]), 1), 1)
        rows = rows if max_rows is None else min(rows, max_rows)
        batches.append(order[start : start + rows])
        start += rows
    return batches


class Ranges(NamedTuple):
    """Stretches of values that are embedded one by one: piece p is `[starts[p], stops[p])` of value `owners[p]`."""

    starts: Int64  # [p]
    stops: Int64  # [p]
    owners: Int64  # [p], ascending; every value owns at least one piece


def windows(lengths: Int64, size: int | None, *, only_first: bool) -> Ranges:
    """Values of these lengths in consecutive windows of `size`, the last one shorter; a value of no length is one.

    Args:
        lengths: `[n]`.
        size: length of a window, or None for all of it.
        only_first: leave out what follows the first window.
    """
    if size is None:
        return Ranges(np.zeros_like(lengths), lengths, np.arange(len(lengths)))
    counts = np.ones_like(lengths) if only_first else np.maximum(-(-lengths // size), 1)
    owners = np.repeat(np.arange(len(lengths)), counts)
    first = np.repeat(np.cumsum(counts) - counts, counts)  # [p] the number of the owner's first piece
    starts = (np.arange(len(owners)) - first) * size
    return Ranges(starts, np.minimum(starts + size, lengths[owners]), owners)


def mean_of_pieces(embeddings: Float32, owners: Int64, weights: Int64, *, normalize: bool) -> Float32:
    """Σ weight·embedding / Σ weight over the pieces of each value, then scaled to length 1 if asked for.

    Products and quotients are taken in float64, where those of float32 numbers and weights below 2^29 are exact: a
    value of one piece keeps that piece's numbers bit by bit.

    Args:
        embeddings: `[p, D]` of the pieces.
        owners: `[p]` as in `Ranges`.
        weights: `[p]` positive.
        normalize: scale to length 1.

    Returns:
        `[n, D]`.
    """
    if not len(owners):
        return embeddings
    first = np.flatnonzero(np.diff(owners, prepend=-1))  # [n] where each value's pieces start
    sums = np.add.reduceat(embeddings * weights[:, None].astype(np.float64), first)  # [n, D]
    mean = sums / np.add.reduceat(weights, first)[:, None]
    if normalize:
        mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return mean.astype(np.float32)
