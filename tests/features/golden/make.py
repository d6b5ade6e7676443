"""Makes the *.npy and *.jpg of this folder: what torch, scipy, PIL and torchvision say about inputs that golden.c can rebuild.

Run by hand when a feature is added: /usr/bin/python3 tests/features/golden/make.py. The inputs come from one integer
generator, so that only results are stored (some 40 kB)."""
import os
import sys

import numpy as np
from PIL import Image
from torchvision import transforms

out = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(out, "..", "..", "peer"))
import features as peer


def lcg(n):
    x, v = 1, np.empty(n, np.int64)
    for i in range(n):
        x = (x * 1664525 + 1013904223) % 2 ** 32
        v[i] = x >> 16
    return v


def sound(n):  # -1.2 .. 1.2, so that clipping shows; a triangle wave plus noise
    i = np.arange(n)
    return ((np.abs(i % 50 - 25) - 12) / 16.0 + (lcg(n) - 32768) / 65536.0).astype(np.float32)


def picture(h, w, c):
    y, x, k = np.meshgrid(np.arange(h), np.arange(w), np.arange(c), indexing="ij")
    return ((x * 7 + y * 5 + k * 60 + lcg(h * w * c).reshape(h, w, c) % 64) % 256).astype(np.uint8)


def save(name, array):
    kind = np.uint8 if array.dtype == np.uint8 else np.float32
    np.save(os.path.join(out, name + ".npy"), np.ascontiguousarray(array, kind))


x = sound(2000)
for pad in ("none", "reflect", "zero"):
    save("log_stft_" + pad, peer.log_stft(x, 64, 48, pad))
save("spectrogram", peer.spectrogram(np.tile(x, 2)[:3000], 1000, 64, 44))
save("kaldi_fbank", peer.ks_row(x, 8000, 24, 32))
px = picture(45, 70, 3)
for name, box, size in (("reduce", (0, 0, 45, 70), (20, 23)), ("crop", (5, 11, 30, 40), (24, 24)),
                        ("enlarge", (40, 60, 5, 10), (17, 31))):
    top, left, h, w = box
    image = Image.fromarray(px).crop((left, top, left + w, top + h))
    save("resize_" + name, np.asarray(image.resize(size[::-1], Image.BILINEAR)))
save("grey", np.asarray(transforms.Resize(20)(Image.fromarray(px).convert("L"))))
test = transforms.Compose([transforms.Resize((16, 16)), transforms.ToTensor(),
                           transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
save("test_transform", test(Image.fromarray(px)).numpy())
Image.fromarray(px).save(os.path.join(out, "picture.jpg"), quality=95, subsampling="4:2:0")
save("jpeg", np.asarray(Image.open(os.path.join(out, "picture.jpg"))))
Image.fromarray(px).convert("CMYK").save(os.path.join(out, "cmyk.jpg"), quality=50)
