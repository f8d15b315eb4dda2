"""The sorts of damage that a shop's records can have."""

from __future__ import annotations

import numpy as np

from pipelines.scenarios import sorts
from pipelines.scenarios.retail.profile import CATEGORICAL, NUMERIC
from pipelines.scenarios.retail.visits import VISIT
from pipelines.scenarios.retail.world import KEY

_COLUMNS = ("photo", "review", "call", *NUMERIC, *CATEGORICAL, "visits")

SORTS = (
    sorts.image("truncated_jpeg", "photo"),
    sorts.text("latin1_text", "review"),
    sorts.sound("truncated_wav", "call"),
    sorts.number("infinite_income", "income", "profile", np.inf),
    sorts.series("nan_series", "visits", VISIT),
    sorts.key("key_null", KEY),
    sorts.key("key_repeated", KEY),
    sorts.image("html_page", "photo"),
    sorts.text("blank_text", "review"),
    sorts.sound("no_samples", "call"),
    sorts.image("giant_png", "photo"),
    sorts.all_absent(_COLUMNS),
    sorts.image("no_bytes", "photo"),
    sorts.text("cut_character", "review"),
    sorts.sound("nan_in_sound", "call"),
    sorts.number("nan_age", "age", "profile", np.nan),
    sorts.series("no_events", "visits", VISIT),
    sorts.key("key_empty", KEY),
    sorts.image("random_bytes", "photo"),
    sorts.text("endless_text", "review"),
    sorts.sound("text_for_sound", "call"),
    sorts.image("pnm_picture", "photo"),
    sorts.series("infinite_series", "visits", VISIT),
    sorts.all_broken(_COLUMNS, ("photo", "call")),
    sorts.image("jpeg_header", "photo"),
    sorts.sound("sound_of_no_bytes", "call"),
    sorts.sound("endless_sound", "call"),
    sorts.sound("au_sound", "call"),
    sorts.series("endless_series", "visits", VISIT),
    sorts.sound("all_nan_sound", "call"),
)
"""Neighbours differ much, so that also a small data set shows much."""
