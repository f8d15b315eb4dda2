"""A pupil's hidden factors, what each modality shows of them, and when pupils come."""

from __future__ import annotations

from pipelines.scenarios.gaps import Gaps
from pipelines.scenarios.layout import Layout
from pipelines.scenarios.world import Shown, World

KEY = "pupil_id"

WORLD = World(
    persistence={
        # The first four have three levels each; courses change skill, reasoning and confidence (`courses.py`).
        "skill": 1.0,
        "reasoning": 1.0,
        "diligence": 1.0,
        "confidence": 1.0,
        # The others are standard normal and stay: no course touches them, and no course is chosen by them.
        "care": 1.0,
        "language": 1.0,
        "fluency": 1.0,
        "forgetting": 1.0,
    },
    views={
        "answer": (Shown("skill", 0.25), Shown("care", 0.5)),
        "essay": (Shown("language", 0.5), Shown("reasoning", 0.25)),
        "speech": (Shown("fluency", 0.5), Shown("confidence", 0.3)),
        "grades": (Shown("skill", 0.9), Shown("language", 0.9), Shown("diligence", 0.9)),
        "activity": (Shown("diligence", 0.25), Shown("forgetting", 0.5)),
    },
)

GAPS = Gaps({"answer": 0.05, "essay": 0.06, "speech": 0.08, "grades": 0.03, "activity": 0.05}, kept="grades")

LAYOUT = Layout(
    episodes=(4, 3, 2),  # courses of a term in a place at school; who graduates makes room for the next pupil
    prefix="p",
    changes={"answer": 0.3, "essay": 0.4},
    fresh_in_history=frozenset({"answer", "essay"}),  # a label goes with a fresh answer and essay
    days_between=14,
)
