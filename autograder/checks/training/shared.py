"""What several checks of assignment 05 use."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Normal
from torch.distributions import kl_divergence as exact_kl
from torch.optim import Optimizer

from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle
from autograder.judge.definitions import Step
from vae_ref import bound

SIZE = 8  # of images, in pixels

TERMS = ("loss", "reconstruction", "kl")


def kl_weight_oracle(step: int, warmup_steps: int) -> Any:
    return 1.0 if step >= warmup_steps else step / warmup_steps


def exact_terms(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Reconstruction and KL of each image, (B,), in the precision of the model."""
    x_hat, mu, logvar = model(x)
    sigma = (x - x_hat).square().mean().sqrt()
    reconstruction = -Normal(x_hat, sigma).log_prob(x).sum(dim=(1, 2, 3))
    code = Normal(mu, torch.exp(0.5 * logvar))
    return reconstruction, exact_kl(code, Normal(torch.zeros_like(mu), torch.ones_like(mu))).sum(dim=1)


def train_step_oracle(model: nn.Module, x: Tensor, optimizer: Optimizer, beta: float = 1.0) -> Any:
    exact = copy.deepcopy(model).double().train()
    reconstruction, kl = exact_terms(exact, x.double())
    loss = reconstruction.mean() + beta * kl.mean()
    gradients = torch.autograd.grad(loss, list(exact.parameters()))
    model.train()
    with torch.no_grad():
        for weight, gradient in zip(model.parameters(), gradients, strict=True):
            weight.sub_(optimizer.param_groups[0]["lr"] * gradient)
    return {name: t.item() for name, t in zip(TERMS, (loss, reconstruction.mean(), kl.mean()), strict=True)}


def number(g: Generator, low: int, high: int) -> int:
    return int(torch.randint(low, high + 1, (), generator=g))


def images(g: Generator, count: int) -> Tensor:
    """Noise of more and less contrast, so that no image is as hard as the others, the last one least of all."""
    contrast = torch.linspace(0.9, 0.3, count) + 0.1 * torch.rand(count, generator=g)
    brightness = torch.linspace(0.5, 0.3, count)
    noise = torch.rand(count, 3, SIZE, SIZE, generator=g) - 0.5
    return (brightness[:, None, None, None] + contrast[:, None, None, None] * noise).clamp(0, 1)


def model(g: Generator, latent_dim: int) -> tuple[Step, ...]:
    call = Call((latent_dim, SIZE, number(g, 0, 2**30)), keep="model")
    return (Step("toys.Predictable", call),)


def optimizer(g: Generator) -> tuple[Step, ...]:
    rate = 0.005 + 0.005 * float(torch.rand((), generator=g))
    return (Step("props.sgd", Call((Handle("model"), rate), keep="optimizer")),)


def loader(g: Generator, num_images: int, batch_size: int) -> tuple[Step, ...]:
    call = Call((images(g, num_images), torch.arange(num_images), batch_size), keep="loader")
    return (Step("props.loader", call),)


TO_EVAL = Step("model.eval", Call(keep="model"))

WEIGHTS, STATE = Step("model.weights", Call()), Step("model.state", Call())


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off



def nll(x: Tensor, x_hat: Tensor) -> Tensor:
    return -bound.reconstruction_log_likelihood(x, x_hat, bound.optimal_sigma(x, x_hat))



def squares(x: Tensor, x_hat: Tensor) -> Tensor:
    return (x - x_hat).square().flatten(1).sum(1)



def without_constant(x: Tensor, x_hat: Tensor) -> Tensor:
    return nll(x, x_hat) - 0.5 * x[0].numel() * bound.LOG_2PI



def step_by_elbo(model: nn.Module, x: Tensor, optimizer: Optimizer, beta: float = 1.0) -> Any:
    """Right as well: the bound's own function, σ from the side, gradients cleared when they have served."""
    model.train()
    x_hat, mu, logvar = model(x)
    with torch.no_grad():
        sigma = ((x - x_hat) ** 2).mean() ** 0.5
    loss = -bound.elbo(x, x_hat, mu, logvar, sigma, beta).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    kl = bound.kl_divergence(mu, logvar).mean().item()
    return {"kl": kl, "loss": loss.item(), "reconstruction": loss.item() - beta * kl}
