#!/usr/bin/env python3
"""A finished run once more in PyTorch, from the same store: does the engine learn what PyTorch learns?

fit_torch.py STORE RUN [SEEDS]

RUN is a folder that `train` or `estimate` finished on STORE. Its recipe.yaml says everything: method, input transforms, optimiser,
epochs. The same training is done SEEDS (3) times with torchvision's ResNet-18. Printed are accuracy and mean u of every split, ours
first, and the Spearman correlation of u over the clips: two PyTorch seeds with each other, and ours with each of them. Random numbers
differ, so the runs cannot be equal; if the engine does what PyTorch does, ours is as near to a PyTorch run as another seed of it is.

Environment: AVB_THREADS, as many as the run had where unset."""
import glob
import io
import itertools
import json
import math
import os
import sys
import tarfile

import numpy as np
import torch
import torchvision
import yaml
from scipy.stats import spearmanr
from torchvision.transforms import functional as TF

MEAN_STD = {"imagenet": (0.449, 0.226), "half": (0.5, 0.5), "none": (0.0, 1.0)}  # of grey frames


def read_store(folder):
    """The clips by id: {"json": ..., "audio.npy": [F,T], "frames.npy": [K,H,W,C]}."""
    member = {}
    for shard in sorted(glob.glob(os.path.join(folder, "shard-*.tar"))):
        with tarfile.open(shard) as tar:
            for m in tar:
                clip, kind = m.name.split(".", 1)
                data = tar.extractfile(m).read()
                member.setdefault(clip, {})[kind] = json.loads(data) if kind == "json" else np.load(io.BytesIO(data))
    return {m["json"]["id"]: m for m in member.values()}


def read_recipe(run):
    text = open(os.path.join(run, "recipe.yaml")).read()
    head = dict(line[2:].split(": ", 1) for line in text.splitlines() if line.startswith("# ") and ": " in line)
    assert head["held out fold"] == "none", "a cross-fitted run: choose one of paper mode"
    return head["method"], yaml.safe_load(text)


def network(classes, train):
    assert train["model"] == "resnet18"
    net = torchvision.models.resnet18(weights=None, num_classes=classes)
    net.conv1 = torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    torch.nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
    torch.nn.init.xavier_normal_(net.fc.weight)  # as OGM-GE's code; the other layers are torchvision's own
    torch.nn.init.zeros_(net.fc.bias)
    return net


def forward(net, x):
    """Frames [N,K,1,H,W] are folded into the batch and averaged with space."""
    n = x.shape[0]
    x = net.maxpool(net.relu(net.bn1(net.conv1(x.flatten(0, 1)))))
    x = net.layer4(net.layer3(net.layer2(net.layer1(x))))
    return net.fc(x.reshape(n, -1, *x.shape[1:]).mean((1, 3, 4)))


def optimiser(net, t):
    if t["optimiser"] == "sgd":
        return torch.optim.SGD(net.parameters(), t["lr"], momentum=t["momentum"], weight_decay=t["weight_decay"])
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[t["optimiser"]]
    return kind(net.parameters(), t["lr"], weight_decay=t["weight_decay"])


def rate(t, epoch):
    rise = (epoch + 1) / (t["warmup"] + 1) if epoch < t["warmup"] else 1
    if t["schedule"] == "step":
        return rise * t["lr"] * t["gamma"] ** (epoch // t["step"])
    if t["schedule"] == "cosine":
        return rise * (t["lr_min"] + (t["lr"] - t["lr_min"]) * (1 + math.cos(math.pi * epoch / t["epochs"])) / 2)
    return rise * t["lr"]


class Pictures:
    def __init__(self, frames, r):
        assert frames[0].shape[-1] == 1, "colour frames are not done here"
        self.frames, self.r = [torch.from_numpy(f[..., 0]) for f in frames], r
        self.mean, self.std = MEAN_STD[r["colour"]]

    def one(self, frame, train):
        size, frame = [self.r["image_size"]] * 2, frame[None]
        if train and self.r["crop_min"] < 1:
            box = torchvision.transforms.RandomResizedCrop.get_params(frame, (self.r["crop_min"], self.r["crop_max"]), (3 / 4, 4 / 3))
            frame = TF.crop(frame, *box)
        if list(frame.shape[1:]) != size:  # as torchvision does with a file: on 8-bit pictures, by PIL
            frame = TF.pil_to_tensor(TF.resize(TF.to_pil_image(frame), size))
        if train and torch.rand(()) < self.r["flip"]:
            frame = frame.flip(-1)
        return (frame.float() / 255 - self.mean) / self.std

    def batch(self, clips, train):
        out = []
        for i in clips.tolist():
            n, k = len(self.frames[i]), self.r["frames"]
            for j in range(k):
                first, end = j * n // k, (j + 1) * n // k
                at = int(torch.randint(first, end, ())) if train and end > first else (2 * j + 1) * n // (2 * k)
                out.append(self.one(self.frames[i][at], train))
        return torch.stack(out).unflatten(0, (len(clips), -1))


class Sounds:
    def __init__(self, audio):
        self.x = torch.from_numpy(np.stack(audio).astype(np.float32))[:, None, None]

    def batch(self, clips, train):
        return self.x[clips]


def fit(source, y, train_clips, t, seed):
    """Confidence of every clip's label after every epoch [E,N], and which were right at the end [N]."""
    torch.manual_seed(seed)
    net, n = network(int(y.max()) + 1, t), len(y)
    opt, confidence = optimiser(net, t), []
    autocast = lambda: torch.autocast("cpu", dtype=torch.bfloat16, enabled=t["dtype"] == "bf16")
    for epoch in range(t["epochs"]):
        net.train()
        opt.param_groups[0]["lr"] = rate(t, epoch)
        for clips in train_clips[torch.randperm(len(train_clips))].split(t["batch"]):
            with autocast():
                z = forward(net, source.batch(clips, True))
            opt.zero_grad()
            torch.nn.functional.cross_entropy(z.float(), y[clips]).backward()
            opt.step()
        net.eval()
        with torch.no_grad(), autocast():
            z = torch.cat([forward(net, source.batch(c, False)).float() for c in torch.arange(n).split(t["eval_batch"])])
        confidence.append(torch.softmax(z, 1)[torch.arange(n), y].numpy())
    return np.array(confidence), (z.argmax(1) == y).numpy()


def main():
    store, run, seeds = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 3
    method, recipe = read_recipe(run)
    train, result = recipe["train"], json.load(open(os.path.join(run, "run.json")))
    assert train["selection"] == "last" and not train["patience"], "only runs of a fixed length are done here"
    torch.set_num_threads(int(os.environ.get("AVB_THREADS", train["threads"])))
    clip = read_store(store)
    clips = [clip[k] for k in open(os.path.join(run, "ids.txt")).read().split("\n")[:-1]]
    split = np.array([c["json"]["split"] for c in clips])
    y = torch.tensor([c["json"]["label"] for c in clips])
    if method == "audio":
        source = Sounds([c["audio.npy"] for c in clips])
    else:
        source = Pictures([c["frames.npy"] for c in clips], recipe["input"])
    rows = [("ours", np.load(os.path.join(run, "confidence.npy")), np.load(os.path.join(run, "correct.npy"))[-1])]
    train_clips = torch.from_numpy(np.flatnonzero(split == "train"))
    for seed in range(seeds):
        rows.append(("torch %d" % seed, *fit(source, y, train_clips, train, seed)))
    print("%s, %d epochs (run: %d used)" % (method, train["epochs"], result["epochs_used"]))
    for name, confidence, right in rows:
        print("%-8s" % name, *("%s accuracy %.3f, mean u %.3f;" % (s, right[split == s].mean(), confidence[:, split == s].mean())
                               for s in ("train", "val", "test")))
    for a, b in itertools.combinations(rows, 2):
        rho = lambda s: spearmanr(a[1].mean(0)[split == s], b[1].mean(0)[split == s])[0]
        print("%-8s with %-8s Spearman of u:" % (a[0], b[0]), *("%s %.3f" % (s, rho(s)) for s in ("train", "val", "test")))


if __name__ == "__main__":
    main()
