"""Features against the libraries their users know: torch, scipy, PIL, torchvision and numpy on fresh random input.

Needs Debian's python3-torch, -torchvision, -scipy, -pil and the build folder in AVB_BUILD (its tests/features/feature_tool).
torchaudio is not in Debian: its Kaldi filterbank is written out here from its formulas, in float64.
Exit code 0: all agree; 1: something does not, with the largest difference printed. A seed may be given as the first argument."""
import io
import os
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

tool = os.path.join(os.environ.get("AVB_BUILD", "build/release"), "tests", "features", "feature_tool")
failures = 0


def kaldi_fbank(x, rate, bins):
    """torchaudio.compliance.kaldi.fbank(window_type="hanning", dither=0, use_energy=False, htk_compat=True), float64"""
    x = x.astype(np.float64)
    win, hop = int(rate * 25 * 0.001), int(rate * 10 * 0.001)
    n_fft = 1 << (win - 1).bit_length()
    m = 0 if len(x) < win else 1 + (len(x) - win) // hop
    if m == 0:
        return np.zeros((0, bins))
    f = np.stack([x[t * hop:t * hop + win] for t in range(m)])
    f = f - f.mean(1, keepdims=True)
    f = f - 0.97 * np.concatenate([f[:, :1], f[:, :-1]], 1)
    f = f * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(win) / (win - 1)))
    power = np.abs(np.fft.rfft(f, n_fft)) ** 2
    mel = lambda hz: 1127.0 * np.log(1.0 + hz / 700.0)
    low, high = mel(20.0), mel(rate / 2)
    step = (high - low) / (bins + 1)
    left = low + step * np.arange(bins)[:, None]
    at = mel(rate / n_fft * np.arange(n_fft // 2))[None]
    bank = np.maximum(0, np.minimum((at - left) / step, (left + 2 * step - at) / step))
    return np.log(np.maximum(power[:, :-1] @ bank.T, 1.1920929e-7))


def ks_row(x, rate, bins=128, frames=1024):
    """process_audio.py of the Kinetics-Sounds code"""
    f = kaldi_fbank(x - x.mean(dtype=np.float64), rate, bins)[:frames]
    f = np.concatenate([f, np.zeros((frames - len(f), bins))])
    return (f + 4.503877) / (2 * 5.141276)


def log_stft(x, n_fft, hop, pad):
    import torch
    x = torch.from_numpy(np.clip(x, -1, 1).astype(np.float64))
    if pad != "none":
        x = torch.nn.functional.pad(x[None, None], (n_fft // 2, n_fft // 2),
                                    mode={"reflect": "reflect", "zero": "constant"}[pad])[0, 0]
    z = torch.stft(x, n_fft, hop, window=torch.hann_window(n_fft, periodic=True, dtype=torch.float64), center=False,
                   return_complex=True)
    return np.log(z.abs().numpy() + 1e-7)


def spectrogram(x, rate, nperseg, noverlap, normalise=True):
    from scipy import signal
    _, _, s = signal.spectrogram(np.clip(x, -1, 1).astype(np.float64), rate, nperseg=nperseg, noverlap=noverlap)
    s = np.log(s + 1e-7)
    return (s - s.mean()) / (s.std() + 1e-9) if normalise else s


def sound(rng, n, rate):
    """tones, noise and a silent stretch"""
    t = np.arange(n) / rate
    x = 0.4 * np.sin(2 * np.pi * rng.uniform(80, rate / 3) * t) + 0.1 * rng.standard_normal(n) + rng.uniform(-0.1, 0.1)
    x[n // 3:n // 3 + n // 10] = 0
    return (x * rng.uniform(0.3, 2.5)).astype(np.float32)


def picture(rng, h, w, c=3):
    base = rng.integers(0, 256, (h // 8 + 2, w // 8 + 2, c)).repeat(8, 0).repeat(8, 1)[:h, :w]
    return np.clip(base + rng.integers(-30, 30, (h, w, c)), 0, 255).astype(np.uint8)


def pil(a):
    return Image.fromarray(a if a.shape[2] == 3 else a[:, :, 0])


def run(folder, what, array, *args, out="out.npy"):
    """one call of feature_tool; args come after IN (and RATE for audio)"""
    source, target = os.path.join(folder, "in.npy"), os.path.join(folder, out)
    if array is not None:
        np.save(source, np.ascontiguousarray(array))
    before = [str(args[0])] if what == "audio" else []
    after = [str(a) for a in (args[1:] if what == "audio" else args)]
    subprocess.run([tool, what, source, *before, target, *after], check=True)
    return np.load(target) if out.endswith(".npy") else open(target, "rb").read()


def check(name, got, want, limit):
    global failures
    want = np.asarray(want)
    if got.shape != want.shape:
        failures += 1
        print(f"FAIL {name}: shape {got.shape} instead of {want.shape}")
        return
    worst = float(np.abs(got.astype(np.float64) - want).max())
    failures += not worst <= limit
    print(f"{'ok  ' if worst <= limit else 'FAIL'} {name}: largest difference {worst:.3g} (limit {limit:g})")


def check_stft(name, got, want):
    """in the upper 80 dB: the logarithm of what float32 leaves of a silence is noise"""
    least = want.max() - 9.2
    check(name, np.maximum(got, least), np.maximum(want, least), 1e-2)


def audio_checks(folder, rng):
    x = sound(rng, 2 * 22050 + 17, 22050)
    three = np.tile(x, 3)[:66150]
    for pad in ("reflect", "zero", "none"):
        got = run(folder, "audio", x, 22050, "audio.pipeline=log-stft", "audio.rate_hz=22050", "audio.seconds=3",
                  "audio.fit=tile", "audio.n_fft=512", "audio.hop=353", f"audio.centre={pad}")
        check_stft(f"CREMA-D row, {pad}", got, log_stft(three, 512, 353, pad))
    x = sound(rng, 16000 * 11, 16000)
    got = run(folder, "audio", x, 16000, "audio.pipeline=log-stft", "audio.rate_hz=16000", "audio.seconds=5",
              "audio.crop=centre", "audio.n_fft=256", "audio.hop=128")
    check_stft("VGGSound row, centre 5 s", got, log_stft(x[48000:128000], 256, 128, "reflect"))
    x = sound(rng, 16000 * 7 + 5, 16000)
    ten = np.tile(x, 2)[:160000]
    for how in ("auto", "none"):
        got = run(folder, "audio", x, 16000, "audio.pipeline=spectrogram", "audio.rate_hz=16000", "audio.seconds=10",
                  "audio.fit=tile", "audio.n_fft=512", "audio.hop=159", f"audio.normalise={how}")
        check(f"lineage row, normalise {how}", got, spectrogram(ten, 16000, 512, 353, how == "auto"), 1e-3)
    for rate, n in ((48000, 480000), (44100, 441000), (16000, 200000), (8000, 4000), (22050, 300)):
        x = sound(rng, n, rate)
        got = run(folder, "audio", x, rate, "audio.rate_hz=0", "audio.seconds=0")
        check(f"Kinetics-Sounds row, {rate} Hz, {n} samples", got, ks_row(x, rate), 5e-3)


def resize_checks(folder, rng):
    for _ in range(20):
        h, w, c = int(rng.integers(1, 400)), int(rng.integers(1, 400)), int(rng.choice([1, 3]))
        H, W = int(rng.integers(1, 300)), int(rng.integers(1, 300))
        ch, cw = int(rng.integers(1, h + 1)), int(rng.integers(1, w + 1))
        top, left = int(rng.integers(0, h - ch + 1)), int(rng.integers(0, w - cw + 1))
        px = picture(rng, h, w, c)
        got = run(folder, "resize", px, top, left, ch, cw, H, W)
        want = np.asarray(pil(px).crop((left, top, left + cw, top + ch)).resize((W, H), Image.BILINEAR))
        check(f"resize {c}x{h}x{w} box {ch}x{cw} to {H}x{W}", got, want.reshape(H, W, c), 0)


def frame_checks(folder, rng):
    from torchvision import transforms
    px = picture(rng, 240, 331)
    for grey in (False, True):
        got = run(folder, "prepare", px[None], "visual.store_size=112", f"visual.grey={str(grey).lower()}")
        image = pil(px).convert("L") if grey else pil(px)
        want = np.asarray(transforms.Resize(112)(image))
        check(f"stored frame, grey {grey}", got[0], want.reshape(want.shape[0], want.shape[1], -1), 0)
    got = run(folder, "transform", px, -1)
    test = transforms.Compose([transforms.Resize((224, 224)), transforms.ToTensor(),
                               transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
    check("test transform", got, test(pil(px)).numpy(), 1e-6)
    jpeg = run(folder, "jpeg-write", px, 95, out="out.jpg")
    want = np.asarray(Image.open(io.BytesIO(jpeg)))
    os.replace(os.path.join(folder, "out.jpg"), os.path.join(folder, "in.npy"))
    check("jpeg read", run(folder, "jpeg-read", None)[0], want, 0)
    mine = io.BytesIO()
    pil(px).save(mine, "JPEG", quality=95, subsampling="4:2:0")
    check("jpeg write", np.frombuffer(jpeg, np.uint8), np.frombuffer(mine.getvalue(), np.uint8), 0)


def crop_checks(folder, rng):
    """The train transform's crops: their mean place and size, against torchvision's. The picture holds its own coordinates."""
    import torch
    from torchvision import transforms
    h, w, n = 120, 200, 400
    px = np.zeros((h, w, 3), np.uint8)
    px[:, :, 0], px[:, :, 1] = np.arange(h)[:, None], np.arange(w)[None]
    torch.manual_seed(int(rng.integers(1 << 30)))
    theirs = transforms.Compose([transforms.RandomResizedCrop(16), transforms.RandomHorizontalFlip(),
                                 transforms.ToTensor()])

    def measure(a):  # top-ish, height-ish, left-ish, width-ish, mirrored
        y, x = a[0] * 255, a[1] * 255
        return [y.min(), y.max() - y.min(), x.min(), x.max() - x.min(), float(x[0, 0] > x[0, -1])]

    want = np.array([measure(theirs(pil(px)).numpy()) for _ in range(n)])
    got = np.array([measure(run(folder, "transform", px, k, "input.image_size=16", "input.colour=none"))
                    for k in range(n)])
    error = np.sqrt((want.var(0) + got.var(0)) / n)
    check("random crops: means of top, height, left, width, flip in standard errors",
          (got.mean(0) - want.mean(0)) / error, np.zeros(5), 4)


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else int.from_bytes(os.urandom(4), "little")
    print("seed", seed)
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        audio_checks(folder, rng)
        resize_checks(folder, rng)
        frame_checks(folder, rng)
        crop_checks(folder, rng)
    print("features:", "all agree" if failures == 0 else f"{failures} differ")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
