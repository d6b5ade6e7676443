#!/bin/sh
# The training step of avbalance beside PyTorch's, in turn: A B A B ..., so that both meet the same machine.
#
# usage: step.sh BENCH_STEP OUT.jsonl [ROUNDS [STEPS [SHAPE:BATCH ...]]]
# TYPES ("f32 bf16"), LAYOUTS ("cl nchw"), MALLOCS ("je libc") cut the comparison down. Needs python3-torch, python3-torchvision,
# libopenblas0-pthread and libjemalloc2; a PyTorch with the reference BLAS or glibc's malloc alone is not a fair peer.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bench=$1 out=$2 rounds=${3:-3} steps=${4:-5}
shift; shift
[ $# -gt 0 ] && shift
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- 3x224x224:32 3x64x64:64 1x64x64:64 1x257x299:32
python=${PYTHON:-/usr/bin/python3}
jemalloc=$(ls /usr/lib/*/libjemalloc.so.2 2>/dev/null | head -n 1)
[ -n "$jemalloc" ] || echo "step.sh: libjemalloc2 is missing; PyTorch runs with glibc's malloc only" >&2
export OMP_NUM_THREADS=2 OPENBLAS_NUM_THREADS=2
je=thp:always,metadata_thp:always,dirty_decay_ms:-1,muzzy_decay_ms:-1

note() { sed "s/^{/{\"round\":$round,/" >>"$out"; }

round=1
while [ "$round" -le "$rounds" ]; do
    for cell; do
        shape=${cell%:*} batch=${cell#*:}
        for type in ${TYPES:-f32 bf16}; do
            for layout in ${LAYOUTS:-cl nchw}; do
                for malloc in ${MALLOCS:-je libc}; do
                    if [ "$malloc" = libc ]; then
                        "$python" "$here/peer/step_torch.py" "$shape" "$batch" "$type" "$layout" "$steps" | note
                    elif [ -n "$jemalloc" ]; then
                        LD_PRELOAD=$jemalloc MALLOC_CONF=$je \
                            "$python" "$here/peer/step_torch.py" "$shape" "$batch" "$type" "$layout" "$steps" | note
                    fi
                done
                "$bench" "$shape" "$batch" "$type" "$steps" | note
            done
        done
    done
    round=$((round + 1))
done
"$python" "$here/peer/step_report.py" "$out"
