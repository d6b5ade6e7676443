# The heatmap: figure kinds, matrix, refusals.
0	4 clips in 4 of 10000 cells; audio-preferred 50\.0 %	-	$A heatmap $D/small.csv -o h.png
0	PNG	-	head -c 4 h.png | tail -c 3
2	-	h.png is already there; give -f	$A heatmap $D/small.csv -o h.png
0	*	-	cp h.png was.png && $A heatmap $D/small.csv -o h.png -f && cmp h.png was.png
0	svg	-	$A heatmap $D/small.csv -o h.svg -t 0.2 -q >/dev/null && head -c 100 h.svg
0	^%PDF	-	$A heatmap $D/small.csv -o h.pdf -t 0.2 --title "a & b" >/dev/null && head -c 8 h.pdf
0	-	-	$A heatmap $D/small.csv -o h.svg -f >/dev/null; cp h.svg i.svg; sleep 1; $A heatmap $D/small.csv -o h.svg -f >/dev/null; cmp h.svg i.svg
0	-	-	$A heatmap $D/small.csv -o h.pdf -f >/dev/null; cp h.pdf i.pdf; sleep 1; $A heatmap $D/small.csv -o h.pdf -f >/dev/null; cmp h.pdf i.pdf
0	^\{"schema": ?"avbalance/heatmap/1"	-	$A heatmap $D/small.csv --json
0	"n": ?2	-	$A heatmap $D/small.csv --json --split train
2	-	figures are \.png, \.svg or \.pdf	$A heatmap $D/small.csv -o h.gif
2	-	--threshold 2	$A heatmap $D/small.csv -o t.png -t 2
3	-	line 3: u_audio is 1\.5	$A heatmap $D/range.csv -o bad.png
3	-	the id "b" stands in line 2	$A heatmap $D/doubled.csv -o bad.png
1	-	no/such/h.png	$A heatmap $D/small.csv -o no/such/h.png
0	-	-	test ! -e bad.png
0	-	\{"schema": ?"avbalance/progress/1", ?"stage": ?"read scores"	$A heatmap $D/small.csv --progress=json >/dev/null
0	*	-	$A heatmap $D/small.csv -o H.PNG && head -c 4 H.PNG | grep -q PNG
# a link stays a link; a device is no place for a figure
0	*	-	mkdir disk && touch disk/l.svg && ln -s disk/l.svg l.svg && $A heatmap $D/small.csv -o l.svg -f && test -L l.svg && grep -q svg disk/l.svg
2	-	p.svg: is no regular file	mkfifo p.svg; $A heatmap $D/small.csv -o p.svg -f
2	-	--out is given twice, the second time as b.svg	$A heatmap $D/small.csv -o a.svg -o b.svg
2	-	--seed is given twice	$A heatmap $D/small.csv -o a.svg --seed 1 --seed 2
