# The summary as text and JSON.
0	4 clips: 50\.0 % are better heard .* 25\.0 % better seen .* 25\.0 % tie	-	$A summary $D/small.csv
0	^bark +2 +100\.0	-	$A summary $D/small.csv
0	^test +2 	-	$A summary $D/small.csv
0	"schema": "avbalance/summary/1"	-	$A summary $D/small.csv --json
0	"share_audio_preferred": 0\.5	-	$A summary $D/small.csv --json
0	1 more \(--classes N	-	$A summary $D/small.csv --classes 1
2	-	classes	$A summary $D/small.csv --classes -3
0	2 clips	-	$A summary $D/foreign.tsv --id-column file --audio-column voice --visual-column face
3	-	no column "id", "u_audio", "u_visual" \(columns: file, face, voice\); name them with --id-column, --audio-column, --visual-column	$A summary $D/foreign.tsv
# one column for two roles
3	-	line 1: the column "voice" is given for two roles; name another with --audio-column or --visual-column	$A summary $D/foreign.tsv --id-column file --audio-column voice --visual-column voice
3	-	the column "file" is given for two roles; .* --id-column or --label-column	$A summary $D/foreign.tsv --id-column file --label-column file --audio-column voice --visual-column face
# what seeds say has its ranges, and may be unknown
0	^1 clip: 	-	printf 'id,u_audio,u_visual,low,high,undecided\na,0.5,0.4,-1,1,1\n' >seeds.csv; $A summary seeds.csv
0	^2 clips	-	printf 'b,0.5,0.4,,,0\n' >>seeds.csv; $A summary seeds.csv
3	-	seeds.csv: line 4: undecided is 7, neither 0 nor 1	(cat seeds.csv; echo c,0.5,0.4,0,0,7) >bad-seeds.csv; $A summary bad-seeds.csv
3	-	bad-seeds.csv: line 4: low is -5, outside \[-1,1\]	(cat seeds.csv; echo c,0.5,0.4,-5,0,0) >bad-seeds.csv; $A summary bad-seeds.csv
3	-	bad-seeds.csv: line 4: high is 1.01, outside \[-1,1\]	(cat seeds.csv; echo c,0.5,0.4,0,1.01,0) >bad-seeds.csv; $A summary bad-seeds.csv
1	-	is a folder	$A summary .
# the folder of an estimate, and a picture
1	-	is a folder, not a regular file: its scores are run/scores.csv	mkdir run && cp $D/small.csv run/scores.csv && $A summary run
3	-	columns: .PNG\)	printf '\211PNG\r\n\032\n' >picture.png && $A summary picture.png
