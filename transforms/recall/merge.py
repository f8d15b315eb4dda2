"""Merge: few large segments from many small ones, so that a look-up stays short; and an end for what is not asked for.

Each unit leaves a layer of one small segment. Where eight layers are of like size they become one of the next size
(a log-structured merge-tree with tiers: O'Neil et al., Acta Informatica 33, 1996), so an embedding is copied about
log8(units) times in its life. A layer is cut by ranges of keys into segments that are merged one after the other:
memory is bounded by one of them, whatever the store holds.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from transforms.recall.segment import Entries, Segment
from transforms.recall.store import Store, done_without, new_layer

FAN: Final = 8
"""Layers of like size that become one."""
SEGMENT_BYTES: Final = 64 << 20
"""About how many bytes of embeddings a merged segment holds; twice that is what a merge needs of memory."""
_KEYS: Final = 1 << 64


def merge(store: Store, oldest: int) -> None:
    """Merge layers of like size until there are few of each.

    Args:
        store: no other is needed: several may merge it at once, at worst for nothing.
        oldest: day before which an entry must have been asked for last to be left out.
    """
    store.refresh()
    with done_without("a damaged segment", store.folder):
        store.discard_damaged()
    while layers := _alike(store.segments):
        with done_without("a merge", store.folder):
            _into_one(store, layers, oldest)
        store.refresh()
        if all(segment in store.segments for segment in layers):
            return  # it failed, and would again


def _alike(segments: Sequence[Segment]) -> list[Segment]:
    """The segments of all layers of the smallest size of which there are `FAN`; none where there is no such size."""
    layers: dict[str, list[Segment]] = defaultdict(list)
    for segment in segments:
        layers[segment.path.name.partition("-")[0]].append(segment)
    sizes: dict[int, list[list[Segment]]] = defaultdict(list)
    for parts in layers.values():
        sizes[int(math.log(sum(part.bytes for part in parts), FAN))].append(parts)
    crowded = [size for size, found in sizes.items() if len(found) >= FAN]
    return [part for parts in sizes[min(crowded)] for part in parts] if crowded else []


def _into_one(store: Store, segments: Sequence[Segment], oldest: int) -> None:
    parts = math.ceil(sum(segment.bytes for segment in segments) / SEGMENT_BYTES)
    bounds = [_KEYS * part // parts for part in range(parts + 1)]
    layer = new_layer()
    for part, (first, end) in enumerate(pairwise(bounds)):
        entries = Entries.concat([segment.between(first, end) for segment in segments])
        store.put(entries.take(np.flatnonzero(entries.days >= oldest)), layer, part)
    for segment in segments:
        store.remove(segment)
