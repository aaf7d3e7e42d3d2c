"""The checks of the short questions of assignment 07."""

from __future__ import annotations

import torch
from torch import Generator

from autograder.both_sides.target import Call
from autograder.checks.choices import asked, one_of
from autograder.judge.definitions import Check, Misconception, Part, Probe

CHOICES = ("a", "b", "c", "d")
RIGHT = "b"


def _share_probe(num_components: int, latent_dim: int) -> Probe:
    return Probe(Call((num_components, latent_dim)), f"{num_components} of {latent_dim} directions")


def _share_value(g: Generator) -> list[Probe]:
    probes = [_share_probe(3, int(torch.randint(7, 64, (), generator=g)))]
    for _ in range(2):
        latent_dim = int(torch.randint(7, 64, (), generator=g))
        probes.append(_share_probe(int(torch.randint(2, latent_dim - 3, (), generator=g)), latent_dim))
    return probes


def _share_edges(g: Generator) -> list[Probe]:
    return [_share_probe(16, 16), _share_probe(1, 192), _share_probe(1, 1)]


_is_right = one_of(CHOICES, RIGHT, 'Return one of the letters "a", "b", "c" and "d".')


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


SHARE_OF_ISOTROPIC = Check(
    name="share_of_isotropic",
    asks="the share of the variance along the first K directions, if codes are spread like N(0, I)",
    section="pca-limits",
    oracle=lambda num_components, latent_dim: num_components / latent_dim,
    parts=(Part("value", 2, _share_value), Part("edge cases", 1, _share_edges)),
    misconceptions=(
        _m("share-of-one", "pca-limits", "this is the share of one direction; K of them are kept.",
           lambda num_components, latent_dim: 1 / latent_dim),
        _m("share-all", "pca-limits",
           "a few directions hold everything only if the codes lie in a plane; N(0, I) is spread alike in all.",
           lambda num_components, latent_dim: 1.0),
        _m("share-left", "pca-limits", "this is the share of the directions that are left out.",
           lambda num_components, latent_dim: 1 - num_components / latent_dim),
        _m("share-turned", "pca-limits", "the fraction is turned round: a share is at most 1.",
           lambda num_components, latent_dim: latent_dim / num_components),
        _m("share-of-spread", "pca-limits", "this is the share of the spread; that of the variance is its square.",
           lambda num_components, latent_dim: (num_components / latent_dim) ** 0.5),
        _m("share-in-percent", "pca-limits", "a share lies between 0 and 1; this is in percent.",
           lambda num_components, latent_dim: 100 * num_components / latent_dim),
        _m("share-halving", "pca-limits",
           "each direction is given half of what is left; for N(0, I) they are all alike.",
           lambda num_components, latent_dim: 1 - 0.5**num_components),
    ),
    equivalents=(
        lambda num_components, latent_dim: num_components / latent_dim,
        lambda num_components, latent_dim: torch.ones(latent_dim)[:num_components].sum() / latent_dim,
        lambda num_components, latent_dim: sum(1 / latent_dim for _ in range(num_components)),
    ),
)

WHAT_A_ROTATION_CHANGES = Check(
    name="what_a_rotation_changes",
    asks="what changes when all codes are turned, and the decoder turns them back",
    section="limits-of-disentanglement",
    oracle=None,
    parts=(Part("value", 1, asked, _is_right),),
    misconceptions=(
        _m("rotation-changes-nothing", "limits-of-disentanglement",
           "each new latent is a mixture of old ones, and a score of single latents notices; what stays is p(x).",
           lambda: "a"),
        _m("rotation-changes-pictures-only", "limits-of-disentanglement",
           "N(0, I) turned is N(0, I), and the decoder turns back: the pictures drawn are the same. "
           "Single latents are not.",
           lambda: "c"),
        _m("rotation-changes-both", "limits-of-disentanglement",
           "N(0, I) looks alike from all sides, and the decoder turns back: p(x) cannot notice.",
           lambda: "d"),
    ),
    equivalents=(lambda: "b", lambda: "B", lambda: " b "),
)
