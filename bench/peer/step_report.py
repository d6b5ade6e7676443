#!/usr/bin/env python3
"""Read the JSON lines of step.sh, drop disturbed runs, and print per shape and type both sides' medians, ratio and memory.

step_report.py FILE [LARGEST FOREIGN SHARE, 0.1]. The ratio is the best PyTorch variant's median over ours; `low` and `high` are
the ratios of the medians inside single rounds, where both sides ran undisturbed."""
import collections
import json
import statistics
import sys

limit = float(sys.argv[2]) if len(sys.argv) > 2 else 0.1
runs = [json.loads(line) for line in open(sys.argv[1])]
clean = [r for r in runs if r["foreign"] <= limit]
cells = collections.OrderedDict()
for r in clean:
    cells.setdefault((r["shape"], r["batch"], r["dtype"]), collections.defaultdict(list))[(r["tool"], r["variant"], r["version"])].append(r)
print(f"{len(clean)} of {len(runs)} runs undisturbed (foreign processor time <= {limit:.0%})")
print(f"{'shape':>12} {'batch':>5} {'type':>5} {'ours ms':>9} {'torch ms':>9} {'best torch':>22} {'ratio':>6} {'low':>5} {'high':>5}"
      f" {'MB':>5} {'torch MB':>8}  runs")
for (shape, batch, dtype), by in cells.items():
    med = {k: statistics.median(t for r in v for t in r["ms"]) for k, v in by.items()}
    ours = [k for k in med if k[0] == "avbalance"]
    peers = [k for k in med if k[0] == "torch"]
    if not ours or not peers:
        print(f"{shape:>12} {batch:>5} {dtype:>5} not enough undisturbed runs")
        continue
    a, b = min(ours, key=med.get), min(peers, key=med.get)
    rounds = []
    for n in {r["round"] for r in by[a]}:
        own = [r["median_ms"] for r in by[a] if r["round"] == n]
        other = [r["median_ms"] for k in peers for r in by[k] if r["round"] == n]
        if own and other:
            rounds.append(min(other) / min(own))
    low, high = (min(rounds), max(rounds)) if rounds else (float("nan"),) * 2
    memory = [min(r["rss_mb"] for r in by[k]) for k in (a, b)]
    least = min(r["rss_mb"] for k in peers for r in by[k])
    print(f"{shape:>12} {batch:>5} {dtype:>5} {med[a]:9.1f} {med[b]:9.1f} {b[2] + ' ' + b[1]:>22} {med[b] / med[a]:6.2f} {low:5.2f} {high:5.2f}"
          f" {memory[0]:5} {memory[1]:8}  {len(by[a])}/{len(by[b])}")
