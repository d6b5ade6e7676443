# Locks, written and checked.
0	-	-	cp $D/../../fuzz/corpus/media/h264.mp4 a.mp4; cp a.mp4 b.mp4; printf 'id,media,label,split\na,a.mp4,dog,train\nb,b.mp4,cat,test\n' >m.csv; printf 'id,licence,pref\na,CC BY 4.0,v\n' >t.csv
0	^dataset\.lock\.json: 2 clips, .* hash [0-9a-f]{64}$	-	$A lock m.csv --table t.csv
2	-	dataset.lock.json is already there; give -f	$A lock m.csv
2	-	m.csv is read here and would be written	$A lock m.csv -o m.csv -f
2	-	t.csv is read here and would be written	$A lock m.csv --table t.csv -o t.csv -f
0	"licence":"CC BY 4\.0"	-	cat dataset.lock.json
0	^2 of 2 clips are the same$	-	$A verify dataset.lock.json
0	train-visual-preferred +1 +1$	-	$A verify dataset.lock.json --manifest m.csv
0	"same": true	-	$A verify dataset.lock.json --json
# the same folder elsewhere has the same lock
0	-	-	mkdir there && cp a.mp4 b.mp4 m.csv there && cd there && $A lock m.csv --table ../t.csv -q >/dev/null && cmp dataset.lock.json ../dataset.lock.json
0	^2 of 2	-	mv a.mp4 b.mp4 there; $A verify dataset.lock.json --media-dir there
5	^a is missing$	this is not the locked dataset	$A verify dataset.lock.json
5	^ +"b": "content"	this is not the locked dataset	cp there/a.mp4 a.mp4; printf x >b.mp4; $A verify dataset.lock.json --json
5	another in the manifest	this is not	printf 'id,media,label,split\na,a.mp4,cow,train\n' >o.csv; $A verify dataset.lock.json --no-media --manifest o.csv
5	-	it has been edited	sed 's/"cat"/"cow"/' dataset.lock.json >e.json; $A verify e.json
3	-	states nothing that can be verified	echo '{"schema": "avbalance/split/1"}' >s.json; $A verify s.json
1	-	b.mp4	rm b.mp4; $A lock m.csv -o n.json
3	-	leave it out	echo broken >b.mp4; $A lock m.csv -o n.json; code=$?; rm b.mp4; exit $code
0	-	*	ls n.json 2>/dev/null; true
0	"schema": "avbalance/locked/1"	-	cd there; $A lock m.csv -f --json
