"""Logged decisions of embedded rows: read once, in the order of their episodes; embeddings may lie in a file."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from models.arrow import Bool, Float32, Int64, combined
from models.errors import ConfigError
from models.heads._decision_spec import DecisionHeadSpec
from models.heads._policy import Float64
from models.learn.data import Source, embedding_of, open_source, record_batches, require_columns
from models.learn.episodes import Order, order_of
from models.schema import emb_column, has_column

Chosen = Callable[[pa.Array], Bool]
"""`[N]` groups to the rows that are wanted."""

COPIED_ROWS: Final = 4096  # rows of a file that are copied at once


@dataclass(frozen=True)
class Decisions:
    """Logged decisions; rows of an episode stand together, in the order of its steps."""

    inputs: dict[str, int]
    """Modality -> width, in the order of the mask's columns."""
    x: Float32
    """`[N, M, D]`, zeros beyond a modality's width and where masked; a read-only memory map where the history is
    larger than memory."""
    mask: Bool
    """`[N, M]`, at least one True in every row."""
    action: Int64
    """`[N]` index into the head's `actions`; −1 where null or unknown: nothing is learned from such a row."""
    reward: Float64
    """`[N]`, NaN where not known: nothing is learned from such a row."""
    propensity: Float64
    """`[N]`, NaN where the log does not say."""
    allowed: Bool
    """`[N, A]`"""
    groups: pa.Array
    """`[N]` string: the group (customer, patient …); an episode lies in one."""
    episode: Int64
    """`[N]` number of the row's episode, ascending from 0; a row of its own where there are no episodes."""
    following: Int64
    """`[N]` number of the next step's row, −1 at an episode's last row."""
    terminated: Bool
    """`[N]` True where the episode ended; a last row where it is False was cut off."""

    def __len__(self) -> int:
        return len(self.mask)

    @property
    def learnable(self) -> Bool:
        """`[N]` rows whose action and reward are known, and whose action was allowed."""
        permitted = self.allowed[np.arange(len(self)), np.maximum(self.action, 0)]
        learnable: Bool = (self.action >= 0) & ~np.isnan(self.reward) & permitted
        return learnable

    @property
    def weighable(self) -> Bool:
        """`[N]` learnable rows whose propensity is a probability: they can be weighted for another policy."""
        weighable: Bool = self.learnable & (self.propensity > 0) & (self.propensity <= 1)
        return weighable

    def take(self, rows: Int64) -> Decisions:
        """Whole episodes, given by the ascending numbers of their rows; from a memory map comes a memory map.

        Raises:
            ValueError: an episode is not whole.
        """
        place = np.full(len(self) + 1, -1)  # the last one is for following = -1
        place[rows] = np.arange(len(rows))
        following = place[self.following[rows]]
        if bool((np.diff(rows) <= 0).any()) or bool(((following < 0) & (self.following[rows] >= 0)).any()):
            raise ValueError("rows must be the ascending numbers of all rows of some episodes")
        return self._picked(rows, following, self.terminated[rows])

    def take_groups(self, chosen: Chosen) -> Decisions:
        """All rows of the groups for which `chosen` is True (it must say the same for every row of a group)."""
        return self.take(np.flatnonzero(chosen(self.groups)))

    def fingerprint(self) -> str:
        """Hash of all that is learned from."""
        hashed = hashlib.blake2b(repr((self.inputs, self.x.shape)).encode(), digest_size=32)
        for start in range(0, len(self), COPIED_ROWS):
            hashed.update(self.x[start : start + COPIED_ROWS].tobytes())
        for name in ("mask", "action", "reward", "propensity", "allowed", "episode", "following", "terminated"):
            hashed.update(getattr(self, name).tobytes())
        hashed.update("\0".join(map(str, self.groups.to_pylist())).encode())
        return hashed.hexdigest()

    def _picked(self, rows: Int64, following: Int64, terminated: Bool) -> Decisions:
        return replace(
            self,
            x=_gathered(self.x, rows),
            mask=self.mask[rows],
            action=self.action[rows],
            reward=self.reward[rows],
            propensity=self.propensity[rows],
            allowed=self.allowed[rows],
            groups=self.groups.take(pa.array(rows)),
            episode=np.unique(self.episode[rows], return_inverse=True)[1].astype(np.int64),
            following=following,
            terminated=terminated,
        )


def read_actions(source: Source, spec: DecisionHeadSpec, group: str, chosen: Chosen | None = None) -> pa.Array:
    """Every action that the log holds, for `DecisionHeadSpec.with_actions`.

    Args:
        source: as for `read_decisions`.
        spec: names the column.
        group: column whose values must not be split.
        chosen: the rows that count, by their groups; by default all.

    Raises:
        SchemaRefused: a column is missing.
    """
    dataset = open_source(source)
    require_columns(dataset.schema, [spec.action, group])
    found = []
    for batch in record_batches(dataset, list(dict.fromkeys([spec.action, group]))):
        taken = batch.column(spec.action)
        if chosen is not None:
            taken = taken.filter(pa.array(chosen(batch.column(group).cast(pa.string()))))
        found.append(pc.unique(taken.dictionary_decode() if pa.types.is_dictionary(taken.type) else taken))
    return pc.unique(pa.concat_arrays(found)) if found else pa.array([], dataset.schema.field(spec.action).type)


def read_decisions(
    source: Source,
    spec: DecisionHeadSpec,
    inputs: Mapping[str, int],
    group: str,
    folder: Path | None = None,
    chosen: Chosen | None = None,
) -> Decisions:
    """Read the logged decisions of embedded history, one record batch at a time: the log's columns, then embeddings.

    A row without any modality is a state that nothing is known of: its episode counts as cut off before it.

    Args:
        source: a table, dataset, or a folder or file of Parquet with `emb_<m>` columns (list or fixed-size list).
        spec: names the log's columns; its `actions` are filled in.
        inputs: modality -> width of its embedding.
        group: column whose values must not be split.
        folder: where embeddings are put into a memory-mapped file; none: they are held in memory.
        chosen: the rows that are wanted, by their groups; by default all.

    Raises:
        SchemaRefused: a column is missing, or an embedding has another type or width.
        ConfigError: a column of the log holds something else than it must, or an episode spans groups.
        CorruptArtifact: a file cannot be read, or its pages are not what their checksums say.
    """
    dataset = open_source(source)
    columns = spec.training_columns()
    require_columns(dataset.schema, [*map(emb_column, inputs), *columns.values(), group])
    names = list(dict.fromkeys([*columns.values(), group]))
    table = pa.Table.from_batches(
        record_batches(dataset, names), pa.schema([dataset.schema.field(name) for name in names])
    )
    groups = combined(table.column(group)).cast(pa.string())
    wanted = np.ones(len(groups), np.bool_) if chosen is None else chosen(groups)
    log = {setting: combined(table.column(name)).filter(pa.array(wanted)) for setting, name in columns.items()}
    decisions, order = _without_embeddings(spec, log, groups.filter(pa.array(wanted)))
    place = np.full(len(wanted), -1)
    place[np.flatnonzero(wanted)[order.rows]] = np.arange(len(order.rows))
    x, mask = _embeddings(dataset, dict(inputs), place, len(order.rows), folder)
    return _cut_before_nothing(replace(decisions, inputs=dict(inputs), x=x, mask=mask))


def _without_embeddings(
    spec: DecisionHeadSpec, log: Mapping[str, pa.Array], groups: pa.Array
) -> tuple[Decisions, Order]:
    rows = len(groups)
    order = order_of(log.get("episode"), log.get("step"), rows)
    picked = {setting: column.take(pa.array(order.rows)) for setting, column in log.items()}
    groups = groups.take(pa.array(order.rows))
    _require_one_group(groups, order, picked.get("episode"))
    decisions = Decisions(
        inputs={},
        x=np.zeros((rows, 0, 0), np.float32),
        mask=np.zeros((rows, 0), np.bool_),
        action=spec.action_index(picked["action"]),
        reward=_numbers(picked["reward"], f"reward {spec.reward!r}"),
        propensity=_numbers(picked["propensity"], f"propensity {spec.propensity!r}")
        if "propensity" in picked
        else np.full(rows, np.nan),
        allowed=spec.allowed_mask(picked.get("allowed"), rows),
        groups=groups,
        episode=order.episode,
        following=order.following,
        terminated=_terminated(spec, picked, order),
    )
    return decisions, order


def _require_one_group(groups: pa.Array, order: Order, names: pa.Array | None) -> None:
    codes = groups.dictionary_encode(null_encoding="encode").indices.to_numpy()
    goes_on = np.flatnonzero(order.following >= 0)
    spanning = goes_on[codes[goes_on] != codes[order.following[goes_on]]]
    if len(spanning) and names is not None:
        row = int(spanning[0])
        raise ConfigError(
            f"an episode must lie in one group of training.split.by, so that no part of it is held out from the rest; "
            f"got {names[row].as_py()!r} in {groups[row].as_py()!r} and {groups[row + 1].as_py()!r}"
        )


def _terminated(spec: DecisionHeadSpec, log: Mapping[str, pa.Array], order: Order) -> Bool:
    """`[N]` where episodes ended: as `terminated` says, else where `truncated` does not say otherwise."""
    last: Bool = order.following < 0
    if "terminated" in log:
        ended = _flags(log["terminated"], f"terminated {spec.terminated!r}")
        early = np.flatnonzero(ended & ~last)
        if len(early):
            raise ConfigError(
                f"terminated {spec.terminated!r} must be true at an episode's last row only; got it before others in "
                f"episode {log['episode'][int(early[0])].as_py()!r}"
            )
        return ended
    if "truncated" in log:
        return last & ~_flags(log["truncated"], f"truncated {spec.truncated!r}")
    return last


def _numbers(column: pa.Array, what: str) -> Float64:
    """`[N]`, NaN where null or not finite."""
    kind = column.type
    known = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean, pa.types.is_null)
    if not any(is_kind(kind) for is_kind in known):
        raise ConfigError(f"{what} must be a column of numbers; got {kind}")
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    values = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return np.where(np.isfinite(values), values, np.nan)


def _flags(column: pa.Array, what: str) -> Bool:
    """`[N]`, False where null."""
    if not (pa.types.is_boolean(column.type) or pa.types.is_null(column.type)):
        raise ConfigError(f"{what} must be a column of true and false; got {column.type}")
    flags: Bool = column.cast(pa.bool_()).fill_null(False).to_numpy(zero_copy_only=False)
    return flags


def _embeddings(
    dataset: ds.Dataset, inputs: dict[str, int], place: Int64, rows: int, folder: Path | None
) -> tuple[Float32, Bool]:
    """`[rows, M, D]` and their mask `[rows, M]`: row i of the dataset goes to `place[i]`, nowhere if that is −1."""
    shape = (rows, len(inputs), max(inputs.values()))
    x = np.zeros(shape, np.float32) if folder is None else _file(folder, shape)
    mask = np.zeros(shape[:2], np.bool_)
    masks = [has_column(m) for m in inputs if has_column(m) in dataset.schema.names]
    start = 0
    for batch in record_batches(dataset, [*map(emb_column, inputs), *masks]):
        target = place[start : start + batch.num_rows]
        for index, (modality, width) in enumerate(inputs.items()):
            present, vectors = embedding_of(batch, modality, width)
            wanted = target[present] >= 0
            x[target[present][wanted], index, :width] = vectors[wanted]
            mask[target[present][wanted], index] = True
        start += batch.num_rows
    return _read_only(x), mask


def _cut_before_nothing(decisions: Decisions) -> Decisions:
    """Without rows that have no modality, and without what follows them in their episodes."""
    if not len(decisions) or decisions.mask.any(axis=1).all():
        return decisions
    nothing: Bool = ~np.asarray(decisions.mask.any(axis=1))
    since = np.cumsum(nothing)
    first = np.searchsorted(decisions.episode, decisions.episode)  # each row's first row of its episode
    kept = since - since[first] + nothing[first] == 0
    place = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)
    rows = np.flatnonzero(kept)
    return decisions._picked(rows, place[decisions.following[rows]], decisions.terminated[rows])


def _gathered(x: Float32, rows: Int64) -> Float32:
    """`x[rows]`; of a memory map a memory map, in a file that vanishes with it."""
    if not isinstance(x, np.memmap) or not len(rows):
        return x[rows]
    if rows[-1] - rows[0] == len(rows) - 1:
        return x[rows[0] : rows[-1] + 1]
    copied = _file(Path(str(x.filename)).parent, (len(rows), *x.shape[1:]))
    for start in range(0, len(rows), COPIED_ROWS):
        copied[start : start + COPIED_ROWS] = x[rows[start : start + COPIED_ROWS]]
    return _read_only(copied)


def _file(folder: Path, shape: tuple[int, ...]) -> Float32:
    """Zeros in a file of the folder, which the system removes when nothing refers to it any more."""
    folder.mkdir(parents=True, exist_ok=True)
    if not all(shape):
        return np.zeros(shape, np.float32)
    with tempfile.NamedTemporaryFile(dir=folder, prefix="embeddings-") as file:
        return np.memmap(file.name, np.float32, "w+", shape=shape)


def _read_only(x: npt.NDArray[np.float32]) -> Float32:
    if isinstance(x, np.memmap):
        x.flush()
        x.flags.writeable = False
    return x
