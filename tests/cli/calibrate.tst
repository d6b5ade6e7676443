# Temperature of a scorer.
0	-	-	awk 'BEGIN {print "id,media,label,split"; for (i = 0; i < 40; i++) printf "c%d,x.mp4,%s,val\n", i, i % 4 ? "dog" : "cat"}' >m.csv
0	-	-	awk 'BEGIN {print "id,dog,cat"; for (i = 0; i < 40; i++) printf "c%d,5,-1\n", i}' >o.csv
0	^temperature 5\.46[0-9]* from 40 clips, of which 75\.0 % are answered right$	-	$A calibrate m.csv --outputs o.csv --side visual -o c.json --figure c.png
0	-	-	test -s c.png
2	-	c.json is already there; give -f	$A calibrate m.csv --outputs o.csv -o c.json
0	"temperature": 5\.46	-	$A calibrate m.csv --outputs o.csv -o c.json -f --json
0	"audio": 5\.46	-	$A triage m.csv --audio o.csv --visual o.csv --audio-temperature c.json -o t --json
2	-	c.json: is the temperature of the audio scorer; give it with --audio-temperature	$A triage m.csv --audio o.csv --visual o.csv --visual-temperature c.json -o t -f
3	-	none of 40 clips	$A calibrate m.csv --outputs o.csv -o d.json --split test
2	-	\.gif	$A calibrate m.csv --outputs o.csv -o d.json --figure c.gif
2	-	--outputs is missing	$A calibrate m.csv -o d.json
2	-	from the probabilities of all classes only	printf 'id,confidence,correct\nc0,0.5,1\n' >n.csv; $A calibrate m.csv --outputs n.csv -o d.json
0	-	the likelihood is best at the end of the range	awk '{sub(/cat/, "dog")} 1' m.csv >all.csv; $A calibrate all.csv --outputs o.csv -o d.json -q >/dev/null
