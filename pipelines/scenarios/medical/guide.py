"""The job file and the README that stand beside a medical data set."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.scenarios import guides
from pipelines.scenarios.layout import Partition
from pipelines.scenarios.medical.care import COSTS, TREATMENTS
from pipelines.scenarios.medical.labs import CATEGORICAL, NUMERIC, RESULTS, ROUTINE
from pipelines.scenarios.medical.world import TESTS

_JOB = """\
# The nightly job of the medical scenario: every patient's scan, note, sound of breath, labs and vital signs become one
# vector, a diagnosis with its probability, and what to do next. Synthetic data: not for patients.
# `amalgam plan job.yaml --date {date}` checks it; `amalgam kinds` lists what may stand here.
job: medical

input:
  path: data/date={{date}}            # {{date}} is the day given with --date
  key: patient_id                   # unique within a night
  event_timestamp: event_time

modalities:                         # small networks, learned from data/history by `amalgam train`
  scan:   {{type: image, column: scan, encoder: {{kind: cnn}}}}          # PNG, JPEG bytes
  note:   {{type: text, column: note, encoder: {{kind: rnn}}}}
  breath: {{type: audio, column: breath, encoder: {{kind: audio_cnn}}}}  # WAV, FLAC bytes
  labs:
    type: tabular
    numeric: [{numeric}]
    categorical: [{categorical}]
    encoder: {{kind: table}}
  vitals: {{type: series, column: vitals, encoder: {{kind: rnn_series}}}}  # list of structs

fusion: {{kind: concat, dim: 128}}

heads:
  diagnosis:                        # says so (low_confidence) where the largest of four probabilities is below 0.6
    kind: classifier
    label: diagnosis
    abstain_below: 0.6
  next:                             # order a test, which costs and is seen in the labs from then on; or treat
    kind: q_learning                # policy_gradient takes the same columns
    action: action
    reward: reward
    propensity: propensity
    allowed: allowed
    episode: patient_id
    step: step
    terminated: terminated
    truncated: truncated
    gamma: 0.95
    epsilon: 0.02                   # what is never tried cannot be judged later; what is tried at random costs
    learner: {{tau: 0.05}}
    publish: always                 # `if_better`, the default, asks the log: a few thousand rows cannot tell

training:
  path: data/history/*.parquet
  split: {{by: patient_id, held_out: 0.2}}     # all rows of a patient stand on one side
  encoders: {{kind: labels, share: 0.35}}      # of the other patients; fusion and heads learn from the rest

output: {{path: out}}
quarantine: {{max_fraction: 0.01}}    # more rows without a key or without anything usable stop the run
workers: {{address: local}}
"""

_README = """\
# Medical: a data set drawn from seed {seed}

Patients with a cough. Each has one of four diagnoses, which makes some signs likely, and each modality shows some of
the signs. **Synthetic**: no number in it is a finding about people, and no model trained on it may be used for any.

| column | what it is | what it shows, with noise |
|---|---|---|
| `scan` | a chest film: PNG, JPEG; 96 to 144 pixels | opacity (clouds in the lungs), heart (its width) |
| `note` | 14 to 51 words with negations, abbreviations, typos | fever, strain, wheeze |
| `breath` | WAV, FLAC; 8 to 48 kHz; mono, stereo | wheeze (tones), crackle (clicks) |
| labs (below) | numbers and categories, many of them absent | fever, strain; the results of tests, once ordered |
| `vitals` | series: time, heart rate, breaths, oxygen, temperature | strain (breaths), fever (temperature) |

The labs are
{labs}.
3 to 10 % of each modality are absent{damaged}.

    data/history/         {history} rows with diagnoses and logged decisions; 1 to 5 steps of a patient, 4 hours apart
{nights}
    truth/                what the pipeline must never read

`allowed` lists what may be done:

- each test once: {tests};
  it costs {costs}, and its result stands in the labs from the next step on: {results};
- each treatment: {treatments};
  it ends the episode, with a reward that depends on the diagnosis.

The history's further columns: `step`, the label `diagnosis`, and what was logged: `action`, its probability
`propensity` (never below 0.03), its `reward`, `terminated` where the patient was treated, and `truncated` where the
patient was sent elsewhere before. A reward that comes a step later counts 0.95 of what it would now.

## truth/

- `rows/<partition>/<file>`: row for row the diagnosis, the signs, what every test shows or would show, the probability
  of each diagnosis for who knows all that the modalities show, and what each action brings in this step.
- `damage.parquet`: every damaged record with the code that a run must report for it.
- `best.json`: scores of the best predictors there can be (exact posteriors): of one that knows exactly what all
  modalities show, of one for each modality alone; the value of the logging policy (by simulation) and of the best one
  (by dynamic programming). Not reachable in full: reading a film or a sound loses something, and so does learning.

The value of any other policy: `pipelines.scenarios.simulate.simulate`, which shows it patients and does what it says.

Next: `amalgam fit job.yaml`, `amalgam train job.yaml`, `amalgam evaluate job.yaml`,
`amalgam run job.yaml --date {date}`.
"""


def job_yaml(parts: Sequence[Partition]) -> str:
    """The job file, with comments."""
    return guides.job_yaml(_JOB, parts, NUMERIC, CATEGORICAL)


def readme(parts: Sequence[Partition], seed: int, damaged: bool) -> str:
    """The README of a data set of these partitions (the history first)."""
    return guides.readme(
        _README,
        parts,
        seed,
        damaged,
        "patients",
        "are there",
        labs=guides.listed((*ROUTINE, *CATEGORICAL)),
        tests=guides.listed(TESTS),
        treatments=guides.listed(TREATMENTS),
        costs=f"{COSTS.min()} to {COSTS.max()}",
        results=guides.listed(RESULTS),
    )
