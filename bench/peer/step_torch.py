#!/usr/bin/env python3
"""The training step of bench_step.c in PyTorch: the same network, loss, optimiser and JSON line.

step_torch.py CxHxW BATCH f32|bf16 nchw|cl [STEPS]; cl is channels_last, bf16 is autocast with float32 weights, as PyTorch's own
recipes have it. Environment set by step.sh: two threads, with and without jemalloc's huge pages (variant name ends in -je)."""
import json
import os
import resource
import statistics
import sys
import time

import torch
import torchvision

CLASSES, WARM = 1000, 3


def busy():
    v = [int(x) for x in open("/proc/stat").readline().split()[1:9]]
    r = resource.getrusage(resource.RUSAGE_SELF)
    return (v[0] + v[1] + v[2] + v[5] + v[6] + v[7]) / os.sysconf("SC_CLK_TCK"), r.ru_utime + r.ru_stime


def network(channels):
    net = torchvision.models.resnet18(weights=None, num_classes=CLASSES)
    if channels != 3:
        net.conv1 = torch.nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
    return net.train()


def optimiser(net):
    args = dict(lr=0.01, momentum=0.9, weight_decay=1e-4)
    try:
        return torch.optim.SGD(net.parameters(), fused=True, **args)
    except (TypeError, RuntimeError):
        return torch.optim.SGD(net.parameters(), **args)


def main():
    shape, batch, dtype, layout = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    steps = int(sys.argv[5]) if len(sys.argv) > 5 else 5
    torch.set_num_threads(2)
    torch.manual_seed(1)
    c, h, w = (int(v) for v in shape.split("x"))
    net, x, y = network(c), torch.randn(batch, c, h, w), torch.randint(CLASSES, (batch,))
    if layout == "cl":
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    sgd, loss_of = optimiser(net), torch.nn.CrossEntropyLoss()

    def step():
        sgd.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == "bf16"):
            z = net(x)
        loss = loss_of(z.float(), y)
        loss.backward()
        sgd.step()
        return loss.item()

    losses = [step() for _ in range(WARM)]
    all0, own0 = busy()
    begin, times = time.perf_counter(), []
    for _ in range(steps):
        t = time.perf_counter()
        losses.append(step())
        times.append((time.perf_counter() - t) * 1e3)
    wall = time.perf_counter() - begin
    all1, own1 = busy()
    foreign = ((all1 - all0) - (own1 - own0)) / (wall * os.cpu_count())
    name = layout + ("-je" if "jemalloc" in os.environ.get("LD_PRELOAD", "") else "")
    print(json.dumps({
        "tool": "torch", "variant": name, "version": torch.__version__, "shape": shape, "batch": batch, "dtype": dtype,
        "threads": torch.get_num_threads(), "median_ms": round(statistics.median(times), 2), "best_ms": round(min(times), 2),
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024), "foreign": round(foreign, 3),
        "loss": [losses[0], losses[-1]], "ms": [round(t, 2) for t in times]}), flush=True)


main()
