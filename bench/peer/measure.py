#!/usr/bin/env python3
"""measure.py LABEL COMMAND...: run a command and print one line of JSON: wall and processor seconds, and the peak memory of all its
processes together (proportional set size, sampled five times a second, so that what they share counts once)."""
import json
import os
import resource
import subprocess
import sys
import time


def tree(root):
    parent = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parent[int(name)] = int(open("/proc/%s/stat" % name).read().rsplit(")", 1)[1].split()[1])
            except OSError:
                pass
    wanted, new = {root}, {root}
    while new:
        new = {pid for pid, p in parent.items() if p in new} - wanted
        wanted |= new
    return wanted


def pss_kb(pid):
    try:
        return next(int(line.split()[1]) for line in open("/proc/%d/smaps_rollup" % pid) if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0


begin, peak = time.monotonic(), 0
child = subprocess.Popen(sys.argv[2:], stdout=subprocess.DEVNULL)
while child.poll() is None:
    peak = max(peak, sum(map(pss_kb, tree(child.pid))))
    time.sleep(0.2)
use = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"tool": sys.argv[1], "wall_s": round(time.monotonic() - begin, 2), "cpu_s": round(use.ru_utime + use.ru_stime, 2),
                  "peak_mb": peak // 1024, "exit": child.returncode}))
sys.exit(child.returncode != 0)
