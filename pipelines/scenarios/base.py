"""What a scenario is: a world, the rows that are drawn from it, what is true of them, and who may act in it."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import pyarrow as pa

from models.errors import UsageError
from models.spec import nearest
from pipelines.scenarios.gaps import Gaps
from pipelines.scenarios.layout import Layout, Partition
from pipelines.scenarios.sorts import Sort
from pipelines.scenarios.streams import Bools, Floats, Ints
from pipelines.scenarios.world import World

PACKAGE = "pipelines.scenarios"
_MODULE = "scenario"  # the file of a scenario's folder that holds its SCENARIO


class Episodes(Protocol):
    """Episodes that run side by side, each waiting for an action; `act` gives their next steps, nothing changes."""

    def records(self) -> pa.RecordBatch:
        """What may be seen now: a row per running episode, with the columns of a night's row."""
        ...

    def allowed(self) -> Bools:
        """`[n, A]` which actions may be taken now."""
        ...

    def act(self, action: Ints) -> Acted:
        """What comes of one action (index, int64 `[n]`) per running episode."""
        ...


@dataclass(frozen=True)
class Acted:
    """What came of one step of `n` episodes."""

    reward: Floats
    """`[n]`"""
    runs_on: Bools
    """`[n]` whether the episode has a next step."""
    following: Episodes
    """The episodes that run on, in the same order."""


class Begin(Protocol):
    """Starts the episodes of some subjects."""

    def __call__(self, seed: int, subjects: Ints) -> Episodes:
        """Episodes of these subjects (int64 `[n]`) at their first step; other seeds are other worlds."""
        ...


@dataclass(frozen=True)
class Decision:
    """What is decided in a scenario, for `simulate`."""

    actions: tuple[str, ...]
    begin: Begin
    gamma: float
    """What a reward one step later is worth; 0 where each decision stands for itself."""


@dataclass(frozen=True)
class Scenario:
    """One data set to try Amalgam with. Its folder's `scenario.py` holds it as SCENARIO."""

    name: str
    key: str
    """Column with the key."""
    world: World
    gaps: Gaps
    layout: Layout
    rows: Callable[[int, Partition, Ints], tuple[pa.RecordBatch, pa.RecordBatch]]
    """(seed, partition, row numbers `[n]`) -> the rows, undamaged: what the pipeline may read, and what is true of
    them. A row does not depend on which others are asked for."""
    sorts: tuple[Sort, ...]
    """The sorts of damage, neighbours differing much, so that also a small data set shows much."""
    best: Callable[[], dict[str, Any]]
    """What truth/best.json holds: a property of the scenario, so it does not depend on the data set's seed."""
    job_yaml: Callable[[Sequence[Partition]], str]
    """The job file of a data set of these partitions (the history first), with comments."""
    readme: Callable[[Sequence[Partition], int, bool], str]
    """(partitions, seed, whether records are damaged) -> the README beside the data."""
    decision: Decision
    texts: tuple[str, ...] = ()
    """String columns whose values hardly ever repeat: nothing is gained from a dictionary."""


def names() -> tuple[str, ...]:
    """The scenarios that are there: folders beside this file with a `scenario.py`."""
    package = importlib.import_module(PACKAGE)
    folders = [module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg]
    return tuple(name for name in folders if importlib.util.find_spec(f"{PACKAGE}.{name}.{_MODULE}") is not None)


def find(name: str) -> Scenario:
    """The scenario of this name.

    Raises:
        UsageError: there is none.
    """
    known = names()
    if name not in known:
        raise UsageError(f"scenario must be one of: {', '.join(known)}; got {name!r}{nearest(name, known)}")
    return cast(Scenario, importlib.import_module(f"{PACKAGE}.{name}.{_MODULE}").SCENARIO)
