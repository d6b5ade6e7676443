# Which scorer names a clip's label.
0	-	-	printf 'id,media,label,split\nh,h.mp4,dog,train\na,a.mp4,dog,train\nv,v.mp4,dog,test\nn,n.mp4,cat,train\nw,w.mp4,cat,val\n' >m.csv
0	-	-	printf 'id,dog,cat\nh,0.9,0.1\na,0.8,0.2\nv,0.3,0.7\nn,0.6,0.4\nw,0.25,0.75\n' >a.csv
0	-	-	printf 'id,dog,cat\nh,0.9,0.1\na,0.4,0.6\nv,0.8,0.2\nn,0.6,0.4\nw,0.25,0.75\n' >v.csv
0	^dog +3 +1 +1 +1 +0 +1 +1 +1 +399 +399 +399$	-	$A triage m.csv --audio a.csv --visual v.csv -o t
0	^manifest.csv rejects.csv triage.csv triage.json $	-	ls t | tr '\n' ' '
0	^v,dog,own,dog,test,v,V,300000,800000,$	-	cat t/triage.csv
0	^n,triage,neither,category=cat source=own qa_pre=400000 qv_pre=400000 type=N$	-	cat t/rejects.csv
0	^w,../w.mp4,cat,val,,,w$	-	cat t/manifest.csv
2	-	triage.json is already there; give -f	$A triage m.csv --audio a.csv --visual v.csv -o t
2	-	e/manifest.csv is read here and would be written	mkdir e; cp m.csv e/manifest.csv; $A triage e/manifest.csv --audio a.csv --visual v.csv -o e -f
0	-	-	cmp m.csv e/manifest.csv
0	"kept": 4	-	$A triage m.csv --audio a.csv --visual v.csv -o t -f --json
0	-	-	$A triage m.csv --audio a.csv --visual v.csv -o t2 --json >1; cmp 1 t2/triage.json
2	-	outputs of both scorers are needed; those of the visual one	$A triage m.csv --audio a.csv -o bad
2	-	--supplement vgg: give NAME=MANIFEST	$A triage m.csv --audio a.csv --visual v.csv -o bad --supplement vgg
2	-	--cap vgg=8: no supplement has this name	$A triage m.csv --audio a.csv --visual v.csv -o bad --cap vgg=8
2	-	two sources are called "own"	$A triage m.csv --audio a.csv --visual v.csv -o bad --supplement own=m.csv
2	-	"0" is no temperature	$A triage m.csv --audio a.csv --visual v.csv -o bad --audio-temperature 0
3	-	neither a category nor a class	$A triage m.csv --audio a.csv --visual v.csv -o bad --categories balanced-av
2	-	there are no categories "balanced"	$A triage m.csv --audio a.csv --visual v.csv -o bad --categories balanced
1	-	none.csv: cannot open	$A triage m.csv --audio none.csv --visual v.csv -o bad
0	-	*	ls bad 2>/dev/null | grep -v "^$"; true
# a supplement fills what is missing; its provenance stays
0	-	-	printf 'id,media,label,split\nx,x.mp4,cat,test\ny,y.mp4,bird,train\n' >s.csv
0	-	-	printf 'id,dog,cat\nx,0.1,0.9\n' >s-out.csv
0	^more: 1 of 2 clips taken, 1 have labels of no category	-	$A triage m.csv --audio a.csv --audio s-out.csv --visual v.csv --visual s-out.csv -o s --supplement more=s.csv
0	^x,cat,more,cat,test,x,H,900000,900000,$	-	cat s/triage.csv
0	^more: 0 of 2	-	$A triage m.csv --audio a.csv --audio s-out.csv --visual v.csv --visual s-out.csv -o s -f --supplement more=s.csv --no-foreign-test
0	^x,triage,foreign-test,category=cat source=more$	-	cat s/rejects.csv
# clips that `clip` has cut are files of their own: the table beside them knows where they stand in their video, so that a supplement's
# clip of the same seconds is known
0	-	-	mkdir cut; sed '1s/$/,start,source/; 2,$s/$/,0,abcdefghijk/' m.csv >cut/m.csv; printf 'id,video,start_ms,end_ms,flags\nh,v,30500,40500,\n' >cut/clips.csv; printf 'id,media,label,split,start,source\nx,x.mp4,cat,train,35,abcdefghijk\n' >s2.csv
0	^more: 0 of 1	-	$A triage cut/m.csv --audio a.csv --audio s-out.csv --visual v.csv --visual s-out.csv -o u --supplement more=s2.csv
0	^more: 1 of 1	-	rm cut/clips.csv; $A triage cut/m.csv --audio a.csv --audio s-out.csv --visual v.csv --visual s-out.csv -o u -f --supplement more=s2.csv
# a full disk leaves no summary
1	-	File too large	awk 'BEGIN {print "id,media,label,split"; for (i = 0; i < 5000; i++) printf "clip%05d,x.mp4,dog,train\n", i}' >long.csv; awk 'BEGIN {print "id,confidence,correct"; for (i = 0; i < 5000; i++) printf "clip%05d,0.5,1\n", i}' >long-out.csv; trap "" XFSZ; ulimit -f 64; $A triage long.csv --audio long-out.csv --visual long-out.csv -o full
0	-	-	ls full | grep json; true
