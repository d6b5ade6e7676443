"""SlowFast in PyTorch, by its structure alone: what tests/peer/slowfast.py compares with and slowfast_torch.py times.

Names are PySlowFast's, so that a safetensors file of either side loads strictly in the other."""
import torch
from torch import nn


class Bottleneck(nn.Module):
    def __init__(self, c, inner, out, kt, stride, first):
        super().__init__()
        if first:
            self.branch1 = nn.Conv3d(c, out, 1, (1, stride, stride), bias=False)
            self.branch1_bn = nn.BatchNorm3d(out)
        b = self.branch2 = nn.Module()
        b.a = nn.Conv3d(c, inner, (kt, 1, 1), 1, (kt // 2, 0, 0), bias=False)
        b.a_bn = nn.BatchNorm3d(inner)
        b.b = nn.Conv3d(inner, inner, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False)
        b.b_bn = nn.BatchNorm3d(inner)
        b.c = nn.Conv3d(inner, out, 1, bias=False)
        b.c_bn = nn.BatchNorm3d(out)

    def forward(self, x):
        shortcut = self.branch1_bn(self.branch1(x)) if hasattr(self, "branch1") else x
        b = self.branch2
        x = torch.relu(b.a_bn(b.a(x)))
        x = torch.relu(b.b_bn(b.b(x)))
        return torch.relu(b.c_bn(b.c(x)) + shortcut)


class SlowFast(nn.Module):
    def __init__(self, width=64, beta_inv=8, alpha=4, fusion_kernel=7, depth=(3, 4, 6, 3), pool=7, n_classes=400):
        super().__init__()
        self.alpha, self.pool = alpha, pool
        widths = (width, width // beta_inv)
        self.s1 = nn.Module()
        for p, kt in ((0, 1), (1, 5)):
            stem = nn.Module()
            stem.conv = nn.Conv3d(3, widths[p], (kt, 7, 7), (1, 2, 2), (kt // 2, 3, 3), bias=False)
            stem.bn = nn.BatchNorm3d(widths[p])
            setattr(self.s1, "pathway%d_stem" % p, stem)
        c = [widths[0], widths[1]]
        for k in range(2, 6):
            fuse = nn.Module()
            fuse.conv_f2s = nn.Conv3d(c[1], 2 * c[1], (fusion_kernel, 1, 1), (alpha, 1, 1), (fusion_kernel // 2, 0, 0),
                                      bias=False)
            fuse.bn = nn.BatchNorm3d(2 * c[1])
            setattr(self, "s%d_fuse" % (k - 1), fuse)
            c[0] += 2 * c[1]
            stage = nn.Module()
            for p in range(2):
                inner = widths[p] << (k - 2)
                kt = 3 if p == 1 or k > 3 else 1
                for i in range(depth[k - 2]):
                    block = Bottleneck(c[p], inner, 4 * inner, kt, 2 if i == 0 and k > 2 else 1, i == 0)
                    setattr(stage, "pathway%d_res%d" % (p, i), block)
                    c[p] = 4 * inner
            setattr(self, "s%d" % k, stage)
        self.depth = depth
        self.head = nn.Module()
        self.head.projection = nn.Linear(c[0] + c[1], n_classes)

    def forward(self, slow, fast):
        """[N,3,K/alpha,H,W], [N,3,K,H,W] -> logits [N,positions,n_classes]"""
        x = [slow, fast]
        for p in range(2):
            stem = getattr(self.s1, "pathway%d_stem" % p)
            x[p] = nn.functional.max_pool3d(torch.relu(stem.bn(stem.conv(x[p]))), (1, 3, 3), (1, 2, 2), (0, 1, 1))
        for k in range(2, 6):
            fuse = getattr(self, "s%d_fuse" % (k - 1))
            x[0] = torch.cat([x[0], torch.relu(fuse.bn(fuse.conv_f2s(x[1])))], 1)
            for p in range(2):
                for i in range(self.depth[k - 2]):
                    x[p] = getattr(getattr(self, "s%d" % k), "pathway%d_res%d" % (p, i))(x[p])
        f = torch.cat([nn.functional.avg_pool3d(v, (v.shape[2], self.pool, self.pool), 1) for v in x], 1)
        return self.head.projection(f.permute(0, 2, 3, 4, 1).flatten(1, 3))
