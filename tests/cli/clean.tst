# Noise.
0	-	-	printf 'id,label,u_audio,u_visual\na,dog,0.01,0.02\nb,dog,0.9,0.01\nc,cat,0.5,0.5\nd,cat,0.05,0.05\n' >s.csv
0	^removed 0 of 4 clips$	-	$A clean s.csv -o c
0	^2 clips break a rule and stay	-	$A clean s.csv -o c -f
0	^removed 2 of 4 clips$	-	$A clean s.csv -o c -f --cap 0.5
0	^a,noise,low,label=dog u_audio=0.01 u_visual=0.02$	-	cat c/rejects.csv
0	^b,dog,	-	cat c/scores.csv
0	^3$	-	wc -l <c/scores.csv | tr -d " "
2	-	noise.json is already there; give -f	$A clean s.csv -o c
# neither its own table nor files of others are overwritten
2	-	e/scores.csv is read here and would be written	mkdir e; cp s.csv e/scores.csv; $A clean e/scores.csv -o e -f
2	-	e/scores.csv is already there; give -f	$A clean s.csv -o e
0	-	-	cmp s.csv e/scores.csv
2	-	c/rejects.csv is already there; give -f	$A select c/scores.csv -o c --min-per-bin 1
0	-	-	$A clean s.csv -o c -f --cap 0.5 --json >1; cmp 1 c/noise.json
0	^removed 1 of 4	1 ids of t.csv are not among the scores	printf 'id,reason\nc,silent\nx,black\n' >t.csv; $A clean s.csv -o t --technical t.csv
0	^removed 1 of 4	1 ids of t2.csv are not among the scores	printf 'id,reason\nc,silent\nc,black\nx,black\n' >t2.csv; $A clean s.csv -o t2 --technical t2.csv
0	^c,noise,technical,label=cat u_audio=0.5 u_visual=0.5 reason=silent$	-	cat t/rejects.csv
2	-	holds no run folders	$A clean s.csv -o bad --runs c
# the runs that an estimate lists, not one of an earlier call beside them
0	-	-	mkdir -p r/audio-seed0 r/visual-seed0 r/audio-seed0-fold0 && for k in audio visual; do (printf '\223NUMPY\001\000v\000'; printf '%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }"; printf '\000\000\200\077\000\000\000\000') >r/$k-seed0/probabilities.npy; echo a >r/$k-seed0/ids.txt; printf 'dog\ncat\n' >r/$k-seed0/classes.txt; done
3	-	audio-seed0-fold0	$A clean s.csv -o bad --runs r
0	^removed 0 of 4	*	echo '{"runs": ["audio-seed0", "visual-seed0"]}' >r/estimate.json; $A clean s.csv -o runs --runs r
3	-	r/estimate.json: the run "visual-seed1" is no folder	echo '{"runs": ["audio-seed0", "visual-seed1"]}' >r/estimate.json; $A clean s.csv -o bad --runs r
3	-	outside \[0,1\]	$A clean $D/range.csv -o bad
1	-	none.csv	$A clean s.csv -o bad --technical none.csv
0	-	*	ls bad 2>/dev/null | grep -v "^$"; true
