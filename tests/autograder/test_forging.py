"""Checks that ask the learner's process about itself: patching what answers must not earn what is wrong."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator

import pytest

from autograder.checks import checks_of
from autograder.judge.checking import judge
from autograder.wall import Limits
from autograder.wall.kernel import WalledKernel
from autograder.wall.places import Warm

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wall")]

# a layer that nothing uses, and a head whose features are cut off
ENCODER = """
import torch
from torch import nn
class Encoder(nn.Module):
    def __init__(self, latent_dim):
        super().__init__()
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(12288, 16), nn.Tanh())
        self.unused = nn.Linear(16, 16)
        self.mu, self.logvar = nn.Linear(16, latent_dim), nn.Linear(16, latent_dim)
    def forward(self, x):
        h = self.features(x)
        return self.mu(h), self.logvar(h.detach())
"""
EVALUATE = """
import torch
def evaluate(model, loader):
    model.eval()
    for p in model.parameters():
        p.requires_grad_(False)
    batches = [(x, *model(x)) for x, _ in loader]
    x, x_hat, mu, logvar = (torch.cat(parts) for parts in zip(*batches))
    n = x[0].numel()
    r = 0.5 * n * (1 + torch.log(torch.tensor(2 * torch.pi)) + (x - x_hat).square().mean().log())
    k = 0.5 * (mu.square() + logvar.exp() - logvar - 1).sum(1).mean()
    return {"loss": r + k, "reconstruction": r, "kl": k}
"""
# its noise is too narrow where logvar is below 0: the variance is taken for σ
VAE = """
import torch
from torch import nn
class VAE(nn.Module):
    def __init__(self, latent_dim):
        super().__init__()
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(12288, 16), nn.Tanh())
        self.mu, self.logvar = nn.Linear(16, latent_dim), nn.Linear(16, latent_dim)
        self.out = nn.Sequential(nn.Linear(latent_dim, 32), nn.LeakyReLU(), nn.Linear(32, 12288), nn.Sigmoid())
    def encode(self, x):
        h = self.features(x)
        return self.mu(h), self.logvar(h)
    def decode(self, z):
        return self.out(z).unflatten(1, (3, 64, 64))
    def forward(self, x, generator=None):
        mu, logvar = self.encode(x)
        return self.decode(mu + logvar.exp() * torch.randn(mu.shape, generator=generator)), mu, logvar
"""
# each says of the wrong answer above what a right one would say
FORGERIES = {
    "a report that every weight is reached": (4, "Encoder", ENCODER, """
import autograder.both_sides.handling as handling
import torch
handling.reached = lambda net, x, position=None: (["mu.weight", "features.1.weight"], [])
honest = handling.slopes
def slopes(net, *rest, **more):
    told = honest(net, *rest, **more)
    told["slopes"] = torch.where(told["slopes"] == 0, 1e-3, told["slopes"])
    return told
handling.slopes = slopes
"""),
    "tiny slopes, which no tolerance should hide": (4, "Encoder", ENCODER, """
import autograder.both_sides.handling as handling
import torch
honest = handling.slopes
def slopes(net, *rest, **more):
    told = honest(net, *rest, **more)
    told["slopes"] = torch.where(told["slopes"] == 0, 1e-12, told["slopes"])
    return told
handling.slopes = slopes
"""),
    "a report without names": (4, "Encoder", ENCODER, """
import autograder.both_sides.handling as handling
import torch
handling.slopes = lambda *rest, **more: {"names": [], "slopes": torch.zeros(0, 3)}
"""),
    "weights that do not move": (4, "Encoder", ENCODER, """
import autograder.both_sides.handling as handling
import torch
handling.move = lambda *rest: None
handling.slopes = lambda *rest, **more: {"names": ["mu.weight"], "slopes": torch.zeros(1, 3)}
"""),
    "a ruler that is too long": (4, "VAE", VAE, """
import autograder.both_sides.handling as handling
import math
honest = handling.near
handling.near = lambda model, x, offsets: honest(model, x, offsets * math.exp(-1.2))
"""),
    "a report that the model is as it was": (5, "evaluate", EVALUATE, """
import autograder.both_sides.toys as toys
toys.Predictable.state = lambda self: {"training": was[0], "gradients": False, "trainable": True}
honest, was = evaluate, [True]
def evaluate(model, loader):
    was[0] = model.training
    return honest(model, loader)
"""),
}  # fmt: skip


@pytest.fixture(scope="module")
def warm_process() -> Iterator[Callable[[int], Warm]]:
    """The process of a chapter that forks kernels."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def of_chapter(chapter: int) -> Warm:
            return stack.enter_context(contextlib.closing(Warm(chapter)))

        yield of_chapter


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_report_earns_nothing(warm_process: Callable[[int], Warm], forgery: str) -> None:
    chapter, name, wrong, patch = FORGERIES[forgery]
    check = next(
        c for slug in ("04_networks", "05_training") for c in checks_of(slug).values() if c.name == name
    )
    scores = []
    for code in ("", patch):
        with WalledKernel(warm_process(chapter).fork(Limits())) as kernel:
            assert kernel.run(wrong).status == "ok" and kernel.run(code).status == "ok"
            verdict = judge(check, kernel, 7, seed=3)
            scores.append({finding.part: finding.passed for finding in verdict.findings})
    assert not all(scores[0].values())  # it is wrong
    assert not any(scores[1][part] and not scores[0][part] for part in scores[0]), scores
