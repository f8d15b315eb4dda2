"""Artifacts: what is saved is what is loaded; what is damaged, missing or foreign is refused in one sentence."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.artifacts import load, load_card, load_config, require_sources, save
from models.errors import ConfigError, CorruptArtifact, OutputError
from models.fusion.weighted_sum import WeightedSumSpec

SPEC = WeightedSumSpec(dim=4, inputs={"photo": 3, "review": 2})
SOURCES = {"photo": "aaa", "review": "bbb"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An artifact of a small fusion."""
    target = tmp_path / "models" / "fusion"
    save(target, SPEC, SPEC.build(), sources=SOURCES, card={"rows": 3})
    return target


def test_a_module_is_loaded_as_saved(folder: Path) -> None:
    """Spec, sources, card and every weight come back; the module is in evaluation mode."""
    loaded, expected = load(folder), SPEC.build().state_dict()
    assert (loaded.config.spec, loaded.config.sources) == (SPEC, SOURCES)
    assert load_card(folder) == {"rows": 3}
    assert not loaded.module.training
    assert all(torch.equal(value, expected[name]) for name, value in loaded.module.state_dict().items())


def test_the_fingerprint_is_that_of_config_and_weights(folder: Path) -> None:
    """The card does not count, place does not count; a weight, a setting and a source do."""
    first, module = load_config(folder).fingerprint, SPEC.build()
    assert save(folder.with_name("moved"), SPEC, module, sources=SOURCES, card={"other": 1}) == first
    assert save(folder, SPEC, module, sources={**SOURCES, "photo": "ccc"}, card={}) != first
    assert save(folder, SPEC.model_copy(update={"mode": "fixed"}), module, sources=SOURCES, card={}) != first
    with torch.no_grad():
        next(module.parameters()).add_(1e-3)
    assert save(folder, SPEC, module, sources=SOURCES, card={}) != first


def test_saving_again_replaces_and_leaves_nothing_behind(folder: Path) -> None:
    """The new artifact stands alone: no temporary or old folder beside it, no stray file in it."""
    (folder / "stray.bin").write_bytes(b"x")
    save(folder, SPEC, SPEC.build(), sources=SOURCES, card={"rows": 4})
    assert load_card(folder) == {"rows": 4}
    assert [path.name for path in folder.parent.iterdir()] == ["fusion"]
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "config.json", "model.safetensors"]


def test_a_card_is_strict_json(folder: Path) -> None:
    """NaN is not JSON: it is refused, and the artifact that was there stays."""
    with pytest.raises(ValueError, match="JSON"):
        save(folder, SPEC, SPEC.build(), sources=SOURCES, card={"auc": float("nan")})
    assert load_card(folder) == {"rows": 3}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A file in the way is an output error, exit 73."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="must be writable"):
        save(tmp_path / "file" / "fusion", SPEC, SPEC.build(), sources={}, card={})


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_says_what_to_run(folder: Path, name: str) -> None:
    """Without training there is no artifact; the error names the folder and the command."""
    (folder / name).unlink()
    with pytest.raises(ConfigError, match=rf"fusion must hold {name}.*run `amalgam train JOB`"):
        load(folder)


def _pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({"weight": 1}))


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def _renamed(path: Path) -> None:
    save_file({f"other.{name}": value for name, value in load_file(path).items()}, path)


def _reshaped(path: Path) -> None:
    save_file({name: value[..., :1].contiguous() for name, value in load_file(path).items()}, path)


def _retyped(path: Path) -> None:
    save_file({name: value.double() for name, value in load_file(path).items()}, path)


def _shortened(path: Path) -> None:
    save_file(dict(list(load_file(path).items())[1:]), path)


@pytest.mark.parametrize("damage", [_pickled, _truncated, _renamed, _reshaped, _retyped, _shortened])
def test_damaged_weights_are_refused(folder: Path, damage: Callable[[Path], None]) -> None:
    """Pickles, truncated files, and other names, shapes, types or counts than the module's are refused."""
    damage(folder / "model.safetensors")
    with pytest.raises(CorruptArtifact, match=r"model\.safetensors must"):
        load(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1, "family": "fusion", "spec": {}, "sources": {}}'])
def test_a_damaged_configuration_is_refused(folder: Path, content: str) -> None:
    """What is no artifact's configuration is named as such."""
    (folder / "config.json").write_text(content)
    with pytest.raises(CorruptArtifact, match=r"config\.json must be an artifact's configuration"):
        load_config(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"format": 99}, "format 1; got 99"), ({"spec": {"kind": "nothing"}}, "known fusion; got 'nothing'")],
)
def test_an_unknown_format_or_kind_is_refused(folder: Path, change: dict[str, object], message: str) -> None:
    """An artifact of another version says so."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(ConfigError, match=message):
        load_config(folder)


@pytest.mark.parametrize("actual", [{"photo": "zzz", "review": "bbb"}, {"review": "bbb"}, {**SOURCES, "call": "c"}])
def test_other_sources_are_refused(folder: Path, actual: dict[str, str]) -> None:
    """A changed, missing or new encoder is named, with the command that helps."""
    with pytest.raises(ConfigError, match=r"must be used with the (photo|call).*amalgam train"):
        require_sources(folder, load_config(folder), actual)


def test_the_same_sources_pass(folder: Path) -> None:
    """Nothing is raised when everything is as it was in training."""
    require_sources(folder, load_config(folder), dict(reversed(SOURCES.items())))
