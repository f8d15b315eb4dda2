"""Tests of token numbers in one flat array: limits, fixed widths, and how rows are filled up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.tokens import Padding, TextTokens, Tokens, fixed_width, positions, smallest

TOKENS = Tokens(np.array([5, 6, 7, 8, 9, 4]), np.array([0, 3, 5, 6]), np.arange(3))
ROWS = np.array([2, 0])


def test_rows_are_filled_up_to_the_longest() -> None:
    """Chunks in the order that is asked for, padding behind them and masked."""
    inputs = TOKENS.padded(ROWS, Padding(token=1))

    assert inputs["input_ids"].tolist() == [[4, 1, 1], [5, 6, 7]]
    assert inputs["attention_mask"].tolist() == [[1, 0, 0], [1, 1, 1]]


def test_rows_are_filled_up_to_a_fixed_width() -> None:
    """On the side that is asked for, and without a mask where the model was trained to see padding."""
    left = TOKENS.padded(ROWS, Padding(token=1, width=4, left=True))
    seen = TOKENS.padded(ROWS, Padding(token=1, width=4, masked=False))

    assert left["input_ids"].tolist() == [[1, 1, 1, 4], [1, 5, 6, 7]]
    assert left["attention_mask"].tolist() == [[0, 0, 0, 1], [0, 1, 1, 1]]
    assert {name: rows.tolist() for name, rows in seen.items()} == {"input_ids": [[4, 1, 1, 1], [5, 6, 7, 1]]}


def test_a_fixed_width_is_what_a_row_costs() -> None:
    """Batches are cut by what the model computes."""
    assert TOKENS.costs(Padding()).tolist() == [3, 2, 1]
    assert TOKENS.costs(Padding(width=4)).tolist() == [4, 4, 4]


def test_a_text_without_tokens_is_one() -> None:
    """An empty row would have no state to pool, except where a text may be all padding."""

    def tokenizer(texts: list[str], **_: Any) -> dict[str, list[list[int]]]:
        return {"input_ids": [[7] * len(text) for text in texts]}

    filled = TextTokens(tokenizer, None, None, empty=1)(["", "ab"])
    bare = TextTokens(tokenizer, None, None, empty=None)(["", "ab"])

    assert (filled.flat.tolist(), filled.offsets.tolist()) == ([1, 7, 7], [0, 1, 3])
    assert (bare.flat.tolist(), bare.offsets.tolist()) == ([7, 7], [0, 0, 2])


def test_the_smallest_limit_counts() -> None:
    """Limits that say nothing are passed over."""
    assert smallest(None, 512, int(1e30)) == 512
    assert smallest(None, int(1e30)) is None


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512, "pad_token_id": 0}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "mpnet", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "t5", "n_positions": 512}, 512),
        ({"model_type": "clip", "text_config": {"model_type": "clip_text_model", "max_position_embeddings": 77}}, 77),
        ({"model_type": "homemade"}, None),
    ],
)
def test_positions_are_read_from_the_configuration(config: dict[str, Any], expected: int | None) -> None:
    """RoBERTa and its kin number positions from the padding token's number plus one: 514 - 2."""
    assert positions(config) == expected


def test_only_siglip_has_a_fixed_width() -> None:
    """It pools the last place of its 64, which is mostly padding."""
    text = {"model_type": "siglip_text_model", "max_position_embeddings": 64}

    assert fixed_width({"model_type": "siglip", "text_config": text}) == 64
    assert fixed_width({"model_type": "bert", "max_position_embeddings": 512}) is None
