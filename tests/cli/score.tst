# score: wrong usage, bad input; with made-up weights where the build has the tool that makes them ($W) and the shared clips ($S).
0	^  slowfast-4x16 +video	-	$A score -s help
0	"schema": "avbalance/scorers/1"	-	$A score -s help --json
0	--view paper: 10 times, 3 crops	-	$A score --help
2	-	--scorer	$A score x.csv -w w -o d
2	-	say where the scores shall be: -o DIR	$A score x.csv -s vggish -w w
2	-	say which weights to use: --weights FILE	$A score x.csv -s vggish -o d
2	-	say which clips to score	$A score -s vggish -w w -o d
0	-	-	printf 'id,media,label\na,a.mp4,x\nb,b.mp4,y\n' >x.csv; printf 'no weights' >w
1	-	none\.csv: cannot open	$A score none.csv -s vggish -w w -o d
1	-	none: cannot open	$A score x.csv -s vggish -w none -o d
3	-	^error: w: 	$A score x.csv -s vggish -w w -o d
2	-	no scorer is called "vgish": did you mean "vggish"	$A score x.csv -s vgish -w w -o d
2	-	not both	$A score x.csv a.mp4 -s vggish -w w -o d
2	-	would both be the clip a	$A score a.mp4 sub/a.mkv -s vggish -w w -o d
0	-	-	test ! -e d
# -f takes older scores away only where the new ones can begin
1	-	none: cannot open	mkdir kept && echo '{"schema": "avbalance/score/1"}' >kept/score.json && $A score x.csv -s vggish -w none -o kept -f
0	-	-	test -e kept/score.json
0	*	*	W=$(dirname $A)/tests/curate/weights_tool; test -x $W || exit 0; $W vggish 4 4 vg.safetensors && $W slowfast 3 8 sf.safetensors
0	*	*	test -e sf.safetensors || exit 0; $A score x.csv -s slowfast-4x16 -w sf.safetensors -o d 2>err; test $? = 5 && grep -q 'weights of slowfast' err && test ! -e d
0	*	*	test -e vg.safetensors || exit 0; $A score x.csv -s vggish -w vg.safetensors -o d 2>err; test $? = 3 && grep -q 'none of the 2\|none of 2 clips' err && test "$(ls d)" = rejected.csv
0	*	*	test -e vg.safetensors || exit 0; S=$D/../../../../shared/data/avdigits/sample_clips; test -d $S || exit 0; printf 'v\nw\nx\ny\n' >names; $A score $S/labels.tsv -s vggish -w vg.safetensors --classes names -o one -q --json | grep -q '"scored": 24' && $A score $S/labels.tsv -s vggish -w vg.safetensors --classes names -o two -q --workers 3 && cat one/* | cksum >a && cat two/* | cksum >b && cmp a b
0	*	*	test -d one || exit 0; S=$D/../../../../shared/data/avdigits/sample_clips; ($A score $S/labels.tsv -s vggish -w vg.safetensors --classes names -o killed -q & p=$!; sleep 0.3; kill -9 $p); $A score $S/labels.tsv -s vggish -w vg.safetensors --classes names -o killed -q && cat killed/* | cksum >b && cmp a b
0	*	*	test -d one || exit 0; $A score $D/../../../../shared/data/avdigits/sample_clips/labels.tsv -s vggish -w vg.safetensors -o one 2>err; test $? = 5 && grep -q 'give -f to begin anew' err
0	*	*	test -d one || exit 0; $A score $D/../../../../shared/data/avdigits/sample_clips/avd0000*.mkv -s vggish -w vg.safetensors -o one -qf --top 1 && test $(wc -l <one/topk.csv) = 11 && grep -q '^avd00009,1,' one/topk.csv
0	*	*	test -d one || exit 0; printf 'key\tdisplay\tside\tclass\nlow\tLow\taudio\tv\nlow\tLow\taudio\tw\nlow\tLow\tvisual\tp\nhigh\tHigh\taudio\ty\nhigh\tHigh\tvisual\tq\n' >cat.tsv; $A score $D/../../../../shared/data/avdigits/sample_clips/avd00000.mkv -s vggish -w vg.safetensors --classes names --categories cat.tsv -o cats -q && grep -q '^id,low,high$' cats/categories.csv && grep -q '^avd00000,0\.[0-9]*,0\.[0-9]*$' cats/categories.csv
0	*	*	test -d one || exit 0; sed 's/y$/yy/' cat.tsv >odd.tsv; $A score $D/../../../../shared/data/avdigits/sample_clips/avd00000.mkv -s vggish -w vg.safetensors --classes names --categories odd.tsv -o odd 2>err; test $? = 3 && grep -q yy err && test ! -e odd
