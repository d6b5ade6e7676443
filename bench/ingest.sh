#!/bin/sh
# Clips of 10 s, 340x256, 30 fps, H.264 + AAC with easy and hard content and long and short groups of pictures, made with the ffmpeg
# program; then their decoding beside that program's (bench_decode).
#
# usage: ingest.sh BENCH_DECODE DIR [ROUNDS]
set -eu
bench=$1 dir=$2 rounds=${3:-9}
mkdir -p "$dir"

# NAME SOURCE FILTER CRF GOP
make_clip() {
    [ -s "$dir/$1.mp4" ] && return
    ffmpeg -v error -nostdin -y -f lavfi -i "$2=s=340x256:r=30" \
        -f lavfi -i 'aevalsrc=0.3*sin(2*PI*t*(300+200*t))+0.1*random(0)|0.3*sin(2*PI*t*500):s=48000:d=10' \
        -t 10 -vf "$3" -c:v libx264 -preset medium -crf "$4" -g "$5" -pix_fmt yuv420p -c:a aac -b:a 128k "$dir/$1.tmp.mp4"
    mv "$dir/$1.tmp.mp4" "$dir/$1.mp4"
}
medium='noise=alls=6:allf=t,hue=H=0.3*t'
make_clip clean-gop250 testsrc2 null 23 250
make_clip medium-gop250 testsrc2 "$medium" 26 250
make_clip medium-gop60 testsrc2 "$medium" 26 60
make_clip medium-gop30 testsrc2 "$medium" 26 30
make_clip noise-gop250 mandelbrot noise=alls=60:allf=t+u 25.5 250    # 45 % B-frames
make_clip noise-p-gop250 testsrc2 noise=alls=40:allf=t 23 250     # next to no B-frames: little can be left out

"$bench" "$rounds" "$dir"/clean-gop250.mp4 "$dir"/medium-gop250.mp4 "$dir"/medium-gop60.mp4 "$dir"/medium-gop30.mp4 \
    "$dir"/noise-gop250.mp4 "$dir"/noise-p-gop250.mp4
