# Videos to clips: what is printed and written, wrong usage, bad input. The films are the fuzzer's seeds.
0	^usage: avbalance clip VIDEO\|LIST\|FOLDER	-	$A clip --help
0	^\* silent 	-	$A clip --help
2	-	--out.*required|needs --out|--out	$A clip x.mp4
2	-	something is missing: avbalance clip	$A clip -o d
0	-	-	cp $D/../../fuzz/corpus/media/h264.mp4 film.mp4; cp $D/../../fuzz/corpus/media/s.wav .; cp $D/../../fuzz/corpus/media/vp8.webm abcdefghijk.webm; mkdir -p lab/dog && cp film.mp4 lab/dog/; printf '<html>' >page.mp4
# two inputs of five give clips; the others stand with their reasons
0	^d: 4 clips of 5 videos$	-	$A clip film.mp4 abcdefghijk.webm page.mp4 none.mp4 s.wav -o d --seconds 1 --grid --reject none
2	-	d/clips is read here and -f would take it away	$A clip d/clips -o d --seconds 1 --grid --reject none -f
0	^abcdefghijk_1,clips/abcdefghijk_1\.mp4,,,0,1,abcdefghijk$	-	cat d/manifest.csv
0	^local:sha256:[0-9a-f]{16},page\.mp4,,,plan,unusable,not a media file	-	cat d/rejects.csv
0	,none\.mp4,,,list,missing,the file is not there$	-	cat d/rejects.csv
0	,s\.wav,,,plan,no-video,has no picture stream$	-	cat d/rejects.csv
0	^abcdefghijk,abcdefghijk\.webm,2\.048,,2,0$	-	cat d/videos.csv
0	^4$	-	ls d/clips | wc -l
0	h264 64x48 30 fps, aac 48000 Hz x2	-	$A probe d/clips/abcdefghijk_1.mp4
# clips below a second keep ids of their own
0	^abcdefghijk_0\.500,clips/abcdefghijk_0\.500\.mp4,	-	$A clip abcdefghijk.webm -o half --seconds 0.5 --grid --reject none -q >/dev/null && cat half/manifest.csv
0	-	-	cut -d, -f1 half/manifest.csv | sort | uniq -d
# again: nothing to do; other settings are refused, -f makes anew; a folder of something else stays
0	"resumed": *4	d was complete already	$A clip film.mp4 abcdefghijk.webm page.mp4 none.mp4 s.wav -o d --seconds 1 --grid --reject none --json
5	-	d/journal\.jsonl: begun with other settings	$A clip film.mp4 -o d --seconds 2 --grid
0	^d: 1 clips of 1 videos	-	$A clip film.mp4 -o d --seconds 2 --grid --reject none -f
0	^1$	-	ls d/clips | wc -l
# a list that cannot be read costs no clip
1	-	none\.csv: cannot open	$A clip none.csv -o d --seconds 2 --grid --reject none -f
0	^1$	-	ls d/clips | wc -l
2	-	lab holds dog but no clips of an earlier call	$A clip film.mp4 -o lab
2	-	lab holds dog but no clips of an earlier call	$A clip film.mp4 -o lab -f
# a journal.jsonl of somebody else's is left as it is
2	-	own/journal\.jsonl: holds something else than the avbalance/clip/1 that belongs here	mkdir own; printf '{"mine":1}\n' >own/journal.jsonl; $A clip film.mp4 -o own --seconds 1 --grid
0	^\{"mine":1\}$	-	cat own/journal.jsonl
# labels of folders reach the manifest, and ingest takes it as it is
0	^dog/film_0,clips/dog_film_0-[0-9a-f]{8}\.mp4,dog,train,0,1,dog/film$	-	$A clip lab -o l --seconds 1 --grid --reject none -q >/dev/null && cat l/manifest.csv
0	2 of 2 clips stored	*	$A ingest l/manifest.csv -o s --val-share 0
# a video that is called after its YouTube id is of that source in a folder, too
0	^cat/abcdefghijk_0,clips/.*,cat,train,0,1,abcdefghijk$	-	mkdir -p tube/cat && cp abcdefghijk.webm tube/cat/ && $A clip tube -o t --seconds 1 --grid --reject none -q >/dev/null && cat t/manifest.csv
# files of one speaker are videos of their own
0	-	-	printf 'id,file,label,start,duration,source\np,film.mp4,x,0,1,speaker\nq,abcdefghijk.webm,x,0,1,speaker\n' >speech.csv; $A clip speech.csv -o sp --reject none -q >/dev/null; cut -d, -f1-4 sp/clips.csv | tail -2 | tr '\n' ' ' | grep -qx 'p,p,0,1000 q,q,0,1000 '
0	^p,clips/p.mp4,x,train,0,1,speaker$	-	cat sp/manifest.csv
# filters
3	-	not one clip could be made of 1 videos; each stands with its reason in f/rejects.csv	$A clip film.mp4 -o f --seconds 1 --grid --require rotated
0	filter,rotated,not found: 	-	cat f/rejects.csv
2	-	--reject: no finding is called silnt, did you mean silent	$A clip film.mp4 -o g --reject dc,silnt
2	-	no clip is unusable	$A clip film.mp4 -o g --reject unusable
# lists
3	-	no manifest dialect is recognised	printf 'what,is,this\n' >odd.csv; $A clip odd.csv -o g
3	-	none\.mp4: the file is not there \(list: missing\)	$A clip none.mp4 -o g --on-error stop
2	-	download command: \{out\} does not stand in it	$A clip film.mp4 -o g --download 'x -- {id}'
0	^ABCDEFGHIJK_000010_000012,clips/ABCDEFGHIJK_000010_000012.mp4,dog,test,0,2,ABCDEFGHIJK$	-	printf 'label,youtube_id,time_start,time_end,split\ndog,ABCDEFGHIJK,10,12,test\n' >k.csv; printf 'cp film.mp4 "$1"\n' >get.sh; $A clip k.csv -o k --reject none -q --download 'sh get.sh {out} {start} -- {id}' >/dev/null; cat k/manifest.csv
