# Methods on subsets; the numbers are checked in evaluate.py.
0	*	-	printf 'id,label,split,u_audio,u_visual\na,x,test,0.9,0.1\nb,y,test,0.2,0.5\nc,x,test,0.5,0.5\nd,y,train,0.1,0.4\n' >s.csv
0	*	-	printf 'id,prediction\na,x\nb,x\nc,x\n' >audio.csv; printf 'id,prediction\na,y\nb,y\nc,x\n' >visual.csv; printf 'id,prediction\na,x\nb,y\nc,x\n' >late.csv
0	^late +1 +100\.00 +\[100\.00, 100\.00\] +100\.00 +\+33\.33 to audio	empty and is left out	$A evaluate --scores s.csv audio.csv visual.csv late.csv
0	^late +no, not on audio-preferred .*ties \(\+0\.00\)	*	$A evaluate --scores s.csv audio.csv visual.csv late.csv
0	^no ensemble of the unimodal models: .* has no logits	*	$A evaluate --scores s.csv audio.csv visual.csv late.csv
0	^late,overall,3,2,1,1,	*	$A evaluate --scores s.csv late=late.csv late=late.csv --format csv -q
0	^late &$	*	$A evaluate --scores s.csv a_b=late.csv --format latex -q | grep -q 'a\\_b & 1' && echo "late &"
0	^. late . 1 . .*100\.00	*	$A evaluate --scores s.csv late.csv --format markdown -q
0	^ 4 clips|, 4 clips	*	printf 'id,prediction\na,x\nb,y\nc,x\nd,y\n' >all.csv; $A evaluate --scores s.csv all.csv --split all -t 0.2
0	"schema": "avbalance/evaluate/1"	*	$A evaluate --scores s.csv -p late.csv --json
0	^figure$	*	$A evaluate --scores s.csv audio.csv visual.csv late.csv --figure f.svg -q >/dev/null && test -s f.svg && echo figure
2	-	f.svg is already there	$A evaluate --scores s.csv late.csv --figure f.svg
2	-	figures are .png, .svg or .pdf	$A evaluate --scores s.csv late.csv --figure f.gif
2	-	--scores is missing	$A evaluate late.csv
2	-	a run or a file of predictions is missing	$A evaluate --scores s.csv
2	-	audio_dominated_0.95 of split test is empty: no clip has d > 0.95; give a smaller --threshold	$A evaluate --scores s.csv late.csv -t 0.95 -o none
2	-	--threshold 2: give a number	$A evaluate --scores s.csv late.csv -t 2
2	-	split "val"; name another one with --split \(test, train, all\)	$A evaluate --scores s.csv late.csv --split val
2	-	are both called "late"; name them NAME=PATH	$A evaluate --scores s.csv late.csv late.csv -o none
3	-	no answer for 1 of 4 clips of split all, the first being "d"	$A evaluate --scores s.csv late.csv --split all -o none
3	-	line 3: the scores have no clip "q" \(1 such id\)	printf 'id,prediction\na,x\nq,x\nb,y\nc,x\n' >q.csv; $A evaluate --scores s.csv q.csv -o none
0	^q +1 	1 clips that the scores do not have are left out	$A evaluate --scores s.csv q.csv --ignore-unknown
3	-	line 4: the id "a" stands in line 2 already	printf 'id,prediction\na,x\nb,y\na,x\n' >w.csv; $A evaluate --scores s.csv w.csv -o none
3	-	line 2: "z" is no label of the scores	printf 'id,prediction\na,z\n' >z.csv; $A evaluate --scores s.csv z.csv -o none
2	-	late=: no path follows; give NAME=PATH	$A evaluate --scores s.csv late= -o none
3	-	name no labels	printf 'id,u_audio,u_visual\na,1,0\n' >u.csv; $A evaluate --scores u.csv late.csv
1	-	nothing.csv	$A evaluate --scores s.csv nothing.csv
0	-	-	test ! -e none
# a full disk leaves no table at all: the figure fails, the small tables are not put in place
1	-	File too large	trap "" XFSZ; ulimit -f 16; $A evaluate --scores s.csv audio.csv visual.csv late.csv -o full -q
0	-	*	ls -A full
0	^10$	*	$A evaluate --scores s.csv audio.csv visual.csv late.csv -o full -q >/dev/null && ls full | wc -l | tr -d " "
# What others have published
0	^baseline +61\.73 +60\.96 +69\.09 +0\.905 \(0\.904-0\.907\) +-0\.22$	-	$A evaluate --table $D/paper-kinetics-sounds.csv
0	^The rows do not recombine	-	$A evaluate --table $D/paper-vgg-sound.csv
0	"recombines": false	-	$A evaluate --table $D/paper-balanced.csv --json
0	"recombines": false	-	$A evaluate --table $D/paper-balanced.csv --format json
0	-	-	printf 'method,overall,audio_preferred,visual_preferred\nx,0.50,0.50,0.50\n' >equal.csv; printf 'method,overall,audio_preferred,visual_preferred\nx,0.70,0.60,0.60\n' >off.csv
0	^The rows recombine: .* any share does	-	$A evaluate --table equal.csv
0	^With the best one, overall is off by up to 10.00 points	-	$A evaluate --table off.csv
0	 none  	-	$A evaluate --table off.csv
2	-	draws nothing	$A evaluate --table equal.csv -o none
2	-	draws nothing	$A evaluate --table equal.csv --figure f2.svg
2	-	draws nothing	$A evaluate --table equal.csv --format markdown
0	-	-	test ! -e none && test ! -e f2.svg
2	-	by itself	$A evaluate --table $D/paper-balanced.csv --scores s.csv
3	-	no column "method"	$A evaluate --table s.csv
# evaluate.json says that the files beside it are its own, also where a new evaluation could not end
0	-	*	$A evaluate --scores s.csv late.csv -o old -q >/dev/null; rm old/evaluate.md; mkdir old/evaluate.md; test -e old/evaluate.json
1	-	old/evaluate.md: cannot rename into place	$A evaluate --scores s.csv late.csv -o old -q -f
0	-	-	test -e old/evaluate.txt && test ! -e old/evaluate.json
