"""Tests of tokens learned from the history: scripts, emoji, limits, and that they are the same everywhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from models.encoders.rnn import FIRST, GAP, START, RnnSpec, _tokenizer
from models.errors import ConfigError

TEXTS = pa.array(
    ["the shoe is good", "The shoes are GOOD", "очень хорошо", "очень плохо", "很好吃", "great 😀👍🏽 great 😀👍🏽"] * 3
)


def taught(texts: pa.Array = TEXTS, **settings: int) -> RnnSpec:
    """The Spec with a small vocabulary."""
    return RnnSpec(**{"vocabulary": 320, **settings}).taught(texts)


def ids(spec: RnnSpec, *texts: str) -> list[list[int]]:
    """Token numbers of each text."""
    found = spec.inputs(pa.array(texts, pa.string()))
    return [found.steps[a:b, 0].tolist() for a, b in zip(found.offsets, found.offsets[1:], strict=False)]


@pytest.mark.parametrize("text", ["очень хорошо", "很好吃", "great 😀👍🏽", "ñandú ‎עברית", "never seen ☃ \U0001f9ff"])
def test_no_script_is_lost(text: str) -> None:
    """Tokens give the text back, also where the history never had such letters."""
    spec = taught()

    pieces = [number - FIRST for number in ids(spec, text)[0][1:]]
    assert _tokenizer(spec.tokenizer).decode(pieces).strip() == text


def test_case_does_not_matter() -> None:
    """The same word is the same token."""
    lower, upper = ids(taught(), "the good", "The GOOD")

    assert lower == upper


def test_frequent_words_are_one_token() -> None:
    """Pieces are learned from the history: `good` stands in it six times."""
    assert len(ids(taught(), "good")[0]) == 2


def test_every_text_begins_alike() -> None:
    """So that also an empty one has a step."""
    assert ids(taught(), "") == [[START]]
    assert {row[0] for row in ids(taught(), "good", "bad")} == {START}
    assert GAP not in ids(taught(), "<gap> good")[0]


def test_what_is_beyond_the_limit_is_cut() -> None:
    """Limits count START too; the beginning is kept."""
    spec = taught(max_tokens=8)
    text = "the shoe is good and great and bad"

    assert ids(spec, text)[0] == ids(spec.model_copy(update={"max_tokens": 100}), text)[0][:8]


def test_the_vocabulary_is_bounded() -> None:
    """Special tokens and bytes are in it whatever the history holds."""
    assert taught(vocabulary=300).tokens == 300
    assert taught(pa.array(["a"])).tokens == 258


def test_there_must_be_a_text() -> None:
    """Nothing can be learned from nothing."""
    with pytest.raises(ConfigError, match="must hold a text for rnn to learn from; got none"):
        RnnSpec().taught(pa.array([], pa.string()))


def test_tokens_are_the_same_in_another_process(tmp_path: Path) -> None:
    """Ties between equally frequent pairs do not hang on the order of a hash table."""
    script = (
        "import sys, numpy as np, pyarrow as pa\n"
        "from models.encoders.rnn import RnnSpec\n"
        "rng = np.random.default_rng(0)\n"
        "texts = [''.join(rng.choice(list('abcdef '), 40)) for _ in range(500)]\n"
        "open(sys.argv[1], 'w').write(RnnSpec(vocabulary=2000).taught(pa.array(texts)).tokenizer)\n"
    )
    root = Path(__file__).parents[3]
    for name in ("one", "two", "three"):
        subprocess.run([sys.executable, "-c", script, str(tmp_path / name)], cwd=root, check=True)

    assert (tmp_path / "one").read_text() == (tmp_path / "two").read_text() == (tmp_path / "three").read_text()
