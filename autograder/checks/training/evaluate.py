"""The check of ``evaluate``.

Asked for: the terms of the bound over a whole set, every image the same, and the model left as it was.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor, nn

from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle
from autograder.checks.training import shared
from autograder.judge.definitions import Check, Misconception, Part, Probe, Step
from vae_ref import bound, training

Batch = tuple[Tensor, Tensor, Tensor, Tensor]  # x, x_hat (B, 3, S, S), mu, logvar (B, L)


@torch.no_grad()
def _evaluate_oracle(model: nn.Module, loader: Any) -> Any:
    exact = copy.deepcopy(model).double().eval()
    everything = torch.cat([x for x, _ in loader]).double()
    reconstruction, kl = (t.mean().item() for t in shared.exact_terms(exact, everything))
    return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}


MEASURE = Call((Handle("model"), Handle("loader")))


def _one_batch(g: Generator) -> list[Probe]:
    return [
        Probe(
            MEASURE,
            f"one batch of {count} images",
            before=(*shared.model(g, dims), shared.TO_EVAL, *shared.loader(g, count, 8)),
        )
        for count, dims in ((5, 3), (8, 2))
    ]


def _batches(g: Generator) -> list[Probe]:
    return [
        Probe(
            MEASURE, f"{count} images in batches of {size}",
            before=(*shared.model(g, 3), shared.TO_EVAL, *shared.loader(g, count, size)),
        )
        for count, size in ((7, 3), (5, 4), (6, 2))
    ]  # fmt: skip


def _left_behind(g: Generator) -> list[Probe]:
    def probe(mode: tuple[Step, ...], label: str) -> Probe:
        before = (*shared.model(g, 3), *mode, *shared.loader(g, 4, 4))
        # What it says of its state finds the words. What a step makes of its weights decides: that depends on the mode,
        # on gradients left behind, and on whether it can learn.
        step = Step("handling.descend", Call((Handle("model"), shared.images(g, 3), 0.05)))
        return Probe(
            MEASURE, label, before=before, after=(shared.STATE, shared.WEIGHTS, step, shared.WEIGHTS)
        )

    return [probe((), "a model in training mode"), probe((shared.TO_EVAL,), "a model in eval mode")]


def _as_it_was(results: list[Any], probes: list[Probe]) -> str:
    for result, probe in zip(results, probes, strict=True):
        found = result[1] if isinstance(result[1], dict) else {}
        was_training = shared.TO_EVAL not in probe.before
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


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _whole(batches: list[Batch]) -> Batch:
    x, x_hat, mu, logvar = (torch.cat(parts) for parts in zip(*batches, strict=True))
    return x, x_hat, mu, logvar



def _measured(batches: list[Batch]) -> tuple[Tensor, Tensor]:
    """Reconstruction and KL of each image, all under one σ, (N,)."""
    x, x_hat, mu, logvar = _whole(batches)
    return shared.nll(x, x_hat), bound.kl_divergence(mu, logvar)



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
           _evaluate_like(_nll_as(lambda x, x_hat: shared.nll(x, x_hat) / x[0].numel()))),
        _m("evaluate-kl-mean-over-latents", "one-reduction", "the KL is averaged over the latents instead of summed.",
           _evaluate_like(_nll_as(shared.nll, lambda mu, logvar: bound.kl_divergence(mu, logvar) / mu.shape[1]))),
        _m("evaluate-sum-over-images", "one-reduction", "the sums over the images are not divided by their number.",
           _evaluate_like(lambda batches: (_measured(batches)[0].sum(), _measured(batches)[1].sum()))),
        _m("evaluate-squared-error", "sigma-in-training",
           "the reconstruction is the plain squared error; without σ that is no likelihood.",
           _evaluate_like(_nll_as(shared.squares))),
        _m("evaluate-unit-sigma", "sigma-in-training", "σ is 1, as wide as the whole range from black to white.",
           _evaluate_like(_nll_as(lambda x, x_hat: -bound.reconstruction_log_likelihood(x, x_hat, 1.0)))),
        _m("evaluate-without-2pi", "one-reduction", "log 2π is left out of the reconstruction.",
           _evaluate_like(_nll_as(shared.without_constant))),
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
