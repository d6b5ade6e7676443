#!/bin/sh
# Clips per second on one core: `avbalance clip`, which also probes what it wrote, beside the ffmpeg program doing the same cut, one
# command per clip. Three videos of two minutes, 1280x720 H.264 and AAC, of easy, usual and hard content, cut at the same ten places
# each; rounds interleaved. ffmpeg runs once with the settings that people use and once with those of `clip` (a keyframe a second, no
# macroblock tree). JSON lines; the last one has the ratios of the medians.
#
# usage: clip.sh AVBALANCE DIR [ROUNDS]
set -eu
avbalance=$1 dir=$2 rounds=${3:-3}
mkdir -p "$dir"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# NAME SOURCE FILTER
make_video() {
    [ -s "$dir/$1.mp4" ] && return
    ffmpeg -v error -nostdin -y -f lavfi -i "$2=s=1280x720:r=30000/1001" \
        -f lavfi -i 'aevalsrc=0.3*sin(2*PI*t*(300+20*t))+0.1*random(0)|0.3*sin(2*PI*t*500):s=44100:d=120' \
        -t 120 -vf "$3" -c:v libx264 -preset medium -crf 23 -g 250 -pix_fmt yuv420p -c:a aac -b:a 128k "$dir/$1.tmp.mp4"
    mv "$dir/$1.tmp.mp4" "$dir/$1.mp4"
}
make_video easy testsrc2 null
make_video usual testsrc2 'gblur=sigma=2,noise=alls=5:allf=t,hue=H=0.3*t'
make_video hard mandelbrot noise=alls=20:allf=t+u

echo id,file,label,start,end >"$work/list.csv"
for name in easy usual hard; do
    for k in 0 1 2 3 4 5 6 7 8 9; do echo "$name-$k,$(cd "$dir" && pwd)/$name.mp4,x,$((3 + 11 * k)).37,$((13 + 11 * k)).37"; done
done >>"$work/list.csv"
n=$(($(wc -l <"$work/list.csv") - 1))

ours() {
    rm -rf "$work/ours"
    taskset -c 0 "$avbalance" clip "$work/list.csv" -o "$work/ours" --workers 1 --reject none -q --progress=none >/dev/null
}
# OPTIONS...: of the encoder
theirs() {
    rm -rf "$work/theirs"
    mkdir "$work/theirs"
    tail -n +2 "$work/list.csv" | while IFS=, read -r id file _ start _; do
        taskset -c 0 ffmpeg -v error -nostdin -y -ss "$start" -i "$file" -t 10 -map 0:v:0 -map 0:a:0 \
            -vf "scale='if(gt(iw,ih),-2,min(360,iw))':'if(gt(iw,ih),min(360,ih),-2)'" -r 30 \
            -c:v libx264 -preset veryfast -crf 23 -pix_fmt yuv420p "$@" -c:a aac -ar 48000 -ac 2 -movflags +faststart "$work/theirs/$id.mp4"
    done
}
seconds() { # COMMAND...: wall time
    begin=$(date +%s.%N)
    "$@"
    end=$(date +%s.%N)
    awk "BEGIN { printf \"%.3f\n\", $end - $begin }"
}
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

for _ in $(seq "$rounds"); do
    seconds ours >>"$work/s.clip"
    seconds theirs >>"$work/s.ffmpeg"
    seconds theirs -g 30 -x264-params mbtree=0 >>"$work/s.ffmpeg-same"
done
for who in clip ffmpeg ffmpeg-same; do
    awk -v n="$n" -v s="$(median "$work/s.$who")" -v who="$who" \
        'BEGIN { printf "{\"bench\":\"clip\",\"who\":\"%s\",\"clips\":%d,\"seconds\":%.3f,\"clips_per_s\":%.3f}\n", who, n, s, n / s }'
done
awk -v c="$(median "$work/s.clip")" -v f="$(median "$work/s.ffmpeg")" -v g="$(median "$work/s.ffmpeg-same")" -v r="$rounds" \
    'BEGIN { printf "{\"bench\":\"clip\",\"rounds\":%d,\"times_ffmpeg\":%.3f,\"times_ffmpeg_same\":%.3f}\n", r, f / c, g / c }'
