"""The numbers of `avbalance evaluate`, computed a second time: numpy only, from the formulas, on made-up models of every file format.

    evaluate.py PROGRAM [FOLDER OF SHARED DATA]
"""
import csv, io, json, os, subprocess, sys, tempfile

try:
    import numpy as np
except ImportError:
    print("no numpy: skipped")
    sys.exit(77)

program, shared = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else ""
rng = np.random.default_rng(5)
labels = ["bark", "meow, loud", "moo", "quack"]
N, C = 500, len(labels)
y = rng.integers(0, C, N)
u_audio, u_visual = rng.random(N).round(2), rng.random(N).round(2)  # two digits: some ties
d = u_audio - u_visual
test = rng.random(N) < 0.8
ids = [f"clip-{i:03d}" for i in rng.permutation(N)]


def outputs(strength, seed):
    z = np.random.default_rng(seed).normal(0, 1, (N, C)).astype(np.float32)
    z[np.arange(N), y] += (3 * strength - 0.5).astype(np.float32)
    return z


def table(path, header, rows):
    with open(path, "w", newline="") as f:
        csv.writer(f).writerows([header] + rows)


def make_run(path, method, modality, seed, z):
    os.makedirs(path)
    info = dict(schema="avbalance/run/1", method=method, modality=modality, seed=seed, fold=-1, classes=labels,
                store_hash="0" * 64, protocol_hash="1" * 64)
    json.dump(info, open(path + "/run.json", "w"))
    np.save(path + "/logits.npy", z)
    open(path + "/ids.txt", "w").write("".join(i + "\n" for i in ids))
    table(path + "/predictions.csv", ["id", "label", "split", "prediction", "confidence"],
          [[ids[i], labels[y[i]], "test" if test[i] else "train", labels[z[i].argmax()], 0.5] for i in range(N)])


def evaluate(*args, code=0):
    done = subprocess.run([program, "evaluate", *args], capture_output=True, text=True)
    assert done.returncode == code, (args, done.returncode, done.stderr)
    return done


def macro_f1(answer, truth):
    total = []
    for c in np.unique(truth):
        tp, fp, fn = ((answer == c) & (truth == c)).sum(), ((answer == c) & (truth != c)).sum(), ((answer != c) & (truth == c)).sum()
        total.append(2 * tp / (2 * tp + fp + fn))
    return np.mean(total)


def softmax(z):
    e = np.exp(z.astype(float) - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def near(a, b, what):
    assert abs(a - b) < 1e-9, (what, a, b)


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    table("scores.csv", ["id", "label", "split", "u_audio", "u_visual"],
          [[ids[i], labels[y[i]], "test" if test[i] else "train", u_audio[i], u_visual[i]] for i in range(N)])
    answer = {}
    z = {m: [outputs(u, 10 * k + s) for s in range(2)] for k, (m, u) in enumerate([("audio", u_audio), ("visual", u_visual)])}
    for m in z:
        for s in range(2):
            make_run(f"{m}-seed{s}", m, m, s, z[m][s])
        answer[m] = [x.argmax(1) for x in z[m]]
    answer["ensemble-logits"] = [(a.astype(float) + v).argmax(1) for a, v in zip(z["audio"], z["visual"])]
    answer["ensemble-probabilities"] = [(softmax(a) + softmax(v)).argmax(1) for a, v in zip(z["audio"], z["visual"])]
    best = np.maximum(u_audio, u_visual)
    c = [outputs(0.9 * best, 50), outputs(0.95 * best, 51)]  # two seeds of a foreign method, one in words, one in numbers
    answer["words"] = [x.argmax(1) for x in c]
    table("w0.csv", ["id", "prediction", "confidence"], [[ids[i], labels[c[0][i].argmax()], 0.1] for i in range(N)])
    table("w1.csv", ["prediction", "id"], [[c[1][i].argmax(), ids[i]] for i in range(N)])
    open("classes.txt", "w").write("".join(l + "\n" for l in labels))
    n = outputs(0.8 * best, 60)
    answer["foreign"] = [n.argmax(1)]
    np.save("foreign.npy", n.astype(np.float64))
    open("foreign.ids.txt", "w").write("\n".join(ids))
    g = outputs(0.5 * best, 70)
    answer["maps"] = [g.argmax(1)]
    os.makedirs("maps")
    order = [2, 0, 3, 1]  # class numbers of another framework
    with open("maps/dynamics_epoch_4.jsonl", "w") as f:
        for i in range(N):
            f.write(json.dumps({"guid": ids[i], "logits_epoch_4": [float(x) for x in g[i][order]], "gold": order.index(y[i])}) + "\n")

    arguments = ["--scores", "scores.csv", "audio-seed0", "audio-seed1", "visual-seed1", "visual-seed0", "words=w0.csv", "words=w1.csv",
                 "-p", "foreign.npy", "-p", "maps", "--classes", "classes.txt", "--replicates", "1000"]
    result = json.loads(evaluate(*arguments, "--json").stdout)
    assert result["schema"] == "avbalance/evaluate/1" and result["recombines"] is True and result["no_ensemble"] is None
    assert result["n"] == test.sum()

    subset = {"overall": test, "audio_preferred": test & (d > 0), "visual_preferred": test & (d < 0), "ties": test & (d == 0)}
    for t in (0.2, 0.4):
        subset[f"audio_dominated_{t}"] = test & (d > t + 1e-9)  # as decimals have it
        subset[f"visual_dominated_{t}"] = test & (-d > t + 1e-9)
    right = {m: np.mean([a == y for a in answer[m]], 0) for m in answer}
    rows = {(r["name"], r["subset"]): r for r in result["rows"]}
    assert set(rows) == {(m, s) for m in answer for s in subset}, set(rows)
    for (m, s), row in rows.items():
        k = subset[s]
        assert row["n"] == k.sum() and row["runs"] == len(answer[m])
        near(row["accuracy"], right[m][k].mean(), (m, s))
        near(row["macro_f1"], np.mean([macro_f1(a[k], y[k]) for a in answer[m]]), (m, s))
        assert row["low"] <= row["accuracy"] <= row["high"]
        if m in ("audio", "visual"):
            assert row["versus"] is None
            continue
        against = max(("audio", "visual"), key=lambda u: right[u][k].mean())
        assert row["versus"] == against, (m, s)
        near(row["difference"], right[m][k].mean() - right[against][k].mean(), (m, s))
        assert row["gained"] == (right[m] > right[against])[k].sum() and row["lost"] == (right[m] < right[against])[k].sum()
    for row in result["rows"]:  # identity: overall is the weighted mean of its parts
        if row["subset"] == "overall":
            parts = [rows[row["name"], s] for s in ("audio_preferred", "visual_preferred", "ties")]
            near(row["accuracy"], sum(p["n"] * p["accuracy"] for p in parts if p["n"]) / row["n"], row["name"])

    # Intervals of one run: those of a bootstrap over clips with another generator, up to its own noise.
    k = subset["overall"]
    x = right["foreign"][k]
    again = [x[rng.integers(0, len(x), len(x))].mean() for _ in range(4000)]
    for q, key in ((0.025, "low"), (0.975, "high")):
        assert abs(rows["foreign", "overall"][key] - np.quantile(again, q)) < 0.006, key
    m, u = right["foreign"][k], right[rows["foreign", "overall"]["versus"]][k]
    assert rows["foreign", "overall"]["difference_low"] < (m - u).mean() < rows["foreign", "overall"]["difference_high"]

    methods = {m["name"]: m for m in result["methods"]}
    for name, m in methods.items():
        for p in m["curves"]:
            side = d if p["side"] == "audio" else -d
            k = test & (side > p["t"] + 1e-9)
            assert p["n"] == k.sum()
            if k.any():
                near(p["accuracy"], right[name][k].mean(), (name, p))
            else:
                assert p["accuracy"] is None
        for c in m["classes"]:
            k = test & (y == labels.index(c["label"]))
            assert c["n"] == k.sum()
            near(c["recall"], right[name][k].mean(), (name, c))
        if name in ("audio", "visual"):
            continue
        fails = [s for s in subset if subset[s].any() and not rows[name, s]["difference"] > 0]
        assert sorted(m["not_on"]) == sorted(fails) and m["beats_all_unimodal"] == (not fails)
        for c in m["modality_confusion"]:
            k = subset[c["subset"]]
            near(c["audio_lost"], (right["audio"] * (1 - right[name]))[k].sum(), (name, c))
            near(c["visual_lost"], (right["visual"] * (1 - right[name]))[k].sum(), (name, c))
            near(c["gained"], ((1 - right["audio"]) * (1 - right["visual"]) * right[name])[k].sum(), (name, c))

    # Same seed, same bytes, whatever the threads; every format is the same table.
    one, two = (evaluate(*arguments, "--json", "--threads", t).stdout for t in ("1", "2"))
    assert one == two and one != evaluate(*arguments, "--json", "--seed", "1").stdout
    evaluate(*arguments, "-o", "all")
    assert sorted(os.listdir("all")) == ["classes.csv", "curves.csv", "curves.pdf", "curves.png", "curves.svg", "evaluate.csv",
                                         "evaluate.json", "evaluate.md", "evaluate.tex", "evaluate.txt"]
    assert open("all/evaluate.json").read() == one
    for r in csv.DictReader(open("all/evaluate.csv")):
        near(float(r["accuracy"]), rows[r["name"], r["subset"]]["accuracy"], r)
    assert sum(1 for _ in csv.DictReader(open("all/curves.csv"))) == 20 * len(answer)
    assert sum(1 for _ in csv.DictReader(open("all/classes.csv"))) == C * len(answer)
    assert "already there" in evaluate(*arguments, "-o", "all", code=2).stderr
    tex = open("all/evaluate.tex").read()
    assert tex.count("\\toprule") == tex.count("\\bottomrule") == 1 and tex.count("\\midrule") == 3
    assert len(open("all/evaluate.md").read().split("\n\n")[0].splitlines()) == 3 + len(answer)

    # A foreign table with human votes as scores: subset sizes and the majority of votes on both, in one command.
    votes = os.path.join(shared, "annotations/cremad_official/human_unimodal.tsv")
    if os.path.exists(votes):
        clips = list(csv.DictReader(open(votes), delimiter="\t"))
        table("both.csv", ["id", "prediction"], [[c["file"], c["label"] if float(c["p_av"]) > 0.5 else "NEU"] for c in clips])
        done = evaluate("--scores", votes, "--id-column", "file", "--audio-column", "p_voice", "--visual-column", "p_face",
                        "both.csv", "--json", "--replicates", "100")
        human = json.loads(done.stdout)
        assert (human["audio_preferred"], human["visual_preferred"], human["ties"]) == (2320, 4663, 459)
        good = np.mean([float(c["p_av"]) > 0.5 or c["label"] == "NEU" for c in clips])
        near(human["rows"][0]["accuracy"], good, "human")
    else:
        print("no ../shared/data: the human votes are skipped")

    clips = os.path.join(shared, "avdigits/sample_clips/labels.tsv")
    trains = subprocess.run([program, "help", "estimate"], capture_output=True).returncode == 0
    if os.path.exists(clips) and trains:
        # Runs of our own: their accuracies are those of run.json; runs of another recipe do not come into the same table unsaid.
        def run(*args):
            subprocess.run([program, *args, "-q", "--threads", "1"], check=True, stdout=subprocess.DEVNULL)

        tiny = ["--recipe", "demo", "--set", "train.model=tiny", "--set", "train.epochs=2"]
        run("ingest", clips, "-r", "demo", "-o", "store", "--workers", "1")
        run("estimate", "store", *tiny, "--seeds", "2", "-o", "est")
        run("estimate", "store", *tiny, "--set", "train.lr=0.5", "-o", "other")
        runs = [f"est/{m}-seed{s}" for m in ("audio", "visual") for s in (0, 1)]
        for split in ("train", "val", "test"):
            ours = json.loads(evaluate("--scores", "est/scores.csv", *runs, "--split", split, "--json").stdout)
            for m in ours["methods"][:2]:
                for r in m["runs"]:
                    near(r["accuracy"], json.load(open(r["path"] + "/run.json"))["accuracy"][split], r)
            assert ours["store_hash"] and ours["protocol_hash"]
            assert [m["name"] for m in ours["methods"]] == ["audio", "visual", "ensemble-logits", "ensemble-probabilities"]
        mixed = ["--scores", "est/scores.csv", *runs, "x=other/audio-seed0"]
        assert "other/audio-seed0 was made from another recipe" in evaluate(*mixed, code=2).stderr
        assert "runs of different stores or recipes" in evaluate(*mixed, "--mixed").stderr
    else:
        print("no ../shared/data, or a build that cannot train: own runs are skipped")
print("ok")
