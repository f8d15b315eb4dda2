"""Tests of recall inside a unit: what repeats or is known is encoded once, and the rows are those of a run without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from models.arrow import Float32
from models.encoders.base import Encoder
from tests.transforms.parquet_inputs import write_folder
from tests.transforms.sinks.samples import run_info
from tests.transforms.tiny_recipes import DIM, ENCODERS, MODALITIES, LettersSpec, letters, make_recipe, plan_units
from transforms.modalities.base import Cleaned, Cleaner
from transforms.modalities.text import TextSpec
from transforms.process import UnitProcessor
from transforms.recall import session
from transforms.recall.spec import Recall, RecallSpec
from transforms.recipe import Limits, Recipe
from transforms.sinks.base import Part
from transforms.sinks.memory import MemorySinkSpec, output
from transforms.workers.inline import InlineWorkers

SEEN: list[str] = []
"""Every text that the encoder was given."""


class NotingSpec(LettersSpec):
    """Letters that notes what it is given; fails at `poison`."""

    kind: ClassVar[str] = "noting"

    def build(self) -> Encoder:
        """The encoder."""

        def encode(values: pa.Array) -> Float32:
            if "poison" in values.to_pylist():
                raise ValueError("poison")
            SEEN.extend(values.to_pylist())
            return letters(values)

        return encode


@pytest.fixture(autouse=True)
def _forget() -> None:
    SEEN.clear()


@dataclass
class Night:
    """What a folder became."""

    part: Part
    rows: pa.Table
    quarantine: pa.Table | None

    @property
    def reasons(self) -> dict[str | None, str]:
        """Key -> reason."""
        if self.quarantine is None:
            return {}
        return dict(zip(*(self.quarantine.column(name).to_pylist() for name in ("key", "reason")), strict=True))


def notes(*texts: str | None, keys: Sequence[str | None] | None = None) -> pa.Table:
    """Rows with these notes and no profile but the first's."""
    schema = pa.schema([("id", pa.string()), ("note", pa.string()), ("age", pa.float64()), ("segment", pa.string())])
    n = len(texts)
    ids = list(keys) if keys is not None else [f"c{i}" for i in range(n)]
    return pa.table({"id": ids, "note": list(texts), "age": [30.0] * n, "segment": ["gold"] * n}, schema=schema)


def run(
    tmp_path: Path,
    table: pa.Table,
    *,
    stores: bool = True,
    batch_rows: int = 100,
    window_bytes: int = 1 << 30,
    day: int = 10,
    **changes: Any,
) -> Night:
    """Process a table as one unit; `changes` are to the recipe."""
    folder = write_folder(tmp_path / "input", {"a.parquet": table})
    schema, (unit,) = plan_units(folder)
    limits = Limits(batch_rows=batch_rows, window_bytes=window_bytes)
    recipe = make_recipe(schema, **{"limits": limits, "encoders": {**ENCODERS, "note": NotingSpec()}, **changes})
    memory = MemorySinkSpec(name=str(tmp_path)).for_run(run_info())
    processor = UnitProcessor(
        recipe, memory.build(), InlineWorkers(), recall=recall(tmp_path, recipe, day) if stores else None
    )
    part = processor(unit, np.empty(0, np.int64))
    staged = output(str(tmp_path)).staging[run_info().run_id][unit.id]
    return Night(part, staged.features, staged.quarantine)


def recall(tmp_path: Path, recipe: Recipe, day: int = 10, keep_days: int = 8) -> Recall:
    """Stores below the test's folder."""
    return Recall(recipe, RecallSpec(str(tmp_path / "recall"), str(tmp_path / "staging"), day, keep_days, "cpu"))


@pytest.mark.parametrize("stores", [True, False])
@pytest.mark.parametrize("batch_rows", [1, 2, 100])
@pytest.mark.parametrize("window_bytes", [1, 1 << 30], ids=["narrow", "wide"])
def test_a_repeated_value_is_encoded_once(tmp_path: Path, stores: bool, batch_rows: int, window_bytes: int) -> None:
    """Within a batch, from one batch to the next, and while the first is still under way."""
    texts = ["same", "other", "same", None, "same", "other", "last"]

    night = run(tmp_path, notes(*texts), stores=stores, batch_rows=batch_rows, window_bytes=window_bytes)

    assert sorted(SEEN) == ["last", "other", "same"]
    assert night.part.counts.encoded == {"note": 3, "profile": 7}
    assert night.part.counts.repeated == {"note": 3}
    # Length and number of e's: see `tiny_recipes.letters`; an absent note is zeros.
    expected = [[len(t), t.count("e"), 1, 0] if t is not None else [0] * DIM for t in texts]
    assert night.rows.column("emb_note").to_pylist() == expected
    assert night.rows.column("has_note").to_pylist() == [t is not None for t in texts]


def test_the_next_run_recalls(tmp_path: Path) -> None:
    """Nothing is encoded that was known; the rows are the same, and so is what was counted of them."""
    texts = ["one", "two", "two", None, "broken", "x" * 101]
    first = run(tmp_path, notes(*texts))
    SEEN.clear()

    second = run(tmp_path, notes(*texts, "new"))

    # What the encoder could not make finite is not kept: it is tried again, twice (see `models.ops`).
    assert SEEN == ["broken", "new", "broken"]
    assert second.rows.slice(0, 6).equals(first.rows)
    assert second.part.counts.recalled == {"note": 4}
    assert second.part.counts.repeated == {"note": 0}
    assert second.part.counts.issues == first.part.counts.issues
    assert first.part.counts.issues == {"note.embedding_non_finite": 1, "note.too_long": 1}


def test_unusable_values_are_shared_too(tmp_path: Path) -> None:
    """What cleaning makes nothing of is cleaned once and masked everywhere, with its code."""
    night = run(tmp_path, notes("\u200b", "good", "\u200b", "\u200b"))

    assert night.rows.column("has_note").to_pylist() == [False, True, False, False]
    assert night.rows.column("issues").to_pylist() == [["note.empty"], [], ["note.empty"], ["note.empty"]]
    assert night.part.counts.masked == {"note": 3, "profile": 0}


def test_what_is_not_finite_is_masked_everywhere(tmp_path: Path) -> None:
    """Each row with that value carries the encoder's code."""
    night = run(tmp_path, notes("broken", "good", "broken"))

    assert night.rows.column("issues").to_pylist() == [
        ["note.embedding_non_finite"],
        [],
        ["note.embedding_non_finite"],
    ]
    assert night.part.counts.issues == {"note.embedding_non_finite": 2}


@pytest.mark.parametrize("batch_rows", [1, 100])
def test_a_value_that_fails_costs_each_of_its_rows(tmp_path: Path, batch_rows: int) -> None:
    """They would fail alike; the others are published."""
    night = run(tmp_path, notes("poison", "good", "poison", "good"), batch_rows=batch_rows)

    assert night.reasons == {"c0": "row.failed", "c2": "row.failed"}
    assert night.rows.column("id").to_pylist() == ["c1", "c3"]
    assert night.part.counts.repeated == {"note": 2}


def test_no_row_relies_on_one_that_is_removed_for_its_key(tmp_path: Path) -> None:
    """The first row has no key, and goes to quarantine without its note being encoded; the second's is."""
    night = run(tmp_path, notes("same", "same", keys=[None, "b"]))

    assert SEEN == ["same"]
    assert night.rows.column("emb_note").to_pylist() == [[4, 1, 1, 0]]
    assert night.reasons == {None: "key.missing"}


CLEANED: list[str] = []
"""Every title that was cleaned, in calls that raised too."""


class BrittleSpec(TextSpec):
    """Cleaning that raises at `brittle`."""

    kind: ClassVar[str] = "brittle"

    def build(self) -> Cleaner:
        """The cleaner."""
        clean = super().build()

        def brittle(values: pa.Array) -> Cleaned:
            CLEANED.extend(values.drop_null().to_pylist())
            if "brittle" in values.to_pylist():
                raise RuntimeError("brittle")
            return clean(values)

        return brittle


def test_no_row_relies_on_one_at_which_cleaning_fails(tmp_path: Path) -> None:
    """The first row is lost for its title; its note is that of the second, which is published with it."""
    table = notes("same", "same").set_column(3, "segment", pa.array(["brittle", "fine"]))
    modalities = {**MODALITIES, "title": BrittleSpec(column="segment")}
    encoders = {**ENCODERS, "note": NotingSpec(), "title": LettersSpec()}

    night = run(tmp_path, table, modalities=modalities, encoders=encoders, fuse=None, fused_dim=0)

    assert night.reasons == {"c0": "row.failed"}
    assert night.rows.column("emb_note").to_pylist() == [[4, 1, 1, 0]]


def test_nothing_is_cleaned_again_for_a_row_on_which_none_relies(tmp_path: Path) -> None:
    """The batch of two, then each alone: that is what finding the row costs, and no more."""
    CLEANED.clear()
    table = notes("one", "other").set_column(3, "segment", pa.array(["brittle", "fine"]))
    modalities = {**MODALITIES, "title": BrittleSpec(column="segment")}
    encoders = {**ENCODERS, "note": NotingSpec(), "title": LettersSpec()}

    run(tmp_path, table, modalities=modalities, encoders=encoders, fuse=None, fused_dim=0)

    assert CLEANED == ["brittle", "fine", "brittle", "fine"]


def test_without_stores_nothing_is_known_of_the_last_run(tmp_path: Path) -> None:
    """And nothing is written."""
    run(tmp_path, notes("one"), stores=False)

    run(tmp_path, notes("one"), stores=False)

    assert SEEN == ["one", "one"]
    assert not (tmp_path / "recall").exists()


def test_another_setting_recalls_nothing(tmp_path: Path) -> None:
    """Here of cleaning; `test_keys` goes through them all."""
    run(tmp_path, notes("one"))

    run(tmp_path, notes("one"), modalities={**MODALITIES, "note": TextSpec(column="note", max_chars=50)})

    assert SEEN == ["one", "one"]


def test_another_name_of_the_modality_recalls(tmp_path: Path) -> None:
    """Codes carry the name that the modality has now."""
    run(tmp_path, notes("x" * 101))
    modalities = {"text": MODALITIES["note"], "profile": MODALITIES["profile"]}
    encoders = {"text": NotingSpec(), "profile": ENCODERS["profile"]}

    night = run(tmp_path, notes("x" * 101), modalities=modalities, encoders=encoders, fuse=None, fused_dim=0)

    assert night.part.counts.recalled == {"text": 1}
    assert night.rows.column("issues").to_pylist() == [["text.too_long"]]


def test_what_is_asked_for_again_after_a_while_is_written_anew(tmp_path: Path) -> None:
    """Kept for 8 days, written anew after more than 2: on day 13, of an embedding of day 10, but not on day 12."""
    run(tmp_path, notes("one"), day=10)
    run(tmp_path, notes("one"), day=12)
    assert len(list((tmp_path / "recall").glob("*/*.arrow"))) == 1

    run(tmp_path, notes("one"), day=13)

    assert len(list((tmp_path / "recall").glob("*/*.arrow"))) == 2
    assert SEEN == ["one"]


def test_what_is_held_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After two embeddings the new ones are written down and let go of; they are still known, now from the store."""
    monkeypatch.setattr(session, "HELD_BYTES", 2 * DIM * 4)
    texts = [f"text {i}" for i in range(12)] * 2

    night = run(tmp_path, notes(*texts), batch_rows=3, window_bytes=1)

    assert sorted(SEEN) == sorted(set(texts))
    assert night.part.counts.recalled["note"] + night.part.counts.repeated["note"] == 12
    assert night.part.counts.recalled["note"] > 0
    assert [row[0] for row in night.rows.column("emb_note").to_pylist()] == [len(t) for t in texts]


def test_damaged_embeddings_are_made_again(tmp_path: Path) -> None:
    """A flipped bit in the store costs an encoding, and alters nothing."""
    first = run(tmp_path, notes("one", "two"))
    (values,) = (tmp_path / "recall").glob("*/*.f32")
    content = bytearray(values.read_bytes())
    content[1] ^= 4
    values.write_bytes(content)
    SEEN.clear()

    second = run(tmp_path, notes("one", "two"))

    assert len(SEEN) == 1
    assert second.rows.equals(first.rows)
