#!/bin/sh
# Clips of 10 s, 340x256, 30 fps, H.264 + AAC with easy and hard content and long and short groups of pictures, made with the ffmpeg
# program; then their decoding beside that program's (bench_decode).
#
# usage: ingest.sh BENCH_DECODE DIR [ROUNDS]
set -eu
bench=$1 dir=$2 rounds=${3:-9}
mkdir -p "$dir"

# NAME FILTER CRF GOP
make_clip() {
    [ -s "$dir/$1.mp4" ] && return
    ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=s=340x256:r=30:d=10 \
        -f lavfi -i 'aevalsrc=0.3*sin(2*PI*t*(300+200*t))+0.1*random(0)|0.3*sin(2*PI*t*500):s=48000:d=10' \
        -vf "$2" -c:v libx264 -preset medium -crf "$3" -g "$4" -pix_fmt yuv420p -c:a aac -b:a 128k "$dir/$1.tmp.mp4"
    mv "$dir/$1.tmp.mp4" "$dir/$1.mp4"
}
medium='noise=alls=6:allf=t,hue=H=0.3*t'
make_clip clean-gop250 null 23 250
make_clip medium-gop250 "$medium" 26 250
make_clip medium-gop60 "$medium" 26 60
make_clip medium-gop30 "$medium" 26 30
make_clip noise-gop250 noise=alls=40:allf=t 23 250

"$bench" "$rounds" "$dir"/clean-gop250.mp4 "$dir"/medium-gop250.mp4 "$dir"/medium-gop60.mp4 "$dir"/medium-gop30.mp4 \
    "$dir"/noise-gop250.mp4
