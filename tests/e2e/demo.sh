#!/bin/sh
# The demo on few clips: every clip is accounted for, every output is there, and the estimate finds what was planted.
set -eu
avbalance=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

"$avbalance" demo -o "$dir/d" --clips 200 --json --threads 2 --progress none >"$dir/out.json" 2>"$dir/said" || fail "demo exits with $?"
# what it says it runs is what it runs: given again, the estimate is already done
sed -n 's/^\$ avbalance\( estimate.* --threads 2\)$/"$avbalance"\1/p' "$dir/said" >"$dir/again"
(. "$dir/again") 2>&1 | grep -q '(already done)' || fail "the demo prints another estimate than its own"

[ "$(grep -c . "$dir/d/estimate/scores.csv")" -eq 201 ] || fail "scores.csv has not one row per good clip"
[ "$(grep -c '^broken-' "$dir/d/store/rejected.csv")" -eq 6 ] || fail "not every broken file is in rejected.csv"
grep -q '^clip-' "$dir/d/store/rejected.csv" && fail "a good clip was rejected"
awk -F, 'NR > 1 && $3 == "" { exit 1 }' "$dir/d/store/rejected.csv" || fail "a clip was rejected without a reason"
for figure in heatmap discrepancy datamap; do
    head -c 8 "$dir/d/$figure.png" | od -An -c | grep -q 'P *N *G' || fail "$figure.png is no PNG"
done
"$avbalance" split "$dir/d/estimate/scores.csv" -t 0.2 -t 0.4 --json | cmp - "$dir/d/subsets/split.json" || fail "subsets are not those of split"
for list in train test; do
    cat "$dir/d/subsets/$list-audio-preferred.txt" "$dir/d/subsets/$list-visual-preferred.txt" | LC_ALL=C sort | uniq -d |
        grep -q . && fail "a clip of $list prefers both modalities"
done
rho=$(sed -n 's/.*"spearman": *\([-0-9.e]*\).*/\1/p' "$dir/out.json" | head -n 1)
echo "planted against estimated: Spearman $rho"
awk -v r="$rho" 'BEGIN { exit !(r > 0.4) }' || fail "the estimate does not follow what was planted"
