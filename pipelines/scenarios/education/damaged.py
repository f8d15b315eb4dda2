"""The sorts of damage that a pupil's records can have."""

from __future__ import annotations

import numpy as np

from pipelines.scenarios import sorts
from pipelines.scenarios.education.activity import SESSION
from pipelines.scenarios.education.grades import CATEGORICAL, NUMERIC
from pipelines.scenarios.education.world import KEY

_BINARY = ("answer", "speech")
_COLUMNS = (*_BINARY, "essay", *NUMERIC, *CATEGORICAL, "activity")

SORTS = (
    sorts.image("truncated_jpeg", "answer"),
    sorts.text("latin1_text", "essay"),
    sorts.sound("truncated_wav", "speech"),
    sorts.number("infinite_points", "mathematics", "grades", np.inf),
    sorts.series("nan_series", "activity", SESSION),
    sorts.key("key_null", KEY),
    sorts.key("key_repeated", KEY),
    sorts.image("html_page", "answer"),
    sorts.text("blank_text", "essay"),
    sorts.sound("no_samples", "speech"),
    sorts.image("giant_png", "answer"),
    sorts.all_absent(_COLUMNS),
    sorts.image("no_bytes", "answer"),
    sorts.text("cut_character", "essay"),
    sorts.sound("nan_in_sound", "speech"),
    sorts.number("nan_age", "age", "grades", np.nan),
    sorts.series("no_events", "activity", SESSION),
    sorts.key("key_empty", KEY),
    sorts.image("random_bytes", "answer"),
    sorts.text("endless_text", "essay"),
    sorts.sound("text_for_sound", "speech"),
    sorts.image("pnm_picture", "answer"),
    sorts.series("infinite_series", "activity", SESSION),
    sorts.all_broken(_COLUMNS, _BINARY),
    sorts.image("jpeg_header", "answer"),
    sorts.sound("sound_of_no_bytes", "speech"),
    sorts.sound("endless_sound", "speech"),
    sorts.sound("au_sound", "speech"),
    sorts.series("endless_series", "activity", SESSION),
    sorts.sound("all_nan_sound", "speech"),
)
"""Neighbours differ much, so that also a small data set shows much."""
