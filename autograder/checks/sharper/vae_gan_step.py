"""The check of ``vae_gan_step``.

Asked for: one step of the decoder and one of the discriminator, both from the same pictures, and the terms before it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Normal
from torch.distributions import kl_divergence as exact_kl
from torch.nn import functional as F
from torch.optim import Optimizer

from autograder.both_sides import players
from autograder.both_sides.stand_in import StandIn
from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle, Seed
from autograder.checks.sharper.losses import losses
from autograder.judge.comparing import difference
from autograder.judge.definitions import Check, Misconception, Part, Probe, Step
from vae_ref import bound, sharper
from vae_ref.sharper.vae_gan import ADVERSARIAL_WEIGHT, FEATURE_WEIGHT

SIZE = 8  # of images, in pixels
TERMS = ("loss", "reconstruction", "kl", "generator", "discriminator", "feature_matching")
KINK = 2e-5  # features closer than this could be on different sides of a kink after rounding

Losses = Mapping[str, Callable[..., Tensor]]


# ---- what the learner's step is compared with -----------------------------------------------------------------------


def _oracle_of(parts: Losses) -> Callable[..., Any]:
    """The step with these losses, by hand and in double precision."""

    def oracle(
        model: Any,
        discriminator: nn.Module,
        x: Tensor,
        model_optimizer: Optimizer,
        discriminator_optimizer: Optimizer,
        adversarial_weight: float = ADVERSARIAL_WEIGHT,
        feature_weight: float = FEATURE_WEIGHT,
        generator: Generator | None = None,
    ) -> Any:
        model.train()
        discriminator.train()
        painter, judge = copy.deepcopy(model).double(), copy.deepcopy(discriminator).double()
        terms = _exact_terms(painter, judge, x.double(), parts)
        loss = (
            terms["reconstruction"]
            + adversarial_weight * terms["generator"]
            + feature_weight * terms["feature_matching"]
        )
        for own, exact, value, optimizer in (
            (model.decoder, painter.decoder, loss, model_optimizer),
            (discriminator, judge, terms["discriminator"], discriminator_optimizer),
        ):
            gradients = torch.autograd.grad(value, list(exact.parameters()), retain_graph=True)
            with torch.no_grad():
                for weight, gradient in zip(own.parameters(), gradients, strict=True):
                    weight.sub_(optimizer.param_groups[0]["lr"] * gradient)
        return {name: (loss if name == "loss" else terms[name]).item() for name in TERMS}

    return oracle


def _exact_terms(painter: Any, judge: nn.Module, x: Tensor, parts: Losses) -> dict[str, Tensor]:
    with torch.no_grad():
        z, mu, logvar = painter.draw(x)
    x_hat = painter.decode(z)
    (real, real_features), (fake, fake_features) = judge(x), judge(x_hat)
    matched = [
        parts["feature_matching_loss"](*pair) for pair in zip(real_features, fake_features, strict=True)
    ]
    posterior = Normal(mu, torch.exp(0.5 * logvar))
    return {
        "reconstruction": -Normal(x_hat, painter.sigma).log_prob(x).sum(dim=(1, 2, 3)).mean(),
        "kl": exact_kl(posterior, Normal(torch.zeros_like(mu), torch.ones_like(mu))).sum(1).mean(),
        "generator": parts["generator_loss"](fake),
        "discriminator": parts["discriminator_loss"](real, fake),
        "feature_matching": torch.stack(matched).mean(),
    }  # fmt: skip


ORACLE = _oracle_of(losses())


def _of_helpers(helpers: Mapping[str, StandIn]) -> Callable[..., Any]:
    return _oracle_of({**losses(), **helpers})


# ---- cases ----------------------------------------------------------------------------------------------------------


def _between(g: Generator, low: float, high: float) -> float:
    return round(low + (high - low) * float(torch.rand((), generator=g)), 4)


def _seed(g: Generator) -> int:
    return int(torch.randint(2**30, (), generator=g))


def _images(g: Generator, count: int) -> Tensor:
    """Noise of more and less contrast, so that no image is as hard as the others."""
    contrast = torch.linspace(0.9, 0.4, count) + 0.1 * torch.rand(count, generator=g)
    noise = torch.rand(count, 3, SIZE, SIZE, generator=g) - 0.5
    return (0.45 + contrast[:, None, None, None] * noise).clamp(0, 1)


def _players(g: Generator, latent_dim: int, gentle: bool = False, drawn: bool = False) -> tuple[Step, ...]:
    """Both networks and their optimizers; that of the model holds the encoder, too."""
    rate = _between(g, 0.0004, 0.0006) if gentle else _between(g, 0.01, 0.015)
    return (
        Step("players.Painter", Call((latent_dim, SIZE, _seed(g), drawn), keep="model")),
        Step("players.Judge", Call((_seed(g),), keep="discriminator")),
        Step("props.sgd", Call((Handle("model"), rate), keep="model_optimizer")),
        Step(
            "props.sgd", Call((Handle("discriminator"), _between(g, 0.2, 0.4)), keep="discriminator_optimizer")
        ),
    )  # fmt: skip


def _call(x: Tensor, adversarial: float | None = None, feature: float | None = None, seed: int = 0) -> Call:
    names = ("model", "discriminator", "model_optimizer", "discriminator_optimizer")
    model, judge, first, second = (Handle(name) for name in names)
    weights = {"adversarial_weight": adversarial, "feature_weight": feature}
    given: dict[str, Any] = {name: value for name, value in weights.items() if value is not None}
    return Call((model, judge, x, first, second), {**given, "generator": Seed(seed)})


def _weighted(g: Generator, count: int) -> Call:
    return _call(_images(g, count), _between(g, 40, 70), _between(g, 90, 140), _seed(g))


WEIGHTS = (Step("model.weights", Call()), Step("discriminator.weights", Call()))
EARLIER = (Step("model.leave_gradients", Call()), Step("discriminator.leave_gradients", Call()))
TO_EVAL = (Step("model.eval", Call(keep="model")), Step("discriminator.eval", Call(keep="discriminator")))


def _terms(g: Generator) -> list[Probe]:
    probes = [
        Probe(_weighted(g, count), f"{count} images", before=_players(g, latent_dim))
        for count, latent_dim in ((5, 4), (3, 3))
    ]
    left_out = _call(_images(g, 4), seed=_seed(g))
    return [*probes, Probe(left_out, "4 images and weights left out", before=_players(g, 2, gentle=True))]


def _steps(g: Generator) -> list[Probe]:
    def one(label: str, gentle: bool, earlier: tuple[Step, ...]) -> Probe:
        call = _call(_images(g, 5), seed=_seed(g)) if gentle else _weighted(g, 5)
        return Probe(call, label, before=(*_players(g, 3, gentle), *earlier), after=WEIGHTS)

    kinds: tuple[tuple[str, bool, tuple[Step, ...]], ...] = (
        ("one step: its terms, then the weights of the model and of the discriminator", False, ()),
        ("one step with weights left out: its terms, then the weights of both", True, ()),
        (
            "networks that hold gradients of an earlier step: its terms, then the weights of both",
            False,
            EARLIER,
        ),
    )
    probes = []
    for kind in kinds:
        probe = one(*kind)
        while not _is_clear(probe):
            probe = one(*kind)
        probes.append(probe)
    return probes


def _is_clear(probe: Probe) -> bool:
    """Whether no two features of a probe are so close that rounding decides on which side of the kink they are."""
    painter, judge = (getattr(players, step.name.split(".")[1])(*step.call.args) for step in probe.before[:2])
    x = probe.call.args[2]
    with torch.no_grad():
        pairs = zip(judge(x)[1], judge(painter.decode(painter.draw(x)[0]))[1], strict=True)
        return min(float((real - fake).abs().min()) for real, fake in pairs) > KINK


def _who_moved(results: list[Any], probes: list[Probe]) -> str:
    for (_, model, judge), probe in list(zip(results, probes, strict=True))[:2]:
        made = [getattr(players, step.name.split(".")[1])(*step.call.args) for step in probe.before[:2]]
        before, judge_before = ({k: v.detach() for k, v in net.weights().items()} for net in made)
        moved = {
            name.split(".")[0]
            for name, weight in before.items()
            if difference(model[name], weight) is not None
        }
        if "encoder" in moved:
            return (
                "The encoder moved: only the decoder of the model is to be trained, or the code would change."
            )
        if "decoder" not in moved:
            return "The decoder did not move: its optimizer needs the gradients of the decoder's loss."
        if difference(judge, judge_before) is None:
            return "The discriminator did not move: its optimizer needs the gradients of the discriminator's loss."
    return ""


def _itself(result: Any) -> Any:
    return result


def _modes(g: Generator) -> list[Probe]:
    return [
        Probe(_weighted(g, count), label, before=(*_players(g, 3), *TO_EVAL))
        for count, label in ((1, "a single image, both networks in eval mode"), (4, "both networks in eval mode"))
    ]  # fmt: skip


def _noise(g: Generator) -> list[Probe]:
    players, x = _players(g, 6, drawn=True), _images(g, 4)
    call = _call(x, 5.0, 5.0)
    given = [replace(call, kwargs={**(call.kwargs or {}), "generator": Seed(seed)}) for seed in (3, 3, 4)]
    free = replace(call, kwargs={k: v for k, v in (call.kwargs or {}).items() if k != "generator"})
    return [Probe(one, "noise that is drawn", before=players) for one in (*given, free, free)]


def _noise_is_drawn(results: list[Any], _: list[Probe]) -> str:
    losses = [float(result["loss"]) for result in results]
    same, again, other, free, free_again = losses
    if abs(same - again) > 1e-3:
        return "Two steps with equally seeded generators differ: give the generator to model.draw."
    if same == other or free == free_again:
        return "Two steps with different noise agree: draw new noise in each step, with model.draw."
    return ""


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _nll(x: Tensor, x_hat: Tensor, sigma: Tensor) -> Tensor:
    return -bound.reconstruction_log_likelihood(x, x_hat, sigma).mean()



def _matched(real: list[Tensor], fake: list[Tensor]) -> Tensor:
    return torch.stack([(a.detach() - b).abs().mean() for a, b in zip(real, fake, strict=True)]).mean()



def _total(terms: dict[str, Tensor], adversarial: float, feature: float) -> Tensor:
    return terms["reconstruction"] + adversarial * terms["generator"] + feature * terms["feature_matching"]



def _each_its_own(
    loss: Tensor, judged: Tensor, model: Any, discriminator: nn.Module, first: Optimizer, second: Optimizer
) -> None:
    """Both gradients from the networks as they are, each for its own weights only; then both move."""
    decoder, judge = list(model.decoder.parameters()), list(discriminator.parameters())
    _give(judge, torch.autograd.grad(judged, judge, retain_graph=True))
    _give(decoder, torch.autograd.grad(loss, decoder))
    second.step()
    first.step()



def _give(parameters: list[nn.Parameter], gradients: tuple[Tensor, ...]) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient



def _train(model: nn.Module, discriminator: nn.Module) -> None:
    model.train()
    discriminator.train()



def _drawn(model: Any, x: Tensor, generator: Any) -> tuple[Tensor, Tensor, Tensor]:
    with torch.no_grad():
        z, mu, logvar = model.draw(x, generator)
    return z, mu, logvar



def _step_like(
    mode: Callable[[nn.Module, nn.Module], None] = _train,
    draw: Callable[..., tuple[Tensor, Tensor, Tensor]] = _drawn,
    seen: Callable[[Tensor], Tensor] = lambda x_hat: x_hat,
    nll: Callable[[Tensor, Tensor, Tensor], Tensor] = _nll,
    fooled: Callable[[Tensor], Tensor] = sharper.generator_loss,
    judged: Callable[[Tensor, Tensor], Tensor] = sharper.discriminator_loss,
    matched: Callable[[list[Tensor], list[Tensor]], Tensor] = _matched,
    total: Callable[[dict[str, Tensor], float, float], Tensor] = _total,
    move: Callable[..., None] = _each_its_own,
    report: Callable[[dict[str, Tensor], float, float], dict[str, Tensor]] = lambda terms, adversarial, feature: terms,
) -> Callable[..., Any]:
    """A variant that takes one thing differently."""

    def variant(
        model: Any, discriminator: nn.Module, x: Tensor, model_optimizer: Optimizer,
        discriminator_optimizer: Optimizer, adversarial_weight: float = ADVERSARIAL_WEIGHT,
        feature_weight: float = FEATURE_WEIGHT, generator: Generator | None = None,
    ) -> Any:
        mode(model, discriminator)
        z, mu, logvar = draw(model, x, generator)
        x_hat = model.decode(z)
        real, real_features = discriminator(x)
        fake, fake_features = discriminator(seen(x_hat))
        terms = {
            "reconstruction": nll(x, x_hat, model.sigma), "kl": bound.kl_divergence(mu, logvar).mean(),
            "generator": fooled(fake), "discriminator": judged(real, fake),
            "feature_matching": matched(real_features, fake_features),
        }
        terms["loss"] = total(terms, adversarial_weight, feature_weight)
        move(terms["loss"], terms["discriminator"], model, discriminator, model_optimizer, discriminator_optimizer)
        return {name: term.item() for name, term in report(terms, adversarial_weight, feature_weight).items()}

    return variant



def _backward(*, judge_first: bool = True, clear_judge: bool = True, clear_painter: bool = True) -> Callable[..., None]:
    """Two plain backward passes that leave gradients in everything they touch, unless they are cleared in between."""

    def move(
        loss: Tensor, judged: Tensor, model: Any, discriminator: nn.Module, first: Optimizer, second: Optimizer
    ) -> None:
        first.zero_grad()
        second.zero_grad()
        if judge_first:
            judged.backward(retain_graph=True)
            if clear_painter:
                first.zero_grad()
            loss.backward()
        else:
            loss.backward(retain_graph=True)
            if clear_judge:
                second.zero_grad()
            judged.backward()
        second.step()
        first.step()

    return move



def _never_cleared(
    loss: Tensor, judged: Tensor, model: Any, discriminator: nn.Module, first: Optimizer, second: Optimizer
) -> None:
    judged.backward(inputs=list(discriminator.parameters()), retain_graph=True)
    loss.backward(inputs=list(model.decoder.parameters()))
    second.step()
    first.step()



def _one_stays(which: str) -> Callable[..., None]:
    def move(
        loss: Tensor, judged: Tensor, model: Any, discriminator: nn.Module, first: Optimizer, second: Optimizer
    ) -> None:
        still: Any = _Still()
        _each_its_own(loss, judged, model, discriminator,
                      still if which == "decoder" else first, still if which == "judge" else second)

    return move



class _Still:
    """An optimizer that never gets to step."""

    def step(self) -> None: ...



def _one_loss(
    loss: Tensor, judged: Tensor, model: Any, discriminator: nn.Module, first: Optimizer, second: Optimizer
) -> None:
    first.zero_grad()
    second.zero_grad()
    (loss + judged).backward()
    first.step()
    second.step()



def _uphill(
    loss: Tensor, judged: Tensor, model: Any, discriminator: nn.Module, first: Optimizer, second: Optimizer
) -> None:
    _each_its_own(loss, -judged, model, discriminator, first, second)



def _with_encoder(
    loss: Tensor, judged: Tensor, model: Any, discriminator: nn.Module, first: Optimizer, second: Optimizer
) -> None:
    painters, judge = list(model.parameters()), list(discriminator.parameters())
    _give(judge, torch.autograd.grad(judged, judge, retain_graph=True))
    _give(painters, torch.autograd.grad(loss, painters))
    second.step()
    first.step()



def _in_turns(first_mover: str) -> Callable[..., Any]:
    """A variant in which the second player answers the first one's move instead of moving at the same time."""

    def variant(
        model: Any, discriminator: nn.Module, x: Tensor, model_optimizer: Optimizer,
        discriminator_optimizer: Optimizer, adversarial_weight: float = ADVERSARIAL_WEIGHT,
        feature_weight: float = FEATURE_WEIGHT, generator: Generator | None = None,
    ) -> Any:
        _train(model, discriminator)
        z, mu, logvar = _drawn(model, x, generator)
        terms: dict[str, Tensor] = {"kl": bound.kl_divergence(mu, logvar).mean()}

        def judge() -> None:
            judged = sharper.discriminator_loss(discriminator(x)[0], discriminator(model.decode(z).detach())[0])
            discriminator_optimizer.zero_grad()
            judged.backward()
            discriminator_optimizer.step()
            terms["discriminator"] = judged

        def paint() -> None:
            x_hat = model.decode(z)
            fake, fake_features = discriminator(x_hat)
            terms.update(
                reconstruction=_nll(x, x_hat, model.sigma), generator=sharper.generator_loss(fake),
                feature_matching=_matched(discriminator(x)[1], fake_features))
            terms["loss"] = _total(terms, adversarial_weight, feature_weight)
            _give([*model.decoder.parameters()],
                  torch.autograd.grad(terms["loss"], list(model.decoder.parameters())))
            model_optimizer.step()

        for move in (judge, paint) if first_mover == "judge" else (paint, judge):
            move()
        return {name: term.item() for name, term in terms.items()}

    return variant



def _afterwards(model: Any, discriminator: Any, x: Tensor, *optimizers: Any, **kwargs: Any) -> Any:
    sharper.vae_gan_step(model, discriminator, x, *optimizers, **kwargs)
    still: Any = _Still()
    return _step_like(move=lambda *_: None)(model, discriminator, x, still, still, **kwargs)



def _eval(model: nn.Module, discriminator: nn.Module) -> None:
    model.eval()
    discriminator.eval()



def _only_model_trains(model: nn.Module, discriminator: nn.Module) -> None:
    model.train()



def _all_numbers(real: list[Tensor], fake: list[Tensor]) -> Tensor:
    return torch.cat([(a.detach() - b).abs().flatten() for a, b in zip(real, fake, strict=True)]).mean()



def _frozen_judge(
    model: Any, discriminator: nn.Module, x: Tensor, model_optimizer: Optimizer, discriminator_optimizer: Optimizer,
    adversarial_weight: float = 1000.0, feature_weight: float = 5000.0, generator: Generator | None = None,
) -> Any:
    """Right as well: two passes; while the decoder's gradient is taken, nobody else may have one."""
    model.train()
    discriminator.train()
    with torch.no_grad():
        z, mu, logvar = model.draw(x, generator)
    x_hat = model.decoder(z)
    discriminator.requires_grad_(False)
    fake, fake_features = discriminator(x_hat)
    _, real_features = discriminator(x)
    reconstruction = 0.5 * (((x - x_hat) / model.sigma) ** 2 + 2 * model.sigma.log() + bound.LOG_2PI).sum() / len(x)
    fooled = F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))
    matched = sum(F.l1_loss(b, a) for a, b in zip(real_features, fake_features, strict=True)) / len(fake_features)
    loss = reconstruction + adversarial_weight * fooled + feature_weight * matched
    model_optimizer.zero_grad()
    loss.backward()
    discriminator.requires_grad_(True)
    judged = sharper.discriminator_loss(discriminator(x)[0], discriminator(x_hat.detach())[0])
    discriminator_optimizer.zero_grad()
    judged.backward()
    model_optimizer.step()
    discriminator_optimizer.step()
    return {"loss": loss, "reconstruction": reconstruction, "kl": bound.kl_divergence(mu, logvar).mean(),
            "generator": fooled, "feature_matching": matched, "discriminator": judged}



def _by_forward(
    model: Any, discriminator: nn.Module, x: Tensor, model_optimizer: Optimizer, discriminator_optimizer: Optimizer,
    adversarial_weight: float = 1000.0, feature_weight: float = 5000.0, generator: Generator | None = None,
) -> Any:
    """Right as well: the model as a whole, and gradients that belong to others are thrown away."""
    for network in (model, discriminator):
        network.train()
    x_hat, mu, logvar = model(x, generator)
    real, real_features = discriminator(x)
    fake, fake_features = discriminator(x_hat)
    terms = {"reconstruction": _nll(x, x_hat, model.sigma), "kl": bound.kl_divergence(mu, logvar).mean(),
             "generator": sharper.generator_loss(fake), "discriminator": sharper.discriminator_loss(real, fake),
             "feature_matching": _matched(real_features, fake_features)}
    terms["loss"] = _total(terms, adversarial_weight, feature_weight)
    model_optimizer.zero_grad()
    terms["loss"].backward(retain_graph=True)
    kept = [p.grad for p in model.decoder.parameters()]
    model_optimizer.zero_grad()
    discriminator_optimizer.zero_grad()
    terms["discriminator"].backward()
    model_optimizer.zero_grad()
    _give([*model.decoder.parameters()], tuple(kept))
    model_optimizer.step()
    discriminator_optimizer.step()
    return terms



def _optimal_sigma(x: Tensor, x_hat: Tensor, sigma: Tensor) -> Tensor:
    return _nll(x, x_hat, bound.optimal_sigma(x, x_hat))



def _mean_over_pixels(x: Tensor, x_hat: Tensor, sigma: Tensor) -> Tensor:
    return _nll(x, x_hat, sigma) / x[0].numel()



def _saturating(fake: Tensor) -> Tensor:
    return -F.softplus(fake).mean()



def _fixed_seed(model: Any, x: Tensor, generator: Any) -> tuple[Tensor, Tensor, Tensor]:
    return _drawn(model, x, torch.Generator().manual_seed(0))



def _ignoring(model: Any, x: Tensor, generator: Any) -> tuple[Tensor, Tensor, Tensor]:
    return _drawn(model, x, None)



def _mean_code(model: Any, x: Tensor, generator: Any) -> tuple[Tensor, Tensor, Tensor]:
    _, mu, logvar = _drawn(model, x, generator)
    return mu, mu, logvar



def _attached(model: Any, x: Tensor, generator: Any) -> tuple[Tensor, Tensor, Tensor]:
    z, mu, logvar = model.draw(x, generator)
    return z, mu, logvar



def _parts() -> Iterator[Part]:
    yield Part("terms", 2, _terms)
    yield Part("who moves, and where", 3, _steps, _who_moved, _itself)
    yield Part("training mode", 1, _modes)
    yield Part("noise", 1, _noise, _noise_is_drawn)



VAE_GAN_STEP = Check(
    name="vae_gan_step",
    asks="one step of the decoder and one of the discriminator from the same pictures, and the terms before it",
    section="vae-gan",
    oracle=ORACLE,
    parts=tuple(_parts()),
    misconceptions=(
        # ---- terms
        _m("game-mean-over-pixels", "vae-gan",
           "the reconstruction is a mean over pixels, so that the adversary weighs thousands of times too much.",
           _step_like(nll=_mean_over_pixels)),
        _m("game-sigma-fitted-anew", "vae-gan",
           "σ is fitted to each batch: it would excuse every error; it stays what the model has.",
           _step_like(nll=_optimal_sigma)),
        _m("game-squared-error", "vae-gan",
           "the reconstruction is the plain squared error; without σ that is no likelihood.",
           _step_like(nll=lambda x, x_hat, sigma: (x - x_hat).square().flatten(1).sum(1).mean())),
        _m("game-likelihood-sign", "vae-gan",
           "the reconstruction has the sign of a likelihood; here it is something to be made small.",
           _step_like(nll=lambda x, x_hat, sigma: -_nll(x, x_hat, sigma))),
        _m("game-mean-code", "vae-gan", "the mean of the code is decoded instead of the code that was drawn.",
           _step_like(draw=_mean_code)),
        _m("game-saturating", "non-saturating",
           "the decoder makes log(1 − D) small, which has no slope where its pictures are caught.",
           _step_like(fooled=_saturating)),
        _m("game-labels-swapped", "adversarial-game", "the discriminator learns to call photos fake.",
           _step_like(judged=lambda real, fake: sharper.discriminator_loss(fake, real))),
        _m("game-last-layer-only", "feature-matching", "only the deepest layer's features are compared.",
           _step_like(matched=lambda real, fake: (real[-1].detach() - fake[-1]).abs().mean())),
        _m("game-layers-summed", "feature-matching", "the distances of the layers are added up instead of averaged.",
           _step_like(matched=lambda real, fake: len(real) * _matched(real, fake))),
        _m("game-features-pooled", "feature-matching",
           "the features of all layers are averaged together: the largest layer wins. Each layer counts the same.",
           _step_like(matched=_all_numbers)),
        _m("game-kl-in-loss", "vae-gan", "the KL is part of the loss; no weight that moves here can change it.",
           _step_like(total=lambda t, a, f: _total(t, a, f) + t["kl"])),
        _m("game-adversarial-weight-ignored", "vae-gan", "adversarial_weight is ignored.",
           _step_like(total=lambda t, a, f: _total(t, 1.0, f))),
        _m("game-feature-weight-ignored", "vae-gan", "feature_weight is ignored.",
           _step_like(total=lambda t, a, f: _total(t, a, 1.0))),
        _m("game-weights-exchanged", "vae-gan", "the two weights stand at each other's term.",
           _step_like(total=lambda t, a, f: _total(t, f, a))),
        _m("game-without-likelihood", "vae-gan",
           "the likelihood is left out of the decoder's loss: its pictures look like some dog, not like this one.",
           _step_like(total=lambda t, a, f: _total(t, a, f) - t["reconstruction"])),
        _m("game-discriminator-loss-subtracted", "vae-gan",
           "the decoder's loss is minus the discriminator's; use the non-saturating loss of the decoder.",
           _step_like(total=lambda t, a, f: _total(t, 0.0, f) - a * t["discriminator"])),
        _m("game-terms-reported-weighted", "vae-gan",
           "terms are reported with their weights; these belong into the loss alone.",
           _step_like(report=lambda t, a, f: {
               **t, "generator": a * t["generator"], "feature_matching": f * t["feature_matching"]})),
        _m("game-terms-afterwards", "vae-gan", "the terms are measured after the step.", _afterwards),
        _m("game-discriminator-first", "vae-gan",
           "the discriminator moves first and the decoder answers the new one; both are to move from the same place.",
           _in_turns("judge")),
        _m("game-decoder-first", "vae-gan",
           "the decoder moves first and the discriminator sees its new pictures; both are to move from the same place.",
           _in_turns("decoder")),
        # ---- who moves
        _m("game-encoder-moves", "vae-gan",
           "the encoder is trained, too: its code, and with it the rate, would change. Draw codes without gradient.",
           _step_like(draw=_attached, move=_with_encoder)),
        _m("game-discriminator-follows-decoder", "gradients-apart",
           "the decoder's loss leaves gradients in the discriminator, which steps along them as well: "
           "it learns to be fooled.",
           _step_like(move=_backward(judge_first=True, clear_painter=True))),
        _m("game-decoder-follows-discriminator", "gradients-apart",
           "the discriminator's loss leaves gradients in the decoder, which steps along them as well: "
           "it learns to be caught.",
           _step_like(move=_backward(judge_first=False, clear_judge=True))),
        _m("game-one-loss", "gradients-apart",
           "both losses are added into one: each network also goes down the other's, and the game is none.",
           _step_like(move=_one_loss)),
        _m("game-pictures-detached", "gradients-apart",
           "the discriminator sees detached pictures in the decoder's loss, too: the decoder learns nothing from it.",
           _step_like(seen=lambda x_hat: x_hat.detach())),
        _m("game-adversary-without-gradient", "gradients-apart",
           "the generator's loss is detached: its value counts, its gradient is lost.",
           _step_like(fooled=lambda fake: sharper.generator_loss(fake).detach())),
        _m("game-features-without-gradient", "gradients-apart",
           "the feature distance is detached: its value counts, its gradient is lost.",
           _step_like(matched=lambda real, fake: _matched(real, fake).detach())),
        _m("game-decoder-stays", "vae-gan", "the decoder's optimizer never steps.",
           _step_like(move=_one_stays("decoder"))),
        _m("game-discriminator-stays", "vae-gan", "the discriminator's optimizer never steps.",
           _step_like(move=_one_stays("judge"))),
        _m("game-discriminator-uphill", "adversarial-game", "the discriminator goes up its loss instead of down.",
           _step_like(move=_uphill)),
        _m("game-gradients-add-up", "vae-gan", "gradients of earlier steps are not cleared: they add up.",
           _step_like(move=_never_cleared)),
        # ---- mode and noise
        _m("game-eval-mode", "vae-gan", "both networks are put into eval mode.", _step_like(mode=_eval)),
        _m("game-mode-untouched", "vae-gan", "networks in eval mode stay there while they are trained.",
           _step_like(mode=lambda model, discriminator: None)),
        _m("game-discriminator-in-eval-mode", "vae-gan", "the discriminator is left in the mode it was in.",
           _step_like(mode=_only_model_trains)),
        _m("game-ignores-generator", "vae-gan", "the generator that is passed in is not given to model.draw.",
           _step_like(draw=_ignoring)),
        _m("game-fixed-seed", "vae-gan", "the noise is seeded inside the function.", _step_like(draw=_fixed_seed)),
    ),
    equivalents=(sharper.vae_gan_step, _step_like(), _frozen_judge, _by_forward),
    helpers={
        "discriminator_loss": (("real_logits", "fake_logits"), "mean"),
        "generator_loss": (("fake_logits",), "mean"),
        "feature_matching_loss": (("real", "fake"), "mean"),
    },
    of_helpers=_of_helpers,
)
