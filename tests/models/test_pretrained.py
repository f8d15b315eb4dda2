"""Tests of what is read from, and refused about, folders of weights before any is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.errors import ConfigError, CorruptArtifact
from models.pretrained import _sha256, check_safe, embedding_size, file_hashes, locate, read_json, read_modules
from tests.models.encoders.tiny_models import write_json

HASH = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that may be loaded."""
    write_json(tmp_path / "config.json", {"hidden_size": 8})
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    return tmp_path


def test_a_safe_folder_is_accepted(folder: Path) -> None:
    """Configuration and safetensors are enough."""
    check_safe(folder)

    assert locate(str(folder), None, download=False) == folder


def test_a_missing_folder_is_a_configuration_error(tmp_path: Path) -> None:
    """The sentence says what may stand there and what did."""
    with pytest.raises(
        ConfigError, match=r"weights must be an existing folder, or a hub name with its revision.*'nope'"
    ):
        locate("nope", None, download=False)
    with pytest.raises(ConfigError, match="without one"):
        check_safe(tmp_path)


def test_a_repository_that_is_not_in_the_cache_is_a_configuration_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planning touches no network and says how to fetch the weights."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    with pytest.raises(ConfigError, match=f"hf download some/model --revision {HASH}"):
        locate("some/model", HASH, download=False)


def test_pickled_weights_are_refused(folder: Path) -> None:
    """A folder that holds only pytorch_model.bin is not loaded."""
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")

    with pytest.raises(ConfigError, match=r"must be stored as safetensors.*pytorch_model\.bin"):
        check_safe(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "preprocessor_config.json"])
def test_remote_code_is_refused(folder: Path, name: str) -> None:
    """A configuration that names Python of its own is not loaded."""
    write_json(folder / name, {"auto_map": {"AutoModel": "modeling.Evil"}})

    with pytest.raises(ConfigError, match=f"{name} asks for remote code"):
        check_safe(folder)


@pytest.mark.parametrize(
    ("config", "modality", "size"),
    [
        ({"hidden_size": 384}, "text", 384),
        ({"d_model": 512}, "audio", 512),
        ({"n_embd": 768}, "text", 768),
        ({"hidden_sizes": [64, 128, 256]}, "image", 256),
        ({"projection_dim": 512, "text_config": {}, "vision_config": {}}, "image", 512),
        ({"text_config": {"hidden_size": 32}, "vision_config": {"hidden_size": 48}}, "image", 48),
        ({"text_config": {"hidden_size": 32}, "audio_config": {"hidden_size": 48}}, "text", 32),
        ({"hidden_size": "8"}, "text", None),
        ({}, "text", None),
    ],
)
def test_size_is_read_from_the_configuration(config: dict[str, Any], modality: str, size: int | None) -> None:
    """Every family of models has its own word for the width of its states."""
    assert embedding_size(config, modality) == size


def test_files_are_hashed_by_content(folder: Path) -> None:
    """Only what decides the result counts, and a changed weight changes its hash."""
    (folder / "README.md").write_text("words")
    write_json(folder / "1_Pooling" / "config.json", {})
    before = file_hashes(folder)

    (folder / "model.safetensors").write_bytes(b"other weights")
    after = file_hashes(folder)

    assert sorted(before) == ["1_Pooling/config.json", "config.json", "model.safetensors"]
    assert {name for name in before if before[name] != after[name]} == {"model.safetensors"}


def test_a_file_that_changes_while_it_is_hashed_is_reported(folder: Path) -> None:
    """A hash is never kept under the size and time of another state of the file."""
    path = folder / "model.safetensors"

    with pytest.raises(CorruptArtifact, match="changed while it was read"):
        _sha256(path, path.stat().st_size + 1, path.stat().st_mtime_ns)


def test_broken_json_is_a_configuration_error(folder: Path) -> None:
    """The sentence names the file."""
    (folder / "config.json").write_text("{")
    write_json(folder / "modules.json", {"not": "a list"})
    write_json(folder / "list.json", [])

    with pytest.raises(ConfigError, match=r"config\.json must be JSON"):
        read_json(folder, "config.json")
    with pytest.raises(ConfigError, match=r"list\.json must hold a JSON object; got list"):
        read_json(folder, "list.json")
    with pytest.raises(ConfigError, match=r"modules\.json must hold a list"):
        read_modules(folder)
