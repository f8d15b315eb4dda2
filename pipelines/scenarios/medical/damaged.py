"""The sorts of damage that a hospital's records can have."""

from __future__ import annotations

from pipelines.scenarios import sorts
from pipelines.scenarios.medical.labs import CATEGORICAL, NUMERIC
from pipelines.scenarios.medical.vitals import VITAL
from pipelines.scenarios.medical.world import KEY

SORTS = sorts.usual(
    sorts.Columns(
        key=KEY,
        image="scan",
        text="note",
        sound="breath",
        series="vitals",
        event=VITAL,
        table="labs",
        fields=(*NUMERIC, *CATEGORICAL),
        infinite=("infinite_sodium", "sodium"),
        nan=("nan_age", "age"),
    ),
    images=("giant_png", "truncated_jpeg", "html_page", "no_bytes", "random_bytes", "pnm_picture", "jpeg_header"),
)
