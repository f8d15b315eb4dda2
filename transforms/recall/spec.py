"""What travels to the processes of a run, so that they find its stores; and what they build from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from transforms.ledger import UnitCounts
from transforms.modalities.base import ModalitySpec
from transforms.recall.keys import store_key
from transforms.recall.merge import merge
from transforms.recall.session import Session
from transforms.recall.store import Store
from transforms.recipe import Recipe
from transforms.workers.base import WorkersSpec

REFRESH_SHARE: Final = 0.25
"""Of `keep_days`, after which an embedding that is asked for again is written anew: so none is written every night."""

KNOWN_SHARE: Final = 0.5
"""Of a run's rows: a store of so many embeddings is taken to hold most of what the run will ask for."""


@dataclass(frozen=True)
class RecallSpec:
    """Where a run's stores are, and what it may write there."""

    folder: str
    """Of all stores of an output."""
    staging: str | None
    """Of the run, for files that are being written; None: nothing is written."""
    day: int
    """The run's date, in days since 1970."""
    keep_days: int
    """How long an embedding is kept that no run asks for."""
    device: str
    """`cpu` or `cuda`: where encoders run."""

    def stores(self, recipe: Recipe) -> dict[str, Store]:
        """Modality -> its store."""
        return {
            name: Store(
                Path(self.folder) / store_key(spec, recipe.encoders[name], self.device),
                recipe.encoders[name].output_dim,
                None if self.staging is None else Path(self.staging),
            )
            for name, spec in recipe.modalities.items()
            if spec.has_raw(recipe.schema)
        }

    def known(self, recipe: Recipe, rows: int) -> frozenset[str]:
        """Modalities whose stores hold about as many embeddings as there are rows, so that few may be missing."""
        found = set()
        for name, store in self.stores(recipe).items():
            store.refresh()
            if sum(map(len, store.segments)) >= KNOWN_SHARE * rows:
                found.add(name)
        return frozenset(found)

    def describe(self, recipe: Recipe) -> None:
        """Say in each store what it is for, and that this run used it."""
        for name, store in self.stores(recipe).items():
            what = {"modality": name, "encoder": recipe.encoders[name].kind, "dim": store.dim, "device": self.device}
            store.describe({**what, "keep_days": self.keep_days}, self.day)

    def merge(self, recipe: Recipe) -> None:
        """Merge what has become many; see `transforms.recall.merge`."""
        for store in self.stores(recipe).values():
            merge(store, self.day - self.keep_days)


def device_of(workers: WorkersSpec) -> str:
    """`cuda` where encoders may run on a GPU, as far as that can be told without asking it, else `cpu`."""
    if workers.gpus_per_actor or workers.own_gpus:
        return "cuda"
    here = workers.address == "inline" or (workers.address == "local" and workers.namespace is None)
    if here:  # `local` only before it has started, when a night is planned
        return "cuda" if any(Path("/dev").glob("nvidia[0-9]*")) else "cpu"
    return "cuda" if workers.namespace is None and workers.gpus else "cpu"


class Recall:
    """One process's stores, or none: then only values that repeat within a unit are known."""

    def __init__(self, recipe: Recipe, spec: RecallSpec | None = None) -> None:
        stores: Mapping[str, Store] = spec.stores(recipe) if spec is not None else {}
        self._lanes: dict[str, tuple[ModalitySpec, int, Store | None]] = {
            name: (modality, recipe.encoders[name].output_dim, stores.get(name))
            for name, modality in recipe.modalities.items()
            if modality.has_raw(recipe.schema)
        }
        self._day = spec.day if spec is not None else 0
        self._refresh_before = self._day - int(REFRESH_SHARE * spec.keep_days) if spec is not None else 0

    def session(self, counts: UnitCounts) -> Session:
        """For one attempt at a unit."""
        return Session(self._lanes, self._day, self._refresh_before, counts)
