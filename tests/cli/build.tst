# A dataset from clips and tables that others made: no media is read. What is printed and written, wrong recipes, bad input.
0	^usage: avbalance build RECIPE	-	$A build --help
0	^ +select\.ratio 	-	$A build --help
0	-	-	awk 'BEGIN {print "id,media,label,split,source"; for (i = 0; i < 120; i++) printf "c%03d,c%03d.mp4,%s,train,v%d\n", i, i, i % 2 ? "dog" : "cat", i / 3}' >m.csv
0	-	-	awk 'BEGIN {print "id,dog,cat"; for (i = 0; i < 120; i++) {p = 0.3 + (i * 37 % 70) / 100; printf "c%03d,%.2f,%.2f\n", i, i % 2 ? p : 1 - p, i % 2 ? 1 - p : p}}' >a.csv
0	-	-	awk 'BEGIN {print "id,dog,cat"; for (i = 0; i < 120; i++) {p = 0.3 + (i * 53 % 70) / 100; printf "c%03d,%.2f,%.2f\n", i, i % 2 ? p : 1 - p, i % 2 ? 1 - p : p}}' >v.csv
0	-	-	printf 'clips: {manifest: m.csv, technical: no, duplicates: no}\nscore: {audio: a.csv, visual: v.csv}\nestimate: {run: no}\nselect: {bins: 4, min_per_bin: 1}\n' >r.yaml
0	^out/manifest\.tsv: [0-9]+ clips$	^export +done$	$A build r.yaml -o out
0	^id.video.start_ms.*flags$	-	head -1 out/manifest.tsv
0	select.not-selected.qa=	-	cat out/rejects.tsv
0	"schema": "avbalance/build/1"	-	$A build r.yaml -o out -q --json
0	-	-	test ! -e out/dataset.lock.json # the media are not there
0	^  "scorers": \{\},	-	cat out/report.json
0	^120$	-	(sed 1d out/manifest.tsv; sed 1d out/rejects.tsv) | wc -l | tr -d " "
0	-	-	python3 -c "import json; c = json.load(open('out/croissant.json')); assert c['@type'] == 'sc:Dataset' and len(c['recordSet'][0]['field']) == 21"
0	^kept optimum|optimal: true|"optimal": true	-	grep optimal out/select/select.json
0	*	-	$A verify out/select -q
# recipes
3	-	give either clips\.videos or clips\.manifest	printf 'score: {audio: a.csv, visual: v.csv}\n' >bad.yaml; $A build bad.yaml -o bad
3	-	bad\.yaml:1: clips\.manfest|manfest	printf 'clips: {manfest: m.csv}\n' >bad.yaml; $A build bad.yaml -o bad
3	-	score\.reference to train scorers on	$A build r.yaml -o bad --set score.audio=
3	-	select\.bins is 5	$A build r.yaml -o bad --set select.bins=5
3	-	build\.date is .31\.1\.2026., it must be like 2026-01-31	$A build r.yaml -o bad --set build.date=31.1.2026
3	-	build\.date is .2026-13.	$A build r.yaml -o bad --set build.date=2026-13
2	-	clips\.seconds	$A build r.yaml -o bad --set clips.seconds=900
3	-	more than 1 together	$A build r.yaml -o bad --set split.train=0.95 --set split.val=0.2
2	-	there is no .*select\.rato|select\.rato	$A build r.yaml -o bad --set select.rato=2
1	-	none\.csv.*stage	$A build r.yaml -o bad --set score.audio=none.csv
3	-	no selection of this kind is possible.*stage select	$A build r.yaml -o bad --set select.class_min=1000
0	*	-	$A build r.yaml -o bad -q
# a torn line of the journal is no line
0	-	-	cp out/build.jsonl j; head -c 300 j >out/build.jsonl; $A build r.yaml -o out -q >/dev/null; cmp j out/build.jsonl
# a full disk: what is made is kept, and the next run goes on
1	-	File too large|No space	trap "" XFSZ; ulimit -f 8; $A build r.yaml -o full -q
0	-	-	$A build r.yaml -o full -q >/dev/null; for f in manifest.tsv rejects.tsv report.json croissant.json; do cmp out/$f full/$f; done
# what is taken down goes, whatever stands around its id; a blank line is no id; ids that met nothing are told
0	-	-	printf 'v3 \n\n c007\r\nnobody\n' >gone.txt
0	*	-	$A build r.yaml -o gone --set build.takedown=gone.txt -q
0	-	-	cut -f1,2 gone/manifest.tsv | awk '$2 == "v3" || $1 == "c007"'
0	^ +"nobody"$	-	awk '/"takedown"/ {on = 1} on' gone/report.json
0	-	-	awk 'BEGIN {print "id,label,u_audio,u_visual"; for (i = 0; i < 120; i++) printf "c%03d,%s,0.%d,0.%d\n", i, i % 2 ? "dog" : "cat", 20 + i % 70, 95 - i % 70}' >s.csv; sed 's/,v[0-9]*$/,/' m.csv >nosource.csv
0	*	-	$A build r.yaml -o gone2 --set build.takedown=gone.txt --set triage.run=no --set estimate.scores=s.csv --set clips.manifest=nosource.csv --set select.run=no -q
0	^119$	-	sed 1d gone2/manifest.tsv | wc -l | tr -d " "
# -f makes room only where an older build is
2	-	holds something else than a build	mkdir keep; echo x >keep/mine; $A build r.yaml -o keep -f -q
0	^x$	-	cat keep/mine
1	-	lists/must.txt: is not there	$A build r.yaml -o out -f -q --set select.must_keep=lists/must.txt
0	-	-	test -f out/manifest.tsv
0	-	^export +done$	$A build r.yaml -o out -f >/dev/null
# with a class that has no clip, its list of classes is of the build too
0	-	-	cp m.csv spare.csv; echo '["cat", "dog", "emu"]' >spare.csv.classes.json; $A build r.yaml -o spare --set clips.manifest=spare.csv --set triage.run=no --set estimate.scores=s.csv --set select.run=no -q >/dev/null && test -f spare/candidates.csv.classes.json && $A build r.yaml -o spare --set clips.manifest=spare.csv --set triage.run=no --set estimate.scores=s.csv --set select.run=no -q -f >/dev/null && test -s spare/manifest.tsv
# a link to a folder stays one
0	-	-	mkdir disk && ln -s disk link && $A build r.yaml -o link -q >/dev/null && $A build r.yaml -o link -f -q >/dev/null && test -L link && test -s disk/manifest.tsv
0	"policy": "waterfill"	-	$A build r.yaml -o out --set select.policy=waterfill --set select.level=9 -q --json
# labels with commas and quotes stay one field of the lists that others read
0	-	-	for f in m a v; do sed 's/dog/"say ""hi"", dog"/' $f.csv >q$f.csv; done
0	-	-	awk -F, 'NR == 1 {print $0 ",start,duration"; next} {sub(/v[0-9]+$/, sprintf("abcdefgh%03d", NR)); print $0 ",10,10"}' qm.csv >q.csv; mv q.csv qm.csv
0	*	-	sed 's/: \([mav]\)\.csv/: q\1.csv/g' r.yaml >q.yaml; $A build q.yaml -o q -q
0	^abcdefgh...,10,"say ""hi"", dog",(train|val|test)$	-	cat q/vggsound.csv
0	^"say ""hi"", dog",abcdefgh...,10,20,	-	cat q/kinetics.csv
0	*	-	mkdir own && cp m.csv own/clips.csv && $A build r.yaml -o ownd --set clips.manifest=own/clips.csv -q
# clips that `clip` has cut: its clips.csv, beside the manifest, tells where in their videos; what older settings left behind tells nothing
0	-	-	mkdir cut && awk -F, 'NR == 1 {print $0 ",start,duration"; next} {sub(/v[0-9]+$/, sprintf("abcdefgh%03d", NR)); print $0 ",0,10"}' m.csv >cut/m.csv
0	-	-	awk 'BEGIN {print "id,video,start_ms,end_ms,flags,findings,bytes,sha256"; for (i = 0; i < 120; i++) printf "c%03d,x,30500,40500,mixed,,1,0\n", i}' >cut/clips.csv
0	*	-	$A build r.yaml -o cutd --set clips.manifest=cut/m.csv -q
0	^abcdefgh...,30,(dog|cat),(train|val|test)$	-	cat cutd/vggsound.csv
0	-	-	mkdir cutd/clips && sed s/30500/70500/ cut/clips.csv >cutd/clips/clips.csv && printf 'id,media,start_ms,end_ms,stage,rule,reason\nold,old.mp4,,,list,missing,gone\n' >cutd/clips/rejects.csv && cp cutd/manifest.tsv was && cp cutd/rejects.tsv rej
0	*	-	$A build r.yaml -o cutd --set clips.manifest=cut/m.csv -q
0	-	-	cmp cutd/manifest.tsv was && cmp cutd/rejects.tsv rej
