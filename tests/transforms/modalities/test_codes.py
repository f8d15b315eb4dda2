"""Issue codes: every type declares all that it may give, and the guide for users explains exactly these."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.spec import discover
from transforms.modalities.base import ModalitySpec
from transforms.modalities.external import EXTERNAL_CODES

GUIDE = Path(__file__).parents[3] / "docs" / "modalities.md"
SHARED = "`image` and `audio`: where the bytes come from"


def documented() -> dict[str, set[str]]:
    """Section of the guide -> the codes of its table `| code | meaning |`."""
    sections = re.split(r"^## ", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    tables = {s.partition("\n")[0]: s.partition("| code | meaning |")[2] for s in sections}
    return {title: set(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)) for title, table in tables.items()}


@pytest.mark.parametrize("kind", sorted(discover("modality")))
def test_the_guide_explains_every_code(kind: str) -> None:
    """Neither a code without its meaning, nor a meaning without its code."""
    spec = discover("modality")[kind]
    assert issubclass(spec, ModalitySpec)
    found = documented()
    shared = found[SHARED] if {*EXTERNAL_CODES} <= {*spec.codes} else set()

    assert {*spec.codes} == found[f"`{kind}`"] | shared
    assert len({*spec.codes}) == len(spec.codes)
