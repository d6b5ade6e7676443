"""Methods of two modalities in PyTorch, from their papers' formulas: the peer of src/methods.

Networks have the parameter names of our weights.safetensors, so that both sides start from the same file. Random numbers that a training
shares with ours, the order of clips and the noise of OGM-GE, come from the same counter-based streams (src/base/rng.h)."""
import json
import math
import os
import struct
import sys

import numpy as np
import torch
import torchvision
from torch.nn import functional as F

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import fit_torch  # noqa: E402


# ---- the streams: Philox 4x32-10 named by (seed, purpose, epoch, item) ----
SHUFFLE, METHOD = 2, 8


def philox(seed, purpose, epoch, item, first, n_blocks):
    """Words [n_blocks,4] of blocks first, first + 1, ... of a stream."""
    low = np.uint64(0xFFFFFFFF)
    c = [np.arange(first, first + n_blocks, dtype=np.uint64)] + [
        np.full(n_blocks, v, np.uint64) for v in ((epoch << 8) | purpose, item & 0xFFFFFFFF, item >> 32)]
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ np.uint64(k0), p1 & low, (p0 >> np.uint64(32)) ^ c[3] ^ np.uint64(k1), p0 & low]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c, 1)


def words64(words):
    return words[:, 0::2] | (words[:, 1::2] << np.uint64(32))


def normal(seed, epoch, item, n):
    """Box-Muller on the four words of each block, as bal_rng_normals, in double."""
    w = philox(seed, METHOD, epoch, item, 0, (n + 3) // 4).astype(np.int64).reshape(-1, 2)
    radius, angle = np.sqrt(-2 * np.log(((w[:, 0] >> 9) + 0.5) * 2.0 ** -23)), 2 * math.pi * w[:, 1] / 2.0 ** 32
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)[:n]


def shuffled(clips, seed, epoch):
    """Fisher-Yates, as bal_clips_shuffle."""
    x = list(clips)
    draws = iter(words64(philox(seed, SHUFFLE, epoch, 0, 0, len(x))).reshape(-1).tolist())
    for i in range(len(x) - 1, 0, -1):
        reject = (1 << 64) % (i + 1)
        v = next(draws)
        while v < reject:
            v = next(draws)
        j = v % (i + 1)
        x[i], x[j] = x[j], x[i]
    return x


def batches(train_clips, t, epoch):
    order = shuffled(train_clips, t["seed"], epoch)
    if t["drop_last"]:
        order = order[:len(order) // t["batch"] * t["batch"]]
    elif len(order) % t["batch"] == 1:
        order.append(order[0])  # a batch of one has no statistics
    return torch.tensor(order).split(t["batch"])


# ---- networks ----
class Tiny(torch.nn.Module):
    features = 32

    def __init__(self, channels):
        super().__init__()
        for i, (a, b) in enumerate([(channels, 16), (16, 16), (16, 32)], 1):
            self.add_module("conv%d" % i, torch.nn.Conv2d(a, b, 3, 2, 1, bias=False))
            self.add_module("bn%d" % i, torch.nn.BatchNorm2d(b))

    def maps(self, x):
        for i in (1, 2, 3):
            x = F.relu(getattr(self, "bn%d" % i)(getattr(self, "conv%d" % i)(x)))
        return x


class ResNet18(torchvision.models.ResNet):
    features = 512

    def __init__(self, channels):
        super().__init__(torchvision.models.resnet.BasicBlock, [2, 2, 2, 2])
        self.conv1 = torch.nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
        del self.fc

    def maps(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


HEADS = {"audio": ("fc",), "visual": ("fc",), "concat": ("fc",), "ogm": ("fc",), "ogm-ge": ("fc",),
         "gblend": ("fc", "audio", "visual"), "tmc": ("audio", "visual")}


class Network(torch.nn.Module):
    """forward(sound [N,1,1,F,T], frames [N,K,C,H,W]) gives the logits {"fc": joint, "audio": ..., "visual": ...} of the method's heads."""

    def __init__(self, method, model, channels, classes):
        super().__init__()
        encoder = {"tiny": Tiny, "resnet18": ResNet18}[model]
        self.inputs = [m for m in ("audio", "visual") if method == m or method not in ("audio", "visual")]
        for m in self.inputs:
            self.add_module(m, encoder(1 if m == "audio" else channels))
        width = {m: encoder.features for m in ("audio", "visual")} | {"fc": encoder.features * len(self.inputs)}
        self.head = torch.nn.ModuleDict({h: torch.nn.Linear(width[h], classes) for h in HEADS[method]})

    def load(self, path):
        weights = read_safetensors(path)
        if len(self.inputs) == 1:  # a network of one modality has no prefixes
            m = self.inputs[0]
            weights = {("head." if k.startswith("fc.") else m + ".") + k: v for k, v in weights.items()}
        self.load_state_dict(weights, strict=True)

    def forward(self, x):
        f = {}
        for m in self.inputs:
            maps = getattr(self, m).maps(x[m].flatten(0, 1))
            f[m] = maps.reshape(x[m].shape[0], -1, *maps.shape[1:]).mean((1, 3, 4))
        f["fc"] = torch.cat([f[m] for m in self.inputs], 1)
        return {h: layer(f[h]) for h, layer in self.head.items()}


def read_safetensors(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    assert (8 + n) % 8 == 0, "data is not aligned"
    out = {}
    for name, t in json.loads(raw[8:8 + n]).items():
        if name != "__metadata__":
            a, b = t["data_offsets"]
            kind = {"F32": "<f4", "I64": "<i8"}[t["dtype"]]
            out[name] = torch.from_numpy(np.frombuffer(raw[8 + n + a:8 + n + b], kind).copy()).reshape(t["shape"])
    return out


# ---- methods ----
def combined(z):
    """Evidence of the two views and Dempster's combination of it."""
    e = [F.softplus(z[m]) for m in ("audio", "visual")]
    k = e[0].shape[1]
    s = [v.sum(1, keepdim=True) + k for v in e]
    b, u = [v / t for v, t in zip(e, s)], [k / t for t in s]
    clash = b[0].sum(1, keepdim=True) * b[1].sum(1, keepdim=True) - (b[0] * b[1]).sum(1, keepdim=True)
    belief = (b[0] * b[1] + b[0] * u[1] + b[1] * u[0]) / (1 - clash)
    return e + [belief * k / (u[0] * u[1] / (1 - clash))]


def evidential(e, y, weight):
    """ACE and the KL term that takes evidence from wrong classes, mean over the batch."""
    alpha, k = e + 1, e.shape[1]
    rows = torch.arange(len(y))
    ace = torch.digamma(alpha.sum(1)) - torch.digamma(alpha[rows, y])
    wrong = e * (1 - F.one_hot(y, k)) + 1
    s = wrong.sum(1, keepdim=True)
    kl = torch.lgamma(s[:, 0]) - torch.lgamma(wrong).sum(1) - math.lgamma(k)
    kl = kl + ((wrong - 1) * (torch.digamma(wrong) - torch.digamma(s))).sum(1)
    return (ace + weight * kl).mean()


def loss_of(method, z, y, epoch, options):
    if method == "gblend":
        w = [options[k] for k in ("audio", "visual", "joint")]
        return sum(v / sum(w) * F.cross_entropy(z[h], y) for v, h in zip(w, ("audio", "visual", "fc")))
    if method == "tmc":
        weight = min(1, (epoch + 1) / options["anneal"])
        return sum(evidential(e, y, weight) for e in combined(z))
    return F.cross_entropy(z["fc"], y)


def answer(method, z):
    return (combined(z)[2] + 1).log() if method == "tmc" else z["fc"]


def modulate(net, features, y, epoch, step, options, noise):
    """OGM and OGM-GE as published since May 2022, between backward and the update. features: as of this step's forward pass; noise(name,
    shape, epoch, step) or None."""
    head, half = net.head["fc"], net.head["fc"].in_features // 2
    with torch.no_grad():
        score = [torch.softmax(F.linear(f, w, head.bias / 2), 1)[torch.arange(len(y)), y].sum()
                 for f, w in zip(features, (head.weight[:, :half], head.weight[:, half:]))]
        rho = score[1] / score[0]  # of the visual side
        k = {"audio": 1.0, "visual": 1.0}
        if rho > 1:
            k["visual"] = 1 - math.tanh(options["alpha"] * float(rho))
        else:
            k["audio"] = 1 - math.tanh(options["alpha"] / float(rho))
        if not options["first"] <= epoch <= options["last"]:
            return
        for name, p in net.named_parameters():
            m = name.split(".")[0]
            if m in k and p.dim() == 4:
                sigma = p.grad.std() + 1e-8
                p.grad *= k[m]
                if noise:
                    p.grad += sigma * noise(name, p.shape, epoch, step)


class Training:
    """One method from the weights of a file: step by step, and whole."""

    def __init__(self, method, recipe, classes, channels, first, noise=None):
        self.method, self.t, self.options = method, recipe["train"], recipe.get(method, {})
        assert method != "gblend" or self.options["mode"] == "fixed"
        assert not method.startswith("ogm") or (self.options["variant"], self.options["fusion"]) == ("2022-05", "concat")
        self.net = Network(method, self.t["model"], channels, classes)
        self.net.load(first)
        self.net.to(memory_format=torch.channels_last if os.environ.get("AVB_LAYOUT") == "cl" else torch.contiguous_format)
        self.opt = fit_torch.optimiser(self.net, self.t)
        self.noise = (noise or (lambda name, shape, epoch, step: torch.randn(shape))) if method == "ogm-ge" else None
        self.features = None
        if method.startswith("ogm"):  # what the head is given
            self.net.head["fc"].register_forward_pre_hook(lambda layer, x: setattr(self, "features", x[0].detach()))

    def step(self, x, y, epoch, step):
        self.net.train()
        self.opt.param_groups[0]["lr"] = fit_torch.rate(self.t, epoch)
        loss = loss_of(self.method, self.net(x), y, epoch, self.options)
        self.opt.zero_grad()
        loss.backward()
        if self.features is not None:
            modulate(self.net, self.features.chunk(2, 1), y, epoch, step, self.options, self.noise)
        self.opt.step()
        return float(loss.detach())

    def logits(self, x):
        self.net.eval()
        with torch.no_grad():
            return answer(self.method, self.net(x))


class Clips:
    """A store's clips in the order of a list of ids."""

    def __init__(self, store, ids, recipe):
        clip = fit_torch.read_store(store)
        clips = [clip[i] for i in ids]
        self.split = np.array([c["json"]["split"] for c in clips])
        self.y = torch.tensor([c["json"]["label"] for c in clips])
        self.source = {"audio": fit_torch.Sounds([c["audio.npy"] for c in clips]),
                       "visual": fit_torch.Pictures([c["frames.npy"] for c in clips], recipe["input"])}

    def batch(self, rows, train, inputs=("audio", "visual")):
        return {m: self.source[m].batch(rows, train) for m in inputs}
