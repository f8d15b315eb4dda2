"""EmbedOp, FuseOp, ScoreOp: encoders, fusion and heads as BatchOps; what travels to workers are their Specs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

import numpy as np
import pyarrow as pa
from pydantic import PlainSerializer, PlainValidator, model_validator

from models.arrow import (
    BLOCK_ROWS,
    Bool,
    Float32,
    from_numpy,
    rowwise,
    scatter,
    set_column,
    to_numpy,
    valid_mask,
)
from models.artifacts import load, load_config, require_sources
from models.batch import OpSpec
from models.encoders.base import EncoderSpec, Padded, Waste
from models.errors import ConfigError, InternalError
from models.schema import FUSED, clean_column, emb_column, embedding_type, share_column
from models.spec import JobPath, Spec, component, digest

if TYPE_CHECKING:
    from models.fusion.base import Fusion, FusionSpec
    from models.heads.base import Head, HeadSpec


AnyEncoder = Annotated[EncoderSpec, PlainValidator(partial(component, "encoder")), PlainSerializer(Spec.settings)]
# Spec[Any] and not FusionSpec: importing that would load torch in processes that only plan.
AnyFusion = Annotated[Spec[Any], PlainValidator(partial(component, "fusion")), PlainSerializer(Spec.settings)]


class EmbedSpec(OpSpec):
    """`clean_<name>` (null: masked) to `emb_<name>`, by one encoder."""

    kind: ClassVar[str] = "embed"

    name: str
    """The modality's name."""
    encoder: AnyEncoder
    """What encodes it."""

    def output_fields(self) -> list[pa.Field]:
        """`emb_<name>`."""
        return [pa.field(emb_column(self.name), embedding_type(self.encoder.output_dim))]

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """Schema of the result; loads nothing."""
        return _extended(schema, self.output_fields())

    def fingerprint(self) -> str:
        """The encoder's; the modality's name changes no number."""
        return self.encoder.fingerprint()

    def build(self) -> EmbedOp:
        """The op, with the encoder's weights loaded."""
        return EmbedOp(self)


class EmbedOp:
    """Encodes the values that are not null; null stays null, and so does what the encoder cannot make finite."""

    def __init__(self, spec: EmbedSpec) -> None:
        self._spec = spec
        self._dim = spec.encoder.output_dim
        self._encoder = spec.encoder.build()

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """See `EmbedSpec.output_schema`."""
        return self._spec.output_schema(schema)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with `emb_<name>` added.

        Raises:
            ConfigError: the encoder's embeddings are not as long as its Spec says.
        """
        values = _column(batch, clean_column(self._spec.name))
        valid = valid_mask(values)
        if valid.any():
            rows, finite = self._encode(values.drop_null())
            rows, valid = scatter(rows, valid), _scatter_flags(finite, valid)
        else:
            rows = np.zeros((len(values), self._dim), np.float32)
        return set_column(batch, emb_column(self._spec.name), from_numpy(rows, valid))

    def waste(self) -> Waste:
        """What the encoder has spent on padding since it was built; nothing where it does not pad."""
        return self._encoder.waste() if isinstance(self._encoder, Padded) else Waste()

    def _encode(self, values: pa.Array) -> tuple[Float32, Bool]:
        """`[k, dim]` embeddings, zero where not finite, and `[k]` where they are finite.

        A row that is not finite is tried once more by itself: it may have been an accident of its batch.
        """
        rows = self._checked(self._encoder(values), len(values))
        finite = cast(Bool, np.isfinite(rows).all(axis=1))
        if finite.all():
            return rows, finite
        rows = rows.copy()
        for index in np.flatnonzero(~finite):
            again = self._checked(self._encoder(values.slice(index, 1)), 1)[0]
            finite[index] = np.isfinite(again).all()
            rows[index] = again if finite[index] else 0
        return rows, finite

    def _checked(self, rows: Float32, count: int) -> Float32:
        if rows.shape != (count, self._dim):
            raise ConfigError(
                f"the encoder of {self._spec.name!r} must give embeddings of shape [{count}, {self._dim}] as its "
                f"settings say; got {list(rows.shape)}"
            )
        return rows.astype(np.float32, copy=False)


class FuseSpec(OpSpec):
    """`emb_<m>` (null: masked) of every modality to `fused` and `share_<m>`; trained, or as seeded."""

    kind: ClassVar[str] = "fuse"

    fusion: AnyFusion | None = None
    """A fusion that needs no training, with its `inputs`; used as seeded, also where it could be trained."""
    artifact: JobPath | None = None
    """Folder of a trained fusion, instead."""

    @model_validator(mode="after")
    def _one_of_both(self) -> FuseSpec:
        if (self.fusion is None) == (self.artifact is None):
            raise ValueError("exactly one of fusion and artifact must be given")
        return self

    def fusion_spec(self) -> FusionSpec:
        """The fusion's Spec, from the artifact's config.json if there is one.

        Raises:
            ConfigError: there is no such artifact.
        """
        if self.artifact is not None:
            return cast("FusionSpec", load_config(self.artifact).spec)
        return cast("FusionSpec", self.fusion).model_copy(update={"trained": False})

    def output_fields(self) -> list[pa.Field]:
        """`fused` and every `share_<m>`."""
        return _fused_fields(self.fusion_spec())

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """Schema of the result; reads config.json at most."""
        return _extended(schema, self.output_fields())

    def fingerprint(self) -> str:
        """The artifact's (weights included) or the Spec's; where the artifact lies does not count."""
        return self.fusion_spec().fingerprint() if self.artifact is None else load_config(self.artifact).fingerprint

    def require_encoders(self, fingerprints: Mapping[str, str]) -> None:
        """Refuse a trained fusion that has seen other encoders' embeddings.

        Args:
            fingerprints: modality -> fingerprint of its encoder.

        Raises:
            ConfigError: an encoder differs, is missing or is new.
        """
        if self.artifact is not None:
            require_sources(self.artifact, load_config(self.artifact), fingerprints)

    def build(self) -> FuseOp:
        """The op, with the weights loaded."""
        if self.artifact is not None:
            return FuseOp(self.fusion_spec(), cast("Fusion", load(self.artifact).module))
        return FuseOp(self.fusion_spec(), self.fusion_spec().build())


class FuseOp:
    """Runs a fusion in blocks of fixed shape, so that a row's result depends on that row alone."""

    def __init__(self, spec: FusionSpec, fusion: Fusion) -> None:
        self._spec = spec
        self._fusion = fusion.eval()

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """See `FuseSpec.output_schema`."""
        return _extended(schema, _fused_fields(self._spec))

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with `fused` and `share_<m>` added.

        Raises:
            ConfigError: an embedding is missing or not as wide as the fusion's input.
            InternalError: a row has no modality at all.
            FloatingPointError: the result is not finite.
        """
        packed = self._packed(batch)
        modalities, dim = len(self._spec.inputs), self._spec.dim
        result = _finite(rowwise(self._block, packed, dim + modalities), "the fusion")
        batch = set_column(batch, FUSED, from_numpy(result[:, :dim]))
        for index, modality in enumerate(self._spec.inputs):
            batch = set_column(batch, share_column(modality), pa.array(result[:, dim + index]))
        return batch

    def _packed(self, batch: pa.RecordBatch) -> Float32:
        """`[n, M·D + M]`: the padded embeddings, then 1 where a modality is *absent* (so that padding is present)."""
        inputs = self._spec.inputs
        width = max(inputs.values())
        packed = np.zeros((batch.num_rows, len(inputs) * width + len(inputs)), np.float32)
        for index, (modality, dim) in enumerate(inputs.items()):
            column = _column(batch, emb_column(modality))
            if column.type != embedding_type(dim):
                raise ConfigError(f"{emb_column(modality)} must be {embedding_type(dim)}; got {column.type}")
            valid = valid_mask(column)
            packed[valid, index * width : index * width + dim] = to_numpy(column)[valid]
            packed[:, len(inputs) * width + index] = ~valid
        if packed[:, len(inputs) * width :].all(axis=1).any():
            raise InternalError("every row must have at least one modality when it is fused; got one without")
        return packed

    def _block(self, block: Float32) -> Float32:
        """`[BLOCK_ROWS, M·D + M]` to `[BLOCK_ROWS, F + M]`."""
        import torch

        modalities = len(self._spec.inputs)
        x = torch.from_numpy(block[:, :-modalities]).reshape(len(block), modalities, -1)  # [B, M, D]
        with torch.inference_mode():
            fused = self._fusion(x, torch.from_numpy(block[:, -modalities:] == 0))
        return cast(Float32, torch.cat([fused.z, fused.shares], dim=1).numpy())


class ScoreSpec(OpSpec):
    """`fused` to the columns of every head."""

    kind: ClassVar[str] = "score"

    heads: dict[str, JobPath]
    """Head -> folder of its artifact."""

    def head_specs(self) -> dict[str, HeadSpec]:
        """Head -> its Spec, from config.json.

        Raises:
            ConfigError: an artifact is missing.
        """
        return {name: cast("HeadSpec", load_config(folder).spec) for name, folder in self.heads.items()}

    def output_fields(self) -> list[pa.Field]:
        """The columns of all heads, in order."""
        return [field for name, spec in self.head_specs().items() for field in spec.output_fields(name)]

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """Schema of the result; reads config.json at most."""
        return _extended(schema, self.output_fields())

    def fingerprint(self) -> str:
        """Of the heads' names and artifacts; where these lie does not count."""
        return digest({name: load_config(folder).fingerprint for name, folder in self.heads.items()})

    def require_fusion(self, fingerprint: str) -> None:
        """Refuse heads that were trained on another fusion's vectors.

        Raises:
            ConfigError: a head rests on another fusion.
        """
        for folder in self.heads.values():
            require_sources(folder, load_config(folder), {FUSED: fingerprint})

    def build(self) -> ScoreOp:
        """The op, with the weights loaded."""
        heads = {name: load(folder) for name, folder in self.heads.items()}
        specs = {name: cast("HeadSpec", loaded.config.spec) for name, loaded in heads.items()}
        return ScoreOp(specs, {name: cast("Head", loaded.module) for name, loaded in heads.items()})


class ScoreOp:
    """Runs the heads in blocks of fixed shape, so that a row's scores depend on that row alone."""

    def __init__(self, specs: Mapping[str, HeadSpec], heads: Mapping[str, Head]) -> None:
        self._specs = dict(specs)
        self._heads = {name: head.eval() for name, head in heads.items()}

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """See `ScoreSpec.output_schema`."""
        return _extended(schema, [field for name, spec in self._specs.items() for field in spec.output_fields(name)])

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the columns of every head added.

        Raises:
            ConfigError: `fused` is missing or not as wide as a head's input.
            FloatingPointError: a score is not finite.
        """
        column = _column(batch, FUSED)
        for name, spec in self._specs.items():
            if column.type != embedding_type(spec.input_dim):
                raise ConfigError(f"head {name!r} must read {embedding_type(spec.input_dim)}; got {column.type}")
            scores = _finite(self._scores(self._heads[name], cast(Float32, to_numpy(column))), f"head {name!r}")
            published = spec.publish_rows(name, scores)
            for field in spec.output_fields(name):
                batch = _with_field(batch, field, published.columns[field.name])
        return batch

    def _scores(self, head: Head, fused: Float32) -> Float32:
        """`[n]` or `[n, K]` scores."""
        one = _score_block(head, np.zeros((BLOCK_ROWS, fused.shape[1]), np.float32))
        scores = rowwise(lambda block: _score_block(head, block).reshape(BLOCK_ROWS, -1), fused, one[0].size)
        return scores.reshape(len(fused), *one.shape[1:])


def _score_block(head: Head, block: Float32) -> Float32:
    import torch

    with torch.inference_mode():
        return cast(Float32, head.scores(torch.from_numpy(block)).numpy())


def _fused_fields(spec: FusionSpec) -> list[pa.Field]:
    shares = [pa.field(share_column(modality), pa.float32()) for modality in spec.inputs]
    return [pa.field(FUSED, embedding_type(spec.dim)), *shares]


def _extended(schema: pa.Schema, fields: list[pa.Field]) -> pa.Schema:
    """The schema with the fields added at its end, or replaced where they stand."""
    for field in fields:
        index = schema.get_field_index(field.name)
        schema = schema.append(field) if index < 0 else schema.set(index, field)
    return schema


def _with_field(batch: pa.RecordBatch, field: pa.Field, values: pa.Array) -> pa.RecordBatch:
    """As `set_column`, with the field's nullability and metadata."""
    index = batch.schema.get_field_index(field.name)
    return batch.append_column(field, values) if index < 0 else batch.set_column(index, field, values)


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    index = batch.schema.get_field_index(name)
    if index < 0:
        raise ConfigError(f"the batch must have the column {name!r}; got {', '.join(batch.schema.names)}")
    return batch.column(index)


def _scatter_flags(flags: Bool, valid: Bool) -> Bool:
    """`[k]` flags of the k valid rows, put back to `[n]`; False elsewhere."""
    out = valid.copy()
    out[valid] = flags
    return out


def _finite(rows: Float32, what: str) -> Float32:
    if not np.isfinite(rows).all():
        raise FloatingPointError(f"{what} must give finite numbers; got NaN or infinity")
    return rows
