"""What every guide fills into its templates: the job file and the README that stand beside a data set."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.scenarios.layout import Partition


def job_yaml(template: str, parts: Sequence[Partition], numeric: Sequence[str], categorical: Sequence[str]) -> str:
    """The job file, with comments; the template names `date`, and the table's `numeric` and `categorical` columns."""
    return template.format(date=parts[-1].day, numeric=", ".join(numeric), categorical=", ".join(categorical))


def readme(
    template: str, parts: Sequence[Partition], seed: int, damaged: bool, subjects: str, come: str = "come", **own: str
) -> str:
    """The README of a data set of these partitions (the history first).

    Args:
        template: with `seed`, `damaged`, `history`, `nights`, `date`, and what the scenario adds.
        parts: the partitions.
        seed: of the data set.
        damaged: whether records are.
        subjects: whom a night's rows are about, in the plural.
        come: what four out of five of them do every night.
        own: what the scenario adds.
    """
    history, *nights = parts
    return template.format(
        seed=seed,
        damaged=", and 0.3 % of the records are damaged" if damaged else "; nothing is damaged",
        history=history.rows,
        nights="\n".join(
            f"    data/{n.name}/ {n.rows} {subjects}; four out of five {come} every night" for n in nights
        ),
        date=parts[-1].day,
        **own,
    )


def listed(names: Sequence[str]) -> str:
    """Names as code, with commas between."""
    return ", ".join(f"`{name}`" for name in names)
