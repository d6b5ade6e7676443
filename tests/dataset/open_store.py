"""A store opens with tarfile and numpy, and holds what the C reader says. usage: open_store.py STORE_TOOL"""
import glob, io, json, subprocess, sys, tarfile, tempfile, zlib
try:
    import numpy as np
except ImportError:
    print("skipped: numpy is not there")
    sys.exit(77)

tool = sys.argv[1]
with tempfile.TemporaryDirectory() as store:
    subprocess.run([tool, "make", store], check=True)

    # the five lines of the documentation
    clips = {}
    for shard in sorted(glob.glob(store + "/shard-*.tar")):
        for m in (tar := tarfile.open(shard)):
            key, ext = m.name.split(".", 1)
            clips.setdefault(key, {})[ext] = np.load(io.BytesIO(tar.extractfile(m).read())) if ext.endswith("npy") else json.load(tar.extractfile(m))

    rows = [line.split("\t") for line in
            subprocess.run([tool, "dump", store], check=True, capture_output=True, text=True).stdout.splitlines()]
    summary = json.load(open(store + "/store.json"))
    assert len(rows) == len(clips) == summary["stored"] > 30, (len(rows), len(clips))
    assert sum(summary["splits"].values()) == summary["stored"] and summary["n"] == summary["stored"] + summary["rejected"]
    for (key, clip), row in zip(clips.items(), rows):
        assert sorted(clip) == ["audio.npy", "frames.npy", "json"] and "/" not in key
        about, audio, frames = clip["json"], clip["audio.npy"], clip["frames.npy"]
        assert audio.dtype == np.float16 and frames.dtype == np.uint8
        assert list(audio.shape) == about["audio"] == summary["audio_shape"] and list(frames.shape) == about["frames"]
        assert about["class"] == summary["classes"][about["label"]]
        mine = [about["id"], about["label"], about["split"],
                zlib.crc32(audio.astype(np.float32).tobytes()), zlib.crc32(frames.tobytes())]
        assert [str(v) for v in mine] == row, (mine, row)
    with tarfile.open(glob.glob(store + "/shard-*.tar")[0]) as tar:
        assert all(m.mtime == 0 and m.uid == 0 and m.isreg() for m in tar)
    print(f"{len(rows)} clips agree")
