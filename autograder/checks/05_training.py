"""Checks of assignment 05, training.

Nothing here is left to chance: the models draw the same noise in every call (``toys.Predictable``) and the optimizer
is plain gradient descent, so that the change of a weight is its gradient times the learning rate. The oracle takes no
step of the usual kind: it differentiates the bound of ``torch.distributions`` in double precision and moves the weights
by hand. All results must agree to a part in 10,000, and a right answer is off by float32 rounding alone; no check can
fail by bad luck.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Normal
from torch.distributions import kl_divergence as exact_kl
from torch.nn import functional as F

from autograder import toys
from autograder.checking import Check, Misconception, Part, Probe, Step
from autograder.comparing import difference
from autograder.target import Call
from autograder.wire import Handle
from vae_ref import bound, training

SIZE = 8  # of images, in pixels
TERMS = ("loss", "reconstruction", "kl")

Batch = tuple[Tensor, Tensor, Tensor, Tensor]  # x, x_hat (B, 3, S, S), mu, logvar (B, L)
Optimizer = torch.optim.Optimizer


# ---- what the learner's functions are compared with -----------------------------------------------------------------


def _kl_weight_oracle(step: int, warmup_steps: int) -> Any:
    return 1.0 if step >= warmup_steps else step / warmup_steps


def _exact_terms(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Reconstruction and KL of each image, (B,), in the precision of the model."""
    x_hat, mu, logvar = model(x)
    sigma = (x - x_hat).square().mean().sqrt()
    reconstruction = -Normal(x_hat, sigma).log_prob(x).sum(dim=(1, 2, 3))
    code = Normal(mu, torch.exp(0.5 * logvar))
    return reconstruction, exact_kl(code, Normal(torch.zeros_like(mu), torch.ones_like(mu))).sum(dim=1)


def _train_step_oracle(model: nn.Module, x: Tensor, optimizer: Optimizer, beta: float = 1.0) -> Any:
    exact = copy.deepcopy(model).double().train()
    reconstruction, kl = _exact_terms(exact, x.double())
    loss = reconstruction.mean() + beta * kl.mean()
    gradients = torch.autograd.grad(loss, list(exact.parameters()))
    model.train()
    with torch.no_grad():
        for weight, gradient in zip(model.parameters(), gradients, strict=True):
            weight.sub_(optimizer.param_groups[0]["lr"] * gradient)
    return {name: t.item() for name, t in zip(TERMS, (loss, reconstruction.mean(), kl.mean()), strict=True)}


@torch.no_grad()
def _evaluate_oracle(model: nn.Module, loader: Any) -> Any:
    exact = copy.deepcopy(model).double().eval()
    everything = torch.cat([x for x, _ in loader]).double()
    reconstruction, kl = (t.mean().item() for t in _exact_terms(exact, everything))
    return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}


def _fit_oracle(
    model: nn.Module, loader: Any, optimizer: Optimizer, num_epochs: int, warmup_steps: int = 0
) -> Any:
    batches = [x for x, _ in loader]
    sizes = torch.tensor([len(x) for x in batches]).double()
    history = []
    for epoch in range(num_epochs):
        rows = []
        for step, x in enumerate(batches, epoch * len(batches)):
            rows.append(_train_step_oracle(model, x, optimizer, _kl_weight_oracle(step, warmup_steps)))
        values = torch.tensor([[row[name] for name in TERMS] for row in rows]).double()
        history.append(dict(zip(TERMS, (sizes @ values / sizes.sum()).tolist(), strict=True)))
    return history


# ---- cases ----------------------------------------------------------------------------------------------------------


def _number(g: Generator, low: int, high: int) -> int:
    return int(torch.randint(low, high + 1, (), generator=g))


def _images(g: Generator, count: int) -> Tensor:
    """Noise of more and less contrast, so that no image is as hard as the others, the last one least of all."""
    contrast = torch.linspace(0.9, 0.3, count) + 0.1 * torch.rand(count, generator=g)
    brightness = torch.linspace(0.5, 0.3, count)
    noise = torch.rand(count, 3, SIZE, SIZE, generator=g) - 0.5
    return (brightness[:, None, None, None] + contrast[:, None, None, None] * noise).clamp(0, 1)


def _model(g: Generator, latent_dim: int) -> tuple[Step, ...]:
    call = Call((latent_dim, SIZE, _number(g, 0, 2**30)), keep="model")
    return (Step("toys.Predictable", call),)


def _optimizer(g: Generator) -> tuple[Step, ...]:
    rate = 0.005 + 0.005 * float(torch.rand((), generator=g))
    return (Step("props.sgd", Call((Handle("model"), rate), keep="optimizer")),)


def _loader(g: Generator, num_images: int, batch_size: int) -> tuple[Step, ...]:
    call = Call((_images(g, num_images), torch.arange(num_images), batch_size), keep="loader")
    return (Step("props.loader", call),)


TO_EVAL = Step("model.eval", Call(keep="model"))
WEIGHTS, STATE = Step("model.weights", Call()), Step("model.state", Call())


def _kl_weight_probe(step: int, warmup_steps: int) -> Probe:
    return Probe(Call((step, warmup_steps)), f"step {step} of {warmup_steps} of warm-up")


def _rising(g: Generator) -> list[Probe]:
    warmup_steps = (10, _number(g, 11, 40), 2 * _number(g, 100, 500))
    steps = [(w, _number(g, w // 5, w // 2 - 1), _number(g, w // 2 + 1, w - 2)) for w in warmup_steps]
    return [_kl_weight_probe(step, w) for w, *some in steps for step in (0, 1, *some)]


def _risen(g: Generator) -> list[Probe]:
    warmup_steps = _number(g, 5, 50)
    return [_kl_weight_probe(warmup_steps + more, warmup_steps) for more in (0, 1, _number(g, 5, 90))]


def _no_warmup(g: Generator) -> list[Probe]:
    return [_kl_weight_probe(step, 0) for step in (0, 1, _number(g, 5, 90))]


def _step(g: Generator, count: int, beta: float | None = None) -> Call:
    keywords = {} if beta is None else {"beta": beta}
    return Call((Handle("model"), _images(g, count), Handle("optimizer")), keywords)


def _beta(g: Generator) -> float:
    return round(1.5 + 2.5 * float(torch.rand((), generator=g)), 2)


def _terms_of_steps(g: Generator) -> list[Probe]:
    probes = []
    for count, latent_dim, beta in ((5, 4, _beta(g)), (3, 3, 1 / _beta(g)), (4, 2, None)):
        label = f"{count} images and {'beta left out' if beta is None else f'beta = {beta:.3g}'}"
        probes.append(Probe(_step(g, count, beta), label, before=(*_model(g, latent_dim), *_optimizer(g))))
    return probes


def _weights_after_steps(g: Generator) -> list[Probe]:
    def probe(beta: float, num_earlier: int, label: str) -> Probe:
        earlier = [Step("train_step", _step(g, 3, _beta(g))) for _ in range(num_earlier)]
        before = (*_model(g, 3), *_optimizer(g), *earlier)
        return Probe(_step(g, 5, beta), label, before=before, after=(WEIGHTS, STATE))

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
            before=(*_model(g, 3), TO_EVAL, *_optimizer(g)),
        )
        for count, label in ((1, "a single image"), (4, "four images"))
    ]  # fmt: skip


MEASURE = Call((Handle("model"), Handle("loader")))


def _one_batch(g: Generator) -> list[Probe]:
    return [
        Probe(
            MEASURE, f"one batch of {count} images", before=(*_model(g, dims), TO_EVAL, *_loader(g, count, 8))
        )
        for count, dims in ((5, 3), (8, 2))
    ]


def _batches(g: Generator) -> list[Probe]:
    return [
        Probe(
            MEASURE, f"{count} images in batches of {size}",
            before=(*_model(g, 3), TO_EVAL, *_loader(g, count, size)),
        )
        for count, size in ((7, 3), (5, 4), (6, 2))
    ]  # fmt: skip


def _left_behind(g: Generator) -> list[Probe]:
    def probe(mode: tuple[Step, ...], label: str) -> Probe:
        before = (*_model(g, 3), *mode, *_loader(g, 4, 4))
        # What it says of its state finds the words. What a step makes of its weights decides: that depends on the mode,
        # on gradients left behind, and on whether it can learn.
        step = Step("props.descend", Call((Handle("model"), _images(g, 3), 0.05)))
        return Probe(MEASURE, label, before=before, after=(STATE, WEIGHTS, step, WEIGHTS))

    return [probe((), "a model in training mode"), probe((TO_EVAL,), "a model in eval mode")]


def _as_it_was(results: list[Any], probes: list[Probe]) -> str:
    for result, probe in zip(results, probes, strict=True):
        found = result[1] if isinstance(result[1], dict) else {}
        was_training = TO_EVAL not in probe.before
        if found.get("training") is not was_training:
            now = "eval mode" if was_training else "training mode"
            return f"{probe.label[:1].upper()}{probe.label[1:]} was in {now} after evaluate: leave it as you found it."
        if found.get("gradients") is not False:
            return "After evaluate the model holds gradients, which the next step might add to its own."
        if found.get("trainable") is not True:
            return "After evaluate the weights take no gradients any more, so that training could not go on."
    return ""


def _unchanged(result: Any) -> Any:
    return result


def _fits(g: Generator, cases: tuple[tuple[int, int, int, int], ...]) -> list[Probe]:
    """Cases of (number of images, batch size, epochs, warm-up steps)."""
    probes = []
    for count, size, num_epochs, warmup_steps in cases:
        length = f"{num_epochs} epoch{'s' * (num_epochs > 1)} and {warmup_steps or 'no'} warm-up steps"
        label = f"{count} images in batches of {size}, {length}"
        keywords = {"warmup_steps": warmup_steps} if warmup_steps else {}
        call = Call((Handle("model"), Handle("loader"), Handle("optimizer"), num_epochs), keywords)
        before = (*_model(g, 3), *_optimizer(g), *_loader(g, count, size))
        probes.append(Probe(call, label, before=before))
    return probes


def _epochs(g: Generator) -> list[Probe]:
    several, one = _fits(g, ((6, 3, 3, 0), (4, 2, 1, 0)))
    return [several, replace(one, label=f"{one.label} (first the rows, then the weights)", after=(WEIGHTS,))]


# ---- the catalogue --------------------------------------------------------------------------------------------------
# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


KL_WEIGHT = Check(
    name="kl_weight",
    asks="a weight that rises in a straight line from 0 to 1 while the warm-up lasts, and stays there",
    section="kl-warm-up",
    oracle=_kl_weight_oracle,
    parts=(
        Part("rising", 1, _rising),
        Part("after the warm-up", 1, _risen),
        Part("no warm-up", 1, _no_warmup),
    ),
    misconceptions=(
        _m("kl-weight-percent", "kl-warm-up", "the weight is a percentage; it should end at 1.",
           lambda step, warmup_steps: 100 * training.kl_weight(step, warmup_steps)),
        _m("kl-weight-reversed", "kl-warm-up", "the weight falls from 1 to 0; a warm-up starts without the KL term.",
           lambda step, warmup_steps: 1 - training.kl_weight(step, warmup_steps)),
        _m("kl-weight-switched-on", "kl-warm-up", "the weight jumps from 0 to 1 at the end, without a slope.",
           lambda step, warmup_steps: 1.0 if step >= warmup_steps else 0.0),
        _m("kl-weight-one-early", "kl-warm-up", "it is one step ahead: before the first step, none has been taken.",
           lambda step, warmup_steps: min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0),
        _m("kl-weight-sigmoid", "kl-warm-up", "the weight follows a sigmoid; a straight line is asked for.",
           lambda step, warmup_steps:
           torch.sigmoid(torch.tensor(10 * (step / max(warmup_steps, 1) - 0.5))).item()),
        _m("kl-weight-not-capped", "kl-warm-up", "the weight grows beyond 1 when the warm-up is over.",
           lambda step, warmup_steps: step / warmup_steps if warmup_steps else 1.0),
        _m("kl-weight-cyclical", "kl-warm-up", "the weight falls back to 0 and starts again when the warm-up is over.",
           lambda step, warmup_steps: (step % warmup_steps) / warmup_steps if warmup_steps else 1.0),
        _m("kl-weight-division-by-zero", "kl-warm-up", "without a warm-up it divides by 0.",
           lambda step, warmup_steps: min(1.0, step / warmup_steps)),
        _m("kl-weight-zero-without-warmup", "kl-warm-up", "without a warm-up the KL term never counts.",
           lambda step, warmup_steps: min(1.0, step / warmup_steps) if warmup_steps else 0.0),
        _m("kl-weight-first-step-zero", "kl-warm-up",
           "without a warm-up the KL term is left out of the very first step.",
           lambda step, warmup_steps: min(1.0, step / max(1, warmup_steps))),
    ),
    equivalents=(
        training.kl_weight,
        lambda step, warmup_steps: 1 if step >= warmup_steps else step / warmup_steps,
        lambda step, warmup_steps: torch.tensor(step / warmup_steps if warmup_steps else 1.0).clamp(max=1.0),
        lambda step, warmup_steps: min(step, warmup_steps) / warmup_steps if warmup_steps > 0 else 1.0,
        lambda step, warmup_steps: 1.0 - max(0, warmup_steps - step) / max(1, warmup_steps),
    ),
)


def _nll(x: Tensor, x_hat: Tensor) -> Tensor:
    return -bound.reconstruction_log_likelihood(x, x_hat, bound.optimal_sigma(x, x_hat))


def _squares(x: Tensor, x_hat: Tensor) -> Tensor:
    return (x - x_hat).square().flatten(1).sum(1)


def _nll_by_image(x: Tensor, x_hat: Tensor) -> Tensor:
    sigma = (x - x_hat).square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return -Normal(x_hat, sigma).log_prob(x).flatten(1).sum(1)


def _bce(x: Tensor, x_hat: Tensor) -> Tensor:
    return F.binary_cross_entropy(x_hat, x, reduction="none").flatten(1).sum(1)


def _without_constant(x: Tensor, x_hat: Tensor) -> Tensor:
    return _nll(x, x_hat) - 0.5 * x[0].numel() * bound.LOG_2PI


def _bound_loss(reconstruction: Tensor, kl: Tensor, beta: float) -> Tensor:
    return (reconstruction + beta * kl).mean()


def _descend(loss: Tensor, optimizer: Optimizer, order: tuple[str, ...] = ("zero", "backward", "step")) -> None:
    act: dict[str, Callable[[], Any]] = {"zero": optimizer.zero_grad, "backward": loss.backward, "step": optimizer.step}
    for word in order:
        act[word]()


def _step_like(
    nll: Callable[[Tensor, Tensor], Tensor] = _nll,
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
        return dict(zip(TERMS, (total, *reported(*terms)), strict=True))

    return variant


def _reported_after(model: nn.Module, x: Tensor, optimizer: Optimizer, beta: float = 1.0) -> Any:
    training.train_step(model, x, optimizer, beta)
    with torch.no_grad():
        x_hat, mu, logvar = model(x)
        reconstruction, kl = _nll(x, x_hat).mean(), bound.kl_divergence(mu, logvar).mean()
    return {"loss": reconstruction + beta * kl, "reconstruction": reconstruction, "kl": kl}


def _by_parts(model: Any, x: Tensor, optimizer: Optimizer, beta: float = 1.0) -> Any:
    mu, logvar = model.encode(x)
    reconstruction = _nll(x, model.decode(mu)).mean()
    return {"loss": reconstruction, "reconstruction": reconstruction, "kl": bound.kl_divergence(mu, logvar).mean()}


def _step_by_elbo(model: nn.Module, x: Tensor, optimizer: Optimizer, beta: float = 1.0) -> Any:
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
        reconstruction, kl = _nll(x, x_hat).sum() / len(x), bound.kl_divergence(mu, logvar).sum() / len(x)
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
    oracle=_train_step_oracle,
    parts=(
        Part("terms", 3, _terms_of_steps),
        Part("steps", 3, _weights_after_steps, _weights_moved, _without_state),
        Part("training mode", 1, _steps_from_eval),
    ),
    misconceptions=(
        _m("step-mean-over-pixels", "one-reduction",
           "the reconstruction is a mean over pixels and the KL a sum, so that the KL weighs far too much.",
           _step_like(nll=lambda x, x_hat: _nll(x, x_hat) / x[0].numel())),
        _m("step-kl-mean-over-latents", "one-reduction", "the KL is averaged over the latents; each one costs nats.",
           _step_like(kl_of=lambda mu, logvar: bound.kl_divergence(mu, logvar) / mu.shape[1])),
        _m("step-sum-over-images", "one-reduction", "the terms are summed over the batch, not given per image.",
           _step_like(loss=lambda r, k, beta: (r + beta * k).sum(),
                      reported=lambda r, k, beta: (r.sum(), k.sum()))),
        _m("step-squared-error", "sigma-in-training",
           "the reconstruction is the plain squared error; without σ that is no likelihood.", _step_like(nll=_squares)),
        _m("step-unit-sigma", "sigma-in-training", "σ is 1, as wide as the whole range from black to white.",
           _step_like(nll=lambda x, x_hat: -bound.reconstruction_log_likelihood(x, x_hat, 1.0))),
        _m("step-sigma-per-image", "sigma-in-training", "each image has a σ of its own; one serves the whole batch.",
           _step_like(nll=_nll_by_image)),
        _m("step-cross-entropy", "sigma-in-training",
           "the reconstruction is a binary cross-entropy, which is made for pixels that are 0 or 1.",
           _step_like(nll=_bce)),
        _m("step-without-2pi", "one-reduction", "log 2π is left out of the reconstruction.",
           _step_like(nll=_without_constant)),
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
    equivalents=(training.train_step, _step_by_elbo, _step_by_hand, _step_by_closure, _step_like()),
)


def _whole(batches: list[Batch]) -> Batch:
    x, x_hat, mu, logvar = (torch.cat(parts) for parts in zip(*batches, strict=True))
    return x, x_hat, mu, logvar


def _measured(batches: list[Batch]) -> tuple[Tensor, Tensor]:
    """Reconstruction and KL of each image, all under one σ, (N,)."""
    x, x_hat, mu, logvar = _whole(batches)
    return _nll(x, x_hat), bound.kl_divergence(mu, logvar)


def _by_batch(
    reduce: Callable[[list[Tensor]], Tensor], one_sigma: bool = False
) -> Callable[[list[Batch]], tuple[Tensor, Tensor]]:
    """Each batch measured, and the terms of its images put together by ``reduce`` for all batches."""

    def measure(batches: list[Batch]) -> tuple[Tensor, Tensor]:
        x, x_hat, _, _ = _whole(batches)
        sigma = bound.optimal_sigma(x, x_hat)
        nll = [-bound.reconstruction_log_likelihood(x, y, sigma if one_sigma else bound.optimal_sigma(x, y))
               for x, y, _, _ in batches]
        return reduce(nll), reduce([bound.kl_divergence(mu, logvar) for _, _, mu, logvar in batches])

    return measure


def _sigma_averaged(batches: list[Batch]) -> tuple[Tensor, Tensor]:
    x, x_hat, mu, logvar = _whole(batches)
    sigma = torch.stack([bound.optimal_sigma(x, x_hat) for x, x_hat, _, _ in batches]).mean()
    return -bound.reconstruction_log_likelihood(x, x_hat, sigma), bound.kl_divergence(mu, logvar)


def _nll_as(
    nll: Callable[[Tensor, Tensor], Tensor], kl_of: Callable[[Tensor, Tensor], Tensor] = bound.kl_divergence
) -> Callable[[list[Batch]], tuple[Tensor, Tensor]]:
    def measure(batches: list[Batch]) -> tuple[Tensor, Tensor]:
        x, x_hat, mu, logvar = _whole(batches)
        return nll(x, x_hat), kl_of(mu, logvar)

    return measure


def _evaluate_like(
    measure: Callable[[list[Batch]], tuple[Tensor, Tensor]] = _measured,
    loss: Callable[[Tensor, Tensor], Tensor] = lambda r, k: r + k,
    sign: float = 1.0,
    enter: Callable[[nn.Module], Any] = nn.Module.eval,
    leave: Callable[[nn.Module, Tensor, bool], Any] = lambda model, loss, was_training: model.train(was_training),
) -> Callable[..., Any]:
    """A variant that takes one thing differently: the terms, or the model's mode before and after."""

    def variant(model: nn.Module, loader: Any, sigma: float | None = None) -> Any:
        was_training = model.training
        enter(model)
        r, k = (term.mean() for term in measure([(x, *model(x)) for x, _ in loader]))
        leave(model, loss(r, k), was_training)
        return {"loss": loss(r, k), "reconstruction": sign * r, "kl": k}

    return variant


def _evaluate_by_parts(model: Any, loader: Any) -> Any:
    batches = [(x, model.decode(model.encode(x)[0]), *model.encode(x)) for x, _ in loader]
    r, k = (term.mean() for term in _measured(batches))
    return {"loss": r + k, "reconstruction": r, "kl": k}


def _freezing(model: nn.Module, loss: Tensor, was_training: bool) -> None:
    model.requires_grad_(False)
    model.train(was_training)


def _backward(model: nn.Module, loss: Tensor, was_training: bool) -> None:
    loss.backward()
    model.train(was_training)


def _stepping(model: nn.Module, loss: Tensor, was_training: bool) -> None:
    model.train(was_training)
    optimizer = torch.optim.Adam(model.parameters())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def _evaluate_two_passes(model: nn.Module, loader: Any) -> Any:
    """Right as well: σ in one pass, the terms in another."""
    was_training = model.training
    model.eval()
    errors = [(x - model(x)[0]).square().flatten().tolist() for x, _ in loader]
    flat = [error for batch in errors for error in batch]
    sigma = (sum(flat) / len(flat)) ** 0.5
    totals = [0.0, 0.0]
    for x, _ in loader:
        x_hat, mu, logvar = model(x)
        totals[0] -= bound.reconstruction_log_likelihood(x, x_hat, sigma).sum().item()
        totals[1] += bound.kl_divergence(mu, logvar).sum().item()
    model.train(was_training)
    r, k = (total / sum(len(x) for x, _ in loader) for total in totals)
    return {"loss": r + k, "reconstruction": r, "kl": k}


@torch.inference_mode()
def _evaluate_by_image(model: nn.Module, loader: Any) -> Any:
    """Right as well: one image at a time, and the mean of −log likelihood under the best σ in closed form."""
    mode, model.training = model.training, False
    images = [image[None].clone() for x, _ in loader for image in x]
    rows = [(image, *model(image)) for image in images]
    model.training = mode
    mean_square = torch.stack([(x - y).double().square().mean() for x, y, _, _ in rows]).mean()
    r = 0.5 * images[0].numel() * (1 + bound.LOG_2PI + mean_square.log())
    k = torch.cat([bound.kl_divergence(mu, logvar) for _, _, mu, logvar in rows]).double().mean()
    return {"loss": r + k, "reconstruction": r, "kl": k}


EVALUATE = Check(
    name="evaluate",
    asks="the terms of the bound over a whole set, every image the same, and the model left as it was",
    section="one-reduction",
    oracle=_evaluate_oracle,
    parts=(
        Part("one batch", 2, _one_batch),
        Part("batches", 2, _batches),
        Part("the model afterwards", 1, _left_behind, _as_it_was, _unchanged),
    ),
    misconceptions=(
        _m("evaluate-mean-over-pixels", "one-reduction",
           "the reconstruction is a mean over pixels; a picture's likelihood is the product of them all.",
           _evaluate_like(_nll_as(lambda x, x_hat: _nll(x, x_hat) / x[0].numel()))),
        _m("evaluate-kl-mean-over-latents", "one-reduction", "the KL is averaged over the latents instead of summed.",
           _evaluate_like(_nll_as(_nll, lambda mu, logvar: bound.kl_divergence(mu, logvar) / mu.shape[1]))),
        _m("evaluate-sum-over-images", "one-reduction", "the sums over the images are not divided by their number.",
           _evaluate_like(lambda batches: (_measured(batches)[0].sum(), _measured(batches)[1].sum()))),
        _m("evaluate-squared-error", "sigma-in-training",
           "the reconstruction is the plain squared error; without σ that is no likelihood.",
           _evaluate_like(_nll_as(_squares))),
        _m("evaluate-unit-sigma", "sigma-in-training", "σ is 1, as wide as the whole range from black to white.",
           _evaluate_like(_nll_as(lambda x, x_hat: -bound.reconstruction_log_likelihood(x, x_hat, 1.0)))),
        _m("evaluate-without-2pi", "one-reduction", "log 2π is left out of the reconstruction.",
           _evaluate_like(_nll_as(_without_constant))),
        _m("evaluate-kl-subtracted", "one-reduction", "the KL is subtracted; both terms make the loss larger.",
           _evaluate_like(loss=lambda r, k: r - k)),
        _m("evaluate-loss-is-the-bound", "one-reduction", "the loss has the sign of the bound.",
           _evaluate_like(loss=lambda r, k: -r - k)),
        _m("evaluate-reports-likelihood", "one-reduction",
           "the reconstruction is reported as a log likelihood; here it is something to be made small.",
           _evaluate_like(sign=-1.0)),
        _m("evaluate-in-training-mode", "training-run", "the model is measured in training mode.",
           _evaluate_like(enter=nn.Module.train)),
        _m("evaluate-model-in-parts", "one-reduction",
           "the parts of the model are called one by one; model(x) gives x_hat, mu and logvar at once.",
           _evaluate_by_parts),
        _m("evaluate-mean-of-batches", "one-reduction",
           "the mean over batches counts the images of a short batch more than others; and each batch has its own σ.",
           _evaluate_like(_by_batch(lambda terms: torch.stack([t.mean() for t in terms])))),
        _m("evaluate-mean-of-batches-one-sigma", "one-reduction",
           "the mean over batches counts the images of a short last batch more than the others.",
           _evaluate_like(_by_batch(lambda terms: torch.stack([t.mean() for t in terms]), one_sigma=True))),
        _m("evaluate-sigma-per-batch", "sigma-in-training", "each batch has a σ of its own; one serves them all.",
           _evaluate_like(_by_batch(torch.cat))),
        _m("evaluate-sigma-averaged", "sigma-in-training",
           "the σ of the batches are averaged; the squared errors are what adds up.",
           _evaluate_like(_sigma_averaged)),
        _m("evaluate-last-batch-only", "one-reduction", "only the last batch is measured.",
           _evaluate_like(lambda batches: _measured(batches[-1:]))),
        _m("evaluate-short-batch-dropped", "one-reduction", "a short last batch is left out.",
           _evaluate_like(lambda batches: _measured([b for b in batches if len(b[0]) == len(batches[0][0])]))),
        _m("evaluate-short-batch-as-full", "one-reduction",
           "the number of images is taken as batches times batch size, as if the last batch were full.",
           _evaluate_like(_by_batch(
               lambda terms: torch.cat(terms).sum() / (len(terms) * len(terms[0])), one_sigma=True))),
        _m("evaluate-without-eval", "training-run", "the model is not put into eval mode.",
           _evaluate_like(enter=lambda model: None)),
        _m("evaluate-stays-in-eval", "training-run", "the model stays in eval mode afterwards.",
           _evaluate_like(leave=lambda model, loss, was_training: None)),
        _m("evaluate-ends-in-training", "training-run",
           "the model is in training mode afterwards, even if it was not before.",
           _evaluate_like(leave=lambda model, loss, was_training: model.train())),
        _m("evaluate-leaves-gradients", "stochastic-gradients", "it calls backward, though nothing is to be learned.",
           _evaluate_like(leave=_backward)),
        _m("evaluate-freezes", "training-run", "the weights are frozen and never released.",
           _evaluate_like(leave=_freezing)),
        _m("evaluate-trains", "one-reduction", "the weights are not the same afterwards: measuring must not train.",
           _evaluate_like(leave=_stepping)),
    ),
    equivalents=(
        training.evaluate,
        torch.no_grad()(_evaluate_like()),
        _evaluate_two_passes,
        _evaluate_by_image,
    ),
)


def _weighted(rows: list[dict[str, float]], sizes: list[int]) -> Any:
    return [{n: sum(r[n] * s for r, s in zip(rows, sizes, strict=True)) / sum(sizes) for n in TERMS}]


def _fit_like(
    rows_of: Callable[[list[dict[str, float]], list[int]], Any] = _weighted,
    beta: Callable[[int, int, int, int], float] = lambda step, epoch, number, warmup: training.kl_weight(step, warmup),
    optimizer_of: Callable[[nn.Module, Optimizer], Optimizer] = lambda model, optimizer: optimizer,
    epochs: Callable[[int], range] = range,
    forget: bool = True,
) -> Callable[..., Any]:
    """A variant that takes one thing differently: the rows of an epoch, the weight of the KL, what is iterated."""

    def variant(
        model: nn.Module, loader: Any, optimizer: Optimizer, num_epochs: int, warmup_steps: int = 0
    ) -> Any:
        optimizer, history, step = optimizer_of(model, optimizer), [], 0
        rows: list[dict[str, float]] = []
        sizes: list[int] = []
        for epoch in epochs(num_epochs):
            if forget:
                rows, sizes = [], []
            for number, (x, _) in enumerate(loader):
                rows.append(training.train_step(model, x, optimizer, beta(step, epoch, number, warmup_steps)))
                sizes.append(len(x))
                step += 1
            history += rows_of(rows, sizes)
        return history

    return variant


def _fit_evaluating(model: nn.Module, loader: Any, optimizer: Optimizer, num_epochs: int, warmup_steps: int = 0) -> Any:
    history, step = [], 0
    for _ in range(num_epochs):
        for x, _ in loader:
            training.train_step(model, x, optimizer, training.kl_weight(step, warmup_steps))
            step += 1
        history.append(training.evaluate(model, loader))
    model.train()
    return history


def _fit_returning_last(*args: Any, **keywords: Any) -> Any:
    return _fit_like()(*args, **keywords)[-1]


def _fit_from_list(model: nn.Module, loader: Any, optimizer: Optimizer, num_epochs: int, warmup_steps: int = 0) -> Any:
    """Right as well: the number of steps comes from epoch and batch, and all steps are written down first."""
    num_batches = len(list(loader))
    rows = [
        (epoch, len(x), training.train_step(model, x, optimizer, beta=min(
            1.0, (epoch * num_batches + number) / warmup_steps) if warmup_steps else 1.0))
        for epoch in range(num_epochs) for number, (x, _) in enumerate(loader)
    ]
    return [
        {name: torch.tensor([terms[name] * size for e, size, terms in rows if e == epoch]).sum()
               / sum(size for e, size, _ in rows if e == epoch) for name in reversed(TERMS)}
        for epoch in range(num_epochs)
    ]


def _fit_inline(model: nn.Module, loader: Any, optimizer: Optimizer, num_epochs: int, warmup_steps: int = 0) -> Any:
    """Right as well: without helpers, and running means."""
    history: list[dict[str, float]] = []
    step = 0
    model.train()
    while len(history) < num_epochs:
        means, count = dict.fromkeys(TERMS, 0.0), 0
        for x, _labels in loader:
            weight = 1.0 if step >= warmup_steps else step / warmup_steps
            terms = _step_by_elbo(model, x, optimizer, weight)
            count += x.shape[0]
            means = {name: mean + (terms[name] - mean) * len(x) / count for name, mean in means.items()}
            step = step + 1
        history.append(means)
    return history


FIT = Check(
    name="fit",
    asks="the terms of every epoch, averaged over its images, and a model that was trained with a warm-up",
    section="training-run",
    oracle=_fit_oracle,
    parts=(
        Part("epochs", 2, _epochs),
        Part("short last batch", 1, lambda g: _fits(g, ((7, 3, 2, 0), (5, 4, 2, 0)))),
        Part("warm-up", 2, lambda g: _fits(g, ((6, 2, 3, _number(g, 4, 6)), (4, 2, 2, 12)))),
    ),
    misconceptions=(
        _m("fit-row-per-step", "training-run", "there is a row for each step; one for each epoch is asked for.",
           _fit_like(lambda rows, sizes: rows)),
        _m("fit-returns-last-epoch", "training-run", "only the last epoch comes back; the curve needs them all.",
           _fit_returning_last),
        _m("fit-last-batch-only", "training-run", "a row holds the terms of the epoch's last batch only.",
           _fit_like(lambda rows, sizes: rows[-1:])),
        _m("fit-sums", "training-run", "the terms of the batches are added up and never divided.",
           _fit_like(lambda rows, sizes: [{n: sum(r[n] for r in rows) for n in TERMS}])),
        _m("fit-totals-never-reset", "training-run", "the totals are not set back: a row holds earlier epochs too.",
           _fit_like(forget=False)),
        _m("fit-first-epoch-only", "training-run", "it ends after the first epoch: look where the return stands.",
           _fit_like(epochs=lambda num_epochs: range(1))),
        _m("fit-one-epoch-more", "training-run", "there is one epoch too many.",
           _fit_like(epochs=lambda num_epochs: range(num_epochs + 1))),
        _m("fit-evaluates-instead", "training-run",
           "the rows are measured after the epoch; the averages over its steps are asked for.", _fit_evaluating),
        _m("fit-own-optimizer", "training-run", "it makes an optimizer of its own; use the one passed in.",
           _fit_like(optimizer_of=lambda model, optimizer: torch.optim.Adam(model.parameters(), lr=1e-3))),
        _m("fit-mean-of-batches", "one-reduction",
           "the mean over batches counts the images of a short last batch more than the others.",
           _fit_like(lambda rows, sizes: _weighted(rows, [1] * len(rows)))),
        _m("fit-warmup-never", "kl-warm-up", "the weight of the KL is never passed on to the step.",
           _fit_like(beta=lambda step, epoch, number, warmup: 1.0)),
        _m("fit-warmup-in-epochs", "kl-warm-up", "the warm-up counts epochs; it is given in steps.",
           _fit_like(beta=lambda step, epoch, number, warmup: training.kl_weight(epoch, warmup))),
        _m("fit-warmup-restarts", "kl-warm-up", "the count of steps, and the warm-up, start again in each epoch.",
           _fit_like(beta=lambda step, epoch, number, warmup: training.kl_weight(number, warmup))),
        _m("fit-warmup-one-ahead", "kl-warm-up", "the warm-up is one step ahead: count a step after it is taken.",
           _fit_like(beta=lambda step, epoch, number, warmup: training.kl_weight(step + 1, warmup))),
        _m("fit-warmup-reversed", "kl-warm-up", "the weight of the KL falls while it should rise.",
           _fit_like(beta=lambda step, epoch, number, warmup: 1 - training.kl_weight(step, warmup) if warmup else 1.0)),
        _m("fit-warmup-stuck", "kl-warm-up", "the count of steps never moves, so the KL never counts.",
           _fit_like(beta=lambda step, epoch, number, warmup: training.kl_weight(0, warmup))),
    ),
    equivalents=(training.fit, _fit_like(), _fit_from_list, _fit_inline),
)

CHECKS = (KL_WEIGHT, TRAIN_STEP, EVALUATE, FIT)
