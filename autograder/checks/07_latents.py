"""Checks of assignment 07, inside the latent space.

Nothing here is random: oracles are plain formulas and ``numpy.linalg.svd`` in double precision. The sign of a principal
component is free, so directions are compared as projectors, and projections by what belongs to the components that
came with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from autograder.checking import Check, Misconception, Part, Probe, Step
from autograder.comparing import difference, kind
from autograder.target import Call
from autograder.wire import Handle
from vae_ref import latents
from vae_ref.sampling import reparameterize

SIZE = 8  # side of the images


def _integer(g: Generator) -> int:
    return int(torch.randint(2**31, (), generator=g))


def _itself(result: Any) -> Any:
    return result


def _tiny(g: Generator, latent_dim: int, size: int = SIZE) -> Step:
    return Step("toys.Tiny", Call((latent_dim, size, _integer(g)), keep="model"))


# ---- encode_dataset -------------------------------------------------------------------------------------------------


def _encode_oracle(model: Any, loader: Any) -> list[Tensor]:
    images, labels = loader.dataset.tensors
    return [(images.double().flatten(1) - 0.5) @ model.to_mu.detach().double().T, labels]


def _dataset(g: Generator, num_images: int, batch_size: int, latent_dim: int, label: str) -> Probe:
    images = torch.rand(num_images, 3, SIZE, SIZE, generator=g)
    labels = torch.randperm(120, generator=g)[:num_images]
    loader = Step("props.loader", Call((images, labels, batch_size), keep="loader"))
    return Probe(Call((Handle("model"), Handle("loader"))), label, before=(_tiny(g, latent_dim), loader))


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


# ---- principal_components -------------------------------------------------------------------------------------------


def _projectors(components: Tensor) -> Tensor:
    """c cᵀ of each component c, the same for −c: (K, L, L)."""
    return components[:, :, None] * components[:, None, :]


def _pca(mu: Tensor, num_components: int) -> tuple[Tensor, Tensor, Tensor]:
    """Components, their shares of the whole variance, centred codes."""
    centred = mu.double().numpy() - mu.double().numpy().mean(axis=0)
    _, singular, rows = np.linalg.svd(centred, full_matrices=False)
    shares = singular**2 / np.sum(centred**2)
    components = torch.from_numpy(rows[:num_components])
    return components, torch.from_numpy(shares[:num_components]), torch.from_numpy(centred)


def _pca_oracle(mu: Tensor, num_components: int) -> Tensor:
    return _projectors(_pca(mu, num_components)[0])


def _codes(g: Generator, num_codes: int, dims: int, num_components: int, label: str) -> Probe:
    """Codes that lie far from zero and vary by clearly different amounts in directions of no axis."""
    rank = min(num_codes - 1, dims)
    noise = torch.randn(num_codes, rank, generator=g)
    along, _ = torch.linalg.qr(noise - noise.mean(0))
    directions, _ = torch.linalg.qr(torch.randn(dims, rank, generator=g))
    lengths = 4 * 0.65 ** (torch.arange(rank) + 0.2 * torch.rand(rank, generator=g))
    # each column on a scale of its own, so that standardised codes have other directions
    codes = (along * lengths * num_codes**0.5) @ directions.T * torch.linspace(0.7, 1.4, dims)
    return Probe(Call((codes + 3 * torch.randn(dims, generator=g) + 4, num_components)), label)


def _pca_value(g: Generator) -> list[Probe]:
    return [
        _codes(g, 40, 5, 2, "40 codes of 5 numbers and 2 components"),
        _codes(g, 25, 4, 3, "25 codes of 4 numbers and 3 components"),
    ]


def _three_things(results: list[Any], probes: list[Probe]) -> str:
    for result, probe in zip(results, probes, strict=True):
        mu, count = probe.call.args
        if not isinstance(result, list) or len(result) != 3:
            got = f"{len(result)} things" if isinstance(result, list) else kind(result)
            return f"It returned {got}, not components, explained_variance_ratio and projected."
        for name, value in zip(("components", "explained_variance_ratio", "projected"), result, strict=True):
            if not isinstance(value, Tensor) or not value.is_floating_point():
                return f"{name} is {kind(value)}, not a tensor of floating point numbers."
            if not bool(value.isfinite().all()):
                return f"{name} has values that are not finite."
        if result[0].shape != (count, mu.shape[1]):
            return f"components has shape {tuple(result[0].shape)}, not {(count, mu.shape[1])}: one direction a row."
    return ""


def _directions(result: list[Tensor]) -> Tensor:
    return _projectors(result[0].double())


def _numbers(values: Tensor) -> str:
    return ", ".join(f"{value:.3g}" for value in values.flatten()[:3].tolist())


def _shares_hold(results: list[Any], probes: list[Probe]) -> str:
    problem = _three_things(results, probes)
    for (_, got, _), probe in zip([] if problem else results, probes, strict=False):
        shares = _pca(*probe.call.args)[1]
        if got.shape != shares.shape:
            return f"explained_variance_ratio has shape {tuple(got.shape)}, not {tuple(shares.shape)}."
        if difference(got, shares, torch.tensor(2e-4)) is not None:
            return (
                f"With {probe.label}, the shares of the variance are {_numbers(got)}, not {_numbers(shares)}."
            )
    return problem


def _projections_hold(results: list[Any], probes: list[Probe]) -> str:
    problem = _three_things(results, probes)
    for (components, _, got), probe in zip([] if problem else results, probes, strict=False):
        wanted = _pca(*probe.call.args)[2] @ components.double().T
        if got.shape != wanted.shape:
            return f"projected has shape {tuple(got.shape)}, not {tuple(wanted.shape)}."
        if difference(got, wanted, 1e-3 + 1e-3 * wanted.abs()) is None:
            continue
        lengths, right = got.double().norm(dim=0), wanted.norm(dim=0)
        if difference(lengths, right, 0.01 * right) is None:
            return "The columns of projected are as long as they should be, but do not belong to these components."
        return f"With {probe.label}, the columns of projected have lengths {_numbers(lengths)}, not {_numbers(right)}."
    return problem


def _pca_edges(g: Generator) -> list[Probe]:
    wide = _codes(g, 30, 4, 2, "")
    return [
        _codes(g, 30, 6, 1, "a single component"),
        _codes(g, 30, 4, 4, "all components"),
        _codes(g, 5, 9, 3, "5 codes of 9 numbers"),
        Probe(Call((wide.call.args[0].double(), 2)), "float64 codes"),
    ]


def _pca_edges_hold(results: list[Any], probes: list[Probe]) -> str:
    problem = _three_things(results, probes)
    for result, probe in zip([] if problem else results, probes, strict=True):
        if difference(_directions(result), _pca_oracle(*probe.call.args), torch.tensor(1e-3)) is not None:
            return f"With {probe.label}, the directions are off."
    return problem or _shares_hold(results, probes) or _projections_hold(results, probes)


# ---- traverse -------------------------------------------------------------------------------------------------------


def _traverse_oracle(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    chosen = torch.arange(len(z)) == dim
    codes = torch.where(chosen, values[:, None].double(), z.double())
    return torch.sigmoid(codes @ model.to_pixels.detach().double().T).unflatten(1, model.shape)


def _traversal(g: Generator, dims: int, dim: int, num_values: int, label: str, beyond: float = 0.0) -> Probe:
    z = torch.randn(dims, generator=g)
    z = z + torch.where(z > 0, 0.5, -0.5)  # no number near zero, where setting and adding look alike
    values = 2 * torch.randn(num_values, generator=g)
    values = values + torch.where(values > 0, beyond, -beyond)
    return Probe(Call((Handle("model"), z, dim, values)), label, before=(_tiny(g, dims),))


def _traverse_value(g: Generator) -> list[Probe]:
    return [
        _traversal(g, 5, 2, 5, "5 values for number 2 of 5"),
        _traversal(g, 4, 1, 4, "4 values for number 1 of 4"),
    ]


def _traverse_code(g: Generator) -> list[Probe]:
    probe = _traversal(g, 4, 2, 3, "a look at z after the call")
    model, z, dim, values = probe.call.args
    kept = Step("props.itself", Call((z,), keep="z"))
    call = Call((model, Handle("z"), dim, values))
    return [
        Probe(
            call,
            probe.label,
            before=(*probe.before, kept),
            after=(Step("props.itself", Call((Handle("z"),))),),
        )
    ]


def _traverse_edges(g: Generator) -> list[Probe]:
    return [
        _traversal(g, 6, 0, 9, "9 values for the first number"),
        _traversal(g, 6, 5, 3, "3 values for the last number"),
        _traversal(g, 4, 2, 1, "a single value"),
        _traversal(g, 1, 0, 4, "a code of one number"),
        _traversal(g, 3, 1, 4, "values far out", 8.0),
    ]


# ---- active_units ---------------------------------------------------------------------------------------------------


def _active_oracle(mu: Tensor, threshold: float = 0.01) -> int:
    variances = mu.double().numpy().var(axis=0, ddof=1)
    return int((variances > threshold).sum())


def _units(g: Generator, num_images: int, variances: Tensor) -> Tensor:
    """Codes whose columns have these variances, in a random order, around means of 1 and −1."""
    z = torch.randn(num_images, len(variances), generator=g, dtype=torch.float64)
    z = (z - z.mean(0)) / z.std(0) * variances.double().sqrt()
    means = torch.where(torch.arange(len(variances)) <= len(variances) // 2, 1.0, -1.0)
    means = means[torch.randperm(len(variances), generator=g)]
    return (z + means)[:, torch.randperm(len(variances), generator=g)].float()


def _groups(threshold: float, *counts: int) -> Tensor:
    """Variances far from the threshold: so many at 0.005, 0.1, 10 and 300 times of it."""
    return torch.cat([
        torch.full((count,), factor * threshold)
        for count, factor in zip(counts, (5e-3, 0.1, 10.0, 300.0), strict=True)
    ])  # fmt: skip


def _active_value(g: Generator) -> list[Probe]:
    return [
        Probe(
            Call((_units(g, num_images, _groups(0.01, *counts)),)),
            f"{num_images} codes of {sum(counts)} numbers",
        )
        for num_images, counts in ((50, (3, 2, 4, 6)), (500, (4, 3, 5, 1)))
    ]


def _active_threshold(g: Generator) -> list[Probe]:
    return [
        Probe(Call((_units(g, 60, _groups(threshold, *counts)), threshold)), f"threshold = {threshold}")
        for threshold, counts in ((0.2, (3, 2, 4, 1)), (0.0005, (2, 5, 2, 4)))
    ]


def _active_edges(g: Generator) -> list[Probe]:
    constant = torch.zeros(20, 3)
    constant[:, 0] = torch.linspace(-1, 1, 20)
    return [
        Probe(Call((_units(g, 40, _groups(0.01, 3, 3, 0, 0)),)), "no active unit"),
        Probe(Call((_units(g, 40, _groups(0.01, 0, 0, 3, 4)),)), "active units only"),
        Probe(Call((_units(g, 40, _groups(0.01, 0, 0, 0, 1)),)), "a single latent"),
        Probe(Call((constant, 0.0)), "threshold = 0 and two latents that never vary"),
        Probe(
            Call((_units(g, 40, _groups(0.01, 2, 2, 3, 1)).double(),), {"threshold": 0.01}), "float64 codes"
        ),
    ]


# ---- the catalogue --------------------------------------------------------------------------------------------------
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


def _pca_like(
    centre: Callable[[Tensor], Tensor] = lambda mu: mu - mu.mean(0),
    components: Callable[[Tensor, Tensor, int], Tensor] = lambda s, rows, k: rows[:k],
    ratio: Callable[[Tensor, int], Tensor] = lambda s, k: (s.square() / s.square().sum())[:k],
    project: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda mu, s, c: (mu - mu.mean(0)) @ c.T,
) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    """The function with one of its steps done in another way."""

    def variant(mu: Tensor, num_components: int) -> tuple[Tensor, Tensor, Tensor]:
        _, s, rows = torch.linalg.svd(centre(mu), full_matrices=False)
        found = components(s, rows, num_components)
        return found, ratio(s, num_components), project(mu, s[:num_components], found)

    return variant


def _by_sklearn(mu: Tensor, num_components: int) -> list[Tensor]:
    """Right as well."""
    from sklearn.decomposition import PCA  # slow to import, and needed here only

    pca = PCA(num_components, svd_solver="full")
    projected = pca.fit_transform(mu.numpy())
    return [torch.from_numpy(x) for x in (pca.components_, pca.explained_variance_ratio_, projected)]


def _by_covariance(mu: Tensor, num_components: int) -> tuple[Tensor, Tensor, Tensor]:
    """Right as well: eigenvectors of the covariance, whose eigenvalues rise."""
    values, vectors = torch.linalg.eigh(torch.cov(mu.T.double()).reshape(mu.shape[1], mu.shape[1]))
    components = vectors.flip(1)[:, :num_components].T.to(mu.dtype)
    ratio = (values.flip(0) / values.sum())[:num_components].to(mu.dtype)
    return components, ratio, (mu - mu.mean(0, keepdim=True)) @ components.mT


def _by_lowrank(mu: Tensor, num_components: int) -> tuple[Tensor, Tensor, Tensor]:
    """Right as well, as long as it is asked for all components."""
    _, s, columns = torch.pca_lowrank(mu.double(), q=min(mu.shape), niter=4)
    components = columns[:, :num_components].T
    ratio = s.square()[:num_components] / ((len(mu) - 1) * mu.double().var(0).sum())
    return components, ratio, (mu.double() - mu.double().mean(0)) @ components.T


def _ascending(mu: Tensor, num_components: int) -> tuple[Tensor, Tensor, Tensor]:
    centred = mu - mu.mean(0)
    values, vectors = torch.linalg.eigh(centred.T @ centred)
    components = vectors[:, :num_components].T
    return components, (values / values.sum())[:num_components], centred @ components.T


PRINCIPAL_COMPONENTS = Check(
    name="principal_components",
    asks="the directions in which codes vary most, their shares of the variance, and the codes in these directions",
    section="main-directions",
    oracle=_pca_oracle,
    parts=(
        Part("directions", 3, _pca_value, _three_things, _directions),
        Part("shares", 2, _pca_value, _shares_hold),
        Part("projection", 2, _pca_value, _projections_hold),
        Part("edge cases", 1, _pca_edges, _pca_edges_hold),
    ),
    misconceptions=(
        _m("pca-uncentred", "main-directions",
           "the mean is not subtracted: the first direction points at the mean of the codes.",
           _pca_like(centre=lambda mu: mu)),
        _m("pca-centred-by-row", "main-directions", "each code is centred on its own mean; subtract that of all codes.",
           _pca_like(centre=lambda mu: mu - mu.mean(1, keepdim=True))),
        _m("pca-one-mean", "main-directions", "one number is subtracted from all; each latent has a mean of its own.",
           _pca_like(centre=lambda mu: mu - mu.mean())),
        _m("pca-standardised", "main-directions",
           "each latent is divided by its spread: these are the directions of the correlations.",
           _pca_like(centre=lambda mu: (mu - mu.mean(0)) / mu.std(0))),
        _m("pca-transposed", "main-directions", "the components stand in columns; each is to be a row.",
           _pca_like(components=lambda s, rows, k: rows[:k].T, project=lambda mu, s, c: (mu - mu.mean(0)) @ c)),
        _m("pca-rows-of-v", "main-directions", "the first rows of V are taken, but its columns are the directions.",
           _pca_like(components=lambda s, rows, k: rows.T[:k])),
        _m("pca-ascending", "main-directions",
           "the directions of least variance come first: eigh sorts its eigenvalues upwards.", _ascending),
        _m("pca-last-first", "main-directions", "the directions kept are the right ones, but in rising order.",
           _pca_like(components=lambda s, rows, k: rows[:k].flip(0))),
        _m("pca-loadings", "main-directions", "the directions are scaled with their spread; they should have length 1.",
           _pca_like(components=lambda s, rows, k: rows[:k] * s[:k, None])),
        _m("pca-all-components", "main-directions", "all directions are returned, not only as many as asked for.",
           _pca_like(components=lambda s, rows, k: rows)),
        _m("pca-ratio-of-kept", "explained-variance", "the shares are of the variance kept, so they add up to 1.",
           _pca_like(ratio=lambda s, k: s[:k].square() / s[:k].square().sum())),
        _m("pca-ratio-not-squared", "explained-variance", "singular values are spreads; a variance is their square.",
           _pca_like(ratio=lambda s, k: (s / s.sum())[:k])),
        _m("pca-sums-of-squares", "explained-variance", "these are squared singular values, not shares of the whole.",
           _pca_like(ratio=lambda s, k: s[:k].square())),
        _m("pca-singular-values", "explained-variance", "these are the singular values themselves, not shares.",
           _pca_like(ratio=lambda s, k: s[:k])),
        _m("pca-cumulative", "explained-variance", "the shares are added up from one direction to the next.",
           _pca_like(ratio=lambda s, k: (s.square() / s.square().sum()).cumsum(0)[:k])),
        _m("pca-all-ratios", "explained-variance", "there are shares of all directions, not only of those asked for.",
           _pca_like(ratio=lambda s, k: s.square() / s.square().sum())),
        _m("pca-percent", "explained-variance", "the shares are in percent.",
           _pca_like(ratio=lambda s, k: (100 * s.square() / s.square().sum())[:k])),
        _m("pca-uncentred-projection", "main-directions",
           "the codes are projected without their mean being subtracted.",
           _pca_like(project=lambda mu, s, c: mu @ c.T)),
        _m("pca-whitened", "main-directions",
           "the projections are divided by the singular values (U instead of U S): all directions look alike.",
           _pca_like(project=lambda mu, s, c: (mu - mu.mean(0)) @ c.T / s)),
        _m("pca-scaled-twice", "main-directions", "the projections are multiplied with the singular values once more.",
           _pca_like(project=lambda mu, s, c: (mu - mu.mean(0)) @ c.T * s)),
        _m("pca-reconstructed", "main-directions", "the codes are projected and turned back into codes.",
           _pca_like(project=lambda mu, s, c: (mu - mu.mean(0)) @ c.T @ c)),
        _m("pca-projected-transposed", "main-directions", "projected has a row for each component; each code gets one.",
           _pca_like(project=lambda mu, s, c: c @ (mu - mu.mean(0)).T)),
        _m("pca-sign-of-one", "main-directions", "a sign is turned in the projections but not in the components.",
           _pca_like(project=lambda mu, s, c: -((mu - mu.mean(0)) @ c.T))),
    ),
    equivalents=(
        latents.principal_components,
        _pca_like(),
        _by_sklearn,
        _by_covariance,
        _by_lowrank,
    ),
)


def _traverse_like(codes: Callable[[Tensor, int, Tensor], Tensor]) -> Callable[..., Tensor]:
    """A variant that decodes ``codes(z, dim, values)``."""
    return lambda model, z, dim, values: model.decode(codes(z, dim, values))


def _one_hot(z: Tensor, dim: int) -> Tensor:
    return torch.nn.functional.one_hot(torch.tensor(dim), len(z)).to(z)


def _set(rows: Tensor, dim: Any, values: Tensor) -> Tensor:
    rows[:, dim] = values
    return rows


def _set_row(z: Tensor, dim: int, values: Tensor) -> Tensor:
    codes = z.repeat(len(values), 1)
    codes[dim] = values
    return codes


def _in_place(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    images = []
    for value in values:
        z[dim] = value
        images.append(model.decode(z[None]))
    return torch.cat(images)


def _same_tensor(model: Any, z: Tensor, dim: int, values: Tensor) -> Tensor:
    codes, code = [], z.clone()
    for value in values:
        code[dim] = value
        codes.append(code)
    return model.decode(torch.stack(codes))


TRAVERSE = Check(
    name="traverse",
    asks="pictures of one code with one of its numbers set to each of some values",
    section="latent-traversal",
    oracle=_traverse_oracle,
    parts=(
        Part("value", 2, _traverse_value),
        Part("code unchanged", 1, _traverse_code),
        Part("edge cases", 1, _traverse_edges),
    ),
    misconceptions=(
        _m("traverse-adds", "latent-traversal", "the values are added to the number; it is to be set to them.",
           _traverse_like(lambda z, dim, values: z + values[:, None] * _one_hot(z, dim))),
        _m("traverse-multiplies", "latent-traversal", "the number is multiplied with the values; set it to them.",
           _traverse_like(lambda z, dim, values: _set(z.repeat(len(values), 1), dim, values * z[dim]))),
        _m("traverse-sets-all", "latent-traversal", "all numbers of the code are set, not only one.",
           _traverse_like(lambda z, dim, values: values[:, None].expand(-1, len(z)))),
        _m("traverse-adds-to-all", "latent-traversal", "the values are added to all numbers of the code.",
           _traverse_like(lambda z, dim, values: z + values[:, None])),
        _m("traverse-from-zero", "latent-traversal", "the other numbers are zero instead of those of z.",
           _traverse_like(lambda z, dim, values: values[:, None] * _one_hot(z, dim))),
        _m("traverse-row", "latent-traversal", "a row of the codes is set; the number stands in a column.",
           _traverse_like(_set_row)),
        _m("traverse-next-dim", "latent-traversal", "the number after the one asked for is set: dim counts from 0.",
           _traverse_like(lambda z, dim, values: _set(z.repeat(len(values), 1), (dim + 1) % len(z), values))),
        _m("traverse-previous-dim", "latent-traversal",
           "the number before the one asked for is set: dim counts from 0.",
           _traverse_like(lambda z, dim, values: _set(z.repeat(len(values), 1), dim - 1, values))),
        _m("traverse-first-dim", "latent-traversal", "dim is ignored: the first number is set.",
           _traverse_like(lambda z, dim, values: _set(z.repeat(len(values), 1), 0, values))),
        _m("traverse-all-up-to-dim", "latent-traversal", "a slice is set, so that several numbers change.",
           _traverse_like(lambda z, dim, values: _set(
               z.repeat(len(values), 1), slice(None, dim + 1), values[:, None]))),
        _m("traverse-last-value", "latent-traversal",
           "one tensor stands for all codes, so that all show the last value; copy it first.", _same_tensor),
        _m("traverse-even-steps", "latent-traversal",
           "the number runs evenly from the least value to the greatest; take the values as they are.",
           _traverse_like(lambda z, dim, values: _set(z.repeat(len(values), 1), dim, torch.linspace(
               float(values.min()), float(values.max()), len(values))))),
        _m("traverse-sorted", "latent-traversal", "the values are sorted; keep their order.",
           _traverse_like(lambda z, dim, values: _set(z.repeat(len(values), 1), dim, values.sort().values))),
        _m("traverse-returns-codes", "latent-traversal", "the codes are returned without being decoded.",
           lambda model, z, dim, values: _set(z.repeat(len(values), 1), dim, values)),
        _m("traverse-list", "latent-traversal", "a list is returned; put the pictures into one tensor.",
           lambda model, z, dim, values: list(latents.traverse(model, z, dim, values))),
        _m("traverse-in-place", "latent-traversal", "z itself is changed by the call; work on a copy.", _in_place),
        _m("traverse-clamped", "latent-traversal", "values far from zero are clamped.",
           _traverse_like(lambda z, dim, values: _set(z.repeat(len(values), 1), dim, values.clamp(-7, 7)))),
    ),
    equivalents=(
        latents.traverse,
        _traverse_like(lambda z, dim, values: torch.stack([
            torch.cat([z[:dim], value[None], z[dim + 1 :]]) for value in values])),
        _traverse_like(lambda z, dim, values: z + (values[:, None] - z[dim]) * _one_hot(z, dim)),
        lambda model, z, dim, values: torch.cat([
            model.decode(_set(z.clone()[None], dim, value)) for value in values]),
        _traverse_like(lambda z, dim, values: _set(z.double().repeat(len(values), 1), dim, values.double())),
    ),
)


def _active_like(count: Callable[[Tensor, float], Any]) -> Callable[..., Any]:
    """A variant with the right arguments."""
    return lambda mu, threshold=0.01: count(mu, threshold)


ACTIVE_UNITS = Check(
    name="active_units",
    asks="how many latents have means that vary from image to image",
    section="active-units",
    oracle=_active_oracle,  # type: ignore[arg-type]  # a number
    parts=(
        Part("value", 2, _active_value),
        Part("threshold", 1, _active_threshold),
        Part("edge cases", 1, _active_edges),
    ),
    misconceptions=(
        _m("active-std", "active-units", "the standard deviation is compared with the threshold; it is for variances.",
           _active_like(lambda mu, threshold: int((mu.std(0) > threshold).sum()))),
        _m("active-second-moment", "active-units",
           "the squares are averaged without the mean being subtracted: a constant is no information.",
           _active_like(lambda mu, threshold: int((mu.square().mean(0) > threshold).sum()))),
        _m("active-mean", "active-units", "the mean over the images is compared, not how much they vary.",
           _active_like(lambda mu, threshold: int((mu.mean(0) > threshold).sum()))),
        _m("active-over-latents", "active-units",
           "the variance is taken over the latents, so that images are counted instead of latents.",
           _active_like(lambda mu, threshold: int((mu.var(1) > threshold).sum()))),
        _m("active-inactive", "active-units", "the latents that do not vary are counted.",
           _active_like(lambda mu, threshold: int((mu.var(0) < threshold).sum()))),
        _m("active-entries", "active-units", "single numbers of the codes are counted instead of latents.",
           _active_like(lambda mu, threshold: int(((mu - mu.mean(0)).square() > threshold).sum()))),
        _m("active-summed", "active-units",
           "the squared distances are added up instead of averaged: with many images everything counts.",
           _active_like(lambda mu, threshold: int(((mu - mu.mean(0)).square().sum(0) > threshold).sum()))),
        _m("active-one-variance", "active-units", "one variance is taken over all numbers; each latent has its own.",
           _active_like(lambda mu, threshold: int(mu.var() > threshold))),
        _m("active-relative", "active-units", "the variances are divided by the greatest one first.",
           _active_like(lambda mu, threshold: int((mu.var(0) / mu.var(0).max() > threshold).sum()))),
        _m("active-share", "active-units", "this is the share of active latents, not their number.",
           _active_like(lambda mu, threshold: float((mu.var(0) > threshold).float().mean()))),
        _m("active-indices", "active-units", "these are the places of the active latents; count them.",
           _active_like(lambda mu, threshold: (mu.var(0) > threshold).nonzero().flatten())),
        _m("active-variances", "active-units", "these are the variances themselves; count those above the threshold.",
           _active_like(lambda mu, threshold: mu.var(0))),
        _m("active-ignores-threshold", "active-units", "the threshold is ignored; it is not always 0.01.",
           _active_like(lambda mu, threshold: latents.active_units(mu))),
        _m("active-at-least", "active-units", "a latent whose variance equals the threshold counts; ask for more.",
           _active_like(lambda mu, threshold: int((mu.var(0) >= threshold).sum()))),
    ),
    equivalents=(
        latents.active_units,
        _active_like(lambda mu, threshold: (mu.var(dim=0, unbiased=False) > threshold).sum()),
        _active_like(lambda mu, threshold: sum(bool(column.std() ** 2 > threshold) for column in mu.T)),
        _active_like(lambda mu, threshold: float(torch.count_nonzero(
            (mu - mu.mean(0)).square().mean(0) > threshold))),
        _active_like(lambda mu, threshold: int(np.sum(np.var(mu.double().numpy(), axis=0) > threshold))),
    ),
)

CHECKS = (ENCODE_DATASET, PRINCIPAL_COMPONENTS, TRAVERSE, ACTIVE_UNITS)
