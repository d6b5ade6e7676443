#!/bin/sh
# The demo killed with -9 again and again, at whatever it does, ends with the same bytes as one that ran through.
set -eu
avbalance=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

sums() { (cd "$1" && find . -type f ! -name timing.jsonl | LC_ALL=C sort | xargs sha256sum); }

mkdir "$dir/whole" "$dir/killed"
began=$(date +%s)
cd "$dir/whole"
"$avbalance" demo -o d --clips 60 -q >/dev/null
took=$(($(date +%s) - began + 1))

cd "$dir/killed"
kills=0
for k in 1 2 3 4 5 6 7 8; do
    "$avbalance" demo -o d --clips 60 -q >/dev/null 2>&1 &
    pid=$!
    sleep "$(awk -v t="$took" -v k="$k" 'BEGIN { printf "%.2f", 0.1 + t * (k * 37 % 11) / 30 }')"
    kill -9 "$pid" 2>/dev/null && kills=$((kills + 1))
    wait "$pid" 2>/dev/null || true
done
[ "$kills" -gt 0 ] || { echo "FAILED: never killed in time" >&2; exit 1; }
"$avbalance" demo -o d --clips 60 -q >/dev/null

sums "$dir/whole" >"$dir/whole.sums"
sums "$dir/killed" >"$dir/killed.sums"
diff "$dir/whole.sums" "$dir/killed.sums" || { echo "FAILED: other bytes after $kills kills" >&2; exit 1; }
echo "$(grep -c . "$dir/whole.sums") files are the same after $kills kills"
