"""The job file and the README that stand beside a retail data set."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.scenarios import guides
from pipelines.scenarios.layout import Partition
from pipelines.scenarios.retail.profile import CATEGORICAL, NUMERIC

_JOB = """\
# The nightly job of the retail scenario: every customer's photo, review, voice note, profile and visits become one
# vector, two scores and an offer.
# `amalgam plan job.yaml --date {date}` checks it; `amalgam kinds` lists what may stand here.
job: retail

input:
  path: data/date={{date}}            # {{date}} is the day given with --date
  key: customer_id                  # unique within a night
  event_timestamp: event_time

modalities:                         # small networks, learned from data/history by `amalgam train`
  photo:   {{type: image, column: photo, encoder: {{kind: cnn}}}}      # JPEG, PNG, WebP bytes
  review:  {{type: text, column: review, encoder: {{kind: rnn}}}}
  call:    {{type: audio, column: call, encoder: {{kind: audio_cnn}}}} # WAV, FLAC bytes
  profile:
    type: tabular
    numeric: [{numeric}]
    categorical: [{categorical}]
    encoder: {{kind: table}}
  visits:  {{type: series, column: visits, encoder: {{kind: rnn_series}}}}

fusion: {{kind: weighted_sum, dim: 128}}

heads:                              # trained on data/history: two on labels, one on logged decisions
  churn: {{kind: classifier, label: churned}}
  spend: {{kind: regressor, label: spend_next_30d}}
  offer:                            # every decision stands for itself; policy_gradient takes the same columns
    kind: q_learning
    action: offer
    reward: revenue
    propensity: propensity
    allowed: allowed                # a list of offers, in the nightly input too
    epsilon: 0.02                   # what is never tried cannot be judged later; what is tried at random costs

training:
  path: data/history/*.parquet
  split: {{by: customer_id, held_out: 0.2}}    # all rows of a customer stand on one side

output: {{path: out}}
quarantine: {{max_fraction: 0.01}}    # more rows without a key or without anything usable stop the run
workers: {{address: local}}
"""

_README = """\
# Retail: a data set drawn from seed {seed}

Customers of a shop. Each shows five things, and hides what they come from.

| column | what it is | what it shows, with noise |
|---|---|---|
| `photo` | a product photo: JPEG, PNG, WebP; 96 to 160 pixels | tastes (hue, pattern), a little wealth, the product |
| `review` | 5 to 200 words in four scripts, with typos and emoji | mood, loyalty, the tastes again, the product |
| `call` | a voice note: WAV, FLAC; 8 to 48 kHz; mono, stereo | mood (brightness of the voice), haste (tempo, breath) |
| {profile} | the profile | wealth, loyalty |
| `visits` | visits of the last 60 days: time, duration (s), pages, amount (EUR) | loyalty (rhythm), intent (amounts) |

3 to 10 % of each are absent{damaged}.

    data/history/         {history} rows with labels and logged decisions; 1 to 4 steps of a customer, 30 days apart
{nights}
    truth/                what the pipeline must never read

`allowed` lists the offers that may be made. The history's further columns: `step`, the labels `churned` and
`spend_next_30d` (EUR, net of returns), and the decision that was logged: `offer` out of `allowed`, its probability
`propensity` (never below 0.05), the `revenue` that followed (EUR), and `terminated` at a customer's last step. An offer
changes the revenue of its own step only.

## truth/

- `rows/<partition>/<file>`: row for row the hidden factors, the churn probability and expected spend that follow from
  them, and the expected revenue of every offer.
- `damage.parquet`: every damaged record with the code that a run must report for it.
- `best.json`: the scores of the best predictors there can be: of one that knows exactly what all modalities show,
  of one for each modality alone, and the value of the logging policy and of the best one. Not reachable in full:
  reading a photo or a voice loses something, and so does learning from few rows.

Next: `amalgam fit job.yaml`, `amalgam train job.yaml`, `amalgam evaluate job.yaml`,
`amalgam run job.yaml --date {date}`.
"""


def job_yaml(parts: Sequence[Partition]) -> str:
    """The job file, with comments."""
    return guides.job_yaml(_JOB, parts, NUMERIC, CATEGORICAL)


def readme(parts: Sequence[Partition], seed: int, damaged: bool) -> str:
    """The README of a data set of these partitions (the history first)."""
    profile = guides.listed((*NUMERIC, *CATEGORICAL))
    return guides.readme(_README, parts, seed, damaged, "customers", profile=profile)
