"""An op's description with the batch settings of its plan; its fingerprint stays, since these change no result."""

from __future__ import annotations

from typing import Any

from models.batch import OpSpec
from models.errors import InternalError
from models.ops import EmbedSpec
from transforms.workers.layout import Plan


def fitted(spec: OpSpec, plan: Plan) -> OpSpec:
    """The op that runs as much at once as the plan says; one that has no encoder, or an empty plan, as it is.

    Raises:
        InternalError: the plan holds a setting that would change results.
    """
    if not plan.batch or not isinstance(spec, EmbedSpec):
        return spec
    encoder = spec.encoder
    if hashed := sorted(set(plan.batch) - encoder.unhashed):
        raise InternalError(f"a plan must leave results alone; got {', '.join(hashed)} for encoder {encoder.kind}")
    whole: dict[str, Any] = {name: _as_declared(encoder, name, value) for name, value in plan.batch.items()}
    return spec.model_copy(update={"encoder": encoder.model_copy(update=whole)})


def _as_declared(encoder: object, name: str, value: float) -> float:
    """An int where the encoder's own setting is one."""
    return value if isinstance(getattr(encoder, name), float) else int(value)
