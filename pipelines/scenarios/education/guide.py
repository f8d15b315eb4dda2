"""The job file and the README that stand beside an education data set."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.scenarios import guides
from pipelines.scenarios.education.grades import CATEGORICAL, NUMERIC
from pipelines.scenarios.layout import Partition

_JOB = """\
# The nightly job of the education scenario: every pupil's answer, essay, speech, grades and practice become one vector,
# two scores and a suggestion for the next course. `amalgam plan job.yaml --date {date}` checks it; `amalgam kinds`
# lists what may stand here. Not for grading or placing anybody: read docs/scenarios/education.md first.
job: education

input:
  path: data/date={{date}}            # {{date}} is the day given with --date
  key: pupil_id                     # unique within a night
  event_timestamp: event_time

modalities:                         # each encoder is trained on a part of the history's pupils, then frozen
  answer:   {{type: image, column: answer, fit: stretch, encoder: {{kind: cnn}}}}    # JPEG, PNG, WebP bytes
  essay:    {{type: text, column: essay, encoder: {{kind: rnn}}}}
  speech:   {{type: audio, column: speech, encoder: {{kind: audio_cnn}}}}            # WAV, FLAC bytes
  grades:
    type: tabular
    numeric: [{numeric}]
    categorical: [{categorical}]
    encoder: {{kind: table}}
  activity: {{type: series, column: activity, encoder: {{kind: rnn_series}}}}

fusion: {{kind: concat, dim: 128}}    # what is seen of a pupil in different places adds up, so nothing is averaged

heads:                              # learned from the labels and the logged decisions of data/history
  mastered:   {{kind: classifier, label: mastered}}
  next_score: {{kind: regressor, label: next_score}}
  course:                           # gain of each course and of all that follow it is predicted; the largest is taken
    kind: q_learning
    action: course
    reward: gain
    propensity: propensity
    allowed: allowed
    episode: pupil_id
    step: step
    terminated: terminated          # graduated; other last rows are cut off by the end of the term
    gamma: 0.9
    epsilon: 0.02
    learner: {{steps: 800, tau: 0.05}}          # few rows: longer training learns them by heart
  course_gradient:                  # the same decision by a policy that is learned itself
    kind: policy_gradient
    action: course
    reward: gain
    propensity: propensity
    allowed: allowed
    episode: pupil_id
    step: step
    terminated: terminated
    gamma: 0.9
    epsilon: 0.02
    learner: {{steps: 800}}

training:
  path: data/history/*.parquet
  split: {{by: pupil_id, held_out: 0.2}}       # all courses of a pupil stand on one side

output: {{path: out}}
quarantine: {{max_fraction: 0.01}}    # more rows without a key or without anything usable stop the run
workers: {{address: local}}
"""

_README = """\
# Education: a data set drawn from seed {seed}

Pupils between two courses. Each shows five things, and hides what they come from. Nothing here is real, and nothing
that is learned from it may grade or place a pupil.

| column | what it is | what it shows, with noise |
|---|---|---|
| `answer` | a photo of a marked sheet: JPEG, PNG, WebP; 96 to 160 pixels | skill (right lines), care (the hand) |
| `essay` | 25 to 140 words in four scripts, with mistakes | language (vocabulary), reasoning (conjunctions) |
| `speech` | a spoken answer: WAV, FLAC; 8 to 48 kHz; mono, stereo | fluency (tempo, pauses), confidence (voice) |
| {grades} | the grades | a little of skill, language, diligence |
| `activity` | practice of 60 days: time, duration (s), items, shares | diligence (rhythm), forgetting (repetitions) |

3 to 8 % of each are absent{damaged}.

    data/history/         {history} rows with labels and logged decisions; up to 4 courses of a pupil, two weeks apart
{nights}
    truth/                what the pipeline must never read

`allowed` says which courses may be chosen: `remedial`, `practice`, `project`, and `advance` (not at the level
`foundation`). The history's further columns: `step`, the labels `mastered` (passes the test of mastery now) and
`next_score` (points in the next test), and the decision that was logged: `course`, its probability `propensity` (never
below 0.07), and the `gain` that followed (points learned minus what the course costs). A course changes the pupil, and
the rows of his later steps show it. `terminated`: graduated, by a project; `truncated`: the term ended, and what would
have followed is not known.

## truth/

- `rows/<partition>/<file>`: row for row the hidden factors, the chance of mastery and the score expected,
  `gain_<course>`, the expected gain of every course, and `value_<course>`, that with all that follows (discounted by
  0.9 per course) for who knows the factors and chooses the best ever after.
- `damage.parquet`: every damaged record with the code that a run must report for it.
- `best.json`: the scores of the best predictors there can be: of one that knows exactly what all modalities show,
  of one for each modality alone; and what policies are worth: the logging policy, the best one that sees one record at
  a time, one that knows the factors (`oracle`, the bound of all), and one that looks at the next gain only. Not
  reachable in full: reading a sheet or a voice loses something, and so does learning from few rows.

Next: `amalgam fit job.yaml`, `amalgam train job.yaml`, `amalgam evaluate job.yaml`,
`amalgam run job.yaml --date {date}`.
"""


def job_yaml(parts: Sequence[Partition]) -> str:
    """The job file, with comments."""
    return guides.job_yaml(_JOB, parts, NUMERIC, CATEGORICAL)


def readme(parts: Sequence[Partition], seed: int, damaged: bool) -> str:
    """The README of a data set of these partitions (the history first)."""
    grades = guides.listed((*NUMERIC, *CATEGORICAL))
    return guides.readme(_README, parts, seed, damaged, "pupils", grades=grades)
