"""Tests of the job file: what is refused, where, with which sentence; and what a valid one means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from models.encoders.hashed_ngrams import HashedNgramsSpec
from models.errors import ConfigError, Problem
from pipelines.config import load_job, parse_job
from pipelines.job import Job, Quarantine
from pipelines.scenarios.base import find, names
from pipelines.scenarios.layout import partitions
from tests.pipelines.tiny_jobs import source
from transforms.modalities.audio import AudioSpec
from transforms.modalities.image import ImageSpec
from transforms.modalities.text import TextSpec
from transforms.recipe import Limits
from transforms.sinks.parquet import ParquetSinkSpec

CONTRACT_JOB = """\
job: retail
input:
  path: data/date={date}          # file, folder or glob; local, s3://, gs://, hdfs:// (through pyarrow.fs)
  key: customer_id                # unique per record
  event_timestamp: event_time     # optional; else the run's date
modalities:
  photo:   {type: image,   column: photo}
  review:  {type: text,    column: review}
  call:    {type: audio,   column: call}                          # no encoder named: the type's weight-free one
  profile: {type: tabular, numeric: [age, spend_30d], categorical: [segment]}
  visits:  {type: series,  column: visits}
fusion: {kind: weighted_sum, dim: 256}
heads:
  churn: {kind: classifier, label: churned}
  spend: {kind: regressor, label: spend_next_30d}
training:                         # for fit, train and evaluate; `run` needs none of these columns
  path: data/history/*.parquet    # the same columns plus labels and logged decisions
  split: {by: customer_id, held_out: 0.2}      # no group stands in both halves
output: {path: out}
quarantine: {max_fraction: 0.01}
workers: {address: local}         # local | auto | ray://host:port
"""
REPOSITORY = Path(__file__).parents[2]

MODALITY = {"type": "text", "column": "note"}
POLICY = {"kind": "q_learning", "action": "offer", "reward": "revenue"}
TRAINING = {"path": "history", "split": {"by": "id"}}

# One line for each sort of mistake: (id, what replaces the good job's keys, YAML path, words of the sentence).
WRONG: list[tuple[str, dict[str, Any], str, list[str]]] = [
    ("unknown section", {"modality": {}}, "modality", ["unknown key 'modality'", "did you mean 'modalities'?"]),
    ("no job", {"job": None}, "job", ["is missing and must be given"]),
    ("job is no name", {"job": "../shop"}, "job", ["must be a name of letters, digits", "got '../shop'"]),
    ("section is no mapping", {"input": "data"}, "input", ["must be a mapping; got 'data'"]),
    ("no key column", {"input": {"path": "x"}}, "input.key", ["is missing and must be given"]),
    ("empty path", {"input": {"path": "", "key": "id"}}, "input.path", ["must name a file or folder; got ''"]),
    ("unknown placeholder", {"input": {"path": "x/{day}", "key": "id"}}, "input.path", ["but {date}; got '{day}'"]),
    ("key of an output", {"input": {"path": "x", "key": "has_note"}}, "input.key", ["output column; got 'has_note'"]),
    ("no modalities", {"modalities": {}}, "modalities", ["must name at least one modality; got none"]),
    ("modalities as a list", {"modalities": ["note"]}, "modalities", ["must be a mapping of names; got ['note']"]),
    ("modality's name", {"modalities": {"My Note": MODALITY}}, "modalities.My Note", ["lower-case", "got 'My Note'"]),
    (
        "unknown modality type",
        {"modalities": {"note": {**MODALITY, "type": "txt"}}},
        "modalities.note.type",
        ["must be one of [", "got 'txt'; did you mean 'text'?"],
    ),
    ("no column", {"modalities": {"note": {"type": "text"}}}, "modalities.note.column", ["is missing"]),
    (
        "misspelt setting",
        {"modalities": {"note": {**MODALITY, "max_char": 10}}},
        "modalities.note.max_char",
        ["unknown key 'max_char'; did you mean 'max_chars'?", "known keys: column, max_chars"],
    ),
    (
        "setting out of range",
        {"modalities": {"note": {**MODALITY, "max_chars": 0}}},
        "modalities.note.max_chars",
        ["must be greater than or equal to 1; got 0"],
    ),
    (
        "setting of another type",
        {"modalities": {"note": {**MODALITY, "max_chars": "many"}}},
        "modalities.note.max_chars",
        ["must be a valid integer", "got 'many'"],
    ),
    (
        "setting that Amalgam fills in",
        {"modalities": {"note": {**MODALITY, "statistics": {}}}},
        "modalities.note.statistics",
        ["unknown key 'statistics'"],
    ),
    (
        "tabular without columns",
        {"modalities": {"profile": {"type": "tabular"}}},
        "modalities.profile",
        ["must name at least one column between them"],
    ),
    (
        "tabular with a column twice",
        {"modalities": {"profile": {"type": "tabular", "numeric": ["age"], "categorical": ["age"]}}},
        "modalities.profile",
        ["differ from each other; got ['age', 'age']"],
    ),
    (
        "encoder without kind",
        {"modalities": {"note": {**MODALITY, "encoder": "hashed_ngrams"}}},
        "modalities.note.encoder",
        ["must be a mapping with the key 'kind'; got 'hashed_ngrams'"],
    ),
    (
        "unknown encoder",
        {"modalities": {"note": {**MODALITY, "encoder": {"kind": "hashed_ngram"}}}},
        "modalities.note.encoder.kind",
        ["got 'hashed_ngram'; did you mean 'hashed_ngrams'?"],
    ),
    (
        "encoder of another modality type",
        {"modalities": {"note": {**MODALITY, "encoder": {"kind": "log_mel"}}}},
        "modalities.note.encoder.kind",
        ["must be an encoder of text; got 'log_mel', which encodes audio"],
    ),
    (
        "cleaner and encoder that disagree",
        {"modalities": {"photo": {"type": "image", "column": "photo", "size": 96}}},
        "modalities.photo.size",
        ["must be 64, as image_histograms wants it; got 96"],
    ),
    (
        "weights that are not there",
        {"modalities": {"note": {**MODALITY, "encoder": {"kind": "huggingface_text", "weights": "weights/none"}}}},
        "modalities.note.encoder",
        ["weights must be an existing folder", "weights/none"],
    ),
    ("unknown fusion", {"fusion": {"kind": "concatenation"}}, "fusion.kind", ["got 'concatenation'", "'concat'"]),
    (
        "fusion's derived setting",
        {"fusion": {"kind": "concat", "inputs": {"note": 3}}},
        "fusion.inputs",
        ["unknown key 'inputs'", "known keys: dim, hidden, seed, trained"],
    ),
    (
        "weight of an unknown modality",
        {"fusion": {"kind": "weighted_sum", "weights": {"nte": 1}}},
        "fusion",
        ["weights must name modalities of the job; got 'nte'; did you mean 'note'?"],
    ),
    ("head without label", {"heads": {"churn": {"kind": "classifier"}}}, "heads.churn.label", ["is missing"]),
    (
        "unknown head",
        {"heads": {"churn": {"kind": "clasifier", "label": "churned"}}},
        "heads.churn.kind",
        ["got 'clasifier'; did you mean 'classifier'?"],
    ),
    (
        "policy without reward",
        {"heads": {"offer": {"kind": "q_learning", "action": "offer"}}},
        "heads.offer.reward",
        ["is missing"],
    ),
    (
        "policy that looks ahead without episodes",
        {"heads": {"offer": {**POLICY, "gamma": 0.9}}},
        "heads.offer",
        ["gamma must be 0 unless episode and step are given; got 0.9"],
    ),
    (
        "episodes without an order",
        {"heads": {"offer": {**POLICY, "episode": "visit"}}},
        "heads.offer",
        ["episode and step must be given together"],
    ),
    (
        "gradient without propensities",
        {"heads": {"offer": {**POLICY, "kind": "policy_gradient"}}},
        "heads.offer",
        ["propensity must name a column", "got none"],
    ),
    (
        "unknown rule of publishing",
        {"heads": {"offer": {**POLICY, "publish": "if_good"}}},
        "heads.offer.publish",
        ["must be 'if_better', 'always' or 'never'; got 'if_good'"],
    ),
    (
        "misspelt setting of a policy's learner",
        {"heads": {"offer": {**POLICY, "learner": {"conservativ": 1}}}},
        "heads.offer.learner.conservativ",
        ["unknown key 'conservativ'; did you mean 'conservative'?"],
    ),
    (
        "policy's derived setting",
        {"heads": {"offer": {**POLICY, "actions": ["a", "b"]}}},
        "heads.offer.actions",
        ["unknown key 'actions'", "did you mean 'action'?"],
    ),
    (
        "head with a modality's name",
        {"heads": {"note": POLICY}},
        "heads.note",
        ["must not be a modality's name: issue codes begin with it; got 'note'"],
    ),
    (
        "column that a policy publishes",
        {"heads": {"offer": POLICY}, "output": {"path": "out", "keep": ["prob_offer"]}},
        "output.keep",
        ["not published anyway; got 'prob_offer'"],
    ),
    (
        "nobody who trains",
        {"training": {**TRAINING, "workers": 0}},
        "training.workers",
        ["must be greater than or equal to 1; got 0"],
    ),
    ("training without split", {"training": {"path": "history"}}, "training.split", ["is missing"]),
    (
        "everything held out",
        {"training": {"path": "history", "split": {"by": "id", "held_out": 1}}},
        "training.split.held_out",
        ["must be less than 1; got 1"],
    ),
    (
        "misspelt setting two levels down",
        {"training": {**TRAINING, "learner": {"epoch": 3}}},
        "training.learner.epoch",
        ["unknown key 'epoch'; did you mean 'epochs'?", "learning_rate"],
    ),
    ("output on an object store", {"output": {"path": "s3://bucket/out"}}, "output.path", ["POSIX", "s3://bucket/out"]),
    ("unknown codec", {"output": {"path": "out", "compression": "zip"}}, "output.compression", ["'zstd'", "got 'zip'"]),
    ("derived setting of the output", {"output": {"path": "out", "run": {}}}, "output.run", ["unknown key 'run'"]),
    (
        "column published anyway",
        {"output": {"path": "out", "keep": ["fused"]}},
        "output.keep",
        ["not published anyway; got 'fused'"],
    ),
    ("column kept twice", {"output": {"path": "out", "keep": ["age", "age"]}}, "output.keep", ["got 'age'"]),
    (
        "more than everything quarantined",
        {"quarantine": {"max_fraction": 2}},
        "quarantine.max_fraction",
        ["must be less than or equal to 1; got 2"],
    ),
    (
        "unknown choice",
        {"quarantine": {"unreadable_files": "skip"}},
        "quarantine.unreadable_files",
        ["must be 'refuse' or 'allow'; got 'skip'"],
    ),
    ("unknown workers", {"workers": {"address": "cloud"}}, "workers.address", ["must be inline, local", "got 'cloud'"]),
    (
        "one of two types",
        {"workers": {"replicas": 0}},
        "workers.replicas",
        ["must be greater than or equal to 1 or 'auto'; got 0"],
    ),
    ("units without rows", {"execution": {"unit_rows": 0}}, "execution.unit_rows", ["must be greater", "got 0"]),
    ("artifacts that are no path", {"artifacts": 7}, "artifacts", ["must be a folder; got 7"]),
]


def problems(**changes: Any) -> list[Problem]:
    """What is wrong with the good job after these changes."""
    with pytest.raises(ConfigError) as caught:
        parse_job(source(**changes), Path("/jobs"))
    return caught.value.problems


def test_the_good_job_is_valid() -> None:
    """All mistakes below are made in a job that is right without them."""
    assert parse_job(source(), Path("/jobs")).name == "shop"


@pytest.mark.parametrize(("changes", "path", "words"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_mistake_is_one_problem_with_its_path(changes: dict[str, Any], path: str, words: list[str]) -> None:
    """Each sort of mistake gives exactly one sentence, at the place in the YAML where it was made."""
    found = problems(**changes)

    assert [problem.path for problem in found] == [path]
    assert all(word in found[0].message for word in words), found[0].message
    assert "\n" not in found[0].message


def test_there_are_more_than_twenty_sorts_of_mistakes() -> None:
    """The table above did not shrink by accident, and no sort stands in it twice."""
    assert len({case[0] for case in WRONG}) == len(WRONG) >= 20


def test_all_problems_are_told_at_once() -> None:
    """Mistakes in five sections, two of them in one modality, are all in one error, a line each."""
    bad = {**MODALITY, "max_chars": 0, "encoder": {"kind": "hashed_ngrams", "dim": 1}}

    with pytest.raises(ConfigError) as caught:
        parse_job(
            source(job=None, input={"path": "x"}, modalities={"note": bad}, fusion={"kind": "x"}, speed=9), Path("/")
        )

    paths = {problem.path for problem in caught.value.problems}
    assert paths == {
        *("speed", "job", "input.key"),
        *("modalities.note.max_chars", "modalities.note.encoder.dim", "fusion.kind"),
    }
    assert str(caught.value).count("\n") == len(paths) - 1
    assert caught.value.exit_code == 78


# The file itself ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"job: a\njob: b\n", "line 2: key 'job' must stand once; got it twice"),
        (b"job: a\ninput:\n  key: x\n  key: y\n", "line 4: key 'key' must stand once"),
        (b"modalities: {[a]: 1}\n", "line 1: a key must be a name; got a sequence"),
        (b"- job\n", "must hold a mapping with the keys job, input"),
        (b"", "must hold a mapping with the keys job, input"),
        (b"job: [\n", "must be YAML"),
        (b"job: a\n---\njob: b\n", "must be YAML"),
        (b"job: !!python/object/apply:os.getcwd []\n", "must be YAML"),
        (b"job: caf\xe9\n", "must be readable text"),
    ],
    ids=["key twice", "inner key twice", "odd key", "list", "empty", "broken", "two documents", "code", "latin-1"],
)
def test_a_file_that_is_no_job_file_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    """What YAML itself cannot be, or would silently misread, is one sentence."""
    path = tmp_path / "job.yaml"
    path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        load_job(path)

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The path that was looked at stands in the message."""
    with pytest.raises(ConfigError, match=f"must exist; got nothing at {tmp_path}/none.yaml"):
        load_job(tmp_path / "none.yaml")


# Overrides ----------------------------------------------------------------------------------------------------------


def written(folder: Path) -> Path:
    """The good job as a file."""
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump(source()), encoding="utf-8")
    return path


def test_overrides_replace_values_and_make_sections(tmp_path: Path) -> None:
    """Values are YAML; what stands beside the overridden key stays; a missing section is made."""
    job = load_job(
        written(tmp_path),
        ["modalities.note.max_chars=100", "modalities.note.redact=[email]", "execution.batch_rows=7", "job=a"],
    )

    note = job.modalities["note"].spec
    assert isinstance(note, TextSpec)
    assert (note.column, note.max_chars, note.redact) == ("note", 100, ("email",))
    assert job.execution.limits() == Limits(batch_rows=7)
    assert job.name == "a"


def test_an_override_is_judged_like_the_file(tmp_path: Path) -> None:
    """A misspelt key in --set is an unknown key with its path."""
    with pytest.raises(ConfigError) as caught:
        load_job(written(tmp_path), ["quarantine.max_fracton=0.5"])

    assert caught.value.problems[0].path == "quarantine.max_fracton"
    assert "did you mean 'max_fraction'?" in str(caught.value)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("job", "--set must be dotted.key=value; got 'job'"),
        ("=shop", "--set must be dotted.key=value; got '=shop'"),
        ("job.name=x", "'job' must be a mapping; got 'shop'"),
        ("job=[", "the value must be YAML; got '['"),
    ],
)
def test_an_override_that_cannot_be_read_is_refused(tmp_path: Path, override: str, words: str) -> None:
    """Each of these names the override and what is wrong with it."""
    with pytest.raises(ConfigError) as caught:
        load_job(written(tmp_path), [override])

    assert words in str(caught.value)


# What a valid job means ---------------------------------------------------------------------------------------------


def test_relative_paths_start_at_the_job_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the command is called from; absolute paths and URIs stay as they are."""
    (tmp_path / "jobs").mkdir()
    monkeypatch.chdir("/")
    path = written(tmp_path / "jobs")

    job = load_job(path, ["training.path=../history", "training.split.by=id"])
    other = load_job(path, ["input.path=s3://bucket/date={date}", "output.path=/srv/out"])

    assert job.input.location("2026-11-23") == f"{tmp_path}/jobs/data/date=2026-11-23"
    assert (job.output.path, job.artifacts) == (f"{tmp_path}/jobs/out", tmp_path / "jobs" / "artifacts")
    assert job.need_training("fit").path == f"{tmp_path}/history"
    assert other.input.location("2026-11-23") == "s3://bucket/date=2026-11-23"
    assert other.output.path == "/srv/out"


def test_defaults_are_filled_in() -> None:
    """Without an encoder a type has its weight-free one; the fusion is the weighted sum of all modalities."""
    given = source(modalities={"note": MODALITY}, fusion=None, workers=None, quarantine=None)

    job = parse_job(given, Path("/jobs"))

    assert job.modalities["note"].encoder == HashedNgramsSpec()
    assert (job.fusion.kind, job.fusion.inputs) == ("weighted_sum", {"note": HashedNgramsSpec().output_dim})
    assert job.workers.address == "local"
    assert job.quarantine == Quarantine(max_fraction=0.01, unreadable_files="refuse")
    assert job.training is None
    assert job.heads == {}


def test_an_encoder_decides_what_its_cleaner_does() -> None:
    """Size and rate are the encoder's to say; a job file that says the same is right too."""
    photo, call = {"type": "image", "column": "photo", "size": 64}, {"type": "audio", "column": "call"}

    job = parse_job(source(modalities={"photo": photo, "call": call}), Path("/jobs"))

    image, sound = job.modalities["photo"], job.modalities["call"]
    assert isinstance(image.spec, ImageSpec)
    assert isinstance(sound.spec, AudioSpec)
    assert (image.spec.size, sound.spec.rate) == (image.encoder.requires()["size"], sound.encoder.requires()["rate"])


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("data/date={date}", "/jobs/data"),
        ("data/*/x.parquet", "/jobs/data"),
        ("data/a.parquet", "/jobs/data/a.parquet"),
    ],
)
def test_files_may_be_followed_below_the_input_only(path: str, root: str) -> None:
    """Without `allowed_roots`, a column of paths reaches the fixed part of the input's path and no further."""
    photo = {"type": "image", "column": "photo"}

    job = parse_job(source(input={"path": path, "key": "id"}, modalities={"photo": photo}), Path("/jobs"))

    spec = job.modalities["photo"].spec
    assert isinstance(spec, ImageSpec)
    assert spec.allowed_roots == (root,)


def test_input_columns_are_those_of_all_parts_once() -> None:
    """Key, event time, every modality's columns and what is kept; none twice."""
    given = source(
        input={"path": "x", "key": "id", "event_timestamp": "time"}, output={"path": "out", "keep": ["age", "city"]}
    )

    assert parse_job(given, Path("/jobs")).input_columns() == ["id", "time", "note", "age", "segment", "city"]


def test_training_is_asked_for_by_name() -> None:
    """A command that cannot do without the section says which command it is."""
    job = parse_job(source(), Path("/jobs"))

    with pytest.raises(ConfigError, match="training: is missing and must be given for `amalgam train`"):
        job.need_training("train")


def shipped_jobs() -> dict[str, str]:
    """Name -> text of every job file that users get to see: written by `new`, in the contract, in the repository."""
    written = {f"amalgam new {name}": find(name).job_yaml(partitions(100, 100, 1)) for name in names()}
    found = {**written, "contract": CONTRACT_JOB}
    for folder in ("docs", "benchmarks", "pipelines"):
        for path in sorted((REPOSITORY / folder).rglob("*.yaml")):
            found[str(path.relative_to(REPOSITORY))] = path.read_text(encoding="utf-8")
    return found


def test_every_shipped_job_file_is_valid(tmp_path: Path) -> None:
    """Each is read as a user's would be; the number says that none was overlooked."""
    seen: dict[str, Job] = {}
    for number, (name, text) in enumerate(shipped_jobs().items()):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text, encoding="utf-8")
        seen[name] = load_job(path)

    assert len(seen) == 1 + len(names())
    assert all(len(job.modalities) == 5 for job in seen.values())
    assert all(isinstance(job.output, ParquetSinkSpec) for job in seen.values())
