#!/usr/bin/python3
"""`avbalance import` beside the programs that write checkpoints: whatever PyTorch, NumPy and pickle put into a file comes out bit by bit.

A SlowFast of full size goes through in the names of PySlowFast, pytorchvideo and Caffe2, which are made here by substitution, and a VGGish as
TensorFlow has it; ResNet-18 goes back into torchvision strictly. Files that would run code when Python loads them are refused, and
do not run.

Environment: AVB_BUILD, the folder of the build. Exit code 77: no torch here.
"""
import collections, json, os, pickle, re, struct, subprocess, sys, tempfile

try:
    import numpy as np
    import torch
    import torchvision
except ImportError as e:
    print("cannot run: %s" % e)
    sys.exit(77)

PROGRAM = os.path.join(os.environ["AVB_BUILD"], "avbalance")
KINDS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64, "I64": torch.int64, "I32": torch.int32,
         "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool}
failed = []


def read_safetensors(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    header, out = json.loads(raw[8 : 8 + n]), {}
    for name, t in header.items():
        if name == "__metadata__":
            continue
        a, b = (8 + n + x for x in t["data_offsets"])
        item = torch.empty(0, dtype=KINDS[t["dtype"]]).element_size()
        assert a % item == 0, "%s is not aligned" % name
        out[name] = torch.frombuffer(bytearray(raw[a:b]), dtype=KINDS[t["dtype"]]).reshape(t["shape"]) if b > a else torch.empty(t["shape"], dtype=KINDS[t["dtype"]])
    return out, header["__metadata__"]


def run(*args):
    return subprocess.run([PROGRAM, "import", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)


def bits(t):
    return t.contiguous().numpy().tobytes() if t.dtype != torch.bfloat16 else t.contiguous().view(torch.int16).numpy().tobytes()


def check(title, path, want, network="none", names=None):
    """The file at path comes out as `want`, name -> tensor."""
    out = path + ".safetensors"
    r = run(path, "-f", "-o", out, *(["--as", network] if network in ("none",) else []))
    why = None
    if r.returncode:
        why = r.stderr.strip().splitlines()[-1]
    else:
        have, meta = read_safetensors(out)
        if network != "none" and (meta["network"], meta["source_names"]) != (network, names):
            why = "taken for %s in %s names" % (meta["network"], meta["source_names"])
        elif set(have) != set(want):
            why = "other names: %s" % sorted(set(have) ^ set(want))[:4]
        else:
            bad = [k for k in want if have[k].dtype != want[k].dtype or have[k].shape != want[k].shape or bits(have[k]) != bits(want[k])]
            why = "%d tensors differ, the first is %s" % (len(bad), bad[0]) if bad else None
        os.remove(out)
    print("%-44s %s" % (title, why or "ok (%d tensors)" % len(want)), flush=True)
    if why:
        failed.append(title)


def everything():
    """Each type, and views that share one storage."""
    g = torch.Generator().manual_seed(1)
    base = torch.randn(7, 6, 5, generator=g)
    sd = collections.OrderedDict()
    for name, kind in KINDS.items():
        sd["type." + name] = (torch.randn(3, 4, generator=g) * 50).to(kind)
    sd["scalar"], sd["empty"], sd["none"] = torch.tensor(-3), torch.empty(0, 4), torch.empty(2, 0, 3, dtype=torch.float16)
    sd["view.transposed"], sd["view.slice"] = base.permute(2, 0, 1), base[1:3, ::2, 4]
    sd["view.diagonal"], sd["view.same"], sd["eight"] = base[0, :5].diagonal(), base, torch.ones(1, 2, 1, 2, 1, 2, 1, 2)
    sd["Grüße 音"] = torch.ones(2)
    return sd


def containers(d):
    sd = everything()
    for protocol in (2, 3, 4):
        for new in (True, False):
            path = os.path.join(d, "a.pth")
            torch.save(sd, path, pickle_protocol=protocol, _use_new_zipfile_serialization=new)
            check("torch.save, %s, protocol %d" % ("zip" if new else "before 1.6", protocol), path, sd)
            torch.save({"epoch": 3, "model_state": sd, "cfg": "A: 1\n", "optimizer_state": {"state": {0: {"m": torch.ones(4)}}, "param_groups": [
                {"lr": 0.1, "betas": (0.9, 0.99), "x": None, "np": np.float64(2), "params": [0]}]}}, path,
                pickle_protocol=protocol, _use_new_zipfile_serialization=new)
            check("the same within a trainer's dict", path, sd)
    torch.save({k: torch.nn.Parameter(v) for k, v in sd.items() if v.dtype == torch.float32}, os.path.join(d, "p.pth"))
    check("parameters", os.path.join(d, "p.pth"), {k: v for k, v in sd.items() if v.dtype == torch.float32})
    arrays = {k: v.numpy() for k, v in sd.items() if v.dtype != torch.bfloat16}
    arrays["fortran"] = np.asfortranarray(np.arange(24, dtype="<f8").reshape(2, 3, 4))
    want = {k: torch.from_numpy(np.ascontiguousarray(v)).reshape(v.shape) for k, v in arrays.items()}
    for save in (np.savez, np.savez_compressed):
        save(os.path.join(d, "a.npz"), **arrays)
        check(save.__name__, os.path.join(d, "a.npz"), want)
    for protocol in (2, 3, 4):
        for top in ("blobs", None):
            arrays.pop("empty", None), arrays.pop("none", None)  # of no bytes, which protocol 2 writes by way of a call
            with open(os.path.join(d, "a.pkl"), "wb") as f:
                pickle.dump({top: arrays, "cfg": "x"} if top else arrays, f, protocol)
            check("pickle of arrays, protocol %d%s" % (protocol, ", Caffe2" if top else ""), os.path.join(d, "a.pkl"), {k: want[k] for k in arrays})


# ---- SlowFast, from the description of its layers ----
def slowfast(fusion):
    """PySlowFast's names and shapes, in no particular order."""
    s = {}

    def bn(name, n):
        for p in ("weight", "bias", "running_mean", "running_var"):
            s[name + "." + p] = (n,)
        s[name + ".num_batches_tracked"] = ()

    for p, (c, t) in enumerate(((64, 1), (8, 5))):
        s["s1.pathway%d_stem.conv.weight" % p] = (c, 3, t, 7, 7)
        bn("s1.pathway%d_stem.bn" % p, c)
    into = [64 + 16, 8]
    fast = 8
    for k in range(1, 6):
        if k > 1:
            for p in range(2):
                inner = (64, 8)[p] * 2 ** (k - 2)
                for i in range((3, 4, 6, 3)[k - 2]):
                    n = "s%d.pathway%d_res%d." % (k, p, i)
                    if i == 0:
                        s[n + "branch1.weight"] = (4 * inner, into[p], 1, 1, 1)
                        bn(n + "branch1_bn", 4 * inner)
                    s[n + "branch2.a.weight"] = (inner, into[p], 3 if p or k > 3 else 1, 1, 1)
                    s[n + "branch2.b.weight"] = (inner, inner, 1, 3, 3)
                    s[n + "branch2.c.weight"] = (4 * inner, inner, 1, 1, 1)
                    bn(n + "branch2.a_bn", inner), bn(n + "branch2.b_bn", inner), bn(n + "branch2.c_bn", 4 * inner)
                    into[p] = 4 * inner
            fast = into[1]
        if k < 5:
            s["s%d_fuse.conv_f2s.weight" % k] = (2 * fast, fast, fusion, 1, 1)
            bn("s%d_fuse.bn" % k, 2 * fast)
            into[0] = (64 if k == 1 else into[0]) + 2 * fast
    s["head.projection.weight"], s["head.projection.bias"] = (400, 2304), (400,)
    return s


def pytorchvideo(n):
    n = re.sub(r"^s1\.pathway(\d)_stem\.conv", r"blocks.0.multipathway_blocks.\1.conv", n)
    n = re.sub(r"^s1\.pathway(\d)_stem\.bn", r"blocks.0.multipathway_blocks.\1.norm", n)
    n = re.sub(r"^s(\d)_fuse\.conv_f2s", lambda m: "blocks.%d.multipathway_fusion.conv_fast_to_slow" % (int(m[1]) - 1), n)
    n = re.sub(r"^s(\d)_fuse\.bn", lambda m: "blocks.%d.multipathway_fusion.norm" % (int(m[1]) - 1), n)
    n = re.sub(r"^s(\d)\.pathway(\d)_res(\d)\.", lambda m: "blocks.%d.multipathway_blocks.%s.res_blocks.%s." % (int(m[1]) - 1, m[2], m[3]), n)
    n = n.replace("branch1.", "branch1_conv.").replace("branch1_bn.", "branch1_norm.")
    n = re.sub(r"branch2\.([abc])\.", r"branch2.conv_\1.", n)
    n = re.sub(r"branch2\.([abc])_bn\.", r"branch2.norm_\1.", n)
    return n.replace("head.projection", "blocks.6.proj")


def caffe2(n):
    suffix = {"weight": "s", "bias": "b", "running_mean": "rm", "running_var": "riv"}
    head, last = n.rsplit(".", 1)
    is_bn = head.endswith("bn")
    end = "bn_" + suffix[last] if is_bn else {"weight": "w", "bias": "b"}[last]
    if head == "head.projection":
        return "pred_" + end
    m = re.match(r"s1\.pathway(\d)_stem", head)
    if m:
        return ("t_" if m[1] == "1" else "") + ("res_conv1_" if is_bn else "conv1_") + end
    m = re.match(r"s(\d)_fuse", head)
    if m:
        return ("t_pool1" if m[1] == "1" else "t_res%s_%d_branch2c_bn" % (m[1], (3, 4, 6)[int(m[1]) - 2] - 1)) + "_subsample_" + end
    m = re.match(r"s(\d)\.pathway(\d)_res(\d)\.branch(1|2\.[abc])", head)
    return "%sres%s_%s_branch%s_%s" % ("t_" if m[2] == "1" else "", m[1], m[3], m[4].replace(".", ""), end)


def scorers(d):
    g = torch.Generator().manual_seed(2)
    for network, fusion in (("slowfast-8x8", 7), ("slowfast-4x16", 5)):
        sd = {k: torch.randn(shape, generator=g) if not k.endswith("tracked") else torch.tensor(5) for k, shape in slowfast(fusion).items()}
        assert len(sd) == 662
        path = os.path.join(d, "s.pyth")
        torch.save({"model_state": sd, "epoch": 196}, path)
        check("%s of PySlowFast" % network, path, sd, network, "PySlowFast")
        torch.save({"model_state": collections.OrderedDict(("model." + pytorchvideo(k), v) for k, v in sd.items())}, path)
        check("%s of pytorchvideo" % network, path, sd, network, "pytorchvideo")
        kept = {k: v for k, v in sd.items() if not k.endswith("tracked")}
        blobs = {caffe2(k): v.numpy() for k, v in kept.items()}
        assert len(blobs) == 552
        blobs.update({k + "_momentum": v for k, v in list(blobs.items())[:5]}, lr=np.float32([0.1]), model_iter=np.int64([9]))
        with open(os.path.join(d, "s.pkl"), "wb") as f:
            pickle.dump({"blobs": blobs}, f, 2)
        check("%s of Caffe2" % network, os.path.join(d, "s.pkl"), kept, network, "Caffe2")
    scopes = ["conv1", "conv2", "conv3/conv3_1", "conv3/conv3_2", "conv4/conv4_1", "conv4/conv4_2", "fc1/fc1_1", "fc1/fc1_2", "fc2"]
    ours = ["features.%d" % i for i in (0, 3, 6, 8, 11, 13)] + ["embeddings.%d" % i for i in (0, 2, 4)]
    shapes = [(64, 1, 3, 3), (128, 64, 3, 3), (256, 128, 3, 3), (256, 256, 3, 3), (512, 256, 3, 3), (512, 512, 3, 3), (4096, 12288), (4096, 4096), (128, 4096)]
    want, tf = {}, {}
    for scope, name, shape in zip(scopes, ours, shapes):
        want[name + ".weight"], want[name + ".bias"] = torch.randn(shape, generator=g), torch.randn(shape[0], generator=g)
        w = want[name + ".weight"].numpy()
        tf["vggish/%s/weights" % scope] = np.ascontiguousarray(w.transpose(2, 3, 1, 0) if w.ndim == 4 else w.T)
        tf["vggish/%s/biases" % scope] = want[name + ".bias"].numpy()
    torch.save(want, os.path.join(d, "v.pth"))
    check("vggish of torch", os.path.join(d, "v.pth"), want, "vggish", "torch")
    np.savez(os.path.join(d, "v.npz"), **tf)
    check("vggish of TensorFlow", os.path.join(d, "v.npz"), want, "vggish", "TensorFlow")


def resnet(d):
    model, path = torchvision.models.resnet18(num_classes=31), os.path.join(d, "r.pth")
    torch.save(torch.nn.DataParallel(model).state_dict(), path)
    check("resnet18 in DataParallel", path, model.state_dict(), "resnet18", "torchvision")
    run(path, "-f", "-o", path + ".st")
    torchvision.models.resnet18(num_classes=31).load_state_dict(read_safetensors(path + ".st")[0], strict=True)
    audio = torchvision.models.resnet18(num_classes=309)
    audio.conv1 = torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    torch.save({"model_state_dict": {"audnet." + k: v for k, v in audio.state_dict().items()}}, path, _use_new_zipfile_serialization=False)
    check("resnet18 of VGG-Sound", path, audio.state_dict(), "resnet18-vggsound", "VGG-Sound")


# ---- files that want to run ----
class Call:
    def __init__(self, f, *args):
        self.call = f, args

    def __reduce__(self):
        return self.call


def hostile(d):
    marker = os.path.join(d, "ran")
    calls = [(os.system, "touch " + marker), (exec, "open(%r, 'w')" % marker), (eval, "open(%r, 'w')" % marker), (open, marker, "w"),
             (subprocess.call, ["touch", marker]), (getattr, marker, "x", os.system), (torch.load, marker), (pickle.loads, b"")]
    for f, *args in calls:
        for protocol in (0, 1, 2, 3, 4):
            for how in ("torch", "old", "pickle"):
                obj, path = {"w": torch.ones(2), "x": Call(f, *args)}, os.path.join(d, "h.pth")
                if how == "pickle":
                    with open(path, "wb") as out:
                        pickle.dump({"blobs": {"w": np.ones(2), "x": Call(f, *args)}}, out, protocol)
                else:
                    torch.save(obj, path, pickle_protocol=protocol, _use_new_zipfile_serialization=how == "torch")
                r = run(path, "-f", "-o", path + ".st", "--as", "none")
                if r.returncode != 3 or os.path.exists(marker) or os.path.exists(path + ".st"):
                    failed.append("%s of protocol %d in %s: exit code %d" % (f.__name__, protocol, how, r.returncode))
    torch.save(torchvision.models.resnet18(), path)
    r = run(path, "--list")
    if r.returncode != 3 or "torchvision.models.resnet.ResNet" not in r.stderr or "state_dict()" not in r.stderr:
        failed.append("a whole model: %s" % r.stderr)
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
    r = run(path, "--list")
    if r.returncode != 3 or "TorchScript" not in r.stderr:
        failed.append("TorchScript: %s" % r.stderr)
    print("%-44s refused" % ("%d files that would run code" % (len(calls) * 15 + 2)), flush=True)


with tempfile.TemporaryDirectory() as d:
    for part in (containers, resnet, scorers, hostile):
        part(d)
for f in failed:
    print("FAILED", f)
sys.exit(bool(failed))
