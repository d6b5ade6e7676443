#!/usr/bin/python3
"""ResNet-18 beside torchvision's: logits, running statistics and all gradients of one step, for every backend of the build.

Float32 logits must lie within 1e-4 (relative L2) of torch's float32. A gradient of a random network carries noise of some 1e-3 of its
norm, because a rounding error now and then switches a ReLU; so gradients are compared with a float64 torch, and may lie at most 1.5
times as far from it as torch's own float32 (bfloat16: torch's autocast) does, or 1e-5, where no ReLU switched and rounding alone is
left. Which ReLUs switch is chance: the errors are root mean squares over SEEDS networks. Weights travel as safetensors in both directions and load strictly.

Environment: AVB_BUILD, the folder of the build. AVB_RESNET: only cases whose title holds this text.
AVB_SEEDS, AVB_BACKENDS: how many networks, which backends. Exit code 77: no torch here.
"""
import json, os, struct, subprocess, sys, tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench", "peer"))
try:
    import numpy as np
    import torch
    import torchvision
    from methods_torch import read_safetensors
except ImportError as e:
    print("cannot run: %s" % e)
    sys.exit(77)

SEEDS = int(os.environ.get("AVB_SEEDS", "3"))
CASES = [  # title, shape [N,(K),C,H,W], dtypes, backends: all or small ones only
    ("3x64x64 b4", (4, 3, 64, 64), ("f32", "bf16"), True),
    ("2 frames 3x56x56 b8", (8, 2, 3, 56, 56), ("f32",), True),
    ("3x64x64 b64", (64, 3, 64, 64), ("f32", "bf16"), False),
    ("1x64x64 b64", (64, 1, 64, 64), ("f32", "bf16"), False),
    ("1x257x299 b4", (4, 1, 257, 299), ("f32", "bf16"), False),
    ("3x224x224 b8", (8, 3, 224, 224), ("f32", "bf16"), False),
]
CLASSES = 31
failed = []


def write_safetensors(path, tensors):
    header, blobs, at = {}, [], 0
    for name, t in sorted(tensors.items(), key=lambda kv: (-kv[1].element_size(), kv[0])):
        a = np.ascontiguousarray(t.numpy()).reshape(tuple(t.shape))
        kind = {"float32": "F32", "int64": "I64"}[str(a.dtype)]
        header[name] = {"dtype": kind, "shape": list(t.shape), "data_offsets": [at, at + a.nbytes]}
        blobs.append(a.tobytes())
        at += a.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


class Folded(torch.nn.Module):
    """torchvision's network; frames [N,K,C,H,W] are folded into the batch and averaged with space, as OGM-GE does."""

    def __init__(self, channels):
        super().__init__()
        self.net = torchvision.models.resnet18(num_classes=CLASSES)
        if channels != 3:
            self.net.conv1 = torch.nn.Conv2d(channels, 64, 7, 2, 3, bias=False)

    def forward(self, x):
        m, n = self.net, x.shape[0]
        if x.dim() == 5:
            x = x.flatten(0, 1)
        x = m.maxpool(m.relu(m.bn1(m.conv1(x))))
        x = m.layer4(m.layer3(m.layer2(m.layer1(x))))
        x = x.reshape(n, -1, *x.shape[1:]).mean((1, 3, 4))
        return m.fc(x)


def fresh(state, channels, double):
    net = Folded(channels)
    net.net.load_state_dict(state, strict=True)
    return net.double() if double else net


def torch_step(state, x, y, kind, train):
    net = fresh(state, x.shape[-3], kind == "f64")
    net.train(train)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=kind == "bf16"):
        z = net(x.double() if kind == "f64" else x)
    z = z.double() if kind == "f64" else z.float()
    if not train:
        return z.detach(), None, None
    torch.nn.functional.cross_entropy(z, y.long()).backward()
    return z.detach(), {k: p.grad.double() for k, p in net.net.named_parameters()}, net.net.state_dict()


def our_step(folder, backend, dtype, mode):
    tool = os.path.join(os.environ["AVB_BUILD"], "tests/engine/tool_resnet")
    f = lambda name: os.path.join(folder, name)
    subprocess.run([tool, backend, dtype, mode, f("in.safetensors"), f("x.npy"), f("y.npy"), folder], check=True, stdout=subprocess.DEVNULL)
    z = torch.from_numpy(np.load(f("logits.npy")))
    if mode == "eval":
        return z, None, None
    return z, {k: v.double() for k, v in read_safetensors(f("gradients.safetensors")).items()}, read_safetensors(f("weights.safetensors"))


def distance(a, b):
    return float((a.double() - b.double()).norm() / b.double().norm())


def grad_distance(a, b):
    return float(sum((a[k] - b[k]).norm() ** 2 for k in b) ** 0.5 / sum(b[k].norm() ** 2 for k in b) ** 0.5)


def judge(title, what, value, limit):
    ok = value <= limit
    print("  %-8s %-34s %.3g (at most %.3g)" % ("ok" if ok else "FAILED", what, value, limit), flush=True)
    if not ok:
        failed.append("%s: %s" % (title, what))


def make_case(folder, shape, seed):
    torch.manual_seed(seed)
    net = Folded(shape[-3])
    x, y = torch.randn(shape), torch.randint(CLASSES, (shape[0],), dtype=torch.int32)
    net.train()
    with torch.no_grad():
        for _ in range(3):  # running statistics that are neither fresh nor those of this batch
            net(torch.randn(shape) * 1.1 + 0.1)
    np.save(os.path.join(folder, "x.npy"), x.numpy())
    np.save(os.path.join(folder, "y.npy"), y.numpy())
    state = {k: v.clone() for k, v in net.net.state_dict().items()}
    write_safetensors(os.path.join(folder, "in.safetensors"), state)
    return state, x, y


def run_case(title, shape, dtypes, backends):
    errors = {}  # (who, dtype) -> list of gradient errors
    add = lambda who, dtype, e: errors.setdefault((who, dtype), []).append(e)
    for seed in range(SEEDS):
        with tempfile.TemporaryDirectory() as folder:
            state, x, y = make_case(folder, shape, seed)
            z64, g64, _ = torch_step(state, x, y, "f64", True)
            for dtype in dtypes:
                z, g, after = torch_step(state, x, y, dtype, True)
                e, _, _ = torch_step(state, x, y, dtype, False)
                add("torch", dtype, grad_distance(g, g64))
                limit = 1e-4 if dtype == "f32" else 1.5 * distance(z, z64)
                e64 = torch_step(state, x, y, "f64", False)[0]
                for b in backends:
                    oz, og, oafter = our_step(folder, b, dtype, "train")
                    oe, _, _ = our_step(folder, b, dtype, "eval")
                    add(b, dtype, grad_distance(og, g64))
                    fresh(oafter, shape[-3], False)  # loads strictly
                    if dtype == "f32":
                        judge(title, "%s logits, train" % b, distance(oz, z), limit)
                        judge(title, "%s logits, eval" % b, distance(oe, e), limit)
                        stats = [k for k in after if "running" in k]
                        judge(title, "%s running statistics" % b, max(distance(oafter[k], after[k]) for k in stats), 1e-4)
                        assert all(int(oafter[k]) == int(after[k]) for k in after if "batches" in k), "num_batches_tracked"
                    else:
                        judge(title, "%s bf16 logits, train" % b, distance(oz, z64), limit)
                        judge(title, "%s bf16 logits, eval" % b, distance(oe, e64), 1.5 * distance(e, e64))
    rms = {k: (sum(e * e for e in v) / len(v)) ** 0.5 for k, v in errors.items()}
    for (who, dtype), v in errors.items():
        print("           %s %s gradient errors: %s" % (who, dtype, " ".join("%.2g" % e for e in v)))
    for dtype in dtypes:
        for b in backends:
            judge(title, "%s %s gradients (torch %.3g)" % (b, dtype, rms["torch", dtype]), rms[b, dtype], max(1.5 * rms["torch", dtype], 1e-5))


def main():
    torch.set_num_threads(2)
    for title, shape, dtypes, small in CASES:
        if os.environ.get("AVB_RESNET", "") not in title:
            continue
        print(title, flush=True)
        run_case(title, shape, dtypes, os.environ.get("AVB_BACKENDS", "onednn reference").split() if small else
                 [b for b in os.environ.get("AVB_BACKENDS", "onednn").split() if b != "reference"])
    if failed:
        print("%d disagreements:\n  %s" % (len(failed), "\n  ".join(failed)))
    return 1 if failed else 0


sys.exit(main())
