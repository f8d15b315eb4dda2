"""The data contract: names and Arrow types of every column that stages hand to each other or publish.

A row travels as one line of a `pyarrow.RecordBatch`. Its own columns keep their names; Amalgam adds:

    __row__                int64                  the row's number in its input file (inside a run only)
    clean_<modality>       the cleaner's type     null where the modality is masked (inside a run only)
    has_<modality>         bool                   the mask
    emb_<modality>         fixed list of float32  inside a run; published as list<float32> (zeros where masked)
    share_<modality>       float32                how much the modality weighs in `fused`; sums to 1 in a row
    fused                  fixed list of float32
    score_<head>           float32, or list<float32> with one per class
    action_<head>          string                 of a head that decides; empty where nothing was allowed
    prob_<head>            float32                the probability with which that action was drawn
    value_<head>           float32                what it is expected to bring
    issues                 list<string>           `<modality>.<code>`, `<head>.<code>`: what was wrong with this record

What cleaners hand to encoders, by modality type:

    image     fixed_size_list<uint8>[size·size·3]   RGB, row-major height, width, channel
    text      string                                UTF-8, NFC
    audio     list<float32>                         mono, at the encoder's rate, |x| <= 1
    tabular   struct<numeric…: float32, categorical…: string>   a null field is an absent value; numeric fields are
                                                    z-scores; a category outside the fitted vocabulary is UNKNOWN
    series    list<struct<time: float64, value…: float32>>      seconds since 1970 (UTC), sorted; values z-scores
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

ROW: Final = "__row__"
FUSED: Final = "fused"
ISSUES: Final = "issues"
EVENT_TIMESTAMP: Final = "event_timestamp"
CREATED_TIMESTAMP: Final = "created_timestamp"
FINGERPRINT: Final = "fingerprint"

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")
ISSUES_TYPE: Final = pa.list_(pa.string())
UNKNOWN: Final = "<unknown>"  # a category that the fitted vocabulary does not hold
DIM_METADATA: Final = b"amalgam.dim"  # field metadata of a published list<float32>: how long every list is


def clean_column(modality: str) -> str:
    """Name of a modality's cleaned values."""
    return f"clean_{modality}"


def has_column(modality: str) -> str:
    """Name of a modality's mask."""
    return f"has_{modality}"


def emb_column(modality: str) -> str:
    """Name of a modality's embedding."""
    return f"emb_{modality}"


def share_column(modality: str) -> str:
    """Name of a modality's share in the fused vector."""
    return f"share_{modality}"


def score_column(head: str) -> str:
    """Name of a head's score."""
    return f"score_{head}"


def action_column(head: str) -> str:
    """Name of a decision head's action; see also `prob_column` and `value_column`."""
    return f"action_{head}"


def prob_column(head: str) -> str:
    """Name of the action's probability under the policy."""
    return f"prob_{head}"


def value_column(head: str) -> str:
    """Name of the action's expected value."""
    return f"value_{head}"


def values_column(head: str) -> str:
    """Name of the expected values of all actions."""
    return f"values_{head}"


def embedding_type(dim: int) -> pa.DataType:
    """Type of an embedding inside a run: float32, always `dim` long."""
    return pa.list_(pa.float32(), dim)


def published_embedding(name: str, dim: int) -> pa.Field:
    """Field of an embedding as published: list<float32> without nulls, `dim` in the field's metadata."""
    inner = pa.field("element", pa.float32(), nullable=False)
    return pa.field(name, pa.list_(inner), nullable=False, metadata={DIM_METADATA: str(dim).encode()})
