"""Logged decisions to nightly ones and back: a policy is trained, judged, published; what it does is the next log."""

from __future__ import annotations

import io
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch

from models.artifacts import load, load_config
from models.evaluate.judgement import Judgement, judge
from models.heads.base import DecisionHead, DecisionHeadSpec
from models.learn.deciding import policy_of
from models.learn.decisions import Decisions, read_decisions
from pipelines import cli, decisions
from pipelines.config import load_job
from pipelines.evaluate import evaluate
from pipelines.job import Job
from pipelines.recipes import head_folder
from pipelines.run import run
from pipelines.train import train
from tests.pipelines.tiny_jobs import DATE, NIGHT, published, write_job, write_night

pytestmark = pytest.mark.beam

ACTIONS = ("call", "mail", "none")
BASE, GAIN, NOISE = 10.0, 4.0, 1.0
EPSILON = 0.1
LEARNER = {"steps": 200, "value_steps": 100, "checks": 4, "learning_rate": 0.003}
HEADS = {
    "offer": {
        "kind": "q_learning",
        **{name: name for name in ("action", "reward", "propensity", "allowed")},
        "epsilon": EPSILON,
        "hidden": 16,
        "learner": LEARNER,
    }
}
HISTORY_ROWS, NIGHT_ROWS = 1500, 200


class Customers(NamedTuple):
    """Records, and what only the world knows of them."""

    table: pa.Table
    best: npt.NDArray[np.int64]
    """`[n]` the action that brings GAIN more than the others."""


def customers(rows: int, seed: int) -> Customers:
    """`call` is best for gold; of the others `mail` for those who write of shoes, `none` for hats.

    Everything is allowed but for every 20th, who may not be called, and every 50th (from the 7th), who wants nothing.
    """
    rng = np.random.default_rng(seed)
    gold, shoes = rng.random(rows) < 1 / 3, rng.random(rows) < 0.5
    allowed = [[] if i % 50 == 7 else ["mail", "none"] if i % 20 == 3 else [*ACTIONS] for i in range(rows)]
    table = pa.table(
        {
            "id": [f"s{seed}c{i:04d}" for i in range(rows)],
            "note": [f"wants {i % 9} {'red shoes' if walks else 'old hats'}" for i, walks in enumerate(shoes)],
            "age": pa.array(20.0 + rng.integers(50, size=rows)),
            "segment": np.where(gold, "gold", "silver"),
            "allowed": pa.array(allowed, pa.list_(pa.string())),
        }
    )
    return Customers(table, np.where(gold, 0, np.where(shoes, 1, 2)))


def rewards(people: Customers, action: npt.NDArray[np.int64], seed: int) -> pa.Array:
    """What these actions bring."""
    noise = NOISE * np.random.default_rng(seed).standard_normal(len(action))
    return pa.array(BASE + GAIN * (action == people.best) + noise)


def logged(people: Customers, seed: int) -> pa.Table:
    """A log of actions drawn evenly from what was allowed; where that was nothing, nothing was logged."""
    allowed = np.array([[name in names for name in ACTIONS] for names in people.table["allowed"].to_pylist()])
    kept = np.flatnonzero(allowed.any(axis=1))
    chances = allowed[kept] / allowed[kept].sum(axis=1, keepdims=True)
    action = (np.random.default_rng(seed).random((len(kept), 1)) > chances.cumsum(axis=1)).sum(axis=1)
    some = Customers(people.table.take(pa.array(kept)), people.best[kept])
    log = {
        "action": pa.array(ACTIONS).take(pa.array(action)),
        "propensity": pa.array(chances[np.arange(len(kept)), action]),
        "reward": rewards(some, action, seed + 1),
    }
    return pa.table({**{name: some.table[name] for name in some.table.column_names}, **log})


class Shop(NamedTuple):
    """A job that was trained, with the night's customers."""

    folder: Path
    tonight: Customers
    told: str
    """What `train` printed."""

    def job(self, *overrides: str) -> Job:
        """The job, as its file says and with overrides."""
        return load_job(self.folder / "job.yaml", overrides)


def make_shop(folder: Path, history: pa.Table, *overrides: str) -> Shop:
    """A folder with job, history and night; trained."""
    training = {"path": "history", "split": {"by": "id", "held_out": 0.3}}
    output = {"path": "out", "keep": ["allowed"]}
    path = write_job(folder, heads=HEADS, training=training, output=output)
    (folder / "history").mkdir()
    pq.write_table(history, folder / "history" / "log.parquet")
    tonight = customers(NIGHT_ROWS, seed=1)
    write_night(folder, tonight.table)
    return Shop(folder, tonight, train(load_job(path, overrides)).text())


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop whose first policy is better than its log."""
    return make_shop(tmp_path_factory.mktemp("decisions") / "shop", logged(customers(HISTORY_ROWS, seed=0), seed=2))


@pytest.fixture(scope="module")
def night(shop: Shop) -> pa.Table:
    """What was published of the night, sorted by key as the customers are."""
    run(shop.job(), NIGHT)
    return published(shop.job())


def command(*arguments: str) -> tuple[int, str]:
    """Exit code and stdout of a command in this process."""
    out = io.StringIO()
    with redirect_stdout(out):
        code = cli.main(list(arguments))
    return code, out.getvalue()


def test_the_best_action_is_taken_but_for_what_is_tried(shop: Shop, night: pa.Table) -> None:
    """Of those who may be offered what is best for them, 1 − ε + ε/3 = 93 % are; a standard deviation is 2 points."""
    best = [ACTIONS[i] for i in shop.tonight.best]
    allowed = shop.tonight.table["allowed"].to_pylist()
    may = np.array([action in names for action, names in zip(best, allowed, strict=True)])

    right = np.array(night["action_offer"].to_pylist()) == np.array(best)

    assert right[may].mean() > 0.86
    assert all(
        not action or action in names for action, names in zip(night["action_offer"].to_pylist(), allowed, strict=True)
    )


def test_nothing_that_next_months_evaluation_needs_is_missing(night: pa.Table) -> None:
    """Action, probability and value stand in every row; 4 of 200 customers want nothing, and their issue says so."""
    names = ["action_offer", "prob_offer", "value_offer"]
    action, prob, value = (night[name].to_numpy() for name in names)
    nothing = np.array([codes == ["offer.nothing_allowed"] for codes in night["issues"].to_pylist()])

    assert [night[name].null_count for name in names] == [0, 0, 0]
    assert [night.schema.field(name).type for name in names] == [pa.string(), pa.float32(), pa.float32()]
    assert nothing.sum() == NIGHT_ROWS // 50
    assert (action[nothing] == "").all()
    assert (prob[nothing] == 0).all()
    assert ((prob[~nothing] > 0) & (prob[~nothing] <= 1)).all()
    assert np.isfinite(value).all()


def test_values_are_what_actions_bring(night: pa.Table) -> None:
    """BASE + GAIN = 14 for the best action, to within what 1,000 rows tell of it."""
    likely = night.filter(pc.greater(night["prob_offer"], 0.5))

    assert likely["value_offer"].to_numpy().mean() == pytest.approx(BASE + GAIN, abs=0.5)


def test_the_ledger_and_the_manifest_say_what_decided(shop: Shop, night: pa.Table) -> None:
    """The code is counted, and `show` names the policy as `train` did."""
    outcome = run(shop.job(), NIGHT)

    assert outcome.status == "already published"
    assert outcome.manifest.ledger.total().issues == {"offer.nothing_allowed": NIGHT_ROWS // 50}
    [line] = [line for line in shop.told.splitlines() if line.startswith("offer: the policy of")]
    assert line in command("show", str(shop.folder / "job.yaml"), outcome.manifest.run.run_id)[1]
    assert outcome.manifest.details["policies"]["offer"]["actions"] == list(ACTIONS)
    assert command("verify", str(shop.folder / "job.yaml"), "--date", DATE)[0] == 0


def test_a_decision_does_not_depend_on_its_batch(shop: Shop, night: pa.Table, tmp_path: Path) -> None:
    """Seven rows at a time in units of 60: the same actions, probabilities and values, bit by bit."""
    job = shop.job(f"output.path={tmp_path}/out", "execution.batch_rows=7", "execution.unit_rows=60")

    run(job, NIGHT)

    columns = ["action_offer", "prob_offer", "value_offer", "issues"]
    assert published(job).select(columns).equals(night.select(columns))


def next_log(shop: Shop, night: pa.Table) -> pa.Table:
    """The night's rows as the next log: the published action and probability, and what came of it."""
    some = night.filter(pc.not_equal(night["action_offer"], ""))
    people = shop.tonight.best[pc.not_equal(night["action_offer"], "").to_numpy()]
    action = np.array([ACTIONS.index(name) for name in some["action_offer"].to_pylist()])
    log = {"action": some["action_offer"], "propensity": some["prob_offer"]}
    return pa.table(
        {
            **{name: some[name] for name in some.column_names},
            **log,
            "reward": rewards(Customers(some, people), action, seed=5),
        }
    )


def as_judged(shop: Shop, log: pa.Table) -> tuple[DecisionHeadSpec, DecisionHead, Decisions]:
    """The policy that decided, and the log as it is judged on."""
    loaded = load(head_folder(shop.job(), "offer"))
    spec = cast(DecisionHeadSpec, loaded.config.spec)
    inputs = {name: modality.encoder.output_dim for name, modality in shop.job().modalities.items()}
    return spec, cast(DecisionHead, loaded.module), read_decisions(log, spec, inputs, "id")


def test_the_published_probability_is_that_of_the_policy_that_is_judged(shop: Shop, night: pa.Table) -> None:
    """To float32: so weights of the policy on its own log are 1."""
    spec, module, log = as_judged(shop, next_log(shop, night))

    policy = policy_of(spec, module, log)

    np.testing.assert_allclose(log.propensity, policy[np.arange(len(log)), log.action], rtol=1e-6, atol=0)
    judgement = judge(spec, module, log)
    assert judgement.support is not None
    assert judgement.support.mean == pytest.approx(1.0, abs=1e-6)


def test_evaluate_prints_and_writes_what_the_policy_is_worth(shop: Shop, tmp_path: Path) -> None:
    """Its value is BASE + GAIN · P(best): 10 + 4 · 0.93 where all is allowed; 1 in 60 may not have the best."""
    found = evaluate(shop.job())

    [offer] = found.policies
    [judged] = offer.judged
    low, high = judged.judgement.estimates["doubly_robust"].interval
    assert low < BASE + GAIN * 0.93 * (1 - 1 / 60) < high
    assert judged.judgement.logging.value == pytest.approx(BASE + GAIN / 3, abs=0.4)
    assert found.comparison.rows == []
    code, told = command("evaluate", str(shop.folder / "job.yaml"), "--out", str(tmp_path / "page.html"))
    assert code == 0
    assert "doubly robust" in told
    assert "mean weight" in (tmp_path / "page.html").read_text()


def test_a_policy_that_is_not_better_is_not_published(shop: Shop, night: pa.Table, tmp_path: Path) -> None:
    """ε = 1 acts as the log did: the last policy goes on, and the night stays as it is published."""
    before = run(shop.job(), NIGHT).manifest.run.run_id
    shutil.copytree(shop.folder / "artifacts", tmp_path / "artifacts")
    random = ["heads.offer.epsilon=1.0", f"artifacts={tmp_path}/artifacts"]

    trained = train(shop.job(*random))

    [offer] = trained.policies
    assert offer.judged[0].which == "candidate"
    assert "does not: it is worth at least" in offer.told
    outcome = run(shop.job(*random), NIGHT)
    assert (outcome.status, outcome.manifest.run.run_id) == ("already published", before)
    [decides, candidate] = evaluate(shop.job(*random)).policies[0].judged
    assert decides.judgement.better
    assert not candidate.judgement.better


def test_training_that_broke_off_gives_the_same_policy(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends between learning and judging; the next one goes on from its checkpoints, and clears them away."""
    artifacts = tmp_path / "artifacts"
    shutil.copytree(shop.folder / "artifacts", artifacts, ignore=shutil.ignore_patterns("heads", "candidates"))
    job = shop.job(f"artifacts={artifacts}")
    monkeypatch.setattr(decisions, "judge", _break_off)
    with pytest.raises(KeyboardInterrupt):
        train(job)
    monkeypatch.undo()
    assert any((artifacts / "checkpoints" / "offer").iterdir())

    train(job)

    assert not (artifacts / "checkpoints" / "offer").exists()
    whole, again = (load_config(head_folder(each, "offer")).fingerprint for each in (shop.job(), job))
    assert again == whole


def _break_off(*_arguments: object) -> Judgement:
    raise KeyboardInterrupt


@pytest.mark.ray
@pytest.mark.slow
def test_two_processes_train_the_policy_that_one_trains(shop: Shop, tmp_path: Path) -> None:
    """To 1e-5: only sums over rows are added up in another order."""
    artifacts = tmp_path / "artifacts"
    shutil.copytree(shop.folder / "artifacts", artifacts, ignore=shutil.ignore_patterns("heads", "candidates"))
    together = shop.job(f"artifacts={artifacts}", "training.workers=2", "workers.address=local")

    train(together)

    one, two = (load(head_folder(job, "offer")).module.state_dict() for job in (shop.job(), together))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=0, atol=1e-5)


def test_without_a_policy_that_may_decide_no_night_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log whose propensities cannot be: nothing is published, exit 78 says why and what to do."""
    history = logged(customers(300, seed=0), seed=2)
    broken = history.set_column(
        history.column_names.index("propensity"), "propensity", pa.array(np.full(len(history), 2.0))
    )
    shop = make_shop(tmp_path / "shop", broken)
    assert "what it is worth cannot be told" in shop.told

    code = cli.main(["run", str(shop.folder / "job.yaml"), "--date", DATE])

    told = capsys.readouterr().err
    assert code == 78
    assert "heads.offer: must have a published policy" in told
    assert "propensities must lie in (0, 1]; got others in" in told
    assert "--set heads.offer.publish=always" in told
