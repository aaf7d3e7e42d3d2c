"""The check of ``train_step``.

Asked for: one step down the gradient of the negative bound in training mode, and its terms before the step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Normal
from torch.nn import functional as F
from torch.optim import Optimizer

from autograder.both_sides import toys
from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle
from autograder.checks.training import shared
from autograder.judge.comparing import difference
from autograder.judge.definitions import Check, Misconception, Part, Probe, Step
from vae_ref import bound, training


def _step(g: Generator, count: int, beta: float | None = None) -> Call:
    keywords = {} if beta is None else {"beta": beta}
    return Call((Handle("model"), shared.images(g, count), Handle("optimizer")), keywords)


def _beta(g: Generator) -> float:
    return round(1.5 + 2.5 * float(torch.rand((), generator=g)), 2)


def _terms_of_steps(g: Generator) -> list[Probe]:
    probes = []
    for count, latent_dim, beta in ((5, 4, _beta(g)), (3, 3, 1 / _beta(g)), (4, 2, None)):
        label = f"{count} images and {'beta left out' if beta is None else f'beta = {beta:.3g}'}"
        probes.append(
            Probe(_step(g, count, beta), label, before=(*shared.model(g, latent_dim), *shared.optimizer(g)))
        )
    return probes


def _weights_after_steps(g: Generator) -> list[Probe]:
    def probe(beta: float, num_earlier: int, label: str) -> Probe:
        earlier = [Step("train_step", _step(g, 3, _beta(g))) for _ in range(num_earlier)]
        before = (*shared.model(g, 3), *shared.optimizer(g), *earlier)
        return Probe(_step(g, 5, beta), label, before=before, after=(shared.WEIGHTS, shared.STATE))

    return [
        probe(_beta(g), 0, "one step: first its terms, then the weights after it"),
        probe(1 / _beta(g), 1, "a second step: first its terms, then the weights after it"),
    ]


def _weights_moved(results: list[Any], probes: list[Probe]) -> str:
    # only in the first probe is the model still as it was made
    made = toys.Predictable(*probes[0].before[0].call.args).weights()
    if difference(results[0][1], {name: weight.detach() for name, weight in made.items()}) is None:
        return "The weights did not move: the optimizer steps along gradients, which have to be there when it does."
    return ""


def _without_state(result: Any) -> Any:
    # gradients may stay or go after a step: it tells mistakes apart, not right from wrong
    return [*result[:2], {"training": True, "gradients": False, "trainable": True}]


def _steps_from_eval(g: Generator) -> list[Probe]:
    return [
        Probe(
            _step(g, count), f"{label} and a model in eval mode",
            before=(*shared.model(g, 3), shared.TO_EVAL, *shared.optimizer(g)),
        )
        for count, label in ((1, "a single image"), (4, "four images"))
    ]  # fmt: skip


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _nll_by_image(x: Tensor, x_hat: Tensor) -> Tensor:
    sigma = (x - x_hat).square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return -Normal(x_hat, sigma).log_prob(x).flatten(1).sum(1)



def _bce(x: Tensor, x_hat: Tensor) -> Tensor:
    return F.binary_cross_entropy(x_hat, x, reduction="none").flatten(1).sum(1)



def _bound_loss(reconstruction: Tensor, kl: Tensor, beta: float) -> Tensor:
    return (reconstruction + beta * kl).mean()



def _descend(loss: Tensor, optimizer: Optimizer, order: tuple[str, ...] = ("zero", "backward", "step")) -> None:
    act: dict[str, Callable[[], Any]] = {"zero": optimizer.zero_grad, "backward": loss.backward, "step": optimizer.step}
    for word in order:
        act[word]()



def _step_like(
    nll: Callable[[Tensor, Tensor], Tensor] = shared.nll,
    kl_of: Callable[[Tensor, Tensor], Tensor] = bound.kl_divergence,
    loss: Callable[[Tensor, Tensor, float], Tensor] = _bound_loss,
    minimised: Callable[[Tensor, Tensor, float], Tensor] | None = None,
    reported: Callable[[Tensor, Tensor, float], tuple[Any, Any]] = lambda r, k, beta: (r.mean(), k.mean()),
    descend: Callable[[Tensor, Optimizer], None] = _descend,
    mode: Callable[[nn.Module], Any] = nn.Module.train,
) -> Callable[..., Any]:
    """A variant that takes one thing differently: per image a term, then what is reported, minimised, and how."""

    def variant(model: nn.Module, x: Tensor, optimizer: Optimizer, beta: float = 1.0) -> Any:
        mode(model)
        x_hat, mu, logvar = model(x)
        terms = nll(x, x_hat), kl_of(mu, logvar), beta
        total = loss(*terms)
        descend(total if minimised is None else minimised(*terms), optimizer)
        return dict(zip(shared.TERMS, (total, *reported(*terms)), strict=True))

    return variant



def _reported_after(model: nn.Module, x: Tensor, optimizer: Optimizer, beta: float = 1.0) -> Any:
    training.train_step(model, x, optimizer, beta)
    with torch.no_grad():
        x_hat, mu, logvar = model(x)
        reconstruction, kl = shared.nll(x, x_hat).mean(), bound.kl_divergence(mu, logvar).mean()
    return {"loss": reconstruction + beta * kl, "reconstruction": reconstruction, "kl": kl}



def _by_parts(model: Any, x: Tensor, optimizer: Optimizer, beta: float = 1.0) -> Any:
    mu, logvar = model.encode(x)
    reconstruction = shared.nll(x, model.decode(mu)).mean()
    return {"loss": reconstruction, "reconstruction": reconstruction, "kl": bound.kl_divergence(mu, logvar).mean()}



def _step_by_hand(model: nn.Module, x: Tensor, optimizer: Optimizer, beta: float = 1.0) -> Any:
    """Right as well: from squared errors, divided by the number of images at the end, without any helper."""
    for module in model.modules():
        module.training = True
    model.zero_grad(set_to_none=False)
    x_hat, mu, logvar = model(x)
    squares = F.mse_loss(x_hat, x, reduction="sum")
    variance = squares.detach() / x.numel()
    reconstruction = 0.5 * (squares / variance + x.numel() * (variance.log() + bound.LOG_2PI)) / len(x)
    kl = -0.5 * (1 + logvar - mu ** 2 - logvar.exp()).sum() / len(x)
    (reconstruction + beta * kl).backward()
    optimizer.step()
    return {"loss": reconstruction + beta * kl, "reconstruction": reconstruction, "kl": kl}



def _step_by_closure(model: nn.Module, x: Tensor, optimizer: Optimizer, beta: float = 1.0) -> Any:
    """Right as well: the optimizer calls back."""
    terms: dict[str, float] = {}

    def closure() -> float:
        optimizer.zero_grad()
        x_hat, mu, logvar = model.train()(x)
        reconstruction, kl = shared.nll(x, x_hat).sum() / len(x), bound.kl_divergence(mu, logvar).sum() / len(x)
        loss = reconstruction + kl * beta
        torch.autograd.backward(loss)
        terms.update(loss=loss.item(), reconstruction=reconstruction.item(), kl=kl.item())
        return loss.item()

    optimizer.step(closure)
    return terms



TRAIN_STEP = Check(
    name="train_step",
    asks="one step down the gradient of the negative bound in training mode, and its terms before the step",
    section="stochastic-gradients",
    oracle=shared.train_step_oracle,
    parts=(
        Part("terms", 3, _terms_of_steps),
        Part("steps", 3, _weights_after_steps, _weights_moved, _without_state),
        Part("training mode", 1, _steps_from_eval),
    ),
    misconceptions=(
        _m("step-mean-over-pixels", "one-reduction",
           "the reconstruction is a mean over pixels and the KL a sum, so that the KL weighs far too much.",
           _step_like(nll=lambda x, x_hat: shared.nll(x, x_hat) / x[0].numel())),
        _m("step-kl-mean-over-latents", "one-reduction", "the KL is averaged over the latents; each one costs nats.",
           _step_like(kl_of=lambda mu, logvar: bound.kl_divergence(mu, logvar) / mu.shape[1])),
        _m("step-sum-over-images", "one-reduction", "the terms are summed over the batch, not given per image.",
           _step_like(loss=lambda r, k, beta: (r + beta * k).sum(),
                      reported=lambda r, k, beta: (r.sum(), k.sum()))),
        _m("step-squared-error", "sigma-in-training",
           "the reconstruction is the plain squared error; without σ that is no likelihood.",
           _step_like(nll=shared.squares)),
        _m("step-unit-sigma", "sigma-in-training", "σ is 1, as wide as the whole range from black to white.",
           _step_like(nll=lambda x, x_hat: -bound.reconstruction_log_likelihood(x, x_hat, 1.0))),
        _m("step-sigma-per-image", "sigma-in-training", "each image has a σ of its own; one serves the whole batch.",
           _step_like(nll=_nll_by_image)),
        _m("step-cross-entropy", "sigma-in-training",
           "the reconstruction is a binary cross-entropy, which is made for pixels that are 0 or 1.",
           _step_like(nll=_bce)),
        _m("step-without-2pi", "one-reduction", "log 2π is left out of the reconstruction.",
           _step_like(nll=shared.without_constant)),
        _m("step-kl-subtracted", "one-reduction", "the KL is subtracted from the loss, so that training makes it grow.",
           _step_like(loss=lambda r, k, beta: (r - beta * k).mean())),
        _m("step-kl-negative", "one-reduction", "the KL has the wrong sign; no divergence is negative.",
           _step_like(kl_of=lambda mu, logvar: -bound.kl_divergence(mu, logvar))),
        _m("step-loss-is-the-bound", "one-reduction",
           "the loss is the bound itself; a bound is made large, a loss small.",
           _step_like(loss=lambda r, k, beta: -(r + beta * k).mean())),
        _m("step-reports-likelihood", "one-reduction",
           "the reconstruction is reported as a log likelihood; here it is something to be made small.",
           _step_like(reported=lambda r, k, beta: (-r.mean(), k.mean()))),
        _m("step-beta-ignored", "kl-warm-up", "beta has no effect on the loss.",
           _step_like(loss=lambda r, k, beta: (r + k).mean())),
        _m("step-beta-twice", "kl-warm-up", "beta is applied twice.",
           _step_like(loss=lambda r, k, beta: (r + beta * beta * k).mean())),
        _m("step-beta-in-reported-kl", "kl-warm-up", "the reported KL contains beta; it belongs in the loss.",
           _step_like(reported=lambda r, k, beta: (r.mean(), beta * k.mean()))),
        _m("step-beta-on-reconstruction", "kl-warm-up", "beta weights the reconstruction instead of the KL.",
           _step_like(loss=lambda r, k, beta: (beta * r + k).mean())),
        _m("step-terms-afterwards", "stochastic-gradients", "the terms are measured after the step.", _reported_after),
        _m("step-in-eval-mode", "training-run", "the model is put into eval mode.",
           _step_like(mode=nn.Module.eval)),
        _m("step-model-in-parts", "stochastic-gradients",
           "the parts of the model are called one by one; model(x) gives x_hat, mu and logvar at once.", _by_parts),
        _m("step-without-zero-grad", "stochastic-gradients", "gradients of earlier steps are not cleared: they add up.",
           _step_like(descend=lambda loss, optimizer: _descend(loss, optimizer, ("backward", "step")))),
        _m("step-zero-grad-too-late", "stochastic-gradients", "the gradients are cleared before the step uses them.",
           _step_like(descend=lambda loss, optimizer: _descend(loss, optimizer, ("backward", "zero", "step")))),
        _m("step-never-steps", "stochastic-gradients", "the optimizer never gets to take a step with the gradients.",
           _step_like(descend=lambda loss, optimizer: _descend(loss, optimizer, ("zero", "backward")))),
        _m("step-before-backward", "stochastic-gradients", "the step comes before its gradients are there.",
           _step_like(descend=lambda loss, optimizer: _descend(loss, optimizer, ("step", "zero", "backward")))),
        _m("step-minimises-sum", "one-reduction",
           "the step goes down the sum over the batch; with it the learning rate would depend on the batch size.",
           _step_like(minimised=lambda r, k, beta: (r + beta * k).sum())),
        _m("step-minimises-reconstruction", "stochastic-gradients", "the KL is reported but not in the gradient.",
           _step_like(minimised=lambda r, k, beta: r.mean())),
        _m("step-minimises-without-beta", "kl-warm-up", "beta is in the reported loss but not in the gradient.",
           _step_like(minimised=lambda r, k, beta: (r + k).mean())),
        _m("step-uphill", "stochastic-gradients", "the step goes up: the negative of the loss is differentiated.",
           _step_like(minimised=lambda r, k, beta: -(r + beta * k).mean())),
        _m("step-mode-untouched", "training-run", "a model in eval mode stays there while it is trained.",
           _step_like(mode=lambda model: None)),
    ),
    equivalents=(training.train_step, shared.step_by_elbo, _step_by_hand, _step_by_closure, _step_like()),
)
