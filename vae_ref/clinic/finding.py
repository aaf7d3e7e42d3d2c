"""What a probe returns, and how it looks at a model without leaving a trace."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps

import torch
from torch import Tensor, nn

from vae_ref.inputs import require_images
from vae_ref.networks import VAE


@dataclass(frozen=True)
class Finding:
    """What a probe found.

    Attributes:
        probe: its name.
        healthy: whether a working VAE looks like this.
        value: the number behind the verdict.
        message: what was measured, what it should be, and what it means if it is not.
    """

    probe: str
    healthy: bool
    value: float
    message: str


Probe = Callable[[VAE, Tensor], Finding]


@contextmanager
def examined(model: nn.Module, training: bool) -> Iterator[None]:
    """Put a model into a mode with random numbers of its own; put everything back afterwards."""
    modes = {module: module.training for module in model.modules()}
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model.train(training)
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                buffer.copy_(buffers[name])


def probe_in(training: bool) -> Callable[[Probe], Probe]:
    """A probe checks its images, and runs in one mode without leaving a trace.

    Args:
        training: the mode: that of training or that of evaluation.
    """

    def wrap(probe: Probe) -> Probe:
        @wraps(probe)
        def run(model: VAE, x: Tensor) -> Finding:
            require_several(x)
            with examined(model, training):
                try:
                    return probe(model, x)
                except (
                    ValueError
                ) as error:  # the images were checked above: it is what the model made of them
                    message = f"the model's output cannot be measured: {error}"
                    return Finding(probe.__name__, healthy=False, value=math.nan, message=message)

        return run

    return wrap


def require_several(x: Tensor) -> None:
    require_images(x)
    if len(x) < 2 or bool((x == x[:1]).all()):
        raise ValueError(f"x must hold at least 2 different images to compare, got shape {tuple(x.shape)}")
