#!/bin/sh
# How ingest gains from a second worker: the clips that ingest.sh made, several times over, with one worker, with two, and, for what
# the machine has to give, by two processes of one worker each on half of the clips; interleaved. JSON lines; the last one has the
# ratios of the medians. The slowest clip takes twenty times as long as the fastest and is the last: the end, where one worker has
# nothing left to do, weighs less the more copies there are.
#
# usage: ingest_workers.sh AVBALANCE DIR_OF_CLIPS [ROUNDS] [COPIES]
set -eu
avbalance=$1 clips=$2 rounds=${3:-3} copies=${4:-16}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
clips=$(cd "$clips" && pwd)
manifest() { # FIRST_COPY LAST_COPY FILE
    echo id,media,label,split >"$3"
    for i in $(seq "$1" "$2"); do
        for f in "$clips"/*.mp4; do echo "$(basename "$f" .mp4)-$i,$f,any,train"; done
    done >>"$3"
}
manifest 1 "$copies" "$work/all.csv"
manifest 1 $((copies / 2)) "$work/half-1.csv"
manifest $((copies / 2 + 1)) "$copies" "$work/half-2.csv"
n=$(($(wc -l <"$work/all.csv") - 1))

ingest() { # MANIFEST STORE WORKERS
    "$avbalance" ingest "$1" -o "$2" --val-share 0 --workers "$3" -q --progress=none >"$2.out"
}
halves() {
    ingest "$work/half-1.csv" "$work/store-1" 1 &
    ingest "$work/half-2.csv" "$work/store-2" 1
    wait $!
}
seconds() { # COMMAND...: wall time
    rm -rf "$work"/store*
    begin=$(date +%s.%N)
    "$@"
    end=$(date +%s.%N)
    awk "BEGIN { printf \"%.3f\n\", $end - $begin }"
}
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

for i in $(seq "$rounds"); do
    seconds ingest "$work/all.csv" "$work/store" 1 >>"$work/1"
    seconds ingest "$work/all.csv" "$work/store" 2 >>"$work/2"
    seconds halves >>"$work/halves"
done
one=$(median "$work/1") two=$(median "$work/2") halves=$(median "$work/halves")
echo "{\"bench\":\"ingest\",\"clips\":$n,\"workers\":1,\"seconds\":$one}"
echo "{\"bench\":\"ingest\",\"clips\":$n,\"workers\":2,\"seconds\":$two}"
echo "{\"bench\":\"ingest\",\"clips\":$n,\"processes\":2,\"seconds\":$halves}"
awk "BEGIN { printf \"{\\\"bench\\\":\\\"ingest\\\",\\\"speedup_of_two\\\":%.2f,\\\"speedup_of_two_processes\\\":%.2f}\\n\", \
    $one / $two, $one / $halves }"
