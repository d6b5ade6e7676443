#!/bin/sh
# compare: every row is there; killed with -9 or stopped at whatever it does, with more or fewer runs at once, it ends with the same
# bytes; methods and seeds may be added; what cannot work is refused before anything is written.
set -eu
avbalance=$1 toy=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
sums() { (cd "$1" && find . -type f ! -name timing.jsonl | LC_ALL=C sort | xargs sha256sum); }

mkdir "$dir/whole" "$dir/killed" "$dir/bad"
"$toy" "$dir/store"
cat >"$dir/toy.yaml" <<'YAML'
input: {image_size: 16, frames: 1, crop_min: 1, flip: 0, colour: half}
train: {model: tiny, epochs: 3, lr: 0.05, schedule: constant, batch: 16, eval_batch: 32, selection: last}
tmc: {anneal: 5}
YAML
# compare METHODS [ARGUMENT...] in the folder at hand; takes the place of the shell that it is called in
compare() { methods=$1; shift; exec "$avbalance" compare "$dir/store" -r "$dir/toy.yaml" -m "$methods" -o d -q --replicates 100 "$@"; }
both=concat,tmc,umt,weak=ogm-ge:alpha=0.01:variant=paper

cd "$dir/whole"
began=$(date +%s%N)
(compare $both -j 1) >table 2>/dev/null
took=$((($(date +%s%N) - began) / 1000000))
for row in audio visual ensemble-logits ensemble-probabilities concat tmc umt weak; do
    grep -q "^$row  *3 " table || fail "no row of $row with 3 runs"
done
for file in scores.csv evaluate.txt evaluate.csv evaluate.md evaluate.tex evaluate.json curves.csv classes.csv curves.png \
    curves.svg curves.pdf weak-seed2/run.json; do
    [ -s "d/$file" ] || fail "no d/$file"
done
grep -q '"threads": 1' d/concat-seed0/run.json || fail "a run does not have one thread"
grep -q 'variant: paper' d/weak-seed0/recipe.yaml || fail "the option of a method was lost"
grep -q '"recombines": true' d/evaluate.json || fail "rows do not recombine"
sums d >"$dir/whole.sums"

# a smaller comparison that is added to: killed at every stage of it, with two or three runs at once
cd "$dir/killed"
kills=0
for k in 1 2 3 4 5 6 7 8 9 10 11 12; do
    few=concat
    [ $k -lt 5 ] || few=$both
    compare $few -j $((k % 2 + 2)) --checkpoint-every 0 >/dev/null 2>&1 &
    pid=$!
    sleep "$(awk -v t="$took" -v k="$k" 'BEGIN { printf "%.3f", 0.02 + t * (k * 37 % 11) / 30000 }')"
    kill -9 "$pid" 2>/dev/null && kills=$((kills + 1))
    wait "$pid" 2>/dev/null || true
done
[ "$kills" -gt 3 ] || fail "hardly ever killed in time"
# the whole again, so that the output does not stand before it is whole
(compare $both -j 2) >/dev/null 2>&1
sums d >"$dir/killed.sums"
diff "$dir/whole.sums" "$dir/killed.sums" || fail "other bytes after $kills kills"

# stopped by a signal: 130, the runs have ended, and it goes on
compare $both -f --checkpoint-every 100 >/dev/null 2>err &
pid=$!
while [ ! -e d/audio-seed0/ids.txt ] || [ -e d/concat-seed2/run.json ]; do kill -0 $pid || break; sleep 0.01; done
kill -TERM $pid
code=0
wait $pid || code=$?
[ "$code" = 130 ] || fail "stopped with $code: $(cat err)"
grep -q "run the same command again without -f" err || fail "does not say how to go on"
(compare $both -j 3) >/dev/null 2>&1
sums d | diff "$dir/whole.sums" - || fail "other bytes after a stop"

# one run that fails stops the command; the message is its own, and the others can go on
cp -r d broken
rm broken/concat-seed1/run.json
mkdir -p broken/concat-seed1/checkpoint/000001-000000000
echo '{}' >broken/concat-seed1/checkpoint/000001-000000000/position.json
code=0
"$avbalance" compare "$dir/store" -r "$dir/toy.yaml" -m concat -o broken -q >/dev/null 2>err || code=$?
[ "$code" = 3 ] || fail "a damaged run gives $code: $(cat err)"
grep -q "in run concat-seed1" err || fail "the run is not named: $(cat err)"

# refused before anything is written
cd "$dir/bad"
"$toy" "$dir/same" same
"$toy" "$dir/untrained" untrained
# refused CODE REGEX ARGUMENT...
refused() {
    want=$1 regex=$2 code=0
    shift 2
    "$avbalance" compare "$@" -r "$dir/toy.yaml" -q >out 2>err || code=$?
    [ "$code" = "$want" ] || fail "$* gives $code: $(cat err)"
    grep -Eq -- "$regex" err || fail "$* says: $(cat err)"
    if [ -s out ] || [ -e new ]; then fail "$* leaves something behind"; fi
}
ids=$(head -n 2 "$dir/whole/d/scores.csv" | tail -n 1 | cut -d, -f1)
printf 'id,label,split,u_audio,u_visual\n%s,low,test,0.5,0.4\nnobody,low,test,0.1,0.2\n' "$ids" >scores.csv
refused 2 'did you mean "concat"' "$dir/store" -m cancat -o new
refused 2 'allowed: number from 0 to 100' "$dir/store" -m x=ogm-ge:alpha=300 -o new
refused 2 "did you mean 'ogm-ge.alpha'" "$dir/store" -m x=ogm-ge:alfa=3 -o new
refused 2 'gblend, which does not run here' "$dir/store" -m concat --set gblend.share=0.2 -o new
refused 2 'stands for two rows' "$dir/store" -m concat,concat -o new
refused 2 'an entry is empty' "$dir/store" -m concat, -o new
refused 2 'of one class \(low\)' "$dir/same" -m concat -o new
refused 2 'no train clip is of class high' "$dir/untrained" -m concat -o new
refused 2 'make no batch of 400' "$dir/store" -m concat -o new --set train.drop_last=yes --set train.batch=400
refused 2 'of the split "dev"' "$dir/store" -m concat -o new --split dev
refused 3 'the store has no clip "nobody"' "$dir/store" -m concat -o new --scores scores.csv
sed '3d; s/,low,/,high,/' scores.csv >other.csv
refused 3 'has the label "high", in the store "low"' "$dir/store" -m concat -o new --scores other.csv --split all
refused 2 'give a number between 0 and 1' "$dir/store" -m concat -o new -t 2
refused 5 'begun with "train.epochs: 3", now it is "train.epochs: 4"' "$dir/store" -m concat --epochs 4 -o "$dir/whole/d"
refused 5 'begun with "train.threads: 1", now it is "train.threads: 2"' "$dir/store" -m concat --run-threads 2 -o "$dir/whole/d"
refused 2 'holds no comparison \(found ' "$dir/store" -m concat -o "$dir/bad"
mkdir -p cross/audio-seed0-fold0
echo id,fold >cross/folds.csv
echo mine >cross/scores.csv
refused 2 'cross holds a cross-fitted estimate.*--scores cross/scores.csv' "$dir/store" -m concat -o cross
[ "$(cat cross/scores.csv)" = mine ] || fail "the scores of an estimate were written over"
sums "$dir/whole/d" | diff "$dir/whole.sums" - || fail "what was there has changed"

# scores from elsewhere, of test clips alone
awk -F, 'BEGIN { OFS = FS } NR == 1 || $3 == "test" { print $1, $2, $5, $4 }' "$dir/whole/d/scores.csv" |
    sed '1s/.*/id,label,u_audio,u_visual/' >swapped.csv
"$avbalance" compare "$dir/store" -r "$dir/toy.yaml" -m concat,tmc -o "$dir/whole/d" --scores swapped.csv -q >table 2>/dev/null
grep -q "^concat " table || fail "no table with other scores"
echo "$(grep -c . "$dir/whole.sums") files are the same after $kills kills"
