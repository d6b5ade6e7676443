#!/bin/sh
# The training step beside PyTorch's and ingest beside the ffmpeg program's, interleaved. AVB_BUILD is the folder of the build.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
out=$AVB_BUILD/bench
rm -f "$out/step.jsonl"
sh "$here/step.sh" "$AVB_BUILD/bench/bench_step" "$out/step.jsonl" "${1:-3}"
sh "$here/ingest.sh" "$AVB_BUILD/bench/bench_decode" "$out/clips"
