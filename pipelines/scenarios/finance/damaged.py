"""The sorts of damage that a firm's records can have."""

from __future__ import annotations

import numpy as np

from pipelines.scenarios import sorts
from pipelines.scenarios.finance.accounts import CATEGORICAL, NUMERIC
from pipelines.scenarios.finance.transactions import TRANSACTION
from pipelines.scenarios.finance.world import KEY

_BINARY = ("document", "call")
_COLUMNS = (*_BINARY, "news", *NUMERIC, *CATEGORICAL, "transactions")

SORTS = (
    sorts.image("truncated_jpeg", "document"),
    sorts.text("latin1_text", "news"),
    sorts.sound("truncated_wav", "call"),
    sorts.number("infinite_debt", "debt_ratio", "accounts", np.inf),
    sorts.series("nan_series", "transactions", TRANSACTION),
    sorts.key("key_null", KEY),
    sorts.key("key_repeated", KEY),
    sorts.image("html_page", "document"),
    sorts.text("blank_text", "news"),
    sorts.sound("no_samples", "call"),
    sorts.image("giant_png", "document"),
    sorts.all_absent(_COLUMNS),
    sorts.image("no_bytes", "document"),
    sorts.text("cut_character", "news"),
    sorts.sound("nan_in_sound", "call"),
    sorts.number("nan_swing", "revenue_swing", "accounts", np.nan),
    sorts.series("no_events", "transactions", TRANSACTION),
    sorts.key("key_empty", KEY),
    sorts.image("random_bytes", "document"),
    sorts.text("endless_text", "news"),
    sorts.sound("text_for_sound", "call"),
    sorts.image("pnm_picture", "document"),
    sorts.series("infinite_series", "transactions", TRANSACTION),
    sorts.all_broken(_COLUMNS, _BINARY),
    sorts.image("jpeg_header", "document"),
    sorts.sound("sound_of_no_bytes", "call"),
    sorts.sound("endless_sound", "call"),
    sorts.sound("au_sound", "call"),
    sorts.series("endless_series", "transactions", TRANSACTION),
    sorts.sound("all_nan_sound", "call"),
)
"""Neighbours differ much, so that also a small data set shows much."""
