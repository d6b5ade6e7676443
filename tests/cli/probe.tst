# What media files hold: table, JSON, filters, exit codes. The files are the fuzzer's seeds.
0	h264\.mp4 .* h264 	-	$A probe $D/../../fuzz/corpus/media/h264.mp4
0	no picture, pcm_s16le 8000 Hz x1 .*no-video	-	$A probe $D/../../fuzz/corpus/media/s.wav
0	"schema": ?"avbalance/probe/1"	-	$A probe --json $D/../../fuzz/corpus/media/s.wav
0	"no-video"	-	$A probe --json $D/../../fuzz/corpus/media/s.wav
3	unusable: not a media file	1 of 1 files cannot be used	$A probe $D/small.csv
3	unusable: cannot be opened: No such file	1 of 2 files cannot be used	$A probe absent.mp4 $D/../../fuzz/corpus/media/s.wav
3	s\.wav .*no-video	1 of 2 files cannot be used	$A probe absent.mp4 $D/../../fuzz/corpus/media/s.wav
3	"usable": ?false	1 of 1 files cannot be used	$A probe --json $D/small.csv
0	s\.wav$	-	$A probe --filter no-video --paths $D/../../fuzz/corpus/media/h264.mp4 $D/../../fuzz/corpus/media/s.wav
0	-	-	$A probe --without no-video --paths $D/../../fuzz/corpus/media/s.wav
3	^absent\.mp4$	1 of 2 files cannot be used	$A probe --filter unusable --paths absent.mp4 $D/../../fuzz/corpus/media/s.wav
2	-	no finding is called no-vidio, did you mean no-video	$A probe --filter no-vidio $D/../../fuzz/corpus/media/s.wav
2	-	something is missing: avbalance probe	$A probe
0	-i\.wav .*pcm	-	cp $D/../../fuzz/corpus/media/s.wav ./-i.wav && $A probe -- -i.wav
0	-	-	cd $D/../../fuzz/corpus/media && $A probe --threads 1 *.webm *.mkv >$OLDPWD/a; $A probe --threads 4 *.webm *.mkv >$OLDPWD/b; cmp $OLDPWD/a $OLDPWD/b
# verdicts: which files pass, exit code 3 where one does not
3	s\.wav .* no-video short\(0\.5\)  does not pass$	1 of 2 files do not pass	$A probe --reject no-video,dc $D/../../fuzz/corpus/media/h264.mp4 $D/../../fuzz/corpus/media/s.wav
3	h264\.mp4$	1 of 2 files do not pass	$A probe --reject unfit --paths $D/../../fuzz/corpus/media/s.wav $D/../../fuzz/corpus/media/h264.mp4
3	-	1 of 1 files do not pass	$A probe --reject unfit --paths $D/../../fuzz/corpus/media/s.wav
0	"passed": ?1	-	$A probe --json --require no-video $D/../../fuzz/corpus/media/s.wav
0	"no-video": ?null	-	$A probe --json $D/../../fuzz/corpus/media/s.wav
0	"short": ?0\.5	-	$A probe --json $D/../../fuzz/corpus/media/s.wav
3	"passes": ?false	1 of 1 files do not pass	$A probe --json --require no-video $D/../../fuzz/corpus/media/h264.mp4
2	-	--require: no finding is called lettrbox, did you mean letterbox	$A probe --require lettrbox $D/../../fuzz/corpus/media/s.wav
3	-	1 of 1 files cannot be used	$A probe --paths absent.mp4
2	-	file names that begin with - after --	$A probe -video-.mp4
