"""The check of ``encode_dataset``: the mean codes and the labels of all images, in the loader's order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle
from autograder.checks.latents import shared
from autograder.judge.comparing import difference
from autograder.judge.definitions import Check, Misconception, Part, Probe, Step
from vae_ref import latents
from vae_ref.sampling import reparameterize


def _itself(result: Any) -> Any:
    return result


def _encode_oracle(model: Any, loader: Any) -> list[Tensor]:
    images, labels = loader.dataset.tensors
    return [(images.double().flatten(1) - 0.5) @ model.to_mu.detach().double().T, labels]


def _dataset(g: Generator, num_images: int, batch_size: int, latent_dim: int, label: str) -> Probe:
    images = torch.rand(num_images, 3, shared.SIZE, shared.SIZE, generator=g)
    labels = torch.randperm(120, generator=g)[:num_images]
    loader = Step("props.loader", Call((images, labels, batch_size), keep="loader"))
    return Probe(
        Call((Handle("model"), Handle("loader"))), label, before=(shared.tiny(g, latent_dim), loader)
    )


def _encode_value(g: Generator) -> list[Probe]:
    first = _dataset(g, 13, 5, 3, "13 images in batches of 5")
    return [first, first, _dataset(g, 22, 4, 6, "22 images in batches of 4")]


def _encode_edges(g: Generator) -> list[Probe]:
    return [
        _dataset(g, 12, 4, 3, "batches that are all full"),
        _dataset(g, 7, 20, 3, "a single batch"),
        _dataset(g, 5, 1, 4, "batches of one image"),
        _dataset(g, 1, 8, 2, "a single image"),
    ]


def _repeats(results: list[Any], _: list[Probe]) -> str:
    """The first two probes of a part ask the same."""
    for one, other in zip(*(r if isinstance(r, list) else [] for r in results[:2]), strict=False):
        tensors = isinstance(one, Tensor) and isinstance(other, Tensor)
        if tensors and bool(one.isfinite().all()) and difference(other, one) is not None:
            return "Two calls with the same images gave different codes or labels, though nothing here needs noise."
    return ""


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _encode_like(
    codes: Callable[[Any, Tensor], Tensor] = lambda model, x: model.encode(x)[0],
    choose: Callable[[list[Any]], list[Any]] = lambda batches: batches,
    finish: Callable[[Tensor, Tensor], Any] = lambda mu, labels: (mu, labels),
) -> Callable[..., Any]:
    """The function with one of its steps done in another way."""

    def variant(model: Any, loader: Any) -> Any:
        pairs = [(codes(model, x), y) for x, y in choose(list(loader))]
        return finish(torch.cat([mu for mu, _ in pairs]), torch.cat([y for _, y in pairs]))

    return variant



def _labels_of_last_batch(model: Any, loader: Any) -> tuple[Tensor, Tensor]:
    mu, _ = latents.encode_dataset(model, loader)
    return mu, list(loader)[-1][1]



def _lists(model: Any, loader: Any) -> tuple[list[Tensor], list[Tensor]]:
    pairs = [(model.encode(x)[0], y) for x, y in loader]
    return [mu for mu, _ in pairs], [y for _, y in pairs]



def _preallocated(model: Any, loader: Any) -> tuple[Tensor, Tensor]:
    """Right as well: the rows are written where they belong."""
    mu = torch.empty(len(loader.dataset), model.latent_dim)
    labels = torch.empty(len(loader.dataset), dtype=torch.long)
    start = 0
    with torch.no_grad():
        for x, y in loader:
            mu[start : start + len(x)], labels[start : start + len(x)] = model.eval().encode(x)[0], y
            start += len(x)
    return mu, labels



def _row_by_row(model: Any, loader: Any) -> list[Tensor]:
    """Right as well: lists of rows and of plain numbers."""
    codes, labels = [], []
    for x, y in loader:
        codes.extend(model(x)[1].detach().numpy())
        labels += y.tolist()
    return [torch.from_numpy(np.stack(codes)), torch.tensor(labels)]



ENCODE_DATASET = Check(
    name="encode_dataset",
    asks="the mean codes and the labels of all images, in the loader's order",
    section="codes-of-a-data-set",
    oracle=_encode_oracle,  # type: ignore[arg-type]  # a list, as it would cross the wall
    parts=(
        Part("value", 3, _encode_value, _repeats, _itself),
        Part("edge cases", 1, _encode_edges),
    ),
    misconceptions=(
        _m("codes-sampled", "codes-of-a-data-set", "codes are drawn; the mean is what the model knows of an image.",
           _encode_like(lambda model, x: reparameterize(*model.encode(x)))),
        _m("codes-logvar", "codes-of-a-data-set", "logvar is collected: encode gives the mean first.",
           _encode_like(lambda model, x: model.encode(x)[1])),
        _m("codes-last-batch", "codes-of-a-data-set", "only the last batch is left: each replaces the one before.",
           _encode_like(choose=lambda batches: batches[-1:])),
        _m("codes-first-batch", "codes-of-a-data-set", "only the first batch is encoded: return ends the loop.",
           _encode_like(choose=lambda batches: batches[:1])),
        _m("codes-short-batch-dropped", "codes-of-a-data-set", "the last batch is left out because it is short.",
           _encode_like(choose=lambda batches: [b for b in batches if len(b[1]) == len(batches[0][1])])),
        _m("codes-backwards", "codes-of-a-data-set", "the batches come in reverse order.",
           _encode_like(choose=lambda batches: batches[::-1])),
        _m("codes-labels-sorted", "codes-of-a-data-set",
           "the labels are sorted, so that they no longer belong to their codes.",
           _encode_like(finish=lambda mu, labels: (mu, labels.sort().values))),
        _m("codes-sorted-by-label", "codes-of-a-data-set", "codes and labels are sorted; keep the loader's order.",
           _encode_like(finish=lambda mu, labels: (mu[labels.argsort()], labels.sort().values))),
        _m("codes-labels-of-last-batch", "codes-of-a-data-set", "the labels are those of the last batch only.",
           _labels_of_last_batch),
        _m("codes-labels-float", "codes-of-a-data-set", "the labels have become floating point numbers.",
           _encode_like(finish=lambda mu, labels: (mu, labels.float()))),
        _m("codes-swapped", "codes-of-a-data-set", "codes and labels are returned in the other order.",
           _encode_like(finish=lambda mu, labels: (labels, mu))),
        _m("codes-without-labels", "codes-of-a-data-set", "the labels are not returned.",
           _encode_like(finish=lambda mu, labels: mu)),
        _m("codes-lists", "codes-of-a-data-set", "lists of batches are returned; join each into one tensor.", _lists),
        _m("codes-batch-means", "codes-of-a-data-set", "the codes of a batch are averaged; each image has its own.",
           _encode_like(lambda model, x: model.encode(x)[0].mean(0, keepdim=True))),
        _m("codes-squeezed", "codes-of-a-data-set", "squeeze drops a dimension of size 1 that belongs to the shape.",
           _encode_like(finish=lambda mu, labels: (mu.squeeze(0), labels.squeeze(0)))),
    ),
    equivalents=(
        latents.encode_dataset,
        _encode_like(),
        _encode_like(lambda model, x: torch.stack([model.encode(image[None])[0][0] for image in x])),
        _preallocated,
        _row_by_row,
    ),
)
