"""Texts: the tokenizer alone, and a language model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

from benchmarks.bare.base import Inputs
from models.pretrained import read_json


class BareText:
    """Token numbers, padded; last states."""

    def __init__(self, weights: Path) -> None:
        self.tokenizer = Tokenizer.from_file(str(weights / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.model = AutoModel.from_pretrained(weights, local_files_only=True).eval()
        positions = int(self.model.config.max_position_embeddings)
        self.tokenizer.enable_truncation(
            read_json(weights, "sentence_bert_config.json").get("max_seq_length", positions)
        )

    def decode(self, values: Sequence[str]) -> list[list[int]]:
        """Token numbers."""
        return [found.ids for found in self.tokenizer.encode_batch_fast(list(values))]

    def lengths(self, values: Sequence[str]) -> npt.NDArray[np.int64]:
        """`[n]` tokens."""
        return np.array([len(ids) for ids in self.decode(values)], dtype=np.int64)

    def inputs(self, decoded: Sequence[list[int]]) -> Inputs:
        """Token numbers and mask, int64 `[B, T]`."""
        longest = max(map(len, decoded))
        ids = torch.zeros((len(decoded), longest), dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for row, tokens in enumerate(decoded):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        return {"input_ids": ids, "attention_mask": mask}

    def forward(self, inputs: Inputs) -> torch.Tensor:
        """States `[B, T, D]`."""
        states: torch.Tensor = self.model(**inputs).last_hidden_state
        return states
