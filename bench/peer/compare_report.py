#!/usr/bin/env python3
"""compare_report.py TIMES.jsonl RUNS TORCH.jsonl: what compare.sh measured. Medians of wall time and memory of both sides over the
rounds; then per method the test accuracy of the seeds of both, and whether the means lie within the spread of the seeds."""
import collections
import json
import os
import statistics
import sys

times, runs, torchs = sys.argv[1:]
by = collections.defaultdict(list)
for line in open(times):
    r = json.loads(line)
    by[r["tool"]].append(r)
median = {k: {m: statistics.median(r[m] for r in v) for m in ("wall_s", "cpu_s", "peak_mb")} for k, v in by.items()}
print("%-14s %6s %9s %9s %9s" % ("", "rounds", "wall s", "cpu s", "peak MB"))
for k, m in median.items():
    print("%-14s %6d %9.1f %9.1f %9.0f" % (k, len(by[k]), m["wall_s"], m["cpu_s"], m["peak_mb"]))
best = min((m["wall_s"] for k, m in median.items() if k != "avbalance"))
print("wall time of the faster PyTorch over ours: %.2f" % (best / median["avbalance"]["wall_s"]))

pairs = collections.defaultdict(lambda: ([], []))
for line in open(torchs):
    r = json.loads(line)
    ours = json.load(open(os.path.join(runs, r["run"], "run.json")))
    split = "test" if "test" in r else "train"
    row = pairs[r["run"].rsplit("-seed", 1)[0]]
    row[0].append(ours["accuracy"][split])
    row[1].append(r[split]["accuracy"])
print("\n%-14s %-34s %-34s %s" % ("accuracy", "ours: mean (seeds)", "torch: mean (seeds)", "within the spread"))
for name, (a, b) in pairs.items():
    text = ["%.3f (%s)" % (statistics.mean(x), " ".join("%.3f" % v for v in x)) for x in (a, b)]
    spread = max(max(x) - min(x) for x in (a, b))
    print("%-14s %-34s %-34s %s" % (name, *text, "yes" if abs(statistics.mean(a) - statistics.mean(b)) <= spread else "no"))
