"""A patient's diagnosis, the signs that it makes likely, and what each modality shows of them."""

from __future__ import annotations

import numpy as np

from pipelines.scenarios.gaps import Gaps
from pipelines.scenarios.layout import Layout
from pipelines.scenarios.streams import Floats, Ints, Stream, uniforms
from pipelines.scenarios.world import Shown, World

KEY = "patient_id"

DIAGNOSES = ("asthma", "bronchitis", "heart_failure", "pneumonia")
PRIOR = np.array([0.20, 0.30, 0.22, 0.28])
SIGNS = ("opacity", "heart", "fever", "wheeze", "crackle", "strain")
TESTS = ("culture", "bnp", "spirometry", "ct")
"""Each shows one sign of its own exactly, that nothing else shows."""

# How strongly each sign speaks for (or against) each diagnosis, before it is brought to mean 0.
_SPEAKS = np.array(
    [  # opacity, heart, fever, wheeze, crackle, strain; culture, bnp, spirometry, ct
        [-0.9, -0.4, -0.8, 1.3, -0.8, 0.5, -0.6, -0.5, 1.5, -0.9],  # asthma
        [-0.6, -0.3, 0.4, 0.0, -0.2, -1.0, -0.2, -0.5, -0.4, -0.6],  # bronchitis
        [0.5, 1.3, -0.7, -0.4, 0.6, 1.0, -0.6, 1.5, -0.1, 0.4],  # heart failure
        [1.0, -0.3, 1.0, -0.6, 0.7, 0.0, 1.3, -0.4, -0.2, 0.9],  # pneumonia
    ]
)
# Share of each sign's variance that the diagnosis explains: nothing is certain, not even with every test.
_EXPLAINED = np.array([0.5] * len(SIGNS) + [0.45] * len(TESTS))
WITHIN = np.sqrt(1 - _EXPLAINED)
"""`[10]` standard deviation of each sign among patients with the same diagnosis."""


def _means() -> Floats:
    centered = _SPEAKS - PRIOR @ _SPEAKS
    means: Floats = centered / np.sqrt(PRIOR @ centered**2) * np.sqrt(_EXPLAINED)
    return means


MEANS = _means()
"""`[4, 10]` mean of each sign with each diagnosis; over all patients a sign has mean 0 and variance 1."""

WORLD = World(
    persistence=dict.fromkeys((*SIGNS, *TESTS), 0.6),
    views={
        "scan": (Shown("opacity", 0.5), Shown("heart", 0.5)),
        "note": (Shown("fever", 0.6), Shown("strain", 0.7), Shown("wheeze", 1.0)),
        "breath": (Shown("wheeze", 0.5), Shown("crackle", 0.5)),
        "labs": (Shown("fever", 0.8), Shown("strain", 1.0)),
        "vitals": (Shown("strain", 0.6), Shown("fever", 0.9)),
    },
)
"""Its latents are what varies among patients with the same diagnosis; `signs` adds the diagnosis."""

GAPS = Gaps({"scan": 0.08, "note": 0.04, "breath": 0.10, "labs": 0.05, "vitals": 0.06}, kept="labs")

LAYOUT = Layout(
    episodes=(5,) * 10,  # only their sum counts: a block of 50 rows; how long an episode is, its decisions say
    prefix="p",
    changes={"scan": 0.2, "note": 0.6},
)


def diagnoses(seed: int, subject: Ints) -> Ints:
    """`[n]` index in DIAGNOSES of each patient."""
    drawn = uniforms(seed, Stream.EPISODES, subject[:, None], 1)[:, 0]
    return np.searchsorted(np.cumsum(PRIOR)[:-1], drawn, side="right")


def signs(diagnosis: Ints, latents: Floats) -> Floats:
    """`[n, 10]` signs and what tests would find, from latents `[n, 10]` and the diagnosis `[n]`."""
    found: Floats = MEANS[diagnosis] + WITHIN * latents
    return found
