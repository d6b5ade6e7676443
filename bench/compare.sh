#!/bin/sh
# compare beside the same trainings in PyTorch, in turn: ours, torch, ours, ..., so that both meet the same machine.
#
# usage: compare.sh BUILD STORE RECIPE OUT [ROUNDS]
#
# METHODS (concat,ogm-ge,tmc), SEEDS (3), JOBS (the processors) runs at once; SET: overrides of the recipe, as "train.epochs=3
# ogm-ge.alpha=0.8". Ours has one thread per run. PyTorch is run both ways: as ours, and run after run with all processors (TORCH: "packed
# serial"), with channels last (LAYOUT: cl, nchw) and jemalloc where it is installed. Both sides start from the same weights and see the
# clips in the same order; grey frames, float32, selection of the last epoch; methods of bench/peer/methods_torch.py.
# Into OUT go times.jsonl, the folder of the last round, and torch.jsonl. Needs python3-torch, -torchvision, -scipy, -yaml.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd) store=$2 recipe=$3 out=$4 rounds=${5:-3}
methods=${METHODS:-concat,ogm-ge,tmc} seeds=${SEEDS:-3} jobs=${JOBS:-$(nproc)}
python=${PYTHON:-/usr/bin/python3}
export AVB_LAYOUT="${LAYOUT:-cl}"
jemalloc=$(find /usr/lib -name libjemalloc.so.2 2>/dev/null | head -n 1)
[ -n "$jemalloc" ] || echo "compare.sh: libjemalloc2 is missing; PyTorch runs with glibc's malloc only" >&2
mkdir -p "$out"
rm -f "$out/times.jsonl"
set --
for key in ${SET:-}; do set -- "$@" --set "$key"; done

round=1
while [ "$round" -le "$rounds" ]; do
    rm -rf "$out/runs"
    "$python" "$here/peer/measure.py" avbalance "$build/avbalance" compare "$store" -r "$recipe" -m "$methods" --seeds "$seeds" \
        -j "$jobs" --run-threads 1 -o "$out/runs" -q "$@" >>"$out/times.jsonl"
    if [ "$round" = 1 ]; then # the first weights of every run, outside the time
        for run in "$out"/runs/*-seed*; do
            name=${run##*/} method=$(sed -n 's/^# method: //p' "$run/recipe.yaml")
            rm -rf "$out/first/$name"
            mkdir -p "$out/first/$name"
            grep -v '^#' "$run/recipe.yaml" >"$out/first/$name/recipe.yaml"
            "$build/tests/train/steps_tool" "$store" "$method" "$out/first/$name/recipe.yaml" 1 "$out/first/$name" >/dev/null
        done
    fi
    for way in ${TORCH:-packed serial}; do
        if [ "$way" = packed ]; then n=$jobs threads=1; else n=1 threads=$(nproc); fi
        LD_PRELOAD=$jemalloc MALLOC_CONF=thp:always,metadata_thp:always,dirty_decay_ms:-1,muzzy_decay_ms:-1 \
            OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=$threads "$python" "$here/peer/measure.py" "torch $way" \
            "$python" "$here/peer/compare_torch.py" "$store" "$out/runs" "$out/first" "$n" "$threads" "$out/torch.jsonl" \
            >>"$out/times.jsonl"
    done
    round=$((round + 1))
done
"$python" "$here/peer/compare_report.py" "$out/times.jsonl" "$out/runs" "$out/torch.jsonl"
