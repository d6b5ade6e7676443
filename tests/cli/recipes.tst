# The recipes of the build, as text and JSON.
0	^demo +demo: 	-	$A recipes
0	^train:	-	$A recipes demo
0	"schema": "avbalance/recipes/1"	-	$A recipes --json
0	"schema": "avbalance/recipe/1"	-	$A recipes demo --json
2	-	no recipe "dem"; there are: .*demo	$A recipes dem
0	^categories/balanced-av: a table	-	$A recipes
0	^eating.Eating.visual.eating hotdog$	-	$A recipes categories/balanced-av
2	-	there is no recipe "categories/none"	$A recipes categories/none
0	"schema": "avbalance/categories/1"	-	$A recipes categories/balanced-av --json
0	"categories/balanced-av"	-	$A recipes --json
