#!/usr/bin/env python3
"""What `compare` trains, in PyTorch: every method with every seed, from the same initial weights and in the same order of clips.

compare_torch.py STORE RUNS FIRST JOBS THREADS OUT

RUNS is a folder of `compare`: which runs there are and their recipes. FIRST holds <run>/first.safetensors of each (steps_tool). JOBS runs
at once with THREADS each. After every epoch all clips are scored in eval mode, as ours are. Into OUT goes a line of JSON per run: accuracy
per split after the last epoch, and the mean confidences."""
import json
import multiprocessing
import os
import sys

import numpy as np
import torch

import fit_torch
import methods_torch as peer


def train(job):
    store, runs, first, threads, name = job
    torch.set_num_threads(threads)
    method, recipe = fit_torch.read_recipe(os.path.join(runs, name))
    t = recipe["train"]
    assert t["selection"] == "last" and not t["patience"] and t["dtype"] == "f32", "only runs of a fixed length in float32 are done here"
    torch.manual_seed(t["seed"])
    clips = peer.Clips(store, open(os.path.join(runs, name, "ids.txt")).read().split("\n")[:-1], recipe)
    run = peer.Training(method, recipe, int(clips.y.max()) + 1, 1,
                        os.path.join(first, name, "first.safetensors"))
    rows = [i for i, s in enumerate(clips.split) if s == "train"]
    confidence = []
    for epoch in range(t["epochs"]):
        for step, b in enumerate(peer.batches(rows, t, epoch)):
            run.step(clips.batch(b, True, run.net.inputs), clips.y[b], epoch, step)
        z = torch.cat([run.logits(clips.batch(b, False, run.net.inputs)) for b in torch.arange(len(clips.y)).split(t["eval_batch"])])
        confidence.append(torch.softmax(z, 1)[torch.arange(len(clips.y)), clips.y].numpy())
    right, u = (z.argmax(1) == clips.y).numpy(), np.mean(confidence, 0)
    return {"run": name, "method": method, "seed": t["seed"],
            **{s: {"accuracy": float(right[clips.split == s].mean()), "u": float(u[clips.split == s].mean())}
               for s in ("train", "val", "test") if (clips.split == s).any()}}


def main():
    store, runs, first, jobs, threads, out = sys.argv[1:]
    names = sorted(n for n in os.listdir(runs) if os.path.isdir(os.path.join(first, n)))
    with multiprocessing.get_context("spawn").Pool(int(jobs)) as pool, open(out, "w") as f:
        for result in pool.imap(train, [(store, runs, first, int(threads), n) for n in names]):
            print(json.dumps(result), file=f, flush=True)


if __name__ == "__main__":
    main()
