# The largest balanced subset, its certificate, refusals.
0	^kept 2 of 4 clips \(50\.0 %\), 2 classes: no larger selection is possible$	-	$A select $D/small.csv --bins 2 --min-per-bin 1
0	^kept 0 of 4 clips	-	$A select $D/small.csv
0	no bin has 30 clips \(--min-per-bin\)	-	$A select $D/small.csv
0	-	-	awk 'BEGIN {print "id,label,u_audio,u_visual,source"; for (i = 0; i < 1200; i++) printf "clip%04d,%s,%.3f,%.3f,v%d\n", i * 7 % 1200, i % 3 ? "swim" : "bark", (i * 37 % 1000) / 1000, (i * i % 1000) / 1000, i % 300}' >t.csv
0	written: s$	-	$A select t.csv -o s --certificate
0	^certificate.json selected.csv selected.txt select.json $	-	LC_ALL=C ls s | tr "\n" " " | sed 's/select.json selected.csv selected.txt/selected.csv selected.txt select.json/'
2	-	select.json is already there; give -f	$A select t.csv -o s
0	-	-	sort -R t.csv | grep -v ^id >u; (head -1 t.csv; cat u) >u.csv; $A select u.csv -o u.out --certificate --threads 3 >/dev/null; diff -r s u.out
0	-	-	LC_ALL=C sort -c s/selected.txt && tail -n +2 s/selected.csv | cut -d, -f1 | cmp - s/selected.txt
0	no more can be	-	$A verify s
0	those with the smallest keys are kept	-	$A verify s --scores u.csv
0	"table_checked": true	-	$A verify s/certificate.json --scores t.csv --json
5	-	in bin .*clips, the certificate has	head -1000 t.csv >v.csv; $A verify s --scores v.csv
2	-	are for locks	$A verify s --no-media
5	-	SHA-256	cp -r s w; sed -i 2d w/selected.csv; $A verify w
5	-	level .* is impossible|keeps	sed -i 's/true,"level":/true,"level":1/' w/certificate.json; $A verify w
0	*	-	$A select t.csv -o s -f --seed 1
0	-	-	test ! -e s/certificate.json
3	-	has nothing to verify	$A verify s
3	-	states nothing that can be verified	$A verify s/select.json
0	-	-	$A select t.csv --json >1; $A select t.csv --json -o j >2; cmp 1 2; cmp 1 j/select.json
0	"schema": "avbalance/select/1"	-	cat 1
0	"optimal": true	-	cat 1
0	"max_min": 1,	-	$A select t.csv -p strict --json
0	^kept 0 of 1200 clips .*no selection is possible	-	$A select t.csv -p strict --class-min 500 -o none
0	bark, swim must give 500 clips each, 1000 together, and no more than 450 fit	-	$A select t.csv -p strict --class-min 500
0	-	-	cat none/selected.txt
0	*	-	$A select t.csv -p mirror
0	^largest by smallest, per 1 - .d. .* 1\.[0-5]	-	$A select t.csv -p plane
0	"max_min_at_most_1.5": true	-	$A select t.csv -p plane --json
0	*	-	$A select t.csv -p waterfill --level 20
0	*	-	$A select t.csv -p waterfill --budget kl=0.01
0	*	-	$A select t.csv --grid 5
0	beyond 1 of one source and class	-	$A select t.csv --per-source 1 --min-per-bin 5
0	^kept because they had to be: 2$	-	(echo clip0001; echo; echo clip0002) >must; $A select t.csv --must-keep must
0	^no clip of 1200 is kept, and none can be$	-	$A select t.csv -p strict --class-min 500 --must-keep must --certificate -o nomust >/dev/null; $A verify nomust --scores t.csv
0	^[0-9]+ of 1200 clips are kept within all limits$	-	$A select t.csv -p waterfill --budget kl=0.01 --certificate -o budget >/dev/null; $A verify budget --scores t.csv
5	-	less even than the budget	sed 's/"budget_value":0.01/"budget_value":0.0001/' budget/certificate.json >less.json; $A verify less.json
5	-	does not fit to 1300 rows	sed 's/"rows":1200/"rows":1300/' budget/certificate.json >rows.json; $A verify rows.json
0	^kept because they had to be	-	$A select t.csv --extend j --seed 9
2	-	waterfill needs a level or a budget	$A select t.csv -p waterfill
2	-	is for the policy waterfill	$A select t.csv --level 3
2	-	mirror cuts bins alone	$A select t.csv -p mirror --class-max 3
2	-	21 bins: give an even number	$A select t.csv --bins 21
2	-	--budget kl: give kl=X	$A select t.csv -p waterfill --budget kl
2	-	contradict each other	$A select t.csv --class-min 5 --class-max 4
3	-	must: line 4: t.csv has no clip "nobody", which must be kept	echo nobody >>must; $A select t.csv --must-keep must -o bad
3	-	no column "source".*--source-column	$A select $D/small.csv --per-source 2
3	-	line 3: u_audio is 1\.5, outside \[0,1\]	$A select $D/range.csv -o bad
3	-	line 4: the id "b" stands in line 2 already	$A select $D/doubled.csv -o bad
3	-	no column "u_visual"	$A select $D/missing.csv -o bad
3	-	is not UTF-8; convert the table.*while reading latin.csv	printf 'id,label,u_audio,u_visual\na,x\377,0.9,0.7\n' >latin.csv; $A select latin.csv -o bad
1	-	nothing.csv: cannot open	$A select nothing.csv -o bad
0	-	-	test ! -e bad
1	-	File too large	trap "" XFSZ; ulimit -f 4; $A select t.csv --min-per-bin 1 -p waterfill --level 1000 -o full
0	-	-	ls full
# what is left out
0	*	-	$A select t.csv --per-source 2 -o r --rejects
0	-	-	(tail -n +2 r/rejects.csv | cut -d, -f1; cat r/selected.txt) | LC_ALL=C sort >1; tail -n +2 t.csv | cut -d, -f1 | LC_ALL=C sort | cmp - 1
0	^id,stage,rule,values$	-	head -1 r/rejects.csv
0	^ *[0-9]+ beyond_source$	-	cut -d, -f3 r/rejects.csv | sort | uniq -c
0	bin_not_eligible,bin=0$	-	cat r/rejects.csv
0	-	-	for rule in beyond_source beyond_quota bin_not_eligible; do grep -q "\"$rule\": $(grep -c ",$rule," r/rejects.csv)" r/select.json || echo $rule; done
0	^near an edge: 75\.0 %	-	printf 'id,u_audio,u_visual,sd_audio,sd_visual,epochs_audio,epochs_visual\na,0.55,0.5,0.1,0.1,9,9\nb,0.55,0.5,0.1,0.2,1,4\nc,0.5,0.55,0.3,0.1,4,4\nd,1,0,0.3,0.3,9,9\n' >e.csv; $A select e.csv --edges
3	-	has no column "sd_audio"	$A select t.csv --edges
# more: frontier and shortage
0	^ +[0-9.]+ +[0-9.]+ +[0-9]+ +2 -0\.8 <= d < -0\.7 +bark$	-	$A select t.csv --shortage 5 --frontier f.png --frontier f.csv
0	^level,kept,kl,kl_norm,chi2,gini,max_min$	-	head -1 f.csv
0	PNG	-	head -c 4 f.png | tail -c 3
2	-	f.png is already there; give -f	$A select t.csv --frontier f.png
2	-	figures are \.png, \.svg or \.pdf	$A select t.csv --frontier f.gif
0	-	-	$A select t.csv --json --shortage 5 --frontier f.svg >1; $A select t.csv --json --shortage 5 --frontier f.svg -f -o m >2; cmp 1 2; cmp 1 m/select.json; ls m/frontier.csv m/shortage.csv >/dev/null
0	"price":	-	cat 1
0	-	-	$A select t.csv -o m -f >/dev/null; test ! -e m/shortage.csv
# shards: the same bytes from three parts
0	-	-	for i in 1 2 3; do (head -1 t.csv; tail -n +2 t.csv | awk -F, -v i=$i '{split($5, v, "v")} v[2] % 3 == i - 1') >p$i.csv; $A select p$i.csv --shard $i/3 --per-source 2 --counts c$i >/dev/null; done
0	^quotas: q$	-	$A select --merge c3 c1 c2 --min-per-bin 5 --quotas q
0	"kept":	-	$A select --merge c3 c1 c2 --min-per-bin 5 --quotas q -f --json
# which clips they are is not known yet: no share of them is told
0	^    "audio_preferred": null,$	-	$A select --merge c3 c1 c2 --min-per-bin 5 --quotas q -f --json | tee 1
0	-	-	! grep within_0.02 1
0	^clips of shard 3 of 3: k3$	-	for i in 1 2 3; do $A select p$i.csv --shard $i/3 --quotas q --picks k$i; done
0	written: shards	-	$A select --merge k2 k3 k1 --quotas q -o shards --certificate
0	-	-	$A select t.csv --per-source 2 --min-per-bin 5 -o whole --certificate >/dev/null; diff -r whole shards
0	those with the smallest keys	-	$A verify shards --scores t.csv
5	-	the counts of shard 3 of 3 are missing	$A select --merge c1 c2 --quotas q2
5	-	c1: shard 1 is there twice	$A select --merge c1 c2 c3 c1 --quotas q2
5	-	the clips of shard 1 of 3 are missing	$A select --merge k2 k3 --quotas q -o bad
5	-	the clips of shard 2 are there twice	$A select --merge k1 k2 k2 k3 --quotas q -o bad
5	-	is not the table that was counted as this shard	$A select p1.csv --shard 2/3 --quotas q --picks bad
3	-	the file is not whole|is no clip	head -5 k1 >k4; $A select --merge k4 k2 k3 --quotas q -o bad
# a clip that could be kept stands in another shard with other numbers
3	-	is there twice.*two shards have the same clip	id=$(tail -n +3 k2 | cut -d, -f1 | grep -vxFf shards/selected.txt | head -1); (cat p3.csv; echo "$id,bark,0.75,0.001,v901") >d3.csv; $A select d3.csv --shard 3/3 --per-source 2 --counts d3 >/dev/null; $A select --merge c1 c2 d3 --min-per-bin 5 --quotas dq >/dev/null; for i in p1 p2 d3; do $A select $i.csv --shard $(echo $i | tr -d pd)/3 --quotas dq --picks $i.k >/dev/null; done; $A select --merge p1.k p2.k d3.k --quotas dq -o bad
5	-	--must-keep or --extend is in two shards	head -1 shards/selected.txt >one; (head -2 p1.csv; grep "^$(cat one)," t.csv) >p4.csv; (head -3 p1.csv | sed 2d; grep "^$(cat one)," t.csv) >p5.csv; for i in 4 5; do $A select p$i.csv --shard $((i - 3))/2 --extend one --counts c$i >/dev/null; done; $A select --merge c4 c5 --quotas q2
2	-	--edges are not for shards	$A select p1.csv --shard 1/3 --counts bad --edges
2	-	--shard 0/3: give I/N	$A select p1.csv --shard 0/3 --counts bad
2	-	a shard is one table, with	$A select p1.csv --shard 1/3
2	-	--merge needs --quotas	$A select --merge c1
2	-	are for shards	$A select t.csv --counts bad
2	-	one table of scores	$A select t.csv u.csv
0	-	-	test ! -e bad && test ! -e q2
