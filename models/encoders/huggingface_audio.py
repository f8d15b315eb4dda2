"""Sound through any pretrained speech or audio model: its feature extractor, states of frames, one pooled vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from models.arrow import Float32, Int64, list_parts
from models.encoders._huggingface import HuggingFaceSpec, check_width
from models.errors import ConfigError
from models.pretrained import read_json

if TYPE_CHECKING:
    from models.inference import PretrainedModel

SHORTEST_SECONDS = 0.1  # shorter sounds are filled with silence: the usual convolutions need 25 ms, spectrograms more


class HuggingFaceAudioEncoder:
    """Extracts features, runs sub-batches of similar length, pools over the frames that hold sound."""

    def __init__(self, model: PretrainedModel, extractor: Callable[..., Any], spec: HuggingFaceAudioSpec) -> None:
        self.model, self.extractor, self.spec = model, extractor, spec
        self.dim, self.rate = spec.output_dim, spec.rate
        # A group norm over time (wav2vec2-base) sees the padding, and such models are trained without a mask: only
        # sounds of equal length may share their batches.
        self.pads = spec.config().get("feat_extract_norm") != "group"

    def __call__(self, values: pa.Array) -> Float32:
        """float32 `[n, dim]` of n sounds; rows that the model made non-finite are left so."""
        samples, offsets = list_parts(values)
        flat = samples.to_numpy(zero_copy_only=False)
        lengths = np.maximum(np.diff(offsets), int(SHORTEST_SECONDS * self.rate))
        out = np.empty((len(values), self.dim), dtype=np.float32)
        for rows in self._batches(lengths):
            sounds = [_filled(flat[offsets[row] : offsets[row + 1]], int(lengths[row])) for row in rows]
            pooled = self.model.embed(self._features(sounds), self._pooling, normalize=bool(self.spec.normalize))
            check_width(pooled, self.dim, self.spec.weights)
            out[rows] = pooled
        return out

    @property
    def _pooling(self) -> str:
        return "mean" if self.spec.pooling == "auto" else self.spec.pooling

    def _batches(self, lengths: Int64) -> list[Int64]:
        from models.inference import cut_by_cost

        budget = int(self.spec.max_batch_seconds * self.rate)
        if self.pads:
            return cut_by_cost(lengths, budget)
        alike = [np.nonzero(lengths == length)[0] for length in np.unique(lengths)]
        return [rows[part] for rows in alike for part in cut_by_cost(lengths[rows], budget)]

    def _features(self, sounds: list[Float32]) -> dict[str, npt.NDArray[Any]]:
        # Waveforms are filled up to the longest; extractors of spectrograms know the length that their model takes.
        padding = {"padding": True} if getattr(self.extractor, "feature_size", 1) == 1 else {}
        found = self.extractor(
            sounds, sampling_rate=self.rate, **padding, return_attention_mask=self.pads, return_tensors="np"
        )
        return {name: np.asarray(value) for name, value in found.items()}


class HuggingFaceAudioSpec(HuggingFaceSpec):
    """Any AutoModel for sound from a folder or a pinned hub revision (wav2vec 2.0, HuBERT, Whisper, AST …).

    A model of fixed length (Whisper: 30 seconds, AST: 10) reads the beginning of a longer sound.
    """

    kind: ClassVar[str] = "huggingface_audio"
    modality: ClassVar[str] = "audio"
    unhashed: ClassVar[frozenset[str]] = HuggingFaceSpec.unhashed | {"max_batch_seconds"}

    pooling: Literal["auto", "cls", "mean", "last"] = "auto"
    """Which states make the embedding; auto is the mean over the frames that hold sound."""
    max_batch_seconds: float = Field(120.0, gt=0)
    """Sound, padding included, that runs at once."""

    @property
    def rate(self) -> int:
        """Samples per second that the model was trained with, from preprocessor_config.json.

        Raises:
            ConfigError: the folder does not say it.
        """
        folder = self.folder()
        stored = read_json(folder, "preprocessor_config.json")
        stored = stored or read_json(folder, "processor_config.json").get("feature_extractor", {})
        if "sampling_rate" not in stored:
            raise ConfigError(f"weights must say their sampling_rate in preprocessor_config.json; {folder} does not")
        return int(stored["sampling_rate"])

    def requires(self) -> Mapping[str, object]:
        """The sampling rate."""
        return {"rate": self.rate}

    def build(self) -> HuggingFaceAudioEncoder:
        """The encoder, with its weights loaded.

        Raises:
            ConfigError: the weights are missing or unsafe, or have no feature extractor.
        """
        folder = self.safe_folder()

        from transformers import AutoFeatureExtractor

        from models.inference import load

        extractor = AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        return HuggingFaceAudioEncoder(load(folder, self.modality, self.device, self.dtype), extractor, self)


def _filled(sound: Float32, length: int) -> Float32:
    return np.pad(sound, (0, length - len(sound)))
