"""The checks of ``discriminator_loss``, ``generator_loss`` and ``feature_matching_loss``.

Oracles are log probabilities of ``torch.distributions.Bernoulli`` in double precision, and sums in plain Python order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor
from torch.distributions import Bernoulli
from torch.nn import functional as F

from autograder.both_sides.target import Call
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import sharper


def _surprise(logits: Tensor, label: float) -> Tensor:
    return -Bernoulli(logits=logits).log_prob(torch.full_like(logits, label)).mean()


def _judge_oracle(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return _surprise(real_logits, 1.0) + _surprise(fake_logits, 0.0)


def _fool_oracle(fake_logits: Tensor) -> Tensor:
    return _surprise(fake_logits, 1.0)


def _match_oracle(real: Tensor, fake: Tensor) -> Tensor:
    distance = (real.detach() - fake).abs().sum() / fake.numel()
    return distance + 0 * real.sum()  # a gradient into the target that is there, and 0


def _logits(g: Generator, *shape: int) -> Tensor:
    return 2 * torch.randn(shape, generator=g) + 0.7


def _weighted(*args: Tensor) -> Call:
    return Call(args, None, tuple(range(len(args))), torch.tensor(1.3))


def _judge_value(g: Generator) -> list[Probe]:
    pairs = (((6, 1, 4, 4), (6, 1, 4, 4)), ((7,), (3,)), ((2, 1, 3, 3), (5, 1, 2, 2)))
    return [
        Probe(Call((_logits(g, *real), _logits(g, *fake) - 0.4)), f"logits of shapes {real} and {fake}")
        for real, fake in pairs
    ]


def _judge_edges(g: Generator) -> list[Probe]:
    zero = torch.zeros(4, 1, 2, 2)
    return [
        Probe(Call((zero, zero)), "a discriminator that does not know"),
        Probe(Call((_logits(g, 1), _logits(g, 1))), "a single logit of each"),
        Probe(Call((_logits(g, 4).double(), _logits(g, 4).double())), "float64"),
    ]


def _fool_value(g: Generator) -> list[Probe]:
    return [
        Probe(Call((_logits(g, *shape),)), f"logits of shape {shape}")
        for shape in ((6, 1, 4, 4), (7,), (2, 1, 3, 3))
    ]


def _fool_edges(g: Generator) -> list[Probe]:
    return [
        Probe(Call((torch.zeros(4, 1, 2, 2),)), "a discriminator that does not know"),
        Probe(Call((_logits(g, 1),)), "a single logit"),
        Probe(Call((_logits(g, 4).double(),)), "float64"),
    ]


def _far(g: Generator) -> Tensor:
    return torch.tensor([-120.0, 90.0, -140.0]) - 10 * torch.rand(3, generator=g)


def _judge_far(g: Generator) -> list[Probe]:
    return [Probe(Call((_far(g), -_far(g))), "logits as far from 0 as 120")]


def _fool_far(g: Generator) -> list[Probe]:
    return [Probe(Call((_far(g),)), "logits as far from 0 as −120")]


def _is_finite(results: list[Any], _: list[Probe]) -> str:
    if all(bool(torch.as_tensor(result).isfinite().all()) for result in results):
        return ""
    return "Where the discriminator is sure, with logits beyond 100, the result is not finite any more."


def _itself(result: Any) -> Any:
    return result


def _features(g: Generator, *shape: int) -> tuple[Tensor, Tensor]:
    real = torch.randn(shape, generator=g)
    # away from agreement, where the distance has a kink, and not on average at the same place
    apart = (0.2 + torch.rand(shape, generator=g)) * torch.where(
        torch.rand(shape, generator=g) > 0.35, 1.0, -1.0
    )
    return real, real + apart  # fmt: skip


def _match_value(g: Generator) -> list[Probe]:
    return [
        Probe(Call(_features(g, *shape)), f"features of shape {shape}")
        for shape in ((5, 4, 3, 3), (3, 7, 2, 4), (6, 10))
    ]


def _match_edges(g: Generator) -> list[Probe]:
    real, fake = _features(g, 3, 4, 2, 2)
    return [
        Probe(Call((real, real)), "reconstructions with the very features of their photos"),
        Probe(Call(_features(g, 1, 4, 2, 2)), "a single picture"),
        Probe(Call((real.double(), fake.double())), "float64"),
    ]


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _labelled(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))



def _safe_bce(probability: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy(probability, torch.full_like(probability, label))



def _logit_mean_first(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(-real.mean()) + F.softplus(fake.mean())



DISCRIMINATOR_LOSS = Check(
    name="discriminator_loss",
    asks="the cross-entropy of a discriminator: its mean surprise at photos plus that at decoded pictures, in nats",
    section="adversarial-game",
    oracle=_judge_oracle,
    parts=(
        Part("value", 2, _judge_value),
        Part("edge cases", 1, _judge_edges),
        Part("sure logits", 1, _judge_far, _is_finite, _itself),
        Part("gradient", 1, lambda g: [
            Probe(_weighted(_logits(g, 4, 1, 2, 2), _logits(g, 3, 1, 2, 2)), "its result differentiated")]),
    ),
    misconceptions=(
        _m("judge-labels-swapped", "adversarial-game", "the labels are exchanged: photos are to be called real.",
           lambda real, fake: _labelled(real, 0.0) + _labelled(fake, 1.0)),
        _m("judge-halved", "adversarial-game",
           "the two means are averaged; they are added, so that a discriminator that does not know scores log 4.",
           lambda real, fake: 0.5 * (_labelled(real, 1.0) + _labelled(fake, 0.0))),
        _m("judge-one-mean", "adversarial-game",
           "one mean is taken over all logits; each side has a mean of its own, however many there are of the other.",
           lambda real, fake: torch.cat([F.softplus(-real).flatten(), F.softplus(fake).flatten()]).mean()),
        _m("judge-summed", "adversarial-game", "the logits of each side are added up instead of averaged.",
           lambda real, fake: F.softplus(-real).sum() + F.softplus(fake).sum()),
        _m("judge-real-only", "adversarial-game", "the decoded pictures are left out.",
           lambda real, fake: _labelled(real, 1.0)),
        _m("judge-fake-only", "adversarial-game", "the photos are left out.",
           lambda real, fake: _labelled(fake, 0.0)),
        _m("judge-both-real", "adversarial-game", "decoded pictures are labelled real as well.",
           lambda real, fake: _labelled(real, 1.0) + _labelled(fake, 1.0)),
        _m("judge-sign", "adversarial-game",
           "the sign is turned: that is what the discriminator makes large, a loss is made small.",
           lambda real, fake: -_labelled(real, 1.0) - _labelled(fake, 0.0)),
        _m("judge-logits-as-probabilities", "adversarial-game",
           "logits are given to a function that wants probabilities (binary_cross_entropy).",
           lambda real, fake: _safe_bce(real, 1.0) + _safe_bce(fake, 0.0)),
        _m("judge-sigmoid-twice", "adversarial-game",
           "the sigmoid is applied twice: a function with logits in its name does it already.",
           lambda real, fake: _labelled(real.sigmoid(), 1.0) + _labelled(fake.sigmoid(), 0.0)),
        _m("judge-probabilities-subtracted", "adversarial-game",
           "probabilities are added up without their logarithm.",
           lambda real, fake: -real.sigmoid().mean() - (1 - fake.sigmoid()).mean()),
        _m("judge-wasserstein", "adversarial-game",
           "that is the loss of a Wasserstein GAN, whose critic gives no probabilities.",
           lambda real, fake: fake.mean() - real.mean()),
        _m("judge-least-squares", "adversarial-game", "that is the loss of a least-squares GAN.",
           lambda real, fake: (real - 1).square().mean() + fake.square().mean()),
        _m("judge-hinge", "adversarial-game", "that is the hinge loss; here the cross-entropy is asked for.",
           lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean()),
        _m("judge-mean-first", "adversarial-game",
           "logits are averaged before the loss is taken; each patch has a loss of its own.", _logit_mean_first),
        _m("judge-log-of-sigmoid", "adversarial-game",
           "log(sigmoid(logit)) becomes log 0 for a sure discriminator; softplus or logsigmoid do not.",
           lambda real, fake: -real.sigmoid().log().mean() - (1 - fake.sigmoid()).log().mean()),
        _m("judge-detached", "adversarial-game",
           "the result is cut off from the logits (detach, .data, .item or no_grad).",
           lambda real, fake: _judge_oracle(real, fake).detach()),
    ),
    equivalents=(
        sharper.discriminator_loss,
        lambda real, fake: _labelled(real, 1.0) + _labelled(fake, 0.0),
        lambda real, fake: -F.logsigmoid(real).mean() - F.logsigmoid(-fake).mean(),
        lambda real, fake: (torch.logaddexp(torch.zeros_like(real), -real).mean()
                            + torch.logaddexp(torch.zeros_like(fake), fake).mean()),
        _judge_oracle,
    ),
)

GENERATOR_LOSS = Check(
    name="generator_loss",
    asks="the non-saturating loss of the decoder: the mean surprise of a discriminator at pictures called real",
    section="non-saturating",
    oracle=_fool_oracle,
    parts=(
        Part("value", 2, _fool_value),
        Part("edge cases", 1, _fool_edges),
        Part("sure logits", 1, _fool_far, _is_finite, _itself),
        Part("gradient", 1, lambda g: [
            Probe(_weighted(_logits(g, 4, 1, 2, 2)), "its result weighted and differentiated"),
            Probe(_weighted(_logits(g, 5) - 20), "pictures that are caught, differentiated")]),
    ),
    misconceptions=(
        _m("fool-saturating", "non-saturating",
           "that is log(1 − D): right in sign, but without a slope where the decoder needs it, when it is caught.",
           lambda fake: -F.softplus(fake).mean()),
        _m("fool-label-fake", "non-saturating",
           "pictures are labelled fake: so the decoder learns to be caught.",
           lambda fake: _labelled(fake, 0.0)),
        _m("fool-sign", "non-saturating", "the sign is turned: log D is to be made large, a loss small.",
           lambda fake: F.logsigmoid(fake).mean()),
        _m("fool-summed", "non-saturating", "the logits are added up instead of averaged.",
           lambda fake: F.softplus(-fake).sum()),
        _m("fool-logit", "non-saturating", "that is minus the logit, as in a Wasserstein GAN; log D is asked for.",
           lambda fake: -fake.mean()),
        _m("fool-probability", "non-saturating", "that is minus the probability, without its logarithm.",
           lambda fake: -fake.sigmoid().mean()),
        _m("fool-least-squares", "non-saturating", "that is the loss of a least-squares GAN.",
           lambda fake: (fake - 1).square().mean()),
        _m("fool-logits-as-probabilities", "non-saturating",
           "logits are given to a function that wants probabilities (binary_cross_entropy).",
           lambda fake: _safe_bce(fake, 1.0)),
        _m("fool-sigmoid-twice", "non-saturating",
           "the sigmoid is applied twice: a function with logits in its name does it already.",
           lambda fake: _labelled(fake.sigmoid(), 1.0)),
        _m("fool-mean-first", "non-saturating",
           "logits are averaged before the loss is taken; each patch has a loss of its own.",
           lambda fake: F.softplus(-fake.mean())),
        _m("fool-log-of-sigmoid", "non-saturating",
           "log(sigmoid(logit)) becomes log 0 for a decoder that is caught for sure; softplus or logsigmoid do not.",
           lambda fake: -fake.sigmoid().log().mean()),
        _m("fool-detached", "non-saturating",
           "the result is cut off from the logits (detach, .data, .item or no_grad).",
           lambda fake: F.softplus(-fake).mean().detach()),
    ),
    equivalents=(
        sharper.generator_loss,
        lambda fake: _labelled(fake, 1.0),
        lambda fake: -F.logsigmoid(fake).mean(),
        lambda fake: torch.logaddexp(torch.zeros_like(fake), -fake).mean(),
    ),
)



def _detached_fake(real: Tensor, fake: Tensor) -> Tensor:
    return (real - fake.detach()).abs().mean()



FEATURE_MATCHING_LOSS = Check(
    name="feature_matching_loss",
    asks="the mean absolute difference between features of photos, which stay as they are, and of reconstructions",
    section="feature-matching",
    oracle=_match_oracle,
    parts=(
        Part("value", 2, _match_value),
        Part("edge cases", 1, _match_edges),
        Part("gradient", 2, lambda g: [
            Probe(_weighted(*_features(g, 4, 3, 2, 2)),
                  "its result weighted and differentiated, first by real, then by fake")]),
    ),
    misconceptions=(
        _m("match-squared", "feature-matching", "differences are squared; here their absolute values are asked for.",
           lambda real, fake: (real.detach() - fake).square().mean()),
        _m("match-root", "feature-matching", "that is the root mean squared difference.",
           lambda real, fake: (real.detach() - fake).square().mean().sqrt()),
        _m("match-of-means", "feature-matching",
           "the means over the batch are compared; here each photo is compared with its own reconstruction.",
           lambda real, fake: (real.detach().mean(0) - fake.mean(0)).abs().mean()),
        _m("match-signed", "feature-matching", "differences above and below cancel: take absolute values first.",
           lambda real, fake: (real.detach() - fake).mean()),
        _m("match-absolute-last", "feature-matching",
           "the absolute value is taken of the mean; differences above and below have cancelled by then.",
           lambda real, fake: (real.detach() - fake).mean().abs()),
        _m("match-summed", "feature-matching", "the differences are added up; layers of many features would win.",
           lambda real, fake: (real.detach() - fake).abs().sum()),
        _m("match-summed-over-features", "feature-matching",
           "the differences of a picture are added up and only pictures averaged: layers of many features would win.",
           lambda real, fake: (real.detach() - fake).abs().flatten(1).sum(1).mean()),
        _m("match-per-picture", "feature-matching", "there is one number for each picture; one for all is asked for.",
           lambda real, fake: (real.detach() - fake).abs().flatten(1).mean(1)),
        _m("match-smooth", "feature-matching", "that is the smooth L1 loss, a parabola near 0.",
           lambda real, fake: F.smooth_l1_loss(fake, real.detach())),
        _m("match-moves-the-target", "feature-matching",
           "a gradient flows into the features of photos: they are the target, so detach them.",
           lambda real, fake: (real - fake).abs().mean()),
        _m("match-fake-detached", "feature-matching",
           "the features of reconstructions are detached instead of those of photos: the decoder learns nothing.",
           _detached_fake),
        _m("match-both-detached", "feature-matching", "both sides are cut off: nobody learns anything.",
           lambda real, fake: (real - fake).abs().mean().detach()),
    ),
    equivalents=(
        sharper.feature_matching_loss,
        lambda real, fake: F.l1_loss(fake, real.detach()),
        lambda real, fake: (fake - real.data).abs().sum() / fake.numel(),
        lambda real, fake: (fake - real.detach()).abs().flatten(1).mean(1).mean(),
    ),
)


def losses() -> dict[str, Callable[..., Tensor]]:
    """The right losses in double precision, by the names that learners give them."""
    return {
        "discriminator_loss": _judge_oracle, "generator_loss": _fool_oracle,
        "feature_matching_loss": lambda real, fake: (real.detach() - fake).abs().mean(),
    }
