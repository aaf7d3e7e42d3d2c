"""What several checks of assignment 07 use."""

from __future__ import annotations

import torch
from torch import Generator

from autograder.both_sides.target import Call
from autograder.judge.definitions import Step

SIZE = 8  # side of the images


def integer(g: Generator) -> int:
    return int(torch.randint(2**31, (), generator=g))


def tiny(g: Generator, latent_dim: int, size: int = SIZE) -> Step:
    return Step("toys.Tiny", Call((latent_dim, size, integer(g)), keep="model"))
