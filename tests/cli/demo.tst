# A demo never writes over what is not a demo. (The whole of it runs in tests/e2e.)
2	-	--clips: '59' is not allowed	$A demo -o d --clips 59
2	-	own/manifest.csv is there already	mkdir own; echo mine >own/manifest.csv; $A demo -o own --clips 60 -q
2	-	own/manifest.csv is there already	$A demo -o own --clips 60 -qf
0	^mine$	-	cat own/manifest.csv
# a planted.csv of somebody else's does not make a folder a demo
2	-	garden/planted.csv is there already	mkdir -p garden/store && echo roses >garden/planted.csv; $A demo -o garden --clips 60 -qf
0	-	-	test -d garden/store
