#!/usr/bin/python3
"""Methods beside their formulas in PyTorch (bench/peer/methods_torch.py): from the same weights and the same batches, with the same noise,
the losses of the first 20 steps agree within 1e-3 of their size. A toy store; plain late fusion, OGM, OGM-GE, Gradient-Blending with
fixed weights and TMC with a small encoder, two of them with ResNet-18.

On pictures as small as these a ResNet-18 doubles every rounding error with every step: torch with and without oneDNN drift apart by per
cents. There the losses may lie as far from torch's as three times what torch's two ways lie from each other.

Environment: AVB_BUILD, the folder of the build. AVB_STEPS, AVB_METHODS: how many steps, which methods. AVB_STORE, AVB_RECIPE, AVB_SET:
another store of grey frames with a recipe (name or file) and overrides, which must leave nothing random in the input: for av-digits
AVB_SET=input.frames=4. Exit code 77: no torch here."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench", "peer"))
try:
    import methods_torch as peer
    import fit_torch
    import torch
except ImportError as e:
    print("cannot run: %s" % e)
    sys.exit(77)

STEPS, LIMIT = int(os.environ.get("AVB_STEPS", "20")), 1e-3
RECIPE = """
input: {image_size: 16, frames: 1, crop_min: 1, flip: 0, colour: half}
train: {epochs: 9, lr: 0.01, schedule: step, step: 2, gamma: 0.5, batch: 48, threads: 1}
ogm: {alpha: 0.8, last: 1}
ogm-ge: {alpha: 0.8}
gblend: {mode: fixed}
"""
SETTINGS = {"tiny": ["train.model=tiny"], "resnet18": ["train.model=resnet18", "train.lr=0.001"],
            "given": os.environ.get("AVB_SET", "").split() + ["gblend.mode=fixed", "train.threads=1"]}
CASES = [("tiny", m) for m in ("concat", "ogm", "ogm-ge", "gblend", "tmc")] + [("resnet18", m) for m in ("ogm", "gblend")]


if "AVB_STORE" in os.environ:
    CASES = [("given", m) for m in ("concat", "ogm", "ogm-ge", "gblend", "tmc")]


def compare(tools, store, recipe, folder, model, method):
    os.makedirs(folder)
    args = [tools + "/steps_tool", store, method, recipe, str(STEPS), folder] + SETTINGS[model]
    lines = [json.loads(line) for line in subprocess.run(args, check=True, stdout=subprocess.PIPE).stdout.splitlines()]
    index = {name: i for i, name in enumerate(lines[0]["params"])}
    _, recipe = fit_torch.read_recipe(folder + "/run")
    clips = peer.Clips(store, open(folder + "/run/ids.txt").read().split("\n")[:-1], recipe)
    train = [i for i, s in enumerate(clips.split) if s == "train"]

    def noise(name, shape, epoch, step):
        n = peer.normal(recipe["train"]["seed"], epoch, step * len(index) + index[name], shape.numel())
        return torch.from_numpy(n).float().reshape(shape)

    assert len(lines) == STEPS + 1, "fewer steps than wanted"
    for line in lines[1:]:
        order = peer.batches(train, recipe["train"], line["epoch"])[line["step"]].tolist()
        assert line["clips"] == order, "another order of clips"

    def losses(onednn):
        run = peer.Training(method, recipe, int(clips.y.max()) + 1, 1, folder + "/first.safetensors", noise)
        with torch.backends.mkldnn.flags(enabled=onednn):
            for line in lines[1:]:
                rows = torch.tensor(line["clips"])
                yield run.step(clips.batch(rows, True), clips.y[rows], line["epoch"], line["step"])

    def differences(a, b):
        """The largest, and how many steps go by before one is above LIMIT."""
        d = [abs(x - y) / abs(y) for x, y in zip(a, b)]
        return max(d), next((i for i, v in enumerate(d) if v > LIMIT), STEPS)

    ours, torchs = [line["loss"] for line in lines[1:]], list(losses(True))
    (far, good), limit, note = differences(ours, torchs), LIMIT, ""
    if far > limit and model != "tiny":
        own, own_good = differences(losses(False), torchs)
        limit, note = 3 * own, "; torch with itself %.1e, %d" % (own, own_good)
    print("%-8s %-7s %d steps, loss %.4f to %.4f; largest relative difference %.1e, first steps within %g: %d%s" %
          (model, method, STEPS, ours[0], ours[-1], far, LIMIT, good, note))
    return far <= limit and ours[0] != ours[-1]


def main():
    tools = os.environ["AVB_BUILD"] + "/tests/train"
    wanted = os.environ.get("AVB_METHODS", "").split()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        store, recipe = os.environ.get("AVB_STORE", folder + "/store"), os.environ.get("AVB_RECIPE", folder + "/r.yaml")
        if "AVB_STORE" not in os.environ:
            subprocess.run([tools + "/toy_tool", store], check=True)
            open(recipe, "w").write(RECIPE)
        bad = [c for c in CASES if (not wanted or c[1] in wanted) and
               not compare(tools, store, recipe, "%s/%s-%s" % (folder, *c), *c)]
    for c in bad:
        print("FAILED: %s %s" % c)
    sys.exit(1 if bad else 0)


main()
