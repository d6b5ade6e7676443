#!/bin/sh
# The speed of SlowFast and of the training step against PyTorch, as `run.sh peer` calls it. AVB_BUILD: the folder of the build. A report,
# not a test: it fails only if a program does. AVB_STEP_ROUNDS and AVB_STEP_STEPS (3 and 5) set how long it takes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bench=${AVB_BUILD:?the folder of the build}/bench/bench_step
/usr/bin/python3 -c "import torch, torchvision" 2>/dev/null || { echo "no PyTorch here"; exit 77; }
[ -x "$bench" ] || { echo "$bench is not built (AVB_BENCH=ON)"; exit 77; }
out=$AVB_BUILD/step.jsonl
rm -f "$out"
for size in 224 256; do
    "${bench%step}slowfast" "$size" f32 5
    OMP_NUM_THREADS=1 /usr/bin/python3 "$here/slowfast_torch.py" "$size" f32 5
done
"$here/../step.sh" "$bench" "$out" "${AVB_STEP_ROUNDS:-3}" "${AVB_STEP_STEPS:-5}"
