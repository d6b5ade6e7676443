# ingest: wrong usage and bad input; with real clips where the shared data lie beside the project ($S).
0	^kinetics-sounds 	-	$A ingest --dialect help
0	audio\.hop	-	$A ingest --help
2	-	say where the store shall be: -o STORE	$A ingest x.csv
2	-	say which manifest to read	$A ingest -o s
1	-	none\.csv: cannot open	$A ingest none.csv -o s
2	-	unknown key 'audio.hp'; did you mean 'audio.hop'\?	$A ingest x.csv -o s --set audio.hp=1
2	-	audio.hop.*65536	$A ingest x.csv -o s --set audio.hop=0
0	-	-	printf 'id,media,label,split\na,no-a.mp4,x,train\nb,no-b.mp4,y,train\n' >missing.csv; printf 'id,media,label,colour\na,a.mp4,x,red\n' >column.csv; printf 'id,media,label\na,a.mp4,x\na,b.mp4,x\n' >twice.csv
3	-	column\.csv.*colour	$A ingest column.csv -o s
3	-	twice\.csv.*line 3.*"?a"?	$A ingest twice.csv -o s
3	-	none of the 2 clips could be stored	$A ingest missing.csv -o none
0	^b,no-b\.mp4,.*,BAL_E_IO$	-	cat none/rejected.csv && test "$(ls none)" = rejected.csv
3	-	no-a\.mp4.*line 2 of the manifest	$A ingest missing.csv -o stop --on-error stop --val-share 0
2	-	holds missing.csv but no store	mkdir home && cp missing.csv home && $A ingest missing.csv -o home -f
2	-	holds score.journal but no store	mkdir scored && touch scored/rejected.csv scored/score.journal && $A ingest missing.csv -o scored -f
2	-	notes/journal holds something else than the journal of an ingest	mkdir notes && echo monday >notes/journal && echo x >notes/mine && $A ingest missing.csv -o notes -f
0	^monday$	-	cat notes/journal && cat notes/mine >/dev/null
0	*	-	test -e scored/score.journal && test -e scored/rejected.csv
0	-	-	test "$(ls home)" = missing.csv
# real clips: the same bytes for any number of workers and from a run that was killed; another recipe is refused; -f makes anew
0	*	*	S=$D/../../../../shared/data/avdigits/sample_clips; test -d $S || exit 0; $A ingest $S/labels.tsv -o one --workers 1 --shard-mb 0.1 -q && $A ingest $S/labels.tsv -o two --workers 2 --shard-mb 0.1 -q && cat one/* | cksum >a && cat two/* | cksum >b && cmp a b
0	*	*	test -d one || exit 0; ($A ingest $D/../../../../shared/data/avdigits/sample_clips/labels.tsv -o killed --workers 2 --shard-mb 0.1 -q & p=$!; sleep 0.2; kill -9 $p); $A ingest $D/../../../../shared/data/avdigits/sample_clips/labels.tsv -o killed --shard-mb 0.1 -q && cat killed/* | cksum >b && cmp a b
0	*	*	test -d one || exit 0; $A ingest $D/../../../../shared/data/avdigits/sample_clips/labels.tsv -o one --shard-mb 0.1 --json -q | grep -q '"schema": *"avbalance/ingest/1"'
0	*	*	test -d one || exit 0; $A ingest $D/../../../../shared/data/avdigits/sample_clips/labels.tsv -o one --set audio.frames=100 -q 2>err; test $? = 5 && grep -q "another feature recipe" err
0	*	*	test -d one || exit 0; $A ingest $D/../../../../shared/data/avdigits/sample_clips/labels.tsv -o one --set audio.frames=100 -qf | grep -q "24 of 24 clips stored"
# what is not the store's, and what is read, stays
0	-	-	test -d one || exit 0; echo mine >one/notes.txt; $A ingest $D/../../../../shared/data/avdigits/sample_clips/labels.tsv -o one --set audio.frames=100 -qf 2>err; test $? = 2 && grep -q "one holds notes.txt, which -f would take away" err && rm one/notes.txt && test -f one/store.json
# a link to a folder stays one
0	*	*	test -d one || exit 0; mv one disk && ln -s disk one && $A ingest $D/../../../../shared/data/avdigits/sample_clips/labels.tsv -o one --set audio.frames=100 -qf && test -L one && test -f disk/store.json
# -f takes an older store away only for what can begin, and not from under another process
0	-	-	mkdir kept && echo '{"schema": "avbalance/store/1"}' >kept/store.json && printf 'id,media,label,split\na,a.mp4,x,train\nb,b.mp4,y,train\n' >two.csv
2	-	larger than audio.n_fft	$A ingest two.csv -o kept -f --set audio.pipeline=log-stft --set audio.hop=600
2	-	kept: another process is writing it; wait for it to end	flock kept $A ingest two.csv -o kept -f --val-share 0
2	-	kept/store.json: another process is writing it	flock kept/store.json $A ingest two.csv -o kept -f --val-share 0
0	-	-	test -e kept/store.json
# said before anything is decoded
3	-	2 of 2 clips have no label, first: a \(line 2	printf 'id,media,label,split\na,no-a.mp4,,train\nb,no-b.mp4,,train\n' >unlabelled.csv; $A ingest unlabelled.csv -o unlabelled
2	-	every clip has the label x: is that column the label	printf 'id,media,label,split\na,a.mp4,x,train\n' >one.csv; $A ingest one.csv -o one-clip
2	-	cannot deal 1 sources.*--val-share 0	printf 'id,media,label,split\na,a.mp4,x,train\n' >one.csv; $A ingest one.csv -o one-clip
0	"schema": "avbalance/dialects/1"	-	$A ingest --dialect help --json
2	-	there is no manifest dialect 'nonsense'; there are avbalance, .*folders	$A ingest missing.csv --dialect nonsense -o never
3	-	home: no media file lies in a folder of its class: home/CLASS/	$A ingest home -o never
3	-	r.yaml: line 1: unknown key 'training'; the sections are: audio, visual, input, train	printf 'training:\n  lr: 1\n' >r.yaml; $A ingest missing.csv -r r.yaml -o never
2	-	missing.csv is a file; name a folder	$A ingest missing.csv -o missing.csv
# recipes
3	-	r.yaml: line 2: a tab.*spaces	printf 'train:\n\tbatch: 16\n' >r.yaml; $A ingest missing.csv -r r.yaml -o never
3	-	r.yaml: the file is empty	printf '' >r.yaml; $A ingest missing.csv -r r.yaml -o never
3	-	r.yaml: line 2: train.batch: '1' is not allowed; allowed: integer from 2	printf 'train:\n  batch: 1\n' >r.yaml; $A ingest missing.csv -r r.yaml -o never
3	-	r.yaml: line 3: hop: this key was already given	printf 'audio:\n  hop: 1\n  hop: 2\n' >r.yaml; $A ingest missing.csv -r r.yaml -o never
3	-	r.yaml: line 2: unknown key 'audio.hopp'; did you mean 'audio.hop'	printf 'audio:\n  hopp: 1\n' >r.yaml; $A ingest missing.csv -r r.yaml -o never
