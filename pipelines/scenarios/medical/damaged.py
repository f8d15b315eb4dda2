"""The sorts of damage that a hospital's records can have."""

from __future__ import annotations

import numpy as np

from pipelines.scenarios import sorts
from pipelines.scenarios.medical.labs import CATEGORICAL, NUMERIC
from pipelines.scenarios.medical.vitals import VITAL
from pipelines.scenarios.medical.world import KEY

_COLUMNS = ("scan", "note", "breath", *NUMERIC, *CATEGORICAL, "vitals")

SORTS = (
    sorts.image("giant_png", "scan"),
    sorts.text("latin1_text", "note"),
    sorts.sound("truncated_wav", "breath"),
    sorts.number("infinite_sodium", "sodium", "labs", np.inf),
    sorts.series("nan_series", "vitals", VITAL),
    sorts.key("key_null", KEY),
    sorts.key("key_repeated", KEY),
    sorts.image("truncated_jpeg", "scan"),
    sorts.text("blank_text", "note"),
    sorts.sound("no_samples", "breath"),
    sorts.image("html_page", "scan"),
    sorts.all_absent(_COLUMNS),
    sorts.image("no_bytes", "scan"),
    sorts.text("cut_character", "note"),
    sorts.sound("nan_in_sound", "breath"),
    sorts.number("nan_age", "age", "labs", np.nan),
    sorts.series("no_events", "vitals", VITAL),
    sorts.key("key_empty", KEY),
    sorts.image("random_bytes", "scan"),
    sorts.text("endless_text", "note"),
    sorts.sound("text_for_sound", "breath"),
    sorts.image("pnm_picture", "scan"),
    sorts.series("infinite_series", "vitals", VITAL),
    sorts.all_broken(_COLUMNS, ("scan", "breath")),
    sorts.image("jpeg_header", "scan"),
    sorts.sound("sound_of_no_bytes", "breath"),
    sorts.sound("endless_sound", "breath"),
    sorts.sound("au_sound", "breath"),
    sorts.series("endless_series", "vitals", VITAL),
    sorts.sound("all_nan_sound", "breath"),
)
"""Neighbours differ much, so that also a small data set shows much."""
