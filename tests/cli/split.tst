# Subset lists.
0	^together +4 +2 +1 +1 +2 +1 +1 +1$	-	$A split $D/small.csv -o s
0	=split-list.txt	-	cat s/train-audio-preferred.txt s/test-audio-preferred.txt s/train-visual-preferred.txt s/test-visual-preferred.txt s/train-audio-dominated-0.4.txt
0	^13$	-	ls s | wc -l | tr -d " "
0	^lists: s2$	-	$A split $D/small.csv -o s2
2	-	split.json is already there; give -f	$A split $D/small.csv -o s
0	*	-	$A split $D/small.csv -o s -f --threshold 0.75 -t 0.1
0	^13$	-	ls s | wc -l | tr -d " "
0	-	-	test ! -e s/train-audio-dominated-0.2.txt && test ! -e s/test-visual-dominated-0.4.txt
0	^-x1$	-	cat s/train-audio-dominated-0.75.txt
0	=split.json	-	$A split $D/small.csv --json | grep -v "\"version\": \"[0-9]"
0	-	-	$A split $D/small.csv --json >1; $A split $D/small.csv --json -o t >2; cmp 1 2; cmp 1 t/split.json
0	"n": *2	-	$A split $D/small.csv --json --split test
2	-	no row has the split "tset"	$A split $D/small.csv --split tset
2	-	--threshold x: give a number	$A split $D/small.csv -t x
2	-	threshold 1: give a number between 0 and 1	$A split $D/small.csv -t 1
3	-	line 3: u_audio is 1\.5, outside \[0,1\]	$A split $D/range.csv -o bad
3	-	line 4: the id "b" stands in line 2 already	$A split $D/doubled.csv -o bad
3	-	no column "u_visual"	$A split $D/missing.csv -o bad
3	-	line 2: has 2 fields, the header has 3	$A split $D/short.csv -o bad
1	-	nothing.csv: cannot open	$A split nothing.csv -o bad
0	-	*	ls bad 2>/dev/null | grep -v "^$"; true
2	-	file is a file; name a folder	touch file && $A split $D/small.csv -o file/sub
# a full disk leaves no list at all: the long ones fail, the short ones are not put in place
0	-	-	awk 'BEGIN {print "id,label,u_audio,u_visual"; for (i = 0; i < 5000; i++) printf "clip%05d,x,%s\n", i, i ? "0.1,0.9" : "0.9,0.1"}' >long.csv
1	-	File too large	trap "" XFSZ; ulimit -f 64; $A split long.csv -o full
0	-	-	ls full
# split.json stands beside no lists but its own: it is gone where the new ones could not all be put in place
0	^lists: u$	-	$A split $D/small.csv -o u && mkdir -p u/test-audio-dominated-0.9.txt/x
1	-	test-audio-dominated-0.9.txt	$A split $D/small.csv -o u -f -t 0.9
0	-	-	test ! -e u/split.json && test ! -e u/test-audio-dominated-0.4.txt
0	^lists: u$	-	rmdir u/test-audio-dominated-0.9.txt/x u/test-audio-dominated-0.9.txt && $A split $D/small.csv -o u -t 0.9
# what is beyond a threshold is so in decimals: 0.9 - 0.7 is 0.2
0	"audio_dominated": 0	-	printf 'id,u_audio,u_visual\na,0.9,0.7\nb,0.8,0.6\n' >ties.csv; $A split ties.csv --json -t 0.2
0	"beyond_0.2": 0|\|d\| > 0\.2 in 0\.0 %|0\.2.* 0\.0 %	-	$A summary ties.csv
# somebody's own file under the name of a list, and the table itself
2	-	own/all-audio-preferred.txt is already there, and no split.json	mkdir own; echo mine >own/all-audio-preferred.txt; $A split ties.csv -o own
0	^mine$	-	cat own/*
2	-	is read here and would be written	mkdir tab; cp ties.csv tab/all-audio-preferred.txt; $A split tab/all-audio-preferred.txt -o tab
0	-	-	cmp ties.csv tab/all-audio-preferred.txt && test "$(ls tab)" = all-audio-preferred.txt
# what a killed split left
0	*	-	mkdir left; touch left/all-audio-preferred.txt left/split.json.tmp-4194301 left/x.txt.tmp-4194301; $A split ties.csv -o left && ! ls left | grep tmp
