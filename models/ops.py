"""EmbedOp and FuseOp: encoders and fusion as BatchOps (heads: `models.scoring`); what travels are their Specs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

import numpy as np
import pyarrow as pa
from pydantic import PlainSerializer, PlainValidator, model_validator

from models.arrow import Bool, Float32, from_numpy, rowwise, scatter, set_column, valid_mask
from models.artifacts import load, load_config, require_sources
from models.batch import OpSpec
from models.columns import column_of, extended
from models.encoders.base import EncoderSpec, Padded, Waste
from models.errors import ConfigError
from models.packing import finite_rows, pack, unpack
from models.schema import FUSED, clean_column, emb_column, embedding_type, share_column
from models.spec import JobPath, Spec, component

if TYPE_CHECKING:
    from models.fusion.base import Fusion, FusionSpec


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
        return extended(schema, self.output_fields())

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
        values = column_of(batch, clean_column(self._spec.name))
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
        return extended(schema, self.output_fields())

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
        return extended(schema, _fused_fields(self._spec))

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with `fused` and `share_<m>` added.

        Raises:
            ConfigError: an embedding is missing or not as wide as the fusion's input.
            InternalError: a row has no modality at all.
            FloatingPointError: the result is not finite.
        """
        packed = pack(batch, self._spec.inputs)
        modalities, dim = len(self._spec.inputs), self._spec.dim
        result = finite_rows(rowwise(self._block, packed, dim + modalities), "the fusion")
        batch = set_column(batch, FUSED, from_numpy(result[:, :dim]))
        for index, modality in enumerate(self._spec.inputs):
            batch = set_column(batch, share_column(modality), pa.array(result[:, dim + index]))
        return batch

    def _block(self, block: Float32) -> Float32:
        """`[BLOCK_ROWS, M·D + M]` to `[BLOCK_ROWS, F + M]`."""
        import torch

        with torch.inference_mode():
            fused = self._fusion(*unpack(block, len(self._spec.inputs)))
        return cast(Float32, torch.cat([fused.z, fused.shares], dim=1).numpy())


def _fused_fields(spec: FusionSpec) -> list[pa.Field]:
    shares = [pa.field(share_column(modality), pa.float32()) for modality in spec.inputs]
    return [pa.field(FUSED, embedding_type(spec.dim)), *shares]


def _scatter_flags(flags: Bool, valid: Bool) -> Bool:
    """`[k]` flags of the k valid rows, put back to `[n]`; False elsewhere."""
    out = valid.copy()
    out[valid] = flags
    return out
