"""Embedded history as tensors, and its split by group: read once, padded, never shuffled across groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import torch
from torch import Tensor

from models.arrow import Bool, Float32, Int64, combined, list_parts, to_numpy, valid_mask
from models.errors import ConfigError, CorruptArtifact, SchemaRefused
from models.learn.split import Parts
from models.schema import emb_column, has_column

Source: TypeAlias = pa.Table | ds.Dataset | str | Path
"""A table, a dataset, or a folder or file of Parquet."""

READ_ROWS = 8192  # rows of a record batch: some 40 MB of five embeddings of 256 numbers


@dataclass(frozen=True)
class Examples:
    """Embedded rows; every row has at least one modality."""

    inputs: dict[str, int]
    """Modality -> width, in the order of the mask's columns."""
    x: Tensor  # [N, M, D] float32, zeros beyond a modality's width and where masked
    mask: Tensor  # [N, M] bool
    labels: dict[str, pa.Array]
    """Label column -> N values, null where unknown."""
    groups: pa.Array
    """The group (customer, patient …) of each of the N rows, as string."""

    def __len__(self) -> int:
        return len(self.mask)

    def take(self, rows: Int64) -> Examples:
        """The rows of these numbers, in that order."""
        index, arrow_index = torch.from_numpy(rows), pa.array(rows)
        labels = {name: column.take(arrow_index) for name, column in self.labels.items()}
        return Examples(self.inputs, self.x[index], self.mask[index], labels, self.groups.take(arrow_index))

    def only(self, modality: str) -> Examples:
        """All rows, as if this modality alone existed; rows without it keep a mask of False."""
        index, width = list(self.inputs).index(modality), self.inputs[modality]
        x = self.x[:, index : index + 1, :width].contiguous()
        return Examples({modality: width}, x, self.mask[:, index : index + 1], self.labels, self.groups)

    def present(self) -> Int64:
        """Numbers of the rows that have at least one modality."""
        return self.mask.any(dim=1).nonzero().squeeze(1).numpy()

    def patterns(self) -> dict[str, Bool]:
        """The modalities that a row has, joined by `+` -> `[N]` the rows that have these; most frequent first."""
        names = np.array(list(self.inputs))
        patterns, which, counts = np.unique(self.mask.numpy(), axis=0, return_inverse=True, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return {"+".join(names[patterns[index]]): which == index for index in order}


@dataclass(frozen=True)
class Split:
    """Three disjoint parts; no group stands in two of them."""

    train: Examples
    validation: Examples
    held_out: Examples


def read_examples(source: Source, inputs: Mapping[str, int], labels: Iterable[str], group: str) -> Examples:
    """Read embedded history, one record batch at a time, into tensors.

    A modality is absent where `emb_<m>` is null or `has_<m>` (if there is such a column) is not true. Rows without any
    modality are left out: there is nothing to fuse.

    Args:
        source: a table, dataset, or a folder or file of Parquet with `emb_<m>` columns (list or fixed-size list).
        inputs: modality -> width of its embedding.
        labels: columns that hold labels.
        group: column whose values must not be split.

    Raises:
        SchemaRefused: a column is missing, or an embedding has another type or width.
        CorruptArtifact: a file cannot be read, or its pages are not what their checksums say.
    """
    dataset = open_source(source)
    label_names = list(dict.fromkeys(labels))
    require_columns(dataset.schema, [*map(emb_column, inputs), *label_names, group])
    masks = [has_column(m) for m in inputs if has_column(m) in dataset.schema.names]
    columns = list(dict.fromkeys([*map(emb_column, inputs), *masks, *label_names, group]))
    rows = dataset.count_rows()
    x = np.zeros((rows, len(inputs), max(inputs.values())), np.float32)  # [N, M, D]
    mask = np.zeros((rows, len(inputs)), np.bool_)  # [N, M]
    rest: list[pa.Table] = []
    start = 0
    for batch in record_batches(dataset, columns):
        stop = start + batch.num_rows
        for index, (modality, width) in enumerate(inputs.items()):
            present, vectors = embedding_of(batch, modality, width)
            x[start:stop, index, :width][present] = vectors
            mask[start:stop, index] = present
        rest.append(pa.Table.from_batches([batch.select([*label_names, *({group} - {*label_names})])]))
        start = stop
    table = pa.concat_tables(rest) if rest else dataset.schema.empty_table()
    examples = Examples(
        dict(inputs),
        torch.from_numpy(x),
        torch.from_numpy(mask),
        {name: combined(table.column(name)) for name in label_names},
        combined(table.column(group)).cast(pa.string()),
    )
    return examples if mask.any(axis=1).all() else examples.take(examples.present())


def split_by_group(examples: Examples, held_out: float, validation: float, seed: int) -> Split:
    """Split by a hash of the group: the same group falls into the same part on every machine and in every process.

    Args:
        examples: all rows.
        held_out: share of groups kept back for the final comparison, in (0, 1).
        validation: share of the *other* groups on which training is stopped and calibrated, in (0, 1).
        seed: another seed gives another split.

    Raises:
        ConfigError: a part is empty.
    """
    split, groups = Parts(held_out, validation, seed), examples.groups
    parts = {"training": split.training, "validation": split.validation, "held-out": split.held_out}
    chosen = {name: part(groups) for name, part in parts.items()}
    for name, rows in chosen.items():
        if not rows.any():
            raise ConfigError(
                f"the {name} part of the history must have at least one row; got 0 of {len(examples)} rows in "
                f"{len(pc.unique(examples.groups))} groups; give more history or another training.split"
            )
    return Split(*(examples.take(np.flatnonzero(rows)) for rows in chosen.values()))


def open_source(source: Source) -> ds.Dataset:
    """The source as a dataset; pages of Parquet files are checked against their checksums."""
    if isinstance(source, ds.Dataset):
        return source
    if isinstance(source, pa.Table):
        return ds.dataset(source)
    checked = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
    parquet = ds.ParquetFileFormat(default_fragment_scan_options=checked)
    return ds.dataset(str(source), format=parquet, partitioning="hive")


def record_batches(dataset: ds.Dataset, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """The dataset's rows in their order, few at a time: memory does not grow with the history.

    Raises:
        CorruptArtifact: a file cannot be read, or its pages are not what their checksums say.
    """
    try:
        yield from dataset.to_batches(columns=columns, batch_size=READ_ROWS, batch_readahead=2, fragment_readahead=1)
    except (OSError, pa.ArrowException) as error:
        raise CorruptArtifact(
            f"the embedded history must be readable; got {error}; remove it, and it is made again"
        ) from error


def require_columns(schema: pa.Schema, names: Iterable[str]) -> None:
    """Refuse a history without these columns.

    Raises:
        SchemaRefused: names what is missing.
    """
    if missing := [name for name in names if name not in schema.names]:
        raise SchemaRefused(
            f"the training history must have the columns {', '.join(missing)}; got {', '.join(schema.names)}"
        )


def embedding_of(batch: pa.RecordBatch, modality: str, width: int) -> tuple[Bool, Float32]:
    """`[n]` mask of one modality, and the `[k, width]` vectors of the k rows that have it.

    Raises:
        SchemaRefused: the embeddings have another type or width.
    """
    column = batch.column(emb_column(modality))
    present = valid_mask(column)
    if has_column(modality) in batch.schema.names:
        present = present & batch.column(has_column(modality)).fill_null(False).to_numpy(zero_copy_only=False)
    chosen = column.filter(pa.array(present))
    if pa.types.is_fixed_size_list(column.type):
        vectors = to_numpy(chosen) if column.type.list_size == width else None
    else:
        values, offsets = list_parts(chosen)
        fits = bool((np.diff(offsets) == width).all())
        vectors = values.to_numpy(zero_copy_only=False).reshape(len(chosen), width) if fits else None
    if vectors is None:
        raise SchemaRefused(
            f"{emb_column(modality)} must hold lists of {width} numbers, as the job's encoder makes; got {column.type} "
            f"of another length; embed the history again"
        )
    return present, vectors.astype(np.float32, copy=False)
