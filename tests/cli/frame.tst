# The frame of the program: help, version, wrong usage, exit codes, where output goes.
2	-	usage: avbalance COMMAND	$A
0	^commands:	-	$A --help
0	^commands:	-	$A -h
0	^commands:	-	$A help
0	^avbalance [0-9]+\.[0-9]+	-	$A --version
2	-	there is no command "frobnicate"	$A frobnicate
2	-	there is no command "sumary"; did you mean "summary"\?	$A sumary x.csv
2	-	there is no command "nothing"	$A help nothing
0	^usage: avbalance split SCORES	-	$A help split
1	-	cannot write to standard output	$A --help >/dev/full
1	-	cannot write to standard output	$A summary $D/small.csv >/dev/full
1	-	cannot write to standard output	$A summary --json $D/small.csv >/dev/full
# every command of this build
0	-	-	for c in $($A --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'); do $A $c --help | grep -q "^usage: avbalance $c" || echo "$c"; done
0	-	-	for c in $($A --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'); do $A $c --help | grep -q "^      --json" || echo "$c"; done
0	-	-	for c in $($A --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'); do $A $c --help >a; $A help $c | cmp - a || echo "$c"; done
0	-	-	for c in $($A --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'); do $A $c --no-such-flag >out 2>err; test $? = 2 -a ! -s out || echo "$c"; grep -q "no option --no-such-flag" err || echo "$c"; done
0	-	-	for c in $($A --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'); do $A $c --jsn >out 2>err; test $? = 2 || echo "$c"; grep -q "did you mean --json" err || echo "$c"; done
0	-	-	for c in $($A --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'); do $A $c --threads many >out 2>err; test $? = 2 || echo "$c"; done
0	-	-	for c in $($A --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'); do $A $c --threads -1 >out 2>err; test $? = 2 || echo "$c"; done
0	-	-	for c in $($A --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'); do $A $c --progress=loud >out 2>err; test $? = 2 || echo "$c"; done
# how flags are written
2	-	--out needs a value	$A split $D/small.csv -o
2	-	--out needs a value; if it begins with --, write --name=value	$A split $D/small.csv -o --json
2	-	--json takes no value	$A split $D/small.csv --json=yes
2	-	do not know what to do with "more"	$A split $D/small.csv more
2	-	something is missing: avbalance split SCORES	$A split
2	-	--out is missing	$A datamap $D/small.csv
0	"schema": *"avbalance/split/1"	-	$A split --json -qf -- $D/small.csv
0	^all +2 	-	$A split $D/foreign.tsv --id-column=file --audio-column voice --visual-column face
0	4 clips	-	cp $D/small.csv ./-x.csv && $A summary -- -x.csv
2	-	has no option -x	$A summary -x.csv
# what scripts do by accident
2	-	--threads: '9999' is not allowed; allowed: integer from 0 to 1024	$A summary $D/small.csv --threads 9999
2	-	argument 1 is empty	$A summary ""
2	-	--out is given, but empty	$A datamap $D/small.csv -o ""
2	-	--out is given, but empty	$A split $D/small.csv -o "" --split train
2	-	--scores is given, but empty	$A evaluate --scores= $D/small.csv
0	*	-	$A heatmap $D/small.csv -o untitled.svg --title ""
2	-	taken is a file; name a folder	touch taken; $A split $D/small.csv -o taken
# a closed stream is not taken for an output file
1	-	*	$A split $D/small.csv -o closed >&- 2>&- <&-
0	-	-	$A split $D/small.csv -o open >out && cat open/* >a && cat closed/* | cmp - a; rm out a
