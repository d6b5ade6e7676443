#!/bin/sh
# build.sh PROGRAM FILMS: a dataset from long videos. Killed with -9 at ten moments it ends with the same bytes as one that ran through;
# changed settings reach as far as they change something; ids that are to be taken down are gone after another run.
set -eu
avbalance=$1 films=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
fail() { echo "FAILED: $*" >&2; exit 1; }

"$films" films 4 9
(echo id,media,label,split && cd films && find . -name '*.mp4' | LC_ALL=C sort |
    awk -F '[/.]' '{ printf "%s,films/%s/%s.mp4,%s,train\n", $4, $3, $4, $3 }') >films.csv
# What a scorer would say: how sure it is depends on the clip alone
stub() {
    awk -v salt="$1" 'BEGIN {
        print "id,dog,cat,cow,other"
        n = split("dog cat cow", name, " ")
        for (c = 1; c <= n; c++) for (i = 0; i < 4; i++) for (s = 0; s < 9; s++) {
            x = ((c * 7919 + i * 104729 + s * 1299709) * salt) % 1000 / 1000
            p = 0.15 + 0.8 * x
            printf "%sfilm%04d_%d", name[c], i, s
            for (k = 1; k <= n; k++) printf ",%.4f", k == c ? p : (1 - p) / 3
            printf ",%.4f\n", (1 - p) / 3
        }
    }'
}
stub 37 >audio.csv
stub 91 >visual.csv
cat >recipe.yaml <<'Y'
# of a test
build: {name: films, licence: CC0-1.0}
clips: {videos: films.csv, grid: yes, seconds: 1, per_video: 0}
score: {audio: audio.csv, visual: visual.csv}
triage: {target: 36, per_source: 0, ratio: 2}
estimate: {recipe: demo, set: "train.model=tiny,train.epochs=2,train.threads=1,visual.store_size=32,input.image_size=32", folds: 2}
select: {bins: 4, min_per_bin: 2, ratio: 3}
Y
sums() { (cd "$1" && find . -type f ! -name timing.jsonl ! -name '*journal*' ! -name fingerprints.jsonl | LC_ALL=C sort | xargs sha256sum); }

began=$(date +%s%N)
"$avbalance" build recipe.yaml -o out -q --threads 2 >said
took=$((($(date +%s%N) - began) / 1000000))
sums out >whole
for file in manifest.tsv manifest.csv rejects.tsv report.json heatmap.json heatmap-before.png heatmap-after.png croissant.json \
    dataset.lock.json train.csv vggsound.csv kinetics.csv; do
    [ -s "out/$file" ] || fail "there is no $file"
done
grep -q '"no_source_above_0.6": false' out/report.json || fail "all clips are of one source, which the report does not say"
"$avbalance" verify out/dataset.lock.json -q >/dev/null || fail "the lock does not fit"

# every clip that was cut is in the manifest or in the rejects, once
cut -f 1 out/manifest.tsv out/rejects.tsv | grep -v '^id$' | LC_ALL=C sort >accounted
cut -d , -f 1 out/clips/clips.csv | grep -v '^id$' | LC_ALL=C sort >were
cmp -s accounted were || fail "some clips are neither in the dataset nor in the rejects, or are in both"
# no video in two splits
cut -f 2,18 out/manifest.tsv | sed 1d | sort -u | cut -f 1 | uniq -d | grep . && fail "a video is in two splits"

rm -rf out
kills=0
for k in 1 2 3 4 5 6 7 8 9 10; do
    "$avbalance" build recipe.yaml -o out -q --threads 1 >/dev/null 2>&1 &
    pid=$!
    sleep "$(awk -v t="$took" -v k="$k" 'BEGIN { printf "%.2f", (50 + t * (k * 37 % 11) / 30) / 1000 }')"
    kill -9 "$pid" 2>/dev/null && kills=$((kills + 1))
    wait "$pid" 2>/dev/null || true
done
[ "$kills" -gt 2 ] || fail "never killed in time"
for folder in out out/*/; do : >"$folder/half.json.tmp-999999999"; done # what a kill while a stage writes its files leaves
"$avbalance" build recipe.yaml -o out -q --threads 1 >/dev/null
sums out >killed
diff whole killed || fail "other bytes after $kills kills"

# complete: nothing is done again; a torn line of the journal costs only its stage
"$avbalance" build recipe.yaml -o out >/dev/null 2>again
grep -q ' done$' again && grep -v 'was done' again | grep -q . && fail "done again: $(cat again)"
# another ratio: only from select on
"$avbalance" build recipe.yaml -o out --set select.ratio=1 >/dev/null 2>again
[ "$(grep -c 'was done' again)" = 6 ] || fail "other stages than select and export: $(cat again)"
"$avbalance" build recipe.yaml -o out -q >/dev/null
sums out >back
diff whole back || fail "another way back"

# take a clip and a video down
clip=$(sed -n 2p out/manifest.tsv | cut -f 1) video=$(sed -n '$p' out/manifest.tsv | cut -f 2)
printf '%s\n%s\n' "$clip" "$video" >gone.txt
"$avbalance" build recipe.yaml -o out --set build.takedown=gone.txt >/dev/null 2>again
cut -f 1,2 out/manifest.tsv | grep -q -e "^$clip	" -e "	$video\$" && fail "still there"
grep -q "^$clip	noise	technical	.*reason=taken down" out/rejects.tsv || fail "not among the rejects"
[ "$(grep -c 'was done' again)" = 5 ] || fail "trained again: $(cat again)"
# scorers that are trained here: where the build lies is in no byte of them (whether so small ones name any label does not matter)
awk 'NR == 1 || NR % 2' out/clips/manifest.csv >out/clips/known.csv
awk 'NR == 1 || !(NR % 2)' out/clips/manifest.csv >out/clips/cand.csv
for name in a b; do
    "$avbalance" build recipe.yaml -o $name -q --set clips.videos= --set clips.manifest=out/clips/cand.csv \
        --set score.audio= --set score.visual= --set score.reference=out/clips/known.csv --set score.recipe=demo \
        --set score.set=train.model=tiny,train.epochs=1,train.threads=1,visual.store_size=32,input.image_size=32 >/dev/null 2>&1 || true
    [ -s $name/score/visual/run.json ] || fail "no scorer was trained"
    sums $name/score >$name.sums
done
diff a.sums b.sums || fail "the folder's name is in what was made"
# another process in the folder, and a folder that is something else
mkdir other && echo x >other/x
"$avbalance" build recipe.yaml -o other -q 2>again && fail "wrote into a folder of others"
grep -q "holds something else than a build" again || fail "$(cat again)"
echo "$(grep -c . whole) files are the same after $kills kills; $(wc -l <out/manifest.tsv) lines"
