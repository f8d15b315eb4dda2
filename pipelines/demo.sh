#!/bin/sh
# The whole way on one machine: a retail data set, then fit, train, plan, run and evaluate on it.
set -eu
demo=${DEMO:-demo}
rows=${ROWS:-2000}
date=2026-11-23

step() { printf '\n$ %s\n' "$*"; "$@"; }

rm -rf "$demo"
step amalgam new "$demo" --scenario retail --rows "$rows" --nights 2
step amalgam fit "$demo/job.yaml"
# shellcheck disable=SC2086  # several options
step amalgam train "$demo/job.yaml" ${TRAIN_OPTIONS:-}
step amalgam plan "$demo/job.yaml" --date "$date"
step amalgam run "$demo/job.yaml" --date "$date"
step amalgam evaluate "$demo/job.yaml"
printf '\nPublished: %s\nReport:    %s\n' "$demo/out/features/date=$date" "$(ls "$demo"/out/runs/*/report.html)"
