"""Keys: of a value, a hash of its bytes; of a store, a hash of all else that decides what becomes of such a value."""

from __future__ import annotations

import hashlib
import importlib
import platform
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.arrow import Bool, valid_mask
from models.encoders.base import EncoderSpec
from models.spec import digest
from transforms.modalities.base import ModalitySpec

Keys = npt.NDArray[np.uint64]
"""`[n, 2]`: the first 128 bits of the sha256 of each value's bytes. Nobody can make two values of one key."""

KEY_BYTES = 16
_PACKAGES = (
    *("numpy", "pyarrow", "pillow", "cykooz-resizer", "soundfile", "soxr", "ftfy"),
    *("torch", "transformers", "tokenizers"),
)
_CODE = ("models", "models.encoders", "transforms.modalities")


class ContentKeys(NamedTuple):
    """Keys of an array's values."""

    keys: Keys
    """`[n, 2]`; zeros where there is none."""
    known: Bool
    """`[n]`: False where a value has no key: null, or given by a path, so that its bytes are not at hand."""


def content_keys(contents: pa.Array | None, length: int) -> ContentKeys:
    """The key of each of `length` values.

    Args:
        contents: see `ModalitySpec.raw`; None: no value has a key.
        length: number of values.
    """
    keys = np.zeros((length, 2), np.uint64)
    if contents is None:
        return ContentKeys(keys, np.zeros(length, np.bool_))
    known = valid_mask(contents)
    joined = b"".join(_hash(value.as_buffer()) for value in contents.drop_null())
    keys[known] = np.frombuffer(joined, np.uint64).reshape(-1, 2)
    return ContentKeys(keys, known)


def _hash(content: pa.Buffer) -> bytes:
    return hashlib.sha256(content).digest()[:KEY_BYTES]


def store_key(modality: ModalitySpec, encoder: EncoderSpec, device: str) -> str:
    """32 hex digits for all that decides an embedding beside its value: with any change, nothing is recalled.

    Args:
        modality: with its fitted statistics.
        encoder: its weights count by their content.
        device: `cpu` or `cuda`: their numbers differ, and so may the precision.
    """
    used = {
        "cleaning": modality.fingerprint(),
        "encoder": encoder.fingerprint(),
        "device": device,
        "code": code_digest(),
        "versions": {package: metadata.version(package) for package in _PACKAGES},
        "machine": platform.machine(),
    }
    return digest(used)[: 2 * KEY_BYTES]


@cache
def code_digest() -> str:
    """Hash of the source of all cleaners and encoders, those that PYTHONPATH adds included."""
    folders = [Path(folder) for package in _CODE for folder in importlib.import_module(package).__path__]
    files = sorted({path for folder in folders for path in folder.glob("*.py")})
    return digest([[path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in files])
