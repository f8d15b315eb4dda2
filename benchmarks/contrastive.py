"""What is learned without labels worth? On retail: does a review find its photo, and what do few labels gain by it?

    python benchmarks/contrastive.py
    python benchmarks/contrastive.py --rows 5000 --subsets 2 --data /tmp/retail

Encoders of our own learn by pairs from the encoders' part of a history without a label (`models.learn.contrastive`).
Retrieval: among the photos of 100 customers that nothing was fitted to, how often the one nearest to a review is its
own, and the other way round. Few labels: fusion and heads are fitted to the embeddings of 1 % of the history's rows,
against encoders that learn from the labels of the same rows, from scratch, in the better of two ways: half of the rows
for the encoders and half for what follows, or all rows for both. Both are judged on all held-out rows; the labelled
rows are drawn anew several times.

Ends with 1 if recall@1 is below ten times chance in either direction, or the labels gain nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as the command line sets it

import numpy as np
import numpy.typing as npt
import torch
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from models.arrow import Bool, Float32, Int64
from models.encoders._networks import EncoderNetwork, encode
from models.fusion.weighted_sum import WeightedSumSpec
from models.heads.base import LabelHeadSpec
from models.learn.contrastive import ContrastiveSpec
from models.learn.data import Examples
from models.learn.encoder_learner import EncoderRows, FittedEncoder
from models.learn.encoder_pairs import recall_at_1
from models.learn.labels import LabelsSpec
from models.learn.split import Parts, group_positions
from models.learn.supervised import SupervisedSpec
from pipelines.config import load_job
from pipelines.encoder_rows import Part, PrepareUnits, read_rows
from pipelines.encoders import learned_encoders
from pipelines.fit import fit, plan_history
from pipelines.job import Job
from pipelines.recipes import label_heads, resolved_modalities, with_statistics
from pipelines.scenarios import create

ENCODERS = {"photo": "cnn", "review": "rnn", "call": "audio_cnn", "profile": "table", "visits": "rnn_series"}
CROWD, TIMES_CHANCE = 100, 10
LABELLED = 0.01  # of the history's rows
VALIDATION = 0.15
Embedded = Mapping[str, tuple[Float32, Bool]]
"""Modality -> `[N, d]` embeddings, and `[N]` where they are."""


class Score(NamedTuple):
    """Of both heads, on held-out rows."""

    auc: float
    r2: float


def main() -> int:
    """Print both, and whether the aims are reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="of the history")
    parser.add_argument("--subsets", type=int, default=5, help="drawn of the labelled rows")
    parser.add_argument("--data", type=Path, help="where the data set is kept; made there when missing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        job = made(options.data or Path(scratch) / "retail", options.rows)
        rows = prepared(job)
        parts = Parts(0.2, VALIDATION, 0, 0.5)
        fitted, seconds = pretrained(job, rows, parts)
        say(f"{len(rows):,} rows; encoders learned from pairs in {seconds:.0f} s of a core")
        found = embedded(fitted, rows)
        reached = retrieval(found, rows, parts)
        gains = list(few_labels(job, rows, parts, found, options.subsets))
    for name in Score._fields:
        each = [getattr(pairs, name) - getattr(scratch_, name) for pairs, scratch_ in gains]
        say(f"gain in {name}: {np.mean(each):+.3f} (of {len(each)} subsets {min(each):+.3f} to {max(each):+.3f})")
        reached &= bool(np.mean(each) > 0)
    return 0 if reached else 1


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def made(folder: Path, rows: int) -> Job:
    """The retail data set with encoders that learn, and its statistics."""
    path = folder / "contrastive.yaml"
    if not path.exists():
        created = create(folder, rows=100, nights=1, history=rows)
        source: dict[str, Any] = yaml.safe_load(created.job.read_text(encoding="utf-8"))
        for name, kind in ENCODERS.items():
            source["modalities"][name]["encoder"] = {"kind": kind}
        path.write_text(yaml.safe_dump({**source, "workers": {"address": "inline"}}), encoding="utf-8")
        fit(load_job(path))
    return load_job(path)


def prepared(job: Job) -> EncoderRows:
    """All rows of the history, cleaned and compact."""
    inputs = plan_history(job)
    modalities = with_statistics(job, resolved_modalities(job, inputs.schema, "the history"))
    labels = [head.label for head in label_heads(job).values()]
    split, folder = job.need_training("train").split, job.folder / "prepared"
    everything = Part(job.input.key, split.by, Parts(0.0, 0.0, 0, 1.0))
    step = PrepareUnits(
        inputs.schema, everything, modalities, learned_encoders(job), labels, folder, job.execution.limits()
    )
    step.setup()
    for unit in inputs.units:
        list(step.process(unit))
    rows = read_rows(folder, inputs.units)
    assert rows is not None
    return rows


def pretrained(job: Job, rows: EncoderRows, parts: Parts) -> tuple[dict[str, FittedEncoder], float]:
    """Encoders that have seen pairs of the encoders' part and no label, and how long that took."""
    began = time.process_time()
    mine = rows.take(np.flatnonzero(parts.encoders(rows.groups)))
    fitted = ContrastiveSpec(device="cpu").build().fit(learned_encoders(job), {}, mine)
    return fitted, time.process_time() - began


def embedded(fitted: Mapping[str, FittedEncoder], rows: EncoderRows) -> Embedded:
    """Embeddings of all rows."""
    found = {}
    for name, one in fitted.items():
        present = np.zeros(len(rows), np.bool_)
        present[rows.present(name)] = True
        z = np.zeros((len(rows), one.spec.dim), np.float32)
        assert isinstance(one.network, EncoderNetwork)
        inputs = one.spec.inputs(rows.values[name].drop_null())
        z[present] = encode(one.network, inputs, one.spec.dim, torch.device("cpu"))
        found[name] = (z, present)
    return found


def retrieval(found: Embedded, rows: EncoderRows, parts: Parts) -> bool:
    """Print recall@1 both ways; whether both are high enough."""
    held_out = parts.held_out(rows.groups) & found["photo"][1] & found["review"][1]
    number = rows.groups.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    _, first = np.unique(number[held_out], return_index=True)  # a record of each customer
    chosen = np.random.default_rng(0).permutation(np.flatnonzero(held_out)[first])
    reached = True
    for a, b in (("review", "photo"), ("photo", "review")):
        z_a, z_b = (torch.nn.functional.normalize(torch.from_numpy(found[m][0][chosen]), dim=1) for m in (a, b))
        recall = recall_at_1(z_a, z_b, CROWD)
        assert recall is not None, "there must be 100 held-out customers; give more rows"
        counted = len(chosen) // CROWD * CROWD
        error = 1.96 * np.sqrt(recall * (1 - recall) / counted)
        say(f"{a} to {b}: recall@1 of {CROWD} {recall:.3f} ± {error:.3f} ({counted} records; chance {1 / CROWD:.3f})")
        reached &= recall >= TIMES_CHANCE / CROWD
    return reached


def few_labels(
    job: Job, rows: EncoderRows, parts: Parts, found: Embedded, subsets: int
) -> Iterator[tuple[Score, Score]]:
    """(with pairs, from scratch) for each subset of labelled rows; printed as they come."""
    heads = label_heads(job)
    for subset in range(subsets):
        order = group_positions(rows.groups, f"labelled {subset}")
        free = np.flatnonzero(parts.training(rows.groups) | parts.validation(rows.groups))
        chosen = free[np.argsort(order[free], kind="stable")][: round(LABELLED * len(rows))]
        pairs = judged(found, rows, heads, chosen, parts)
        scratch = from_scratch(job, rows, heads, chosen, parts)
        say(
            f"{len(chosen)} labelled rows: pairs AUC {pairs.auc:.3f} R² {pairs.r2:.3f}, from scratch AUC "
            f"{scratch.auc:.3f} R² {scratch.r2:.3f}"
        )
        yield pairs, scratch


def from_scratch(job: Job, rows: EncoderRows, heads: Mapping[str, LabelHeadSpec], chosen: Int64, parts: Parts) -> Score:
    """Encoders that learn from the labels of these rows: the better of two ways, for each head."""
    half = len(chosen) // 2
    ways: Sequence[tuple[Int64, Int64]] = ((chosen[:half], chosen[half:]), (chosen, chosen))
    scores = []
    for mine, rest in ways:
        fitted = LabelsSpec(device="cpu").build().fit(learned_encoders(job), heads, rows.take(mine))
        scores.append(judged(embedded(fitted, rows), rows, heads, rest, parts))
    return Score(*(max(column) for column in zip(*scores, strict=True)))


def judged(
    found: Embedded, rows: EncoderRows, heads: Mapping[str, LabelHeadSpec], chosen: Int64, parts: Parts
) -> Score:
    """Fusion and heads fitted to these rows, judged on all held-out ones."""
    from sklearn.metrics import r2_score, roc_auc_score

    all_rows = examples(found, rows)
    near = group_positions(rows.groups, "few")[chosen] < VALIDATION
    learner = SupervisedSpec().build()
    fitted = learner.fit(WeightedSumSpec(dim=128), heads, all_rows.take(chosen[~near]), all_rows.take(chosen[near]))
    held_out = all_rows.take(np.flatnonzero(parts.held_out(rows.groups) & all_rows.mask.any(dim=1).numpy()))
    scores = fitted.scores(held_out)
    churned, spend = (held_out.labels[heads[name].label] for name in ("churn", "spend"))
    return Score(
        float(roc_auc_score(churned.to_numpy(zero_copy_only=False), scores["churn"].numpy())),
        float(r2_score(spend.to_numpy(), scores["spend"].numpy())),
    )


def examples(found: Embedded, rows: EncoderRows) -> Examples:
    """Embedded rows as fusion learns from them."""
    width = max(z.shape[1] for z, _ in found.values())
    x: npt.NDArray[np.float32] = np.zeros((len(rows), len(found), width), np.float32)
    for index, (z, _) in enumerate(found.values()):
        x[:, index, : z.shape[1]] = z
    mask = np.stack([present for _, present in found.values()], axis=1)
    inputs = {name: z.shape[1] for name, (z, _) in found.items()}
    return Examples(inputs, torch.from_numpy(x), torch.from_numpy(mask), dict(rows.labels), rows.groups)


if __name__ == "__main__":
    sys.exit(main())
