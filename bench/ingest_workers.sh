#!/bin/sh
# How ingest gains from a second worker: the clips that ingest.sh made, several times over, with one and with two workers, interleaved.
# JSON lines; the last one has the ratio of the medians.
#
# usage: ingest_workers.sh AVBALANCE DIR_OF_CLIPS [ROUNDS] [COPIES]
set -eu
avbalance=$1 clips=$2 rounds=${3:-5} copies=${4:-8}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
clips=$(cd "$clips" && pwd)
{
    echo id,media,label,split
    for i in $(seq "$copies"); do
        for f in "$clips"/*.mp4; do echo "$(basename "$f" .mp4)-$i,$f,any,train"; done
    done
} >"$work/manifest.csv"
n=$(($(wc -l <"$work/manifest.csv") - 1))

seconds() { # WORKERS: wall time of one ingest
    rm -rf "$work/store"
    begin=$(date +%s.%N)
    "$avbalance" ingest "$work/manifest.csv" -o "$work/store" --val-share 0 --workers "$1" -q --progress=none >"$work/out"
    end=$(date +%s.%N)
    awk "BEGIN { printf \"%.3f\n\", $end - $begin }"
}
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

for i in $(seq "$rounds"); do
    seconds 1 >>"$work/1"
    seconds 2 >>"$work/2"
done
one=$(median "$work/1") two=$(median "$work/2")
echo "{\"bench\":\"ingest\",\"clips\":$n,\"workers\":1,\"seconds\":$one}"
echo "{\"bench\":\"ingest\",\"clips\":$n,\"workers\":2,\"seconds\":$two}"
awk "BEGIN { printf \"{\\\"bench\\\":\\\"ingest\\\",\\\"speedup_of_two\\\":%.2f}\\n\", $one / $two }"
