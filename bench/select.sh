#!/bin/sh
# select.sh BUILD [ROWS [ROUNDS]]: select on a table of 10^6 rows, file to file, beside `cat`, and its solver alone; the table stays in BUILD.
set -eu
build=$1
shift
LC_ALL=C "$build/bench/bench_select" "$build/avbalance" "$build/bench" "$@"
