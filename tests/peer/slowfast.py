#!/usr/bin/python3
"""SlowFast beside PyTorch's operators: logits of networks of several sizes, every backend of the build, batch norm folded.

Float32 logits must lie within 1e-4 (relative L2) of a float64 torch, bfloat16's within 5e-2. The last case is the published 8x8 network
at 224 x 224 with made-up weights; there the softmax must also be finite and sum to 1 within 1e-5. Weights are written by this script
under PySlowFast's names and load strictly. Environment: AVB_BUILD, the folder of the build. Exit code 77: no torch here.
"""
import json, os, struct, subprocess, sys, tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench", "peer"))
try:
    import numpy as np
    import torch
    from slowfast_net import SlowFast
except ImportError as e:
    print("cannot run: %s" % e)
    sys.exit(77)

TOOL = os.path.join(os.environ["AVB_BUILD"], "tests", "models", "tool_slowfast")
CASES = [  # title, width, beta_inv, alpha, fusion kernel, depth, pool, classes, frames, size, backends
    ("mid", 16, 4, 4, 7, (1, 2, 2, 1), 2, 11, 16, 96, ("onednn", "reference")),
    ("mid 4x16", 32, 8, 8, 5, (2, 1, 1, 2), 3, 7, 16, 96, ("onednn",)),
    ("8x8", 64, 8, 4, 7, (3, 4, 6, 3), 7, 400, 32, 224, ("onednn",)),
]
failed = []


def save(path, tensors):
    header, blobs, at = {}, [], 0
    for name, t in sorted(tensors.items(), key=lambda kv: (-kv[1].element_size(), kv[0])):
        a = np.ascontiguousarray(t.numpy()).reshape(tuple(t.shape))
        header[name] = {"dtype": {"float32": "F32", "int64": "I64"}[str(a.dtype)], "shape": list(t.shape),
                        "data_offsets": [at, at + a.nbytes]}
        blobs.append(a.tobytes())
        at += a.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def network(case):
    net = SlowFast(*case[1:8]).eval()
    for m in net.modules():  # as alive as a trained one: running statistics and scales that are not their defaults
        if isinstance(m, torch.nn.BatchNorm3d):
            m.running_mean.normal_(0, 0.2)
            m.running_var.uniform_(0.5, 1.5)
            m.weight.data.uniform_(0.8, 1.2)
            m.bias.data.normal_(0, 0.2)
        elif isinstance(m, torch.nn.Conv3d):
            torch.nn.init.kaiming_normal_(m.weight)
    return net


def check(case, folder):
    torch.manual_seed(3)
    net, (frames, size) = network(case), case[8:10]
    fast = torch.randn(1, 3, frames, size, size)
    paths = [os.path.join(folder, n) for n in ("w.safetensors", "x.npy", "z.npy")]
    save(paths[0], net.state_dict())
    np.save(paths[1], fast.numpy())
    with torch.no_grad():
        want = net.double()(fast[:, :, ::case[3]].double(), fast.double())[0].numpy()
    for backend in case[10]:
        for dtype, limit in (("f32", 1e-4), ("bf16", 5e-2)):
            args = [backend, dtype] + paths + [str(v) for v in case[1:5] + case[5] + case[6:8]]
            r = subprocess.run([TOOL] + args, capture_output=True, text=True)
            if r.returncode and dtype == "bf16" and "bf16" in r.stderr:
                print("%s, %s bf16: %s" % (case[0], backend, r.stderr.strip()))
                continue
            if r.returncode:
                failed.append("%s, %s %s: %s" % (case[0], backend, dtype, r.stderr.strip()))
                continue
            z = np.load(paths[2]).astype(np.float64)
            error = np.linalg.norm(z - want) / np.linalg.norm(want)
            p = np.exp(z - z.max(1, keepdims=True))
            p = (p / p.sum(1, keepdims=True)).mean(0)
            good = error <= limit and np.isfinite(p).all() and abs(p.sum() - 1) <= 1e-5 and p.argmax() == np.exp(
                want - want.max(1, keepdims=True)).mean(0).argmax()
            print("%s, %s %s: off by %.2e (limit %.0e)%s" % (case[0], backend, dtype, error, limit, "" if good else ": FAILED"))
            if not good:
                failed.append("%s, %s %s" % (case[0], backend, dtype))


with tempfile.TemporaryDirectory() as folder:
    for c in CASES:
        check(c, folder)
if failed:
    print("\n".join(failed))
    sys.exit(1)
