"""The check of ``fit``.

Asked for: the terms of every epoch, averaged over its images, and a model that was trained with a warm-up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Generator, nn
from torch.optim import Optimizer

from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle
from autograder.checks.training import shared
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import training


def _oracle_of(helpers: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
    """What ``fit`` makes of its helpers, whatever these are."""

    def fit(
        model: nn.Module, loader: Any, optimizer: Optimizer, num_epochs: int, warmup_steps: int = 0
    ) -> Any:
        batches = [x for x, _ in loader]
        sizes = torch.tensor([len(x) for x in batches]).double()
        history = []
        for epoch in range(num_epochs):
            rows = []
            for step, x in enumerate(batches, epoch * len(batches)):
                beta = helpers["kl_weight"](step, warmup_steps)
                rows.append(helpers["train_step"](model, x, optimizer, beta))
            values = torch.tensor([[row[name] for name in shared.TERMS] for row in rows]).double()
            history.append(dict(zip(shared.TERMS, (sizes @ values / sizes.sum()).tolist(), strict=True)))
        return history

    return fit


def _fits(g: Generator, cases: tuple[tuple[int, int, int, int], ...]) -> list[Probe]:
    """Cases of (number of images, batch size, epochs, warm-up steps)."""
    probes = []
    for count, size, num_epochs, warmup_steps in cases:
        length = f"{num_epochs} epoch{'s' * (num_epochs > 1)} and {warmup_steps or 'no'} warm-up steps"
        label = f"{count} images in batches of {size}, {length}"
        keywords = {"warmup_steps": warmup_steps} if warmup_steps else {}
        call = Call((Handle("model"), Handle("loader"), Handle("optimizer"), num_epochs), keywords)
        before = (*shared.model(g, 3), *shared.optimizer(g), *shared.loader(g, count, size))
        probes.append(Probe(call, label, before=before))
    return probes


def _epochs(g: Generator) -> list[Probe]:
    several, one = _fits(g, ((6, 3, 3, 0), (4, 2, 1, 0)))
    return [
        several,
        replace(one, label=f"{one.label} (first the rows, then the weights)", after=(shared.WEIGHTS,)),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _weighted(rows: list[dict[str, float]], sizes: list[int]) -> Any:
    return [{n: sum(r[n] * s for r, s in zip(rows, sizes, strict=True)) / sum(sizes) for n in shared.TERMS}]



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
               / sum(size for e, size, _ in rows if e == epoch) for name in reversed(shared.TERMS)}
        for epoch in range(num_epochs)
    ]



def _fit_inline(model: nn.Module, loader: Any, optimizer: Optimizer, num_epochs: int, warmup_steps: int = 0) -> Any:
    """Right as well: without helpers, and running means."""
    history: list[dict[str, float]] = []
    step = 0
    model.train()
    while len(history) < num_epochs:
        means, count = dict.fromkeys(shared.TERMS, 0.0), 0
        for x, _labels in loader:
            weight = 1.0 if step >= warmup_steps else step / warmup_steps
            terms = shared.step_by_elbo(model, x, optimizer, weight)
            count += x.shape[0]
            means = {name: mean + (terms[name] - mean) * len(x) / count for name, mean in means.items()}
            step = step + 1
        history.append(means)
    return history



FIT = Check(
    name="fit",
    asks="the terms of every epoch, averaged over its images, and a model that was trained with a warm-up",
    section="training-run",
    oracle=_oracle_of({"kl_weight": shared.kl_weight_oracle, "train_step": shared.train_step_oracle}),
    parts=(
        Part("epochs", 2, _epochs),
        Part("short last batch", 1, lambda g: _fits(g, ((7, 3, 2, 0), (5, 4, 2, 0)))),
        Part("warm-up", 2, lambda g: _fits(g, ((6, 2, 3, shared.number(g, 4, 6)), (4, 2, 2, 12)))),
    ),
    misconceptions=(
        _m("fit-row-per-step", "training-run", "there is a row for each step; one for each epoch is asked for.",
           _fit_like(lambda rows, sizes: rows)),
        _m("fit-returns-last-epoch", "training-run", "only the last epoch comes back; the curve needs them all.",
           _fit_returning_last),
        _m("fit-last-batch-only", "training-run", "a row holds the terms of the epoch's last batch only.",
           _fit_like(lambda rows, sizes: rows[-1:])),
        _m("fit-sums", "training-run", "the terms of the batches are added up and never divided.",
           _fit_like(lambda rows, sizes: [{n: sum(r[n] for r in rows) for n in shared.TERMS}])),
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
    helpers={
        "kl_weight": (("step", "warmup_steps"), "number"),
        "train_step": (("model", "x", "optimizer", "beta"), "step"),
    },
    of_helpers=_oracle_of,
)
