"""Sound through any pretrained speech or audio model: its feature extractor, states of frames, one pooled vector."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from models.arrow import Float32, Int64, list_parts
from models.encoders._huggingface import HuggingFaceSpec, WasteMeter, check_width, rows_at_once
from models.encoders.base import Waste
from models.errors import ConfigError
from models.pieces import Ranges, cut_by_cost, mean_of_pieces, windows
from models.pretrained import read_json

if TYPE_CHECKING:
    from models.inference import PretrainedModel

SHORTEST_SECONDS = 0.1  # shorter sounds are filled with silence: the usual convolutions need 25 ms, spectrograms more


class HuggingFaceAudioEncoder:
    """Extracts features, runs sub-batches of similar length, pools over the frames that hold sound."""

    def __init__(self, model: PretrainedModel, extractor: Callable[..., Any], spec: HuggingFaceAudioSpec) -> None:
        self.model, self.extractor, self.spec = model, extractor, spec
        self.dim, self.rate = spec.output_dim, spec.rate
        self.fixed = fixed_samples(extractor)
        self.window = _window(spec.window_seconds, self.rate, self.fixed)
        # A group norm over time (wav2vec2-base) sees the padding, and such models are trained without a mask: only
        # sounds of equal length may share their batches.
        self.pads = spec.config().get("feat_extract_norm") != "group"
        self._meter = WasteMeter()

    def __call__(self, values: pa.Array) -> Float32:
        """float32 `[n, dim]` of n sounds; rows that the model made non-finite are left so."""
        samples, offsets = list_parts(values)
        flat = samples.to_numpy(zero_copy_only=False)
        parts = windows(np.diff(offsets), self.window, only_first=self.spec.windows == "first")
        starts = offsets[parts.owners] + parts.starts
        sounds = [flat[start:stop] for start, stop in zip(starts, starts + parts.stops - parts.starts, strict=True)]
        if self.spec.windows == "first":
            return self._embedded(sounds, normalize=bool(self.spec.normalize))
        rows = self._embedded(sounds, normalize=False)
        return mean_of_pieces(rows, parts.owners, _weights(parts), normalize=bool(self.spec.normalize))

    def waste(self) -> Waste:
        """Samples so far, with and without padding."""
        return self._meter.total()

    def _embedded(self, sounds: list[Float32], *, normalize: bool) -> Float32:
        lengths = np.array([len(sound) for sound in sounds], dtype=np.int64)
        out = np.empty((len(sounds), self.dim), dtype=np.float32)
        batches = self._batches(np.maximum(lengths, int(SHORTEST_SECONDS * self.rate)))
        pooling = "mean" if self.spec.pooling == "auto" else self.spec.pooling
        found = self.model.embed_each(self._inputs(sounds, batches), pooling, normalize=normalize)
        for rows, pooled in zip(batches, found, strict=True):
            check_width(pooled, self.dim, self.spec.weights)
            out[rows] = pooled
        return out

    def _batches(self, lengths: Int64) -> list[Int64]:
        budget = int(self.spec.max_batch_seconds * self.rate)
        most = rows_at_once(self.spec.max_batch_rows, self.model.device.type)
        if self.fixed is not None:
            return cut_by_cost(np.full_like(lengths, self.fixed), budget, most)
        if self.pads:
            return cut_by_cost(lengths, budget, most)
        alike = [np.flatnonzero(lengths == length) for length in np.unique(lengths)]
        return [rows[part] for rows in alike for part in cut_by_cost(lengths[rows], budget, most)]

    def _inputs(self, sounds: list[Float32], batches: list[Int64]) -> Iterator[dict[str, npt.NDArray[Any]]]:
        shortest = int(SHORTEST_SECONDS * self.rate)
        for rows in batches:
            batch = [sounds[row] for row in rows]
            real = sum(len(sound) for sound in batch)
            filled = [np.pad(sound, (0, max(shortest - len(sound), 0))) for sound in batch]
            self._meter.add(len(batch), self.fixed or max(len(sound) for sound in filled), real)
            yield self._features(filled)

    def _features(self, sounds: list[Float32]) -> dict[str, npt.NDArray[Any]]:
        # Waveforms are filled up to the longest; extractors of spectrograms know the length that their model takes.
        padding = {"padding": True} if getattr(self.extractor, "feature_size", 1) == 1 else {}
        found = self.extractor(
            sounds, sampling_rate=self.rate, **padding, return_attention_mask=self.pads, return_tensors="np"
        )
        features = {name: np.asarray(value) for name, value in found.items()}
        if "is_longer" in features:
            # CLAP's extractor calls one sound of a batch longer than its window by lot; windows make sure that none is.
            features["is_longer"] = np.zeros_like(features["is_longer"])
        return features


class HuggingFaceAudioSpec(HuggingFaceSpec):
    """Any AutoModel for sound from a folder or a pinned hub revision (wav2vec 2.0, HuBERT, Whisper, AST, CLAP …)."""

    kind: ClassVar[str] = "huggingface_audio"
    modality: ClassVar[str] = "audio"
    unhashed: ClassVar[frozenset[str]] = HuggingFaceSpec.unhashed | {"max_batch_seconds", "max_batch_rows"}

    pooling: Literal["auto", "cls", "mean", "last"] = "auto"
    """Which states make the embedding; auto is the mean over the frames that hold sound."""
    layer: int = -1
    """Which hidden state is pooled: 0 is below the first layer, 1 above it, -1 the last."""
    windows: Literal["first", "mean"] = "first"
    """Of a sound longer than a window: the first window, or the mean of all, each counted by its length."""
    window_seconds: float | None = Field(None, ge=SHORTEST_SECONDS)
    """Length of a window; by default what the model reads at once, which for most speech models is everything."""
    max_batch_seconds: float = Field(120.0, gt=0)
    """Sound, padding included, that runs at once."""
    max_batch_rows: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Windows that run at once, at most; auto is 16 on CPUs and 256 on GPUs."""

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
            ConfigError: the weights are missing or unsafe, have no feature extractor, or take shorter windows.
        """
        folder = self.safe_folder()

        from transformers import AutoFeatureExtractor

        extractor = AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        return HuggingFaceAudioEncoder(self.load_model(folder, layer=self.layer), extractor, self)


def fixed_samples(extractor: Any) -> int | None:
    """Samples of the one length that a model takes, as its feature extractor knows it; None where any length goes."""
    for name in ("n_samples", "nb_max_samples"):  # Whisper: 30 s; CLAP: 10 s
        if (samples := getattr(extractor, name, None)) is not None:
            return int(samples)
    if (frames := getattr(extractor, "max_length", None)) is None:
        return None
    # AST counts frames: 25 ms each, one every 10 ms (torchaudio.compliance.kaldi.fbank).
    return int((0.025 + 0.010 * (frames - 1)) * extractor.sampling_rate)


def _window(seconds: float | None, rate: int, fixed: int | None) -> int | None:
    if seconds is None:
        return fixed
    if fixed is not None and seconds * rate > fixed:
        raise ConfigError(f"window_seconds must be at most the {fixed / rate:g} that the model reads; got {seconds:g}")
    return int(seconds * rate)


def _weights(parts: Ranges) -> Int64:
    weights: Int64 = np.maximum(parts.stops - parts.starts, 1)
    return weights
