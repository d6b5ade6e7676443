# Duplicates: what is printed and written, wrong usage, bad input. The clips are the fuzzer's seeds.
0	^usage: avbalance duplicates MANIFEST\|CLIPS	-	$A duplicates --help
0	^duplicates 	-	$A --version
2	-	something is missing: avbalance duplicates	$A duplicates -o d
1	-	none\.csv: cannot open	$A duplicates none.csv -o d
0	-	-	cp $D/../../fuzz/corpus/media/h264.mp4 a.mp4; cp a.mp4 b.mp4; cp $D/../../fuzz/corpus/media/fragmented.mp4 c.mp4; printf 'id,media,label,split\na,a.mp4,x,train\nb,b.mp4,x,test\nc,c.mp4,x,train\n' >m.csv
0	^d: 2 of 3 clips stay; 1 groups of duplicates$	-	$A --version | grep -q 'duplicates not' && exit 0; $A duplicates m.csv -o d -q
0	^a,b,file,	-	cat d/pairs.csv
0	^[ab],duplicates,file,stays=[ab] like=[ab]	-	cat d/rejects.csv
0	"resumed": *3	-	$A duplicates m.csv -o d --json -q
0	^2 ok$	-	echo $(($(wc -l <d/manifest.csv) - 1)) ok
2	-	a 'zzz'|id 'zzz' is none	printf 'zzz\n' >keep.txt; $A duplicates m.csv -o d --keep keep.txt; test $? = 3 && exit 2
0	^b,1,must be kept|,b,1,must be kept$	-	printf '\n b \n\n' >keep.txt; $A duplicates m.csv -o d --keep keep.txt -q >/dev/null && cat d/groups.csv
2	-	holds a manifest that is not of .duplicates.	mkdir in && cp a.mp4 in && printf 'id,media,label,split\na,a.mp4,x,train\n' >in/manifest.csv && $A duplicates in -o in
0	^e: 1 of 1 clips stay; 0 groups	-	$A duplicates in -o e -q
# a source in two splits is told, and with --strict an error
0	^s: 2 of 2 clips stay	2|lie in two splits	printf 'id,media,label,split,source\na,a.mp4,x,train,v\nc,c.mp4,x,test,v\n' >s.csv; $A duplicates s.csv -o s
5	^s: 2 of 2 clips stay	which --strict forbids	$A duplicates s.csv -o s --strict
# what cannot be read stays, and is told
0	^u: 1 of 1 clips stay	1 clips gave no fingerprint	printf 'id,media,label,split\np,p.mp4,x,train\n' >u.csv; printf '<html>' >p.mp4; $A duplicates u.csv -o u
# a benchmark: the same list; copies of its files elsewhere; one that nothing is known of
0	^b: 0 of 3 clips stay; 2 groups	-	$A duplicates m.csv --against m.csv -o b
0	^b: 1 of 3 clips stay; 1 groups	-	mkdir bench two; cp a.mp4 bench/other.mp4; printf 'id,media,label,split\nx,other.mp4,x,test\n' >bench/list.csv; printf 'id,media,label,split\nx,c.mp4,x,test\n' >two/list.csv; $A duplicates m.csv --against bench/list.csv -o b
0	^b: 1 of 3 clips stay	1 of 2 clips of --against have no file that decodes and no known place	$A duplicates m.csv --against bench/list.csv --against two/list.csv -o b
0	^b: 2 of 3 clips stay	3 of 3 clips have no known place in a video: they were not compared with 1 clips of --against	printf 'id,media,label,split,start,source\nx,x.mp4,x,test,30,film\n' >film.csv; $A duplicates m.csv --against film.csv -o b
# two rows of one file overlap
0	^p,q,stretch,	-	printf 'id,media,label,split,start,duration\np,a.mp4,x,train,0,0.5\nq,a.mp4,x,train,0.2,0.5\n' >o.csv; $A duplicates o.csv -o o -q >o.txt && cat o/pairs.csv
