# `make bench`: every speed and memory benchmark at its full size. All run, whatever the others say; ends with 0 if every
# aim is reached. Data, models and the peers' environment are kept in $BENCH.
status=0

bench() {
    echo "== benchmarks/$*"
    script=$1
    shift
    python "benchmarks/$script" "$@" || status=1
}

bench floor.py --rows 20000 --share 0.2 --data "$BENCH"        # 3 h
bench peers/run.py --rows 5000 --data "$BENCH"                 # 3 h, and the download of Daft
bench second_night.py --rows 50000 --data "$BENCH"             # 1.5 h
bench memory.py --rows 2000 --times 5 --modalities text,image  # 20 min
bench gpu.py --data "$BENCH"                                   # 10 min without a GPU
bench off_policy.py                                            # 15 min
exit $status
