"""ScoreOp: heads as a BatchOp; labels are scored from the fused vector, actions chosen from the embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

import numpy as np
import pyarrow as pa

from models.arrow import BLOCK_ROWS, Float32, rowwise, to_numpy
from models.artifacts import Config, load, load_config, require_sources
from models.batch import OpSpec
from models.columns import column_of, extended, with_field, with_issues
from models.errors import ConfigError
from models.heads._decision_spec import DecisionHeadSpec
from models.heads._policy import row_uniforms
from models.heads._spec import HeadSpec, LabelHeadSpec, Published
from models.packing import finite_rows, pack, unpack
from models.schema import FUSED, embedding_type
from models.spec import JobPath, digest

if TYPE_CHECKING:
    from models.heads.base import DecisionHead, Head, LabelHead


class ScoreSpec(OpSpec):
    """`fused`, the embeddings and the key to the columns of every head."""

    kind: ClassVar[str] = "score"

    heads: dict[str, JobPath]
    """Head -> folder of its artifact."""
    key: str = ""
    """Column with the rows' keys, from which decision heads draw."""
    occasion: str = ""
    """What is drawn for (`<job>/<date>`): a key draws anew every night, and the same again when a night is rerun."""

    def configs(self) -> dict[str, Config]:
        """Head -> what its config.json says.

        Raises:
            ConfigError: an artifact is missing.
        """
        return {name: load_config(folder) for name, folder in self.heads.items()}

    def head_specs(self) -> dict[str, HeadSpec]:
        """Head -> its Spec; see `configs`."""
        return {name: cast(HeadSpec, config.spec) for name, config in self.configs().items()}

    def output_fields(self) -> list[pa.Field]:
        """The columns of all heads, in order."""
        return [field for name, spec in self.head_specs().items() for field in spec.output_fields(name)]

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """Schema of the result; reads config.json at most."""
        return extended(schema, self.output_fields())

    def fingerprint(self) -> str:
        """Of the heads' names and artifacts; where these lie, and which night it is, does not count."""
        return digest({name: config.fingerprint for name, config in self.configs().items()})

    def require_sources(self, fusion: str, embeddings: Mapping[str, str]) -> None:
        """Refuse heads that were trained on something else than what they would read now.

        Args:
            fusion: fingerprint of the fusion, whose vectors label heads read.
            embeddings: modality -> fingerprint of what makes its embeddings, which decision heads read.

        Raises:
            ConfigError: a head rests on something else.
        """
        for name, config in self.configs().items():
            decides = isinstance(config.spec, DecisionHeadSpec)
            require_sources(self.heads[name], config, embeddings if decides else {FUSED: fusion})

    def build(self) -> ScoreOp:
        """The op, with the weights loaded."""
        heads = {name: load(folder) for name, folder in self.heads.items()}
        specs = {name: cast(HeadSpec, loaded.config.spec) for name, loaded in heads.items()}
        modules = {name: cast("Head", loaded.module) for name, loaded in heads.items()}
        return ScoreOp(specs, modules, key=self.key, occasion=self.occasion)


class ScoreOp:
    """Runs the heads in blocks of fixed shape, so that what is published of a row depends on that row alone."""

    def __init__(
        self, specs: Mapping[str, HeadSpec], heads: Mapping[str, Head], *, key: str = "", occasion: str = ""
    ) -> None:
        self._specs = dict(specs)
        self._scorers: dict[str, _Scorer] = {}
        for name, spec in specs.items():
            head = heads[name].eval()
            if isinstance(spec, DecisionHeadSpec):
                self._scorers[name] = _Decide(name, spec, cast("DecisionHead", head), key, f"{occasion}/{name}")
            else:
                self._scorers[name] = _Label(name, cast(LabelHeadSpec, spec), cast("LabelHead", head))

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """See `ScoreSpec.output_schema`."""
        return extended(schema, [field for name, spec in self._specs.items() for field in spec.output_fields(name)])

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the columns of every head added, and their codes in `issues`.

        Raises:
            ConfigError: a column that a head reads is missing, or not as wide as the head's input.
            FloatingPointError: a score is not finite.
        """
        scored = batch
        for name, spec in self._specs.items():
            published = self._scorers[name](batch)
            for field in spec.output_fields(name):
                scored = with_field(scored, field, published.columns[field.name])
            scored = with_issues(scored, {f"{name}.{code}": rows for code, rows in published.issues.items()})
        return scored


class _Scorer(Protocol):
    """What one head says of a batch."""

    def __call__(self, batch: pa.RecordBatch) -> Published: ...


class _Label:
    """A label head on the fused vectors."""

    def __init__(self, name: str, spec: LabelHeadSpec, head: LabelHead) -> None:
        self._name, self._spec, self._head = name, spec, head

    def __call__(self, batch: pa.RecordBatch) -> Published:
        column = column_of(batch, FUSED)
        if column.type != embedding_type(self._spec.input_dim):
            raise ConfigError(
                f"head {self._name!r} must read {embedding_type(self._spec.input_dim)}; got {column.type}"
            )
        fused = cast(Float32, to_numpy(column))
        one = self._block(np.zeros((BLOCK_ROWS, fused.shape[1]), np.float32))
        scores = rowwise(lambda block: self._block(block).reshape(BLOCK_ROWS, -1), fused, one[0].size)
        finite_rows(scores, f"head {self._name!r}")
        return self._spec.publish_rows(self._name, scores.reshape(len(fused), *one.shape[1:]))

    def _block(self, block: Float32) -> Float32:
        import torch

        with torch.inference_mode():
            return cast(Float32, self._head.scores(torch.from_numpy(block)).numpy())


class _Decide:
    """A decision head on the embeddings; which action is drawn depends on the row's key and the purpose."""

    def __init__(self, name: str, spec: DecisionHeadSpec, head: DecisionHead, key: str, purpose: str) -> None:
        self._name, self._spec, self._head, self._key, self._purpose = name, spec, head, key, purpose
        self._inputs = spec.fusion_spec().inputs

    def __call__(self, batch: pa.RecordBatch) -> Published:
        spec = self._spec
        raw = rowwise(self._block, pack(batch, self._inputs), 2 * len(spec.actions))
        lists = None if spec.allowed is None else column_of(batch, spec.allowed)
        allowed = spec.allowed_mask(lists, batch.num_rows)
        uniform = row_uniforms(column_of(batch, self._key), self._purpose)
        return spec.publish_rows(self._name, finite_rows(raw, f"head {self._name!r}"), allowed, uniform)

    def _block(self, block: Float32) -> Float32:
        import torch

        with torch.inference_mode():
            return cast(Float32, self._head(*unpack(block, len(self._inputs))).numpy())
