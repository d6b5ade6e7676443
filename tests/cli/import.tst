# Weights of other programs. $D/../../fuzz/corpus/import holds one small file per container.
0	^conv.weight_t +F32 +\[3,2\]$	^its names are those of no known network$	$A import $D/../../fuzz/corpus/import/torch-zip --list
0	^torch zip: 4 tensors, 0.0 MB, 2 other entries left out$	-	$A import $D/../../fuzz/corpus/import/torch-zip --list -q
0	^torch before 1.6: 4 tensors	-	$A import $D/../../fuzz/corpus/import/torch-legacy --list --as none
0	^conv1_w +F32 +\[2,1,2\]$	*	$A import $D/../../fuzz/corpus/import/caffe2 --list
0	"schema": "avbalance/import/1"	-	$A import $D/../../fuzz/corpus/import/npz-stored --list --json
0	"source": "w"	-	$A import $D/../../fuzz/corpus/import/npz-stored --list --json
# the other way round: what was written is read, with the same values whatever container they came from
0	; written to a.safetensors$	-	$A import $D/../../fuzz/corpus/import/torch-zip --as none -o a.safetensors
0	"output": "b.safetensors"	-	$A import $D/../../fuzz/corpus/import/torch-zip-streamed --as none -o b.safetensors --json
0	^safetensors: 4 tensors	-	$A import a.safetensors --list -q
0	-	-	tail -c 72 a.safetensors >1; tail -c 72 b.safetensors >2; cmp 1 2
0	source_sha256":"[0-9a-f]{64}	-	head -c 300 a.safetensors
2	-	a.safetensors is already there; give -f	$A import $D/../../fuzz/corpus/import/torch-zip --as none -o a.safetensors
0	*	-	cp a.safetensors aa.safetensors; $A import aa.safetensors --as none -f -o a.safetensors
2	-	a.safetensors is read here and would be written	$A import a.safetensors --as none -f -o a.safetensors
# refused: nothing is written
3	-	those of no known network; its network can be given as "none"	$A import $D/../../fuzz/corpus/import/torch-zip -o x.safetensors
3	-	^warning: missing: features.0.weight \[64,1,3,3\]$	$A import $D/../../fuzz/corpus/import/torch-zip -o x.safetensors --as vggish
3	-	^warning: unknown: tail \[2\]$	$A import $D/../../fuzz/corpus/import/torch-zip -o x.safetensors --as vggish
3	-	^warning: ... and 66 more \(-v shows them all\)$	$A import $D/../../fuzz/corpus/import/torch-legacy --list --as resnet18-vggsound
3	-	18 tensors missing, 4 unknown, 0 different	$A import $D/../../fuzz/corpus/import/torch-zip -o x.safetensors --as vggish
3	-	p\.pkl: its pickle asks for os\.system	printf '\200\002cos\nsystem\nX\004\000\000\000echo\205R.' >p.pkl; $A import p.pkl -o x.safetensors
3	-	no checkpoint of a known kind	echo hello >hello; $A import hello -o x.safetensors
3	-	does not match its checksum: the file is damaged	sed 's/model_state/model_stade/' $D/../../fuzz/corpus/import/torch-zip >bad; $A import bad --list
3	-	its end is missing: is the file complete	head -c 900 $D/../../fuzz/corpus/import/torch-zip >cut; $A import cut --list
1	-	nothing: cannot open	$A import nothing -o x.safetensors
1	-	is a folder	$A import . -o x.safetensors
0	-	-	test ! -e x.safetensors && test -z "$(ls | grep tmp-)"
2	-	give -o FILE to write the weights, or --list	$A import a.safetensors
2	-	give -o FILE to write the weights, or --list	$A import a.safetensors --list -o b
2	-	did you mean "slowfast-8x8"	$A import a.safetensors --list --as slowfast-8x
0	^  vggish-head +VGGish with head	-	$A import --help
