"""The check of ``principal_components``.

Asked for: the directions in which codes vary most, their shares of the variance, and the codes in these directions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from autograder.both_sides.target import Call
from autograder.judge.comparing import difference, kind
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import latents


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


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



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
