"""The least that encodes a text: torch, transformers, a model, one batch."""

from __future__ import annotations

import sys

from benchmarks.start.marks import mark

TEXTS = ["The parcel came a day late but the shoes fit."] * 128  # a batch as long as Amalgam's first


def main(file: str, folder: str) -> None:
    """Load and encode, with a mark after each step."""
    mark(file, "Python started")
    import torch
    from transformers import AutoModel, AutoTokenizer

    mark(file, "torch and transformers imported")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    mark(file, "weights loaded")
    with torch.inference_mode():
        model(**tokenizer(TEXTS, padding=True, return_tensors="pt"))
    mark(file, "first rows encoded")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
