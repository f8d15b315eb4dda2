"""What can be begun before Beam is there: encoders load on their workers while this process loads the rest."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from models.encoders.base import EncoderSpec
from models.ops import EmbedSpec
from transforms.workers.base import WorkersSpec


def load_encoders(
    workers: WorkersSpec, encoders: Mapping[str, EncoderSpec], known: Collection[str] = frozenset()
) -> None:
    """Let a run's workers load their encoders now; the processes that read find them by name.

    Loading takes a worker longer (torch, transformers, weights) than it takes this process to load Beam.
    Encoders that run inside the reading processes are each process's own: nothing can be begun for them from here.

    Args:
        workers: as they were started for the run.
        encoders: modality -> encoder.
        known: modalities of which most values will be recalled: one worker is enough for the others, at first.

    Raises:
        WorkerDied: Ray is gone. What is wrong with an encoder is told where its first result is asked for.
    """
    if workers.address == "inline":
        return
    door = workers.build()
    for modality, encoder in encoders.items():
        op = door.remote(EmbedSpec(name=modality, encoder=encoder), modality)
        op.load(1 if modality in known else None)
