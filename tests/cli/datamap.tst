# Data map and histogram of d.
3	-	small.csv: a data map needs the columns sd_audio and sd_visual	$A datamap $D/small.csv -o m.png
0	figure: d.png	-	$A datamap $D/small.csv -o d.png --figure discrepancy
0	"schema": "avbalance/datamap/1"	-	$A datamap $D/small.csv -o e.pdf --figure discrepancy --json
2	-	figure	$A datamap $D/small.csv -o d2.png --figure pie
2	-	figures are	$A datamap $D/small.csv -o d.bmp
