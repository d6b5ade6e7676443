#!/usr/bin/env python3
"""SlowFast 8x8 in PyTorch on one core: the pass and the JSON line of bench_slowfast.c. slowfast_torch.py [HEIGHT [f32|bf16 [PASSES]]]

Batch norm is folded where PyTorch can fold it (torch.jit.optimize_for_inference), and not: both are printed. Times are those that the
processor gave to this program."""
import json
import statistics
import sys
import time

import torch

from slowfast_net import SlowFast

MACS = {224: 50308583424, 256: 65711652864}


def run(name, net, inputs, height, dtype, passes):
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == "bf16"):
        net(*inputs)
        times = []
        for _ in range(passes):
            t = time.process_time()
            net(*inputs)
            times.append(time.process_time() - t)
    middle, best = statistics.median(times), min(times)
    print(json.dumps({
        "bench": "slowfast", "tool": "torch", "variant": name, "version": torch.__version__, "height": height, "dtype": dtype,
        "threads": 1, "median_ms": round(middle * 1e3, 1), "best_ms": round(best * 1e3, 1),
        "gmac_per_s": round(MACS[height] / middle * 1e-9, 1), "best_gmac_per_s": round(MACS[height] / best * 1e-9, 1)}),
        flush=True)


def main():
    height = int(sys.argv[1]) if len(sys.argv) > 1 else 224
    dtype = sys.argv[2] if len(sys.argv) > 2 else "f32"
    passes = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    torch.set_num_threads(1)
    torch.manual_seed(1)
    net = SlowFast().eval()
    inputs = torch.randn(1, 3, 8, height, height), torch.randn(1, 3, 32, height, height)
    run("eager", net, inputs, height, dtype, passes)
    if dtype == "f32":
        folded = torch.jit.optimize_for_inference(torch.jit.trace(net, inputs))
        run("folded", folded, inputs, height, dtype, passes)


main()
