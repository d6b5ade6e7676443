#!/bin/sh
# run.sh BUILD [OUT]: every benchmark that needs nothing but the build: JSON lines on stdout, and in OUT where it is given.
# With ffmpeg installed also ingest beside it. `sh run.sh peer` sets them beside PyTorch.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$1 out=${2:-/dev/null}
{
    for cell in 3x224x224:32 3x64x64:64 1x64x64:64 1x257x299:32; do
        for type in f32 bf16; do
            "$build/bench/bench_step" "${cell%:*}" "${cell#*:}" "$type" 7
        done
    done
    for size in 224 256; do
        for type in f32 bf16; do "$build/bench/bench_slowfast" "$size" "$type" 5; done
    done
    "$build/tests/engine/test_engine_ops" --bench
    if command -v ffmpeg >/dev/null 2>&1; then
        sh "$here/ingest.sh" "$build/bench/bench_decode" "$build/bench/clips" 5
        sh "$here/ingest_workers.sh" "$build/avbalance" "$build/bench/clips"
        sh "$here/clip.sh" "$build/avbalance" "$build/bench/videos"
    fi
} | tee "$out"
