#!/usr/bin/python3
"""clip against the ffmpeg program: the same pictures, bit by bit, behind the same encoder; the same sound; the same shots.

The pictures of a cut must be those on screen at start + k / 30. In ffmpeg's words: shift the clock, bring to 30 fps rounding up, trim,
scale. Both encode with the same settings and one thread, so that decoded frames are equal only if what was encoded is."""
import csv
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

AVBALANCE = os.path.join(os.environ["AVB_BUILD"], "avbalance")
failures = 0


def check(what, good, detail=""):
    global failures
    failures += not good
    print(("ok      " if good else "DIFFERS ") + what, detail)


def ffmpeg(*args):
    return subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *args], check=True, stdout=subprocess.PIPE).stdout


def frames(path):
    text = ffmpeg("-i", path, "-map", "0:v", "-f", "framemd5", "-").decode()
    return [line.split(",")[-1].strip() for line in text.splitlines() if not line.startswith("#")]


def sound(path):
    return np.frombuffer(ffmpeg("-i", path, "-map", "0:a", "-f", "f32le", "-ac", "2", "-ar", "48000", "-"), np.float32).reshape(-1, 2)


SOUND = "aevalsrc=0.3*sin(2*PI*t*(300+20*t))|0.2*sin(2*PI*t*500)+0.1*sin(2*PI*t*t*50):s=44100:d=40"
# name, source, options, scale of the clip, start
FILMS = [
    ("plain.mp4", "testsrc2=s=1280x720:r=30000/1001:d=40", ["-g", "90"], "640:360", 3.21),
    ("far.mkv", "testsrc2=s=640x480:r=25:d=40", ["-g", "250", "-bf", "3"], "480:360", 27.5),
    ("small.mp4", "testsrc2=s=320x240:r=60:d=40", ["-g", "60"], "320:240", 12.345),
    ("tall.mp4", "testsrc2=s=540x960:r=24:d=40", ["-g", "48"], "360:640", 20),
    ("vfr.mkv", "testsrc2=s=480x360:r=50:d=40,select='not(mod(n\\,7))+lt(mod(n\\,41)\\,9)'", ["-fps_mode", "vfr"], "480:360", 8.01),
]


def cut_by_ffmpeg(film, start, scale, out):
    picture = f"setpts=PTS-{start}/TB,fps=30:round=up,trim=start=0:end=10,setpts=PTS-STARTPTS,scale={scale}"
    ffmpeg("-i", film, "-vf", picture, "-af", f"atrim={start}:{start + 10},asetpts=PTS-STARTPTS", "-c:v", "libx264", "-preset", "veryfast",
           "-crf", "23", "-x264-params", "mbtree=0", "-g", "30", "-threads", "1", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "128k",
           "-ar", "48000", "-ac", "2", "-movflags", "+faststart", out)


def cuts(folder):
    for name, source, options, scale, start in FILMS:
        film, ours, theirs = (os.path.join(folder, x) for x in (name, "ours-" + name, "theirs.mp4"))
        ffmpeg("-f", "lavfi", "-i", source, "-f", "lavfi", "-i", SOUND, "-c:v", "libx264", "-preset", "ultrafast", *options, "-c:a", "aac", film)
        table = os.path.join(folder, name + ".csv")
        with open(table, "w") as f:
            f.write(f"id,file,label,start,end\nclip,{name},x,{start},{start + 10}\n")
        subprocess.run([AVBALANCE, "clip", table, "-o", ours, "--reject", "none", "-q"], check=True, stdout=subprocess.DEVNULL)
        cut_by_ffmpeg(film, start, scale, theirs)
        ours = os.path.join(ours, "clips", "clip.mp4")
        a, b = frames(ours), frames(theirs)
        check(f"{name}: {len(b)} pictures", a == b and len(a) == 300, f"{sum(x != y for x, y in zip(a, b))} differ")
        lag, error = compare(sound(ours)[:480000], sound(theirs)[:480000])
        check(f"{name}: sound", error < 0.1 and abs(lag) <= 26, f"relative error {error:.4f} at a lag of {lag} samples")


def compare(x, y):
    """Lag of x against y within 48 samples, and what is left there. Matroska rounds times to milliseconds: 24 samples either way. The
    rest is what two runs of an AAC encoder make of samples that another resampler rounded."""
    n, best = min(len(x), len(y)) - 96, (0, np.inf)
    for lag in range(-48, 49):
        a, b = x[48 + lag:48 + lag + n], y[48:48 + n]
        error = np.sqrt(((a - b) ** 2).mean() / (b ** 2).mean())
        best = min(best, (lag, error), key=lambda pair: pair[1])
    return best


def shots(folder):
    film = os.path.join(folder, "shots.mp4")
    parts = ["testsrc2=s=480x270:r=25:d=13", "mandelbrot=s=480x270:r=25", "testsrc=s=480x270:r=25:d=21", "smptehdbars=s=480x270:r=25:d=4"]
    inputs = [word for part in parts for word in ("-f", "lavfi", "-i", part)]
    join = "[1:v]trim=duration=24,setpts=PTS-STARTPTS[m];[0:v][m][2:v][3:v]concat=n=4:v=1,noise=alls=8:allf=t,format=yuv420p[v]"
    ffmpeg(*inputs, "-f", "lavfi", "-i", SOUND.replace("d=40", "d=62"), "-filter_complex", join, "-map", "[v]", "-map", "4:a",
           "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", film)
    text = ffmpeg("-i", film, "-an", "-vf", "scdet=t=10,metadata=print:file=-", "-f", "null", "-").decode()
    times = [float(line.split("=")[1]) for line in text.splitlines() if line.startswith("lavfi.scd.time")]
    out = os.path.join(folder, "shots")
    subprocess.run([AVBALANCE, "clip", film, "-o", out, "--edge", "0", "--reject", "none", "-q"], check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(out, "videos.csv")) as f:
        row = next(csv.DictReader(f))
    check("scdet: as many cuts", int(row["cuts"]) == len(times), f"{row['cuts']} and {len(times)}")
    spans = [json.loads(line)["spans"] for line in open(os.path.join(out, "journal.jsonl")) if '"spans"' in line][0]
    edges, want = [0.0] + times + [62.0], []
    for a, b in zip(edges, edges[1:]):
        n = int((b - a) // 10)
        want += [a + (b - a - 10 * n) / 2 + 10 * k for k in range(n)]
    off = max(abs(s[0] / 1000 - w) for s, w in zip(spans, want)) if len(spans) == len(want) else float("inf")
    check(f"scdet: {len(want)} clips in its shots", off < 0.03, f"begins within {off:.4f} s")


def main():
    with tempfile.TemporaryDirectory() as folder:
        cuts(folder)
        shots(folder)
    print("clip:", "agrees" if failures == 0 else f"{failures} differ")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
