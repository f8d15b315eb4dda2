"""What the encoders of our own share: features that nothing is learned for, a network on them, and its artifact."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self, cast

import pyarrow as pa
from pydantic import Field

from models.artifacts import load, load_config, require_sources
from models.encoders.base import Encoder, EncoderSpec
from models.errors import ConfigError, TemporaryError
from models.sequences import Sequences

if TYPE_CHECKING:
    from models.encoders._networks import EncoderNetwork

CLEANING = "cleaning"  # the artifact's source: fingerprint of the modality, with its fitted statistics


class LearnedEncoderSpec(EncoderSpec):
    """A small network that `amalgam train` fits to the history.

    A value goes three steps: `compact` (what training keeps of a cleaned value: bytes instead of floats), `inputs` (the
    numbers that the network reads, by what `taught` has found in the history), and the network itself.
    """

    derived: ClassVar[frozenset[str]] = frozenset({"artifact", "trained"})
    unhashed: ClassVar[frozenset[str]] = frozenset({"artifact"})
    """Where the weights lie; `trained` is what they are."""

    dim: int = Field(default=128, ge=16, le=1024, multiple_of=16)
    """Length of the embedding."""
    device: str = "auto"
    """`auto` (a GPU where there is one), `cpu`, `cuda` or `cuda:<number>`."""
    artifact: str | None = None
    """Folder of the trained network."""
    trained: str = ""
    """Fingerprint of the artifact, when it was planned with."""

    @property
    def output_dim(self) -> int:
        """Length of the embedding."""
        return self.dim

    def content(self) -> Mapping[str, str]:
        """The artifact's fingerprint: of its weights, and of all that training taught."""
        return {"artifact": self.trained} if self.trained else {}

    def compact(self, values: pa.Array) -> pa.Array:
        """What training keeps of n cleaned values: as they are, unless that is large."""
        return values

    def taught(self, values: pa.Array) -> Self:
        """The Spec with what compact values of the history teach: vocabularies, names of fields; no weights."""
        return self

    @abstractmethod
    def inputs(self, values: pa.Array) -> Sequences:
        """What the network reads of n compact values."""

    @abstractmethod
    def network(self) -> EncoderNetwork:
        """The network before training; torch is loaded here."""

    def with_artifact(self, folder: Path, cleaning: str) -> Self:
        """The Spec that builds what was trained.

        Args:
            folder: of the artifact.
            cleaning: fingerprint of the modality's cleaning, which must be that of the training.

        Raises:
            ConfigError: nothing was trained, or with other settings, or on values that were cleaned otherwise.
        """
        config = load_config(folder)
        then, now = config.spec.settings(), self.settings()
        for name in [name for name in now if name not in self.derived | {"device"}]:
            if then.get(name) != now[name]:
                raise ConfigError(
                    f"{name} must be as it was trained ({then.get(name)!r}); got {now[name]!r}; run `amalgam train JOB`"
                )
        require_sources(folder, config, {CLEANING: cleaning})
        return self.model_copy(update={"artifact": str(folder), "trained": config.fingerprint})

    def build(self) -> Encoder:
        """The encoder, with its weights loaded.

        Raises:
            ConfigError: it was not trained.
            TemporaryError: it was trained anew since the run was planned.
        """
        if self.artifact is None:
            raise ConfigError(f"encoder {self.kind} must be trained before it is used; run `amalgam train JOB`")
        from models.devices import resolve_device
        from models.encoders._networks import LearnedEncoder, network_of

        loaded = load(self.artifact, network_of)
        if loaded.config.fingerprint != self.trained:
            raise TemporaryError(f"{self.artifact} must stay as it is while a run uses it; got another one; run again")
        return LearnedEncoder(cast(LearnedEncoderSpec, loaded.config.spec), loaded.module, resolve_device(self.device))
