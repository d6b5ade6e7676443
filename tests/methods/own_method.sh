#!/bin/sh
# own_method.sh OWN_METHOD STORE_TOOL: the example of a method outside the library trains, logs what it measures, and ends with the
# same bytes when it is killed on the way.
set -eu
own=$1 tool=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$tool" make "$dir/store"
set -- train.model=tiny train.epochs=3 train.batch=8 train.threads=1 input.image_size=16 input.frames=1

"$own" "$dir/store" "$dir/whole" "$@" | grep 'whole: 3 epochs'
grep -c '"metrics":{"w_audio":0' "$dir/whole/log.jsonl" | grep -qx 3
grep -q '"method": "harder"' "$dir/whole/run.json"

"$own" "$dir/store" "$dir/killed" "$@" >/dev/null &
pid=$!
sleep 0.2
kill -9 "$pid" 2>/dev/null || true
wait "$pid" 2>/dev/null || true
"$own" "$dir/store" "$dir/killed" "$@" >/dev/null
for file in weights.safetensors log.jsonl predictions.csv run.json; do cmp "$dir/whole/$file" "$dir/killed/$file"; done

code=0
"$own" "$dir/store" "$dir/bad" train.lrr=1 2>"$dir/err" || code=$?
[ "$code" = 1 ] && grep -q "did you mean 'train.lr'" "$dir/err"
