#!/bin/sh
# scores.sh BUILD [ROWS [ROUNDS]]: heatmap and split of a table of 10^7 rows beside `wc -l` and `cut`; the tables stay in BUILD.
set -eu
build=$1
shift
LC_ALL=C "$build/bench/bench_scores" "$build/avbalance" "$build/bench/scores" "$@"
