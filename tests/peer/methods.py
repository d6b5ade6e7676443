#!/usr/bin/python3
"""Methods beside their formulas in PyTorch (bench/peer/methods_torch.py): from the same weights and the same batches, with the same noise.
A toy store; plain late fusion, OGM, OGM-GE, Gradient-Blending with fixed weights and TMC.

With a small encoder both sides train for themselves, and the losses of the first 20 steps agree within 1e-3 of their size (some 1e-7).
With ResNet-18 a rounding error doubles with every step, so that torch with and without oneDNN drifts apart by per cents; there torch takes
every one of the 20 steps from our weights of that step: its loss may differ by 1e-5, and its weights behind the step by 5e-2 of the
length of the step, which is what ReLUs that switch by rounding leave of float32 gradients.

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

STEPS = int(os.environ.get("AVB_STEPS", "20"))
LOSS_ALONE, LOSS_LED, UPDATE_LED = 1e-3, 1e-5, 5e-2
RECIPE = """
input: {image_size: 16, frames: 1, crop_min: 1, flip: 0, colour: half}
train: {epochs: 9, lr: 0.01, schedule: step, step: 2, gamma: 0.5, batch: 48, threads: 1}
ogm: {alpha: 0.8, last: 1}
ogm-ge: {alpha: 0.8}
gblend: {mode: fixed}
"""
SETTINGS = {"tiny": ["train.model=tiny"], "resnet18": ["train.model=resnet18", "train.lr=0.001"],
            "given": os.environ.get("AVB_SET", "").split() + ["gblend.mode=fixed", "train.threads=1"]}
CASES = [("tiny", m) for m in ("concat", "ogm", "ogm-ge", "gblend", "tmc")] + [("resnet18", m) for m in ("ogm", "ogm-ge", "gblend", "tmc")]


if "AVB_STORE" in os.environ:
    CASES = [("given", m) for m in ("concat", "ogm", "ogm-ge", "gblend", "tmc")]


def distance(a, b):
    return float(sum((x.double() - y.double()).square().sum() for x, y in zip(a, b)).sqrt())


class Lines:
    """What steps_tool says, line by line: it goes on when the next one is asked for."""

    def __init__(self, args):
        self.tool = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def next(self, first=False):
        if not first:
            print(file=self.tool.stdin, flush=True)
        line = self.tool.stdout.readline()
        assert line, "steps_tool ended with %s" % self.tool.wait()
        return json.loads(line)

    def close(self):
        self.tool.stdin.close()
        assert self.tool.wait() == 0


def compare(tools, store, recipe, folder, model, method):
    os.makedirs(folder)
    lines = Lines([tools + "/steps_tool", store, method, recipe, str(STEPS + 1), folder] + SETTINGS[model])
    index = {name: i for i, name in enumerate(lines.next(first=True)["params"])}
    line, alone = lines.next(), model == "tiny"
    _, recipe = fit_torch.read_recipe(folder + "/run")
    clips = peer.Clips(store, open(folder + "/run/ids.txt").read().split("\n")[:-1], recipe)
    train = [i for i, s in enumerate(clips.split) if s == "train"]

    def noise(name, shape, epoch, step):
        n = peer.normal(recipe["train"]["seed"], epoch, step * len(index) + index[name], shape.numel())
        return torch.from_numpy(n).float().reshape(shape)

    run = peer.Training(method, recipe, int(clips.y.max()) + 1, 1, folder + "/first.safetensors", noise)
    weights = lambda: [p.detach().clone() for p in run.net.parameters()]
    ours, loss, update, before = [], [], [], weights()
    for i in range(STEPS + 1):
        if i and not alone:
            after = weights()
            run.net.load(folder + "/now.safetensors")
            now = weights()
            update.append(distance(after, now) / distance(before, now))
            before = now
        if i < STEPS:
            rows = torch.tensor(line["clips"])
            assert rows.equal(peer.batches(train, recipe["train"], line["epoch"])[line["step"]]), "another order of clips"
            ours.append(line["loss"])
            loss.append(abs(run.step(clips.batch(rows, True), clips.y[rows], line["epoch"], line["step"]) / line["loss"] - 1))
            line = lines.next()
    lines.close()
    print("%-8s %-7s %d steps, loss %.4f to %.4f; largest relative difference of losses %.1e%s" %
          (model, method, STEPS, ours[0], ours[-1], max(loss), "" if alone else ", of updates %.1e" % max(update)), flush=True)
    return ours[0] != ours[-1] and (max(loss) <= LOSS_ALONE if alone else max(loss) <= LOSS_LED and max(update) <= UPDATE_LED)


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
