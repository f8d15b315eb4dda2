"""Damaged records in a retail night: each is found under its code, and costs itself only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from models.schema import ISSUES, emb_column, has_column
from pipelines.execute import Outcome
from pipelines.run import prepare
from pipelines.scenarios import create
from tests.e2e.retail import (
    DATE,
    IN_PROCESS,
    KEY,
    MODALITIES,
    NIGHT,
    Shop,
    by_key,
    issues,
    read,
    unequal_bits,
    weight_free,
)

pytestmark = pytest.mark.beam

BLOCK = 333  # one record of so many is damaged (see pipelines/scenarios/damage.py)
SORTS = 30  # sorts of damage there are
MODALITY = {**{name: name for name in MODALITIES}, "age": "profile", "income": "profile"}
"""Damaged column -> its modality."""


@dataclass(frozen=True)
class Night:
    """One night, run twice: with damaged records, and drawn anew without any."""

    rows: int
    outcome: Outcome
    damages: pa.Table
    """truth/damage.parquet of the night, with a column `clean_key`: the key of the same row in the clean night."""
    units: dict[str, str]
    """Unit id -> name of its file."""
    published: pa.Table
    quarantined: pa.Table
    clean: pa.Table
    clean_outcome: Outcome

    def of_effect(self, *effects: str) -> list[dict[str, str]]:
        """The damages with one of these effects."""
        return [row for row in self.damages.to_pylist() if row["effect"] in effects]


@pytest.fixture(scope="module", params=[600, pytest.param(20_000, marks=pytest.mark.slow)])
def night(request: pytest.FixtureRequest, shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Night:
    """A night of so many rows, scored with the models of the small shop."""
    rows, folder = request.param, tmp_path_factory.mktemp("damage")
    settings = [f"artifacts={shop.folder / 'artifacts'}"]
    if rows > 600:
        settings.append("execution.processes=2")
    with_damage, without = (_made(folder / name, rows, damaged=name == "damaged") for name in ("damaged", "clean"))
    return Night(
        rows=rows,
        outcome=with_damage.run(folder / "out", *settings),
        damages=_damages(with_damage, without),
        units={u.id: u.name for u in prepare(with_damage.load(folder, *IN_PROCESS, *settings), NIGHT).inputs.units},
        published=by_key(read(folder / "out")),
        quarantined=read(folder / "out", "quarantine"),
        clean_outcome=without.run(folder / "clean_out", *settings),
        clean=by_key(read(folder / "clean_out")),
    )


def _made(folder: Path, rows: int, *, damaged: bool) -> Shop:
    return Shop(folder, weight_free(create(folder, rows=rows, history=1, nights=1, damaged=damaged).job))


def _damages(damaged: Shop, clean: Shop) -> pa.Table:
    table = pq.read_table(damaged.folder / "truth" / "damage.parquet")
    table = table.filter(pc.equal(table["partition"], f"date={DATE}"))
    folder = clean.folder / "data" / f"date={DATE}"
    keys = {path.name: pq.read_table(path, columns=[KEY])[KEY] for path in folder.glob("*.parquet")}
    places = zip(table["file"].to_pylist(), table["row"].to_pylist(), strict=True)
    return table.append_column("clean_key", pa.array([keys[file][row].as_py() for file, row in places]))


def test_the_generator_damages_what_it_says(night: Night) -> None:
    """The test below would say nothing if no record were damaged: one of each 333 is, in turn of every sort."""
    blocks = night.rows // BLOCK

    assert night.damages.num_rows in (blocks, blocks + 1)  # the last block may end before its damaged record
    assert len(set(night.damages["sort"].to_pylist())) == min(night.damages.num_rows, SORTS)


def test_every_row_read_is_published_or_quarantined(night: Night) -> None:
    """The ledger balances, and counts what lies in the files."""
    total = night.outcome.manifest.ledger.total()

    assert total.rows_read == night.rows
    assert total.rows_published == night.published.num_rows
    assert total.rows_quarantined == night.quarantined.num_rows
    assert night.published.num_rows + night.quarantined.num_rows == night.rows


def test_every_unusable_record_is_quarantined_under_its_code(night: Night) -> None:
    """Quarantine holds exactly the records that were damaged beyond use, each with the code that says how."""
    places = zip(*(night.quarantined[name].to_pylist() for name in ("unit", "row", "reason")), strict=True)

    assert sorted((night.units[unit], row, reason) for unit, row, reason in places) == sorted(
        (damage["file"], damage["row"], damage["code"]) for damage in night.of_effect("quarantined")
    )


def test_every_damaged_value_is_found_under_its_code(night: Night) -> None:
    """Published rows carry exactly the code of their damage, and rows without damage carry none."""
    expected = {damage[KEY]: [damage["code"]] for damage in night.of_effect("masked", "kept")}

    assert issues(night.published) == expected


def test_the_ledger_counts_every_issue(night: Night) -> None:
    """By code: those of published rows, and what made others unusable."""
    published = Counter(code for codes in issues(night.published).values() for code in codes)
    # A record in which all is broken has a photo and a voice note of random bytes; nothing else is there.
    broken = sum(sort == "all_broken" for sort in night.damages["sort"].to_pylist())
    quarantined = Counter({"photo.decode_failed": broken, "call.decode_failed": broken})

    assert night.outcome.manifest.ledger.total().issues == published + quarantined


def test_only_an_unusable_value_is_masked(night: Night) -> None:
    """A damaged modality is absent where nothing of it can be used, and present where a part can."""
    present, clean = ({m: _has(table, m) for m in MODALITIES} for table in (night.published, night.clean))

    for damage in night.of_effect("masked", "kept"):
        modality, key = MODALITY[damage["column"]], damage[KEY]
        # One number of a profile is damaged: the others are there only if the profile is.
        expected = damage["effect"] == "kept" if modality == damage["column"] else clean[modality][key]
        assert present[modality][key] == expected, damage


def test_a_damaged_modality_leaves_the_others_of_its_record_alone(night: Night) -> None:
    """The other embeddings of a damaged record are, bit by bit, what they are without the damage."""
    for modality in MODALITIES:
        keys = [d[KEY] for d in night.of_effect("masked", "kept") if MODALITY[d["column"]] != modality]
        columns = [KEY, has_column(modality), emb_column(modality)]
        got, expected = (_of(table, keys).select(columns) for table in (night.published, night.clean))
        assert unequal_bits(got, expected) == []


def test_the_rest_is_byte_equal_to_a_night_without_damage(night: Night) -> None:
    """What is not damaged is published as if nothing were."""
    damaged = night.damages["clean_key"].to_pylist()

    got, expected = (_of(table, damaged, others=True) for table in (night.published, night.clean))

    assert expected.num_rows == night.rows - len(damaged)
    assert unequal_bits(got, expected) == []


def test_a_night_without_damage_has_no_issue(night: Night) -> None:
    """No good record of the generator is taken for a damaged one."""
    assert night.clean.num_rows == night.rows
    assert night.clean_outcome.manifest.ledger.total().rows_quarantined == 0
    assert pc.sum(pc.list_value_length(night.clean[ISSUES])).as_py() == 0


def _of(table: pa.Table, keys: list[str], *, others: bool = False) -> pa.Table:
    """The rows with these keys, or all others."""
    chosen = pc.is_in(table[KEY], pa.array(keys, pa.string()))
    return table.filter(pc.invert(chosen) if others else chosen)


def _has(table: pa.Table, modality: str) -> dict[str, bool]:
    """Key -> whether the modality is present."""
    return dict(zip(table[KEY].to_pylist(), table[has_column(modality)].to_pylist(), strict=True))
