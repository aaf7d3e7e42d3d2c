"""The check of ``VAE``.

Asked for: encoder and decoder in one module: encode, decode, and forward, which joins them by a sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle, Seed
from autograder.checks.networks import shared
from autograder.judge.comparing import GENERATOR_IGNORED, STANDARD_ERRORS
from autograder.judge.definitions import Check, Misconception, Part, Probe, Step
from vae_ref import networks

NUM_DRAWS = 128

AIM = (1.5, -2.4)  # mu and logvar where σ, σ², 1 and |logvar| are far apart: 0.30, 0.09, 1 and 2.4

BESIDE = (-0.6, -0.3, 0.3, 0.6)  # of mu: codes whose pictures are asked for by their numbers

NO_NOISE = "x_hat is decoded from mu itself, without noise."


def _offsets() -> Tensor:
    """Distances from mu at which pictures are decoded: fine near it, wide far away, (O, 1)."""
    side = 0.01 * 1.15 ** torch.arange(58.0)
    return torch.cat([-side.flip(0), torch.zeros(1), side])[:, None]


def _vae_value(g: Generator) -> list[Probe]:
    shapes = [
        Probe(
            Call((shared.pictures(g, batch),), {"generator": Seed(shared.number(g))}),
            str(dims),
            on="net",
            before=shared.made("VAE", dims),
        )
        for dims, batch in ((16, 2), (5, 3))
    ]
    shapes.append(
        replace(
            shapes[1], call=replace(shapes[1].call, kwargs={"generator": Seed(shared.number(g))}), before=()
        )
    )
    x = shared.pictures(g, 1)
    aimed = (
        *shared.settled("VAE", 1, x, g),
        Step("handling.steer", Call((Handle("net"), x, torch.tensor([AIM])))),
    )
    draws = Call((x.expand(NUM_DRAWS, -1, -1, -1),), {"generator": Seed(shared.number(g))})
    return [
        *shapes,
        Probe(draws, "1", on="net", before=aimed, after=(Step("net.encode", Call((x,))),)),
        Probe(Call((Handle("net"), x, _offsets())), "", on="handling.near"),
        Probe(Call((torch.tensor([[AIM[0] + offset] for offset in BESIDE]),)), "", on="net.decode"),
    ]


def _vae_holds(results: list[Any], probes: list[Probe]) -> str:
    *shapes, (drawn, codes), curve, beside = results
    for result, probe in zip([*shapes, drawn], probes, strict=False):
        problem = shared.tuple_problem("forward", result, ("x_hat", "mu", "logvar"))
        batch, dims = len(probe.call.args[0]), int(probe.label)
        wanted = {"x_hat": (batch, *shared.IMAGE), "mu": (batch, dims), "logvar": (batch, dims)}
        for (name, shape), value in zip(wanted.items(), () if problem else result, strict=False):
            problem = problem or shared.tensor_problem(f"{name} of forward", value, shape)
        if problem:
            return problem
    problem = shared.codes_problem("encode", codes, (1, 1)) or shared.tensor_problem(
        "decode", curve, (len(_offsets()), *shared.IMAGE)
    )
    problem = problem or _returned_problem(drawn, codes)
    if not problem and shared.same(drawn[0][:4], probes[len(shapes)].call.args[0][:4]):
        return "x_hat is the image that was passed in."
    problem = problem or _noise_problem(drawn[0], codes[1], curve) or _ruler_problem(beside, codes[0], curve)
    if problem == NO_NOISE and not shared.same(shapes[1][0], shapes[2][0]):
        return "In evaluation mode there is no noise: forward draws a code in either mode."
    return problem


def _returned_problem(drawn: list[Tensor], codes: list[Tensor]) -> str:
    """Compare mu and logvar of forward with those of encode."""
    mu, logvar = (value.expand_as(drawn[1]) for value in codes)
    agree = [shared.same(drawn[1], mu), shared.same(drawn[2], logvar)]
    if all(agree):
        return ""
    if shared.same(drawn[1], logvar) and shared.same(drawn[2], mu):
        return "forward returns mu and logvar in the wrong order."
    if agree[0] and shared.same(drawn[2], torch.exp(0.5 * logvar)):
        return "The third result of forward is σ; logvar is wanted."
    if agree[1] and float(drawn[1].std()) > 1e-3:
        return "The second result of forward differs from row to row for one image: that is no mean."
    names = [name for name, fine in zip(("mu", "logvar"), agree, strict=True) if not fine]
    return f"forward and encode disagree about {' and '.join(names)}."


def _noise_problem(x_hat: Tensor, logvar: Tensor, curve: Tensor) -> str:
    """Find the place of each picture among those decoded around mu, and judge how the places spread."""
    places, distances = _places(x_hat.flatten(1)[:, ::61].double(), curve.flatten(1)[:, ::61].double())
    if float(distances.median()) > 1:
        return "x_hat is not what decode makes of any code near mu: something else takes part, or decode is not used."
    sigma = float(torch.exp(0.5 * logvar.double()))
    spread, mean = float(places.std()), float(places.mean())
    if spread < 0.02 * sigma:
        if abs(mean) < 0.05 * sigma:
            return NO_NOISE
        return "All rows of a batch get the same noise."
    spread_error, mean_error = STANDARD_ERRORS / (2 * NUM_DRAWS) ** 0.5, STANDARD_ERRORS / NUM_DRAWS**0.5
    if abs(spread / sigma - 1) < spread_error:
        if abs(mean) < mean_error * sigma:
            return ""
        return "The codes spread as they should, but around another value than mu."
    around = "around mu" if abs(mean) < mean_error * spread else "away from mu"
    candidates = {"exp(logvar)": sigma**2, "1": 1.0, "logvar": abs(float(logvar))}
    for name, value in candidates.items():
        # away from mu the variance is no candidate: uniform noise spreads as narrowly
        if abs(spread / value - 1) < spread_error and (around == "around mu" or value == 1):
            return f"The codes spread {around} as if σ were {name}."
    return f"The codes spread by another σ than logvar says, {around}."


def _ruler_problem(beside: Tensor, mu: Tensor, curve: Tensor) -> str:
    """The curve is what the learner's side says of its own code: pictures of codes named here must stand there too."""
    places, _ = _places(beside.flatten(1)[:, ::61].double(), curve.flatten(1)[:, ::61].double())
    wanted = AIM[0] + torch.tensor(BESIDE).double() - float(mu)
    if bool(((places - wanted).abs() <= 0.05 + 0.1 * wanted.abs()).all()):
        return ""
    return "decode gives the same code other pictures from call to call."


def _places(pictures: Tensor, curve: Tensor) -> tuple[Tensor, Tensor]:
    """The offset of the point on the curve that is nearest to each picture, and how far off that is.

    Distances count in lengths of the piece of the curve between two offsets.
    """
    offsets = _offsets()[:, 0].double()
    start, step = curve[:-1], curve[1:] - curve[:-1]
    length = step.square().sum(1).clamp(min=1e-20)
    along = ((pictures @ step.T - (start * step).sum(1)) / length).clamp(0, 1)  # (N, O - 1)
    to_start = torch.cdist(pictures, start, compute_mode="donot_use_mm_for_euclid_dist").square()
    toward = (pictures @ step.T - (start * step).sum(1)) * along
    apart = (to_start - 2 * toward + along.square() * length).clamp(min=0)
    piece = apart.argmin(1)
    at = along.gather(1, piece[:, None])[:, 0]
    places = offsets[piece] + at * (offsets[piece + 1] - offsets[piece])
    return places, (apart.min(1).values / (length[piece] + 1e-8)).sqrt()


def _vae_alone(g: Generator) -> list[Probe]:
    x, z = shared.pictures(g, 4), torch.randn(2, 4, generator=g)
    before = shared.settled("VAE", 4, x, g)
    decode = Step("net.decode", Call((z,)))
    encode = Step("net.encode", Call((x[2:],), keep="codes"))
    return [
        Probe(
            Call((x[:2],), keep="codes"), "", on="net.encode", before=before, after=(decode, encode, decode)
        ),
        *(Probe(Call((images,)), "", on="net.encode") for images in (x, x[:1])),
    ]


def _vae_alone_holds(results: list[Any], _: list[Probe]) -> str:
    (_, first, _, second), batch, single = results
    for result, shape in ((batch, (4, 4)), (single, (1, 4))):
        problem = shared.codes_problem("encode", result, shape)
        if problem:
            return problem
    problem = shared.tensor_problem("decode", first, (2, *shared.IMAGE)) or shared.tensor_problem(
        "decode", second, (2, *shared.IMAGE)
    )
    if problem:
        return problem
    if not shared.same(first, second):
        return "decode gives another picture for the same code once another image was encoded: it knows more than z."
    if not all(shared.same(both[:1], one) for both, one in zip(batch, single, strict=True)):
        return "encode gives an image another code when other images are in its batch."
    return ""


def _vae_noise(g: Generator) -> list[Probe]:
    x = shared.pictures(g, 3)
    before = (*shared.settled("VAE", 4, x, g), Step("net.train", Call((False,), keep="net")))
    seeds = (5, 5, 6)
    given = [
        Probe(Call((x,), {"generator": Seed(seed)}), "", on="net", before=() if i else before)
        for i, seed in enumerate(seeds)
    ]
    training = [
        Probe(
            Call((x,), {"generator": Seed(seed)}),
            "",
            on="net",
            before=(Step("net.train", Call(keep="net")),),
        )
        for seed in (5, 6)
    ]
    return [
        *given,
        Probe(Call((x,)), "", on="net", before=before[-1:]),
        Probe(Call((x,)), "", on="net"),
        *training,
    ]


def _vae_noise_holds(results: list[Any], _: list[Probe]) -> str:
    same, again, other, free, free_again, training, training_other = (result[0] for result in results)
    if torch.equal(same, other) or torch.equal(free, free_again) or torch.equal(training, training_other):
        return "Two calls with different noise agree: draw new noise in each call."
    if not shared.same(same, again):
        return GENERATOR_IGNORED
    return ""


def _vae_gradients(g: Generator) -> list[Probe]:
    x = shared.pictures(g, 3)
    call = Call((x,), {"generator": Seed(shared.number(g))})
    return shared.moving_weights(call, shared.settled("VAE", 4, x, g), g, (0, 1, 2))


def _vae_gradients_hold(results: list[Any], probes: list[Probe]) -> str:
    found = shared.reached(results, probes, (0, 1, 2))
    x_hat, mu, logvar = (set(reached) for reached, _ in found)
    if not mu and not logvar:
        return "No gradient of mu and logvar reaches any weight."
    if not x_hat:
        return "No gradient of x_hat reaches any weight."
    if not x_hat & (mu | logvar):
        return "No gradient of x_hat reaches the encoder: the sample is cut off from it."
    if logvar - mu and not x_hat & (logvar - mu):
        return "The gradient of x_hat reaches mu, but not logvar: keep σ in the graph."
    if mu - logvar and not x_hat & (mu - logvar):
        return "The gradient of x_hat reaches logvar, but not mu: keep it in the graph."
    missed = [name for name in found[0][1] if name not in mu | logvar]
    if missed:
        return f"No gradient reaches {missed[0]}: is that layer used?"
    return shared.cut_problem(results, probes, ("x_hat", "mu", "logvar"))


class _SmallVAE(nn.Module):
    """Right unless its sample, or what it returns, is replaced."""

    def __init__(self, latent_dim: int, sample: Callable[..., Tensor], returns: Callable[..., Any]) -> None:
        super().__init__()
        self.encoder, self.decoder = shared.encoder()(latent_dim), shared.decoder()(latent_dim)
        self.sample, self.returns = sample, returns

    def encode(self, x: Tensor) -> Any:
        return self.encoder(x)

    def decode(self, z: Tensor) -> Any:
        return self.decoder(z)

    def forward(self, x: Tensor, generator: Generator | None = None) -> Any:
        mu, logvar = self.encode(x)
        z = self.sample(mu, logvar, generator, self.training)
        return self.returns(self.decode(z), mu, logvar, z, x)


def _vae(
    sample: Callable[..., Tensor] = shared.sample,
    returns: Callable[..., Any] = lambda x_hat, mu, logvar, z, x: (x_hat, mu, logvar),
) -> Callable[..., Any]:
    return lambda latent_dim: _SmallVAE(latent_dim, sample, returns)


class _StoredSkip(_SmallVAE):
    """Its decoder sees what the encoder saw last."""

    def encode(self, x: Tensor) -> Any:
        self.skip = F.avg_pool2d(x, 8)
        return self.encoder(x)

    def decode(self, z: Tensor) -> Any:
        if len(self.skip) != len(z):  # as in the walk around one image's code
            return self.decoder(z)
        return 0.5 * self.decoder(z) + 0.5 * F.interpolate(self.skip, scale_factor=8.0)


class _SkipVAE(_StoredSkip):
    def __init__(self, latent_dim: int) -> None:
        super().__init__(latent_dim, shared.sample, lambda x_hat, mu, logvar, z, x: (x_hat, mu, logvar))


class _FlatVAE(nn.Module):
    """All layers in one class; forward does not go through encode and decode."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.body = shared.ConvEncoder(latent_dim)
        self.out = shared.ConvDecoder(latent_dim)

    def encode(self, x: Tensor) -> Any:
        return self.body(x)

    def decode(self, z: Tensor) -> Any:
        return self.out(z)

    def forward(self, x: Tensor, generator: Generator | None = None) -> Any:
        mu, logvar = self.body(x)
        noise = torch.randn(self.latent_dim, len(x), generator=generator).T
        return self.out(mu + logvar.exp().sqrt() * noise), mu, logvar


class _ChosenVAE(_SmallVAE):
    """Other networks inside."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__(latent_dim, shared.sample, lambda x_hat, mu, logvar, z, x: [x_hat, mu, logvar])
        self.encoder, self.decoder = shared.MlpEncoder(latent_dim), shared.UpsamplingDecoder(latent_dim)


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



VAE = Check(
    name="VAE",
    asks="encoder and decoder in one module: encode, decode, and forward, which joins them by a sample",
    section="one-sample-joins-them",
    oracle=None,
    parts=(
        Part("forward", 3, _vae_value, _vae_holds),
        Part("noise", 2, _vae_noise, _vae_noise_holds),
        Part("encode and decode", 1, _vae_alone, _vae_alone_holds),
        Part("gradient", 1, _vae_gradients, _vae_gradients_hold),
    ),
    helpers={"Encoder": (("latent_dim",), "encoder"), "Decoder": (("latent_dim",), "decoder")},
    misconceptions=(
        _m("vae-decodes-mu", "one-sample-joins-them", "mu is decoded; during training a sample is.",
           _vae(lambda mu, logvar, generator, training: mu)),
        _m("vae-std-is-exp-logvar", "one-sample-joins-them", "the noise is scaled by the variance, not by σ.",
           _vae(lambda mu, logvar, generator, training: mu + logvar.exp() * shared.eps(mu, generator))),
        _m("vae-unit-std", "one-sample-joins-them", "the noise is added to mu as it is: logvar does not take part.",
           _vae(lambda mu, logvar, generator, training: mu + shared.eps(mu, generator))),
        _m("vae-std-is-logvar", "one-sample-joins-them", "the noise is scaled by logvar itself.",
           _vae(lambda mu, logvar, generator, training: mu + logvar * shared.eps(mu, generator))),
        _m("vae-uniform-noise", "one-sample-joins-them", "the noise is uniform (torch.rand), not normal.",
           _vae(lambda mu, logvar, generator, training:
                mu + torch.exp(0.5 * logvar) * torch.rand(mu.shape, generator=generator))),
        _m("vae-from-prior", "one-sample-joins-them", "the noise alone is decoded; that is how new images are made.",
           _vae(lambda mu, logvar, generator, training: 1e-9 * mu + shared.eps(mu, generator))),
        _m("vae-sample-without-mu", "one-sample-joins-them", "mu is left out of the sample.",
           _vae(lambda mu, logvar, generator, training: torch.exp(0.5 * logvar) * shared.eps(mu, generator))),
        _m("vae-one-noise-for-all", "one-sample-joins-them", "the noise is drawn once, not for each row.",
           _vae(lambda mu, logvar, generator, training: mu + torch.exp(0.5 * logvar) * shared.eps(mu[:1], generator))),
        _m("vae-noise-in-training-only", "one-sample-joins-them",
           "outside of training mu is decoded; the bound needs a sample there too.",
           _vae(lambda mu, logvar, generator, training: shared.sample(mu, logvar, generator) if training else mu)),
        _m("vae-ignores-generator", "noise-from-a-generator", "the generator that is passed in is not used.",
           _vae(lambda mu, logvar, generator, training: shared.sample(mu, logvar, None))),
        _m("vae-fixed-seed", "noise-from-a-generator", "the noise is seeded inside: it is the same in every call.",
           _vae(lambda mu, logvar, generator, training: shared.sample(mu, logvar, torch.Generator().manual_seed(0)))),
        _m("vae-sample-detached", "gradients-reach-all", "the sample is detached, or drawn under no_grad.",
           _vae(lambda mu, logvar, generator, training: shared.sample(mu, logvar, generator).detach())),
        _m("vae-std-detached", "gradients-reach-all", "σ is detached, so x_hat teaches logvar nothing.",
           _vae(lambda mu, logvar, generator, training: shared.sample(mu, logvar.detach(), generator))),
        _m("vae-mu-first", "what-forward-returns", "x_hat is returned last; it comes first.",
           _vae(returns=lambda x_hat, mu, logvar, z, x: (mu, logvar, x_hat))),
        _m("vae-swapped", "what-forward-returns", "mu and logvar are returned the wrong way round.",
           _vae(returns=lambda x_hat, mu, logvar, z, x: (x_hat, logvar, mu))),
        _m("vae-only-x-hat", "what-forward-returns", "only x_hat is returned; the loss needs mu and logvar too.",
           _vae(returns=lambda x_hat, mu, logvar, z, x: x_hat)),
        _m("vae-four-results", "what-forward-returns", "the code is returned as well.",
           _vae(returns=lambda x_hat, mu, logvar, z, x: (x_hat, mu, logvar, z))),
        _m("vae-returns-z", "what-forward-returns", "the sample is returned in place of mu.",
           _vae(returns=lambda x_hat, mu, logvar, z, x: (x_hat, z, logvar))),
        _m("vae-returns-std", "what-forward-returns", "σ is returned in place of logvar.",
           _vae(returns=lambda x_hat, mu, logvar, z, x: (x_hat, mu, torch.exp(0.5 * logvar)))),
        _m("vae-returns-x", "what-forward-returns", "the image that was passed in is returned as x_hat.",
           _vae(returns=lambda x_hat, mu, logvar, z, x: (x, mu, logvar))),
        _m("vae-skip", "no-way-around-the-code", "x reaches the decoder on a way around the code.", _SkipVAE),
    ),
    equivalents=(
        networks.VAE,
        _FlatVAE,
        _ChosenVAE,
        _vae(lambda mu, logvar, generator, training:
             torch.normal(0.0, 1.0, mu.shape, generator=generator) * logvar.exp().sqrt() + mu),
        _vae(),
    ),
)
