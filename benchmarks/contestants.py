"""Who is measured: a net, a loss and an optimiser each, ready to take steps.

``CONTESTANTS`` names them all. The reference stands for itself (``Reference``); other people's losses run on
its net, with its optimiser and precision (``OtherLoss``); other people's nets run with their own loss,
optimiser, batch size and float32, as published (``Published``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from benchmarks import losses
from benchmarks.peers import AntixKVanillaVAE, Peer, Pythae, antixk_sigma
from vae_ref.config import DEFAULTS, Config
from vae_ref.devices import CPU, bfloat16_is_native
from vae_ref.rate import adapt_log_beta
from vae_ref.recipes import make_recipe
from vae_ref.trainer import LEARNING_RATE_RAMP, LOWEST_LEARNING_RATE
from vae_ref.training import kl_weight

NUM_DIMS = 3 * 64 * 64
IMAGES_PER_EPOCH = 12_000  # Stanford Dogs; for the one schedule that counts in epochs
ANTIXK_LEARNING_RATE, ANTIXK_DECAY = 0.005, 0.95  # "LR" and "scheduler_gamma", applied after each epoch
PYTHAE_LEARNING_RATE = 1e-4  # BaseTrainerConfig's default, constant
PEER_BATCH_SIZE = 64  # of both


class Contestant:
    """A model that trains.

    Args:
        seed: of the weights.

    Attributes:
        title: for tables.
        batch_size: pictures in a step, as published.
        likelihood: the density of pixels that its loss stands for: "gaussian" or "continuous Bernoulli".
        own_sigma: the Gaussian's standard deviation on [0, 1]; None if it is fitted on training pictures.
        model: has ``draw``, ``encode`` and ``decode``.
    """

    title: str
    batch_size: int
    likelihood = "gaussian"
    own_sigma: float | None = None
    bfloat16: bool = False
    model: Any
    optimizer: torch.optim.Optimizer

    def __init__(self, seed: int = 0) -> None:
        self.steps, self.images = 0, 0

    def learning_rate(self, done: float) -> float:
        """Learning rate of the next step when a share ``done`` of the training is over."""
        raise NotImplementedError

    def loss(self, x: Tensor) -> Tensor:
        """What is minimised, ()."""
        raise NotImplementedError

    def step(self, x: Tensor, done: float = 0.0) -> None:
        """Train on pictures (B, 3, 64, 64) in [0, 1]."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(done)
        self.model.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            self.descend(x)
        self.steps, self.images = self.steps + 1, self.images + len(x)

    def descend(self, x: Tensor) -> None:
        """Forward, backward, step."""
        loss = self.loss(x)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


class Reference(Contestant):
    """The reference with its defaults for photos.

    Args:
        seed: of the weights.
        changes: settings that differ from the defaults.
    """

    title = "vae_ref"

    def __init__(self, seed: int = 0, **changes: Any) -> None:
        super().__init__(seed)
        self.config: Config = replace(DEFAULTS["stanford"], seed=seed, **changes)
        self.recipe = make_recipe(self.config, CPU)
        self.model, self.optimizer = self.recipe.model, self.recipe.optimizer
        self.batch_size, self.bfloat16 = self.config.batch_size, bfloat16_is_native()
        self.log_beta = 0.0

    def learning_rate(self, done: float) -> float:
        """As in ``vae_ref.trainer``: a ramp, then half a cosine."""
        cosine = 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
        ramp = min(1.0, (self.steps + 1) / LEARNING_RATE_RAMP)
        return self.config.learning_rate * ramp * (LOWEST_LEARNING_RATE + (1 - LOWEST_LEARNING_RATE) * cosine)

    def descend(self, x: Tensor) -> None:
        if self.config.rate is None:
            self.recipe.step(x, kl_weight(self.steps, self.config.warmup_steps))
            return
        terms = self.recipe.step(x, math.exp(self.log_beta))
        self.log_beta = adapt_log_beta(self.log_beta, terms["kl"], self.config.rate)


class OtherLoss(Reference):
    """The reference's net, optimiser and precision with somebody else's loss, and no warm-up: theirs has none."""

    loss_function: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]

    def loss(self, x: Tensor) -> Tensor:
        z, mu, logvar = self.model.draw(x)
        x_hat = self.model.decode(z)
        with torch.autocast("cpu", enabled=False):
            return self.loss_function(x, x_hat, mu, logvar)

    def descend(self, x: Tensor) -> None:
        Contestant.descend(self, x)


class PytorchExample(OtherLoss):
    title = "pytorch/examples loss (BCE, summed), our net"
    likelihood = "continuous Bernoulli"
    loss_function = staticmethod(losses.pytorch_example)


class MeanCrossEntropy(OtherLoss):
    title = "BCE averaged over pixels, our net"
    likelihood = "continuous Bernoulli"
    loss_function = staticmethod(losses.mean_cross_entropy)


class UnitVariance(OtherLoss):
    title = "unit-variance MSE, our net"
    own_sigma = 1.0
    loss_function = staticmethod(losses.unit_variance)


class Published(Contestant):
    """Somebody else's net and loss with Adam; a subclass says which net and which learning rate.

    Args:
        seed: of the weights.
    """

    batch_size = PEER_BATCH_SIZE
    model: Peer

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        torch.manual_seed(seed)
        self.model = self.build()
        self.optimizer = torch.optim.Adam(self.model.parameters())

    def build(self) -> Peer:
        """A new model."""
        raise NotImplementedError

    def loss(self, x: Tensor) -> Tensor:
        return self.model.loss(x)


class AntixK(Published):
    title = "AntixK VanillaVAE"
    own_sigma = antixk_sigma(NUM_DIMS)

    def build(self) -> Peer:
        return AntixKVanillaVAE()

    def learning_rate(self, done: float) -> float:
        return ANTIXK_LEARNING_RATE * ANTIXK_DECAY ** (self.images // IMAGES_PER_EPOCH)


class PythaeDense(Published):
    title = "pythae VAE, its default net (fully connected)"
    own_sigma = 1.0

    def build(self) -> Peer:
        return Pythae(convolutional=False)

    def learning_rate(self, done: float) -> float:
        return PYTHAE_LEARNING_RATE


class PythaeConv(PythaeDense):
    title = "pythae VAE, its net for 64×64 (convolutional)"

    def build(self) -> Peer:
        return Pythae(convolutional=True)


CONTESTANTS: dict[str, type[Contestant]] = {
    "vae_ref": Reference,
    "pytorch-example": PytorchExample,
    "bce-mean": MeanCrossEntropy,
    "unit-variance": UnitVariance,
    "antixk": AntixK,
    "pythae-dense": PythaeDense,
    "pythae-conv": PythaeConv,
}
