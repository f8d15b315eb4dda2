"""The job file and the README that stand beside a finance data set."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.scenarios import guides
from pipelines.scenarios.finance.accounts import CATEGORICAL, NUMERIC
from pipelines.scenarios.layout import Partition

_JOB = """\
# The nightly job of the finance scenario: every firm's statement, news, call, accounts and transactions become one
# vector, two scores and a decision on its credit limit. `amalgam plan job.yaml --date {date}` checks it;
# `amalgam kinds` lists what may stand here. Not for decisions on people: read docs/scenarios/finance.md first.
job: finance

input:
  path: data/date={{date}}            # {{date}} is the day given with --date
  key: firm_id                      # unique within a night
  event_timestamp: event_time

modalities:                         # each encoder is trained on a part of the history's firms, then frozen
  document:                         # JPEG, PNG, WebP, TIFF bytes; the whole page, which hardly moves from scan to scan
    type: image
    column: document
    fit: stretch
    encoder: {{kind: cnn, shift: 0.06}}
  news:                             # few texts teach it, so it is small and much is left out at random
    type: text
    column: news
    encoder: {{kind: rnn, vocabulary: 700, hidden: 32, dropout: 0.5, token_dropout: 0.3}}
  call:         {{type: audio, column: call, encoder: {{kind: audio_cnn}}}}    # WAV, FLAC bytes
  accounts:
    type: tabular
    numeric: [{numeric}]
    categorical: [{categorical}]
    encoder: {{kind: table}}
  transactions: {{type: series, column: transactions, encoder: {{kind: rnn_series}}}}

fusion: {{kind: concat, dim: 128}}    # what a firm owes and has adds up, so nothing is averaged

heads:                              # trained on data/history: two on labels, one on logged decisions
  default:     {{kind: classifier, label: defaulted}}
  utilisation: {{kind: regressor, label: utilisation}}
  limit:                            # every decision stands for itself; policy_gradient takes the same columns
    kind: q_learning
    action: limit_action
    reward: profit
    propensity: propensity
    allowed: allowed                # a list of decisions, in the nightly input too
    epsilon: 0.02                   # what is never tried cannot be judged later; what is tried at random costs

training:
  path: data/history/*.parquet
  split: {{by: firm_id, held_out: 0.2}}       # all quarters of a firm stand on one side

output: {{path: out}}
quarantine: {{max_fraction: 0.01}}    # more rows without a key or without anything usable stop the run
workers: {{address: local}}
"""

_README = """\
# Finance: a data set drawn from seed {seed}

Small firms with a credit line. Each shows five things, and hides what they come from. Nothing here is real, and nothing
that is learned from it may decide on anybody's credit.

| column | what it is | what it shows, with noise |
|---|---|---|
| `document` | a scan of a statement: JPEG, PNG, WebP, TIFF | stability (bars), collateral (seal, table) |
| `news` | 5 to 200 words of news and posts in four scripts, with typos and emoji | stress of the sector, character |
| `call` | a telephone call: WAV, FLAC; 8 to 48 kHz | pressure (tense voice), character (open or evasive) |
| {accounts} | the accounts | pressure (debts), stability, collateral |
| `transactions` | of 90 days: time, amount and balance (EUR), days late | pressure (balance), character (delay) |

3 to 10 % of each are absent{damaged}.

    data/history/         {history} rows with labels and logged decisions; 1 to 4 quarters of a firm
{nights}
    truth/                what the pipeline must never read

`allowed` says which decisions on the limit may be taken (`decline`, `keep`, `raise_small`, `raise_large`; the last one
not for firms in review class `watch`, nor without accounts). The history's further columns: `quarter`, the labels
`defaulted` (within 12 months) and `utilisation` (% of the line, next quarter), and the decision that was logged:
`limit_action`, its probability `propensity` (never below 0.05), and the `profit` that followed (hundreds of EUR). Each
decision stands for itself.

## truth/

- `rows/<partition>/<file>`: row for row the hidden factors, the default probability and expected utilisation that
  follow from them, and the expected profit of every decision.
- `damage.parquet`: every damaged record with the code that a run must report for it.
- `best.json`: the scores of the best predictors there can be: of one that knows exactly what all modalities show,
  of one for each modality alone, and the value of the logging policy and of the best one. Not reachable in full:
  reading a scan or a voice loses something, and so does learning from few rows.

Next: `amalgam train job.yaml`, `amalgam evaluate job.yaml`, `amalgam run job.yaml --date {date}`.
"""


def job_yaml(parts: Sequence[Partition]) -> str:
    """The job file, with comments."""
    return guides.job_yaml(_JOB, parts, NUMERIC, CATEGORICAL)


def readme(parts: Sequence[Partition], seed: int, damaged: bool) -> str:
    """The README of a data set of these partitions (the history first)."""
    accounts = guides.listed((*NUMERIC, *CATEGORICAL))
    return guides.readme(_README, parts, seed, damaged, "firms", accounts=accounts)
