"""Faults of the matrix, asked of the plain job: each really runs it, and tells what was seen."""

from __future__ import annotations

import itertools
import random
import resource
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.faults.forks import Ended, beside, forked
from benchmarks.plain.lab import ROWS, Lab, State, ending, first_line, torn_views
from benchmarks.plain.sabotage import kill_at, png, poison_model, slow_model
from tests.pipelines.tiny_jobs import records

FLIPS = 100
RERUNS = 5
BOMB_MEGABYTES = 50  # a refused bomb may cost no more: the limit of the fault matrix


@dataclass(frozen=True)
class Finding:
    """What a fault did to the plain job."""

    fault: str
    asked: str
    happened: str
    verdict: str
    """One of the four below."""


SOUND = "sound"
"""After a rerun where that was allowed, the output is what the oracle wants, and readers saw nothing else meanwhile."""
REFUSED = "refused"
"""The run fails, and nothing that is wrong is published."""
WRONG = "wrong"
"""A run ends well, and what is published is not what the oracle wants; or readers saw what was neither old nor new."""
STUCK = "stuck"
"""No rerun can end well."""


CASES: dict[str, Callable[[Lab], Finding]] = {}
"""Number of the fault -> how it is asked."""

NOT_ASKED = {
    "F02, F05–F12": "no actors, attempts or GPU: the model lives in the job's own process (see F01, F03)",
    "F14, F17, F18, F22, F24": "no atomic step, lease, commit record, preflight or date of its own",
    "F19": "the local file system alone is asked here",
    "F30, F34, F35, F37–F40": "what the user's own code does with such a value",
    "F41": "needs an input of more than 2 GiB",
}
"""What the plain job has no counterpart for, and why."""


def case(fault: str) -> Callable[[Callable[[Lab], Finding]], Callable[[Lab], Finding]]:
    """Register a case under its number."""

    def register(function: Callable[[Lab], Finding]) -> Callable[[Lab], Finding]:
        CASES[fault] = function
        return function

    return register


@case("F01")
def model_killed(lab: Lab) -> Finding:
    """The process that holds the model is killed once, then the command runs again."""
    first = lab.run(kill_at("benchmarks.plain.job:Encode.run_inference", 2))
    return _after_rerun("F01", "kill -9 while the model works, then rerun", lab, first)


@case("F03")
def poison(lab: Lab) -> Finding:
    """One record makes the model segfault."""
    ends = [lab.run(poison_model) for _ in range(3)]
    told = f"every run {ending(ends[-1])}; no run can end, and nothing says which record it is"
    return Finding("F03", "a record that makes the model segfault; 3 runs", f"{told}; {lab.state()}", STUCK)


@case("F04")
def killed_while_writing(lab: Lab) -> Finding:
    """Kills around closing, deleting the old shards, and renaming; old rows stand when the run begins."""
    targets = [
        ("apache_beam.io.parquetio:_ParquetSink.close", 1),
        ("os:rename", 2),  # the second of four shards is put in place
        ("apache_beam.io.filesystems:FileSystems.delete", 1),  # of what is left of the temporary folder
    ]
    between, after = [], []  # of each kill: the folder, and its part files alone
    for number, ((target, call), late) in enumerate(itertools.product(targets, (False, True))):
        trial = _with_old_rows(lab, f"kill-{number}")
        first = trial.run(kill_at(target, call, late))
        assert first.killed, ending(first)
        between.append((trial.state(), trial.state(alone=True)))
        trial.run()
        after.append((trial.state(), trial.state(alone=True)))
    torn = [sum(not (state.sound or _all_old(state)) for state in states) for states in zip(*between, strict=True)]
    sound = [sum(state.sound for state in states) for states in zip(*after, strict=True)]
    told = (
        f"{len(after)} kills: until the rerun, the folder holds neither the old rows nor the new ones in {torn[0]} "
        f"(its part files alone: in {torn[1]}); after the rerun it is sound in {sound[0]} (its part files alone: in "
        f"{sound[1]}), because temporary files stay: {next(str(s) for s, _ in after if not s.sound)}"
    )
    return Finding("F04", "kill -9 at 6 moments of writing, then rerun", told, WRONG if any(torn) else SOUND)


@case("F13")
def disk_full(lab: Lab) -> Finding:
    """The kernel refuses to write more than 4 KB into a file."""
    trial = _with_old_rows(lab, "full")
    first = trial.run(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
    alone = trial.state(alone=True)
    meanwhile = "the part files are the old ones" if _all_old(alone) else str(alone)
    finding = _after_rerun("F13", "no more than 4 KB can be written to a file, then rerun", trial, first)
    return Finding(finding.fault, finding.asked, f"{finding.happened}; before the rerun: {meanwhile}", finding.verdict)


@case("F15")
def other_shard_count(lab: Lab) -> Finding:
    """The same night again with half as many shards."""
    lab.run(shards=4)
    second = lab.run(shards=2)
    return _finding("F15", "rerun with 2 shards instead of 4", lab, second)


@case("F16")
def two_at_once(lab: Lab) -> Finding:
    """Two runs of the same night started together, the second with other shards."""
    with beside(_run_when_told, lab) as other:
        first = lab.run(slow_model, shards=4)
        second = other()
    told = f"one {ending(first)}, the other {ending(second)}; {lab.state()}"
    return Finding("F16", "two runs at once, one with 4 shards, one with 3", told, _verdict(first, lab.state()))


@case("F20")
def flipped_bits(lab: Lab) -> Finding:
    """Single bits flipped in published parts, which pyarrow then reads as everyone does."""
    lab.run()
    noticed, wrong, harmless = forked(_flip, lab).value
    told = f"of {FLIPS}, {noticed} make the reader fail, {wrong} give other values silently, {harmless} change nothing"
    return Finding("F20", f"{FLIPS} single bits flipped in published parts", told, WRONG if wrong else SOUND)


@case("F21")
def leftovers(lab: Lab) -> Finding:
    """A run that died long ago left its temporary files; other rows are published afterwards."""
    lab.run(kill_at("apache_beam.io.filesystems:FileSystems.rename", 1))
    lab.write(records(100, 100 + ROWS))
    second = lab.run()
    return _finding("F21", "a dead run's temporary files, then a night of other rows", lab, second)


@case("F23")
def watched_rerun(lab: Lab) -> Finding:
    """Readers look on while new rows replace the old ones."""
    views, torn, verdicts = 0, Counter[str](), []
    for number in range(RERUNS):
        trial = _with_old_rows(lab, f"watched-{number}")
        with beside(torn_views, trial.out) as stop:
            second = trial.run()
            more, found = stop().value
        views, torn = views + more, torn + found
        mixed = any("mixture" in what for what in found)  # what raises is loud, and may be tried again
        verdicts.append(WRONG if mixed else _verdict(second, trial.state()))
    told = ", ".join(f"{number} of {what}" for what, number in sorted(torn.items())) or "none torn"
    asked = f"{RERUNS} reruns with new rows, two readers every 50 ms"
    return Finding("F23, V8", asked, f"{views} views: {told}", _worst(verdicts))


@case("F25")
def truncated_file(lab: Lab) -> Finding:
    """The second of two files lost its end."""
    path = _second(lab)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return _finding("F25", "one of two files truncated", lab, lab.run())


@case("F26")
def empty_file(lab: Lab) -> Finding:
    """The second of two files has no bytes."""
    _second(lab).write_bytes(b"")
    ended, state = lab.run(), lab.state()
    silent = ended.code == 0 and state.rows == ROWS // 2
    told = f"{ending(ended)}; {state}" + (", those of the other file alone" if silent else "")
    return Finding("F26", "one of two files with 0 bytes", told, WRONG if silent else REFUSED)


@case("F27")
def corrupt_page(lab: Lab) -> Finding:
    """A byte of a page with a checksum is changed, uncompressed so that decoding cannot notice."""
    table = records(ROWS // 2, ROWS)
    pq.write_table(table, _second(lab), compression="none", use_dictionary=False, write_page_checksum=True)
    content = _second(lab).read_bytes()
    altered = content.replace(b"bought 200 red", b"bought 200 rad", 1)
    _second(lab).write_bytes(altered)
    ended = lab.run()
    silent = ended.code == 0 and altered != content
    told = "the altered text is encoded as if it were right" if silent else "the page is refused"
    return Finding(
        "F27",
        "a letter changed in a page that has a checksum",
        f"{ending(ended)}: {told}",
        WRONG if silent else REFUSED,
    )


@case("F28")
def no_files(lab: Lab) -> Finding:
    """An interval without files."""
    for path in lab.inputs.glob("*.parquet"):
        path.unlink()
    return _finding("F28", "no file in the interval", lab, lab.run())


@case("F29")
def drift(lab: Lab) -> Finding:
    """The second file's schema differs, each time in another way."""
    told, verdicts = [], []
    for name, change in _DRIFTS.items():
        trial = lab.fresh(f"drift-{name.replace(' ', '-')}")
        pq.write_table(change(records(ROWS // 2, ROWS)), _second(trial))
        ended = trial.run()
        state = trial.state()
        told.append(f"{name}: {ending(ended)}" + (f", {state}" if ended.code == 0 else ""))
        verdicts.append(_verdict(ended, state))
    return Finding("F29", "the second file's schema differs", "; ".join(told), _worst(verdicts))


@case("F31")
def not_a_number(lab: Lab) -> Finding:
    """Three ages are NaN or infinite."""
    rows = records(0, ROWS)
    ages = rows["age"].to_pylist()
    ages[3], ages[5], ages[7] = float("nan"), float("inf"), float("-inf")
    lab.write(rows.set_column(2, "age", pa.array(ages)))
    return _finding("F31", "NaN and infinities in 3 rows", lab, lab.run())


@case("F32")
def repeated_keys(lab: Lab) -> Finding:
    """Ten records stand in both files."""
    lab.write(records(0, 160), records(150, ROWS))
    return _finding("F32", "10 keys in both files", lab, lab.run())


@case("F33")
def null_key(lab: Lab) -> Finding:
    """One key is null, one is empty."""
    rows = records(0, ROWS)
    keys = rows["id"].to_pylist()
    keys[3], keys[5] = None, ""
    lab.write(rows.set_column(0, "id", pa.array(keys, pa.string())))
    return _finding("F33", "a null key and an empty one", lab, lab.run())


@case("F36")
def image_bomb(lab: Lab) -> Finding:
    """One of the pictures is 13,000 x 13,000 white pixels in some KB."""
    peaks = []
    for name, pictures in {"small": [png(64)] * ROWS, "bomb": [png(64)] * (ROWS - 1) + [png(13_000)]}.items():
        trial = lab.fresh(name)
        trial.write(records(0, ROWS).append_column("photo", pa.array(pictures, pa.binary())))
        ended = forked(_peak_of, trial)
        peaks.append(ended.value)
    growth = (peaks[1][0] - peaks[0][0]) / 1e6
    told = f"{peaks[1][1]}; the peak of memory grows by {growth:,.0f} MB for {len(png(13_000)) / 1e3:,.0f} KB of PNG"
    return Finding("F36", "a PNG of 169 Mpx among small ones", told, SOUND if growth < BOMB_MEGABYTES else WRONG)


@case("F42")
def everything_bad(lab: Lab) -> Finding:
    """No picture can be decoded; old rows stand."""
    trial = _with_old_rows(lab, "bad")
    broken = pa.array([b"no picture"] * ROWS, pa.binary())
    trial.write(records(0, ROWS).append_column("photo", broken))
    return _finding("F42", "the picture of every row is broken", trial, trial.run(photos=True))


_DRIFTS: dict[str, Callable[[pa.Table], pa.Table]] = {
    "column added": lambda t: t.append_column("extra", t["age"]),
    "column missing": lambda t: t.drop_columns(["segment"]),
    "columns reordered": lambda t: t.select(t.column_names[::-1]),
    "int32 for float64": lambda t: t.set_column(2, "age", t["age"].cast(pa.int32())),
    "large_string": lambda t: t.set_column(1, "note", t["note"].cast(pa.large_string())),
    "text for a number": lambda t: t.set_column(2, "age", t["age"].cast(pa.string())),
}


def _after_rerun(fault: str, asked: str, lab: Lab, first: Ended) -> Finding:
    second = lab.run()
    state = lab.state()
    told = f"{ending(first)}; the rerun {ending(second)}; {state}"
    return Finding(fault, asked, told, _verdict(second, state))


def _finding(fault: str, asked: str, lab: Lab, ended: Ended) -> Finding:
    state = lab.state()
    return Finding(fault, asked, f"{ending(ended)}; {state}", _verdict(ended, state))


def _verdict(ended: Ended, state: State) -> str:
    if ended.code:
        return REFUSED if not state.rows or _all_old(state) else WRONG
    return SOUND if state.sound else WRONG


def _worst(verdicts: Iterable[str]) -> str:
    return max(verdicts, key=(SOUND, REFUSED, WRONG).index)


def _with_old_rows(lab: Lab, name: str) -> Lab:
    """A lab in which rows of an older input stand; half of their keys are gone from the new one."""
    trial = lab.fresh(name)
    trial.write(records(ROWS // 2, ROWS // 2 + ROWS))
    trial.run()
    trial.write(records(0, ROWS // 2), records(ROWS // 2, ROWS))
    return trial


def _all_old(state: State) -> bool:
    """Whether what stands is the older input of `_with_old_rows` and nothing else."""
    return (state.rows, state.foreign, state.temporary) == (ROWS, ROWS // 2, 0) and not state.doubled


def _run_when_told(wait: Callable[[], None], lab: Lab) -> None:
    from benchmarks.plain import job

    wait()
    job.run(lab.inputs, lab.parts, shards=3)


def _second(lab: Lab) -> Path:
    return sorted(lab.inputs.glob("*.parquet"))[-1]


def _flip(lab: Lab) -> tuple[int, int, int]:
    """Flips that a reader notices, that give other values, and that change nothing."""
    drawn = random.Random(0)
    parts = sorted(lab.parts.glob("*.parquet"))
    right = {path: pq.read_table(path) for path in parts}
    found = [0, 0, 0]
    for _ in range(FLIPS):
        path = drawn.choice(parts)
        content = bytearray(path.read_bytes())
        content[drawn.randrange(len(content))] ^= 1 << drawn.randrange(8)
        try:
            same = pq.read_table(pa.BufferReader(bytes(content))).equals(right[path])
            found[2 if same else 1] += 1
        except (pa.ArrowException, OSError, UnicodeDecodeError):
            found[0] += 1
    return found[0], found[1], found[2]


def _peak_of(lab: Lab) -> tuple[int, str]:
    """Peak memory of the run in bytes, and how it ended; in a process that has done nothing else."""
    from benchmarks.plain import job

    lab.parts.mkdir(parents=True, exist_ok=True)
    try:
        job.run(lab.inputs, lab.parts, photos=True)
        told = "ends well"
    except Exception as error:  # noqa: BLE001  # whatever the user's job dies of is what is told
        told = f"fails ({first_line(error)})"
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, told
