#!/usr/bin/env python3
"""Selections of random tables against GLPK, which solves a linear program for every level there is.

usage: selection.py [INSTANCES]   (200)
"""
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

build = os.environ.get("AVB_BUILD", "build/release")
program = os.path.join(build, "avbalance")
glpsol = shutil.which("glpsol")
if not glpsol:
    print("glpsol is missing (Debian: glpk-utils)")
    sys.exit(77)


def table(path, n, bins):
    """A table with n[c][b] clips; ids tell class, bin and number."""
    with open(path, "w") as f:
        f.write("id,label,u_audio,u_visual\n")
        for c, row in enumerate(n):
            for b, k in enumerate(row):
                d = -1 + (2 * b + 1) / bins
                for i in range(k):
                    f.write(f"c{c}-b{b}-{i},class{c},{0.5 + d / 2:.6f},{0.5 - d / 2:.6f}\n")


def solve(path, n, must, limits, class_min, class_max):
    """Most clips as GLPK finds them where bin b gets limits[b] = (low, high); None where there is no selection. With whole limits
    the linear program has a whole solution."""
    classes, bins = range(len(n)), range(len(n[0]))
    x = [[f"x_{c}_{b}" for b in bins] for c in classes]
    with open(path, "w") as f:
        f.write("Maximize\n size: " + " + ".join(x[c][b] for c in classes for b in bins) + "\nSubject To\n")
        for c in classes:
            total = " + ".join(x[c])
            f.write(f" min{c}: {total} >= {class_min}\n")
            if class_max:
                f.write(f" max{c}: {total} <= {class_max}\n")
        for b in bins:
            total = " + ".join(x[c][b] for c in classes)
            f.write(f" low{b}: {total} >= {limits[b][0]}\n high{b}: {total} <= {limits[b][1]}\n")
        f.write("Bounds\n")
        for c in classes:
            for b in bins:
                f.write(f" {must[c][b]} <= {x[c][b]} <= {n[c][b]}\n")
        f.write("End\n")
    out = path + ".sol"
    run = subprocess.run([glpsol, "--lp", path, "-o", out], capture_output=True, text=True, check=True)
    text = open(out).read()
    if re.search(r"^Status: +OPTIMAL$", text, re.M):
        return round(float(re.search(r"^Objective: +size = (\S+)", text, re.M).group(1)))
    if re.search(r"^Status: +(UNDEFINED|INFEASIBLE)", text, re.M) or "NO PRIMAL FEASIBLE" in run.stdout:
        return None
    sys.exit(f"glpsol: {run.stdout}")


def largest(path, n, must, weight, eligible, low, high, level, class_min, class_max):
    """Over all levels."""
    bins = range(len(n[0]))
    kept = [sum(row[b] for row in must) for b in bins]
    have = [sum(row[b] for row in n) for b in bins]
    top = 0 if level else max([0] + [math.floor(have[b] / (low * weight[b]) + 1e-9) for b in bins if eligible[b]])
    best = None
    for t in range(top + 1):
        limits = [(kept[b], kept[b]) if not eligible[b] else (0, max(level, kept[b])) if level else
                  (math.ceil(low * t * weight[b] - 1e-9), math.floor(high * t * weight[b] + 1e-9)) for b in bins]
        if any(limits[b][0] > have[b] for b in bins):
            continue
        size = solve(path, n, must, limits, class_min, class_max)
        if size is not None and (best is None or size > best):
            best = size
    return best


def instance(rng, folder):
    bins, classes = rng.choice([2, 4, 6, 8, 10, 20]), rng.randint(1, 6)
    n = [[rng.choice([0, rng.randint(0, 12), rng.randint(0, 40)]) for _ in range(bins)] for _ in range(classes)]
    for row in n: # a class is what has clips
        row[rng.randrange(bins)] += not any(row)
    must = [[rng.randint(0, k) if rng.random() < 0.03 else 0 for k in row] for row in n]
    policy = rng.choice(["strict", "ratio", "waterfill", "plane"])
    ratio, tolerance = rng.choice([1, 1.25, 1.5, 2, 2.7]), rng.choice([0, 0, 0.1, 0.25])
    level = rng.randint(1, 60) if policy == "waterfill" else 0
    class_min = rng.choice([0, 0, 0, rng.randint(0, 10)])
    class_max = rng.choice([0, class_min + rng.randint(1, 80)])
    least = rng.choice([0, 1, 5, 20])
    half = bins // 2
    weight = [1 if policy != "plane" else 2 * half - 2 * (half - b if b < half else b - half + 1) + 1 for b in range(bins)]
    eligible = [sum(row[b] for row in n) >= least for b in range(bins)]
    low, high = (1 - tolerance, 1 + tolerance) if policy == "strict" else (1, ratio)
    table(os.path.join(folder, "t.csv"), n, bins)
    with open(os.path.join(folder, "must"), "w") as f:
        for c, row in enumerate(must):
            for b, k in enumerate(row):
                f.writelines(f"c{c}-b{b}-{i}\n" for i in range(k))
    command = [program, "select", os.path.join(folder, "t.csv"), "--policy", policy, "--bins", str(bins), "--ratio", str(ratio),
               "--tolerance", str(tolerance), "--level", str(level), "--class-min", str(class_min), "--class-max", str(class_max),
               "--min-per-bin", str(least), "--must-keep", os.path.join(folder, "must"), "--json", "--threads", "1"]
    ours = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    theirs = largest(os.path.join(folder, "p.lp"), n, must, weight, eligible, low, high, level, class_min, class_max)
    got = ours["kept"] if ours["possible"] else None
    if got != theirs:
        sys.exit(f"{got} instead of {theirs}: {' '.join(command)}\n{n}\n{must}")
    return got is not None


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    possible = 0
    with tempfile.TemporaryDirectory() as folder:
        for i in range(count):
            possible += instance(random.Random(i), folder)
    print(f"{count} random tables: as many clips as GLPK finds, {possible} possible")


if __name__ == "__main__":
    main()
