# train and estimate: damaged stores, folders of others; where the shared clips are not there, only usage.
1	-	nowhere: there is no such folder; `avbalance ingest` makes one	$A train nowhere -m audio -o r
1	-	\.: not a store	$A train . -m audio -o r
2	-	--method is missing	$A train st -o r
# real clips, a small model
0	*	-	S=$D/../../../../shared/data/avdigits/sample_clips; test -d $S || exit 0; $A ingest $S/labels.tsv -r demo -o st -q
# a run that could not begin does not bind its folder
0	-	-	test -d st || exit 0; $A train st -m audio -r demo --set train.model=none -o r -q 2>/dev/null; test $? = 2
0	*	-	test -d st || exit 0; $A train st -m audio -r demo --set train.model=tiny --epochs 2 -q -o r
0	-	-	test -d st || exit 0; $A train st -m audio -r demo --set train.model=tiny --epochs 2 -q --seed 7 -o r 2>err; test $? = 5 && grep -q "train.seed" err
# methods and their options
0	-	-	$A methods | grep -A 12 '^ogm-ge' | grep -q 'ogm-ge.alpha .*default 0.1'
0	-	-	$A methods --json | tr -d '\n ' | grep -q '"name":"gblend.mode","type":"enum","default":"offline","choices":\["offline","online","fixed"\]'
0	-	-	test -d st || exit 0; $A train st -m ogm-gee -o never 2>err; test $? = 2 && grep -q 'did you mean "ogm-ge"' err && test ! -e never
0	-	-	test -d st || exit 0; $A train st -m ogm -s ogm.alpha=-1 -o never 2>err; test $? = 2 && grep -q "ogm.alpha: '-1' is not allowed; allowed: number from 0 to 100" err && test ! -e never
0	-	-	test -d st || exit 0; $A train st -m concat -s ogm.alpha=0.2 -o never 2>err; test $? = 2 && grep -q "ogm.alpha=0.2 is an option of the method ogm, which does not run here" err && test ! -e never
0	-	-	test -d st || exit 0; $A estimate st -s greedy.window=2 -o never 2>err; test $? = 2 && grep -q "of the method greedy" err && test ! -e never/audio-seed0
0	-	-	test -d st || exit 0; printf 'train:\n  model: tiny\nogm:\n  alfa: 1\n' >bad.yaml; $A train st -m ogm -r bad.yaml -o never 2>err; test $? = 3 && grep -q "bad.yaml: line 4: .*did you mean 'ogm.alpha'" err && test ! -e never
0	-	-	test -d st || exit 0; $A train st -m ogm-ge -r demo --set train.model=tiny --epochs 2 -s ogm-ge.alpha=0.8 --init audio=r/weights.safetensors --report-best-test -q -o og >out && grep -q "best test accuracy of any epoch: .*not used" out && grep -q '"ogm-ge.alpha": "0.8"' og/run.json && grep -q 'alpha: 0.8' og/recipe.yaml && grep -q '"metrics":{"k_audio"' og/log.jsonl
0	-	-	test -d st || exit 0; $A train st -m ogm --init audio -r demo --set train.model=tiny -q -o never2 2>err; test $? = 2 && grep -q "ENCODER=FILE" err && test ! -e never2/run.json
# first weights: each run takes those of its encoder; a file that does not fit costs nothing that was there
0	*	-	test -d st || exit 0; $A train st -m visual -r demo --set train.model=tiny --epochs 1 -q -o v
0	-	-	test -d st || exit 0; for i in "" "--init audio=r/weights.safetensors --init visual=v/weights.safetensors"; do $A estimate st -r demo --set train.model=tiny --epochs 1 $i -q -o "init${i:+ed}" >/dev/null || exit 1; done; for m in audio visual; do cmp -s init/$m-seed0/confidence.npy inited/$m-seed0/confidence.npy && exit 1; grep -q "^# first weights of $m" inited/$m-seed0/recipe.yaml && test $(grep -c "^# first weights" inited/$m-seed0/recipe.yaml) = 1 || exit 1; done
0	-	-	test -d st || exit 0; $A compare st -m concat,umt --seeds 1 -r demo --set train.model=tiny --epochs 1 --init visual=v/weights.safetensors -q -o cinit >out 2>&1 && test $(grep -l "^# first weights of visual" cinit/*/recipe.yaml | wc -l) = 3 && test $(grep -c "^# first weights" cinit/umt-seed0/recipe.yaml) = 3 && cp -r cinit again && $A compare st -m concat,umt --seeds 1 -r demo --set train.model=tiny --epochs 1 --init visual=v/weights.safetensors -q -o cinit >out 2>&1 && diff -rq cinit again
0	-	-	test -d st || exit 0; echo x >again/audio-seed0/weights.safetensors; $A compare st -f -m concat,umt --seeds 1 -r demo --set train.model=tiny --epochs 1 --init visual=v/weights.safetensors -q -o again >out 2>&1 && test -s again/umt-seed0/run.json
0	-	-	test -d st || exit 0; cp -r inited same; $A estimate st -f -r demo --set train.model=tiny --epochs 1 --init audio=inited/audio-seed0/weights.safetensors -q -o inited 2>err; test $? = 2 && grep -q "would be removed with the older run" err && diff -rq inited same
0	-	-	test -d st || exit 0; cp -r v kept; $A train st -f -m visual -r demo --set train.model=resnet18 --epochs 1 --init visual=v/weights.safetensors -q -o kept 2>err; test $? = 3 && grep -q "v/weights.safetensors: .*network" err && diff -rq v kept
0	-	-	test -d st || exit 0; $A estimate st -r demo --set train.model=tiny --init sound=r/weights.safetensors -q -o never 2>err; test $? = 2 && grep -q "the encoder is audio or visual" err && $A estimate st -r demo --set train.model=tiny --init audio=r/weights.safetensors --init audio=v/weights.safetensors -q -o never 2>err; test $? = 2 && grep -q "has first weights already" err && test ! -e never
# damage
0	-	-	test -d st || exit 0; cp -r st changed; sed -i '0,/"hash": "./s//"hash": "g/' changed/store.json; $A train changed -m audio -o r2 2>err; test $? = 5 && grep -q "changed/store.json.*ingest anew" err && test ! -e r2
0	-	-	test -d st || exit 0; cp -r st cut; truncate -s -1000 cut/shard-000000.tar; $A train cut -m audio -o r2 2>err; test $? = 5 && grep -q "shard-000000.tar has .*ingest anew" err && test ! -e r2
# one process at a time; nobody's scores.csv is written over
0	-	-	test -d st || exit 0; ($A train st -m audio -r demo --set train.model=tiny --epochs 2000 -q -o busy >/dev/null 2>&1 & p=$!; while [ ! -e busy/ids.txt ]; do sleep 0.05; done; $A train st -m audio -r demo --set train.model=tiny --epochs 2000 -q -o busy 2>err; code=$?; kill -9 $p; test $code = 2 && grep -q "another process" err)
0	-	-	test -d st || exit 0; mkdir own; echo mine >own/scores.csv; $A estimate st -r demo --set train.model=tiny --epochs 1 -q -o own 2>err; test $? = 2 && grep -q "own/scores.csv is already there" err && test "$(ls own)" = scores.csv
# an estimate goes into a folder of its own; settings that would do nothing are refused
0	-	-	test -d st || exit 0; $A estimate st -r demo --set train.model=tiny --epochs 1 -q -o r 2>err; test $? = 2 && grep -q "r exists and holds no estimate" err && test ! -e r/audio-seed0
0	-	-	test -d st || exit 0; $A estimate st -r demo --set train.model=tiny --epochs 1 -q -o never --folds 3 2>err; test $? = 2 && grep -q -- "--mode crossfit" err && test ! -e never
# a version that computes the same continues, another says which it was
0	-	-	test -d st || exit 0; cp -r r older; sed -i '1s/version: .*/version: 0.0.1/' older/recipe.yaml; $A train st -m audio -r demo --set train.model=tiny --epochs 2 -q -o older | grep -q "already done"
0	-	-	test -d st || exit 0; sed -i '2s/code: ./code: -/' older/recipe.yaml; $A train st -m audio -r demo --set train.model=tiny --epochs 2 -q -o older 2>err; test $? = 5 && grep -q "older was begun by version 0.0.1, this is .*give another folder, or -f" err
# one class only: nothing to learn, every score would be 1
0	-	-	test -d st || exit 0; S=$D/../../../../shared/data/avdigits/sample_clips; awk -F '\t' 'BEGIN { OFS = FS } NR > 1 { $3 = "same" } 1' $S/labels.tsv >same.tsv; $A ingest same.tsv --media-dir $S -r demo -o one -q >/dev/null 2>warn && grep -q "the label same" warn && ! $A estimate one -r demo --set train.model=tiny -q -o never 2>err && grep -q "of one class (same)" err && test ! -e never
