"""The check of ``Encoder``: a network from images (B, 3, 64, 64) to mu and logvar, (B, L) each."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle
from autograder.checks.networks import shared
from autograder.judge.definitions import Check, Misconception, Part, Probe, Step
from vae_ref import networks

MANY = 64  # latents where signs are counted


def _encoder_value(g: Generator) -> list[Probe]:
    probes = [
        Probe(Call((shared.pictures(g, batch),)), str(dims), on="net", before=shared.made("Encoder", dims))
        for dims, batch in ((16, 4), (5, 2), (1, 3))
    ]
    x = shared.pictures(g, 4)
    before = shared.settled("Encoder", MANY, x, g, gain=3.0)
    return [*probes, Probe(Call((x,)), str(MANY), on="net", before=before)]


def _reach(values: Tensor) -> str:
    """Which numbers an unbounded head should have given too; "" if none is missing."""
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        return "never leave 0 to 1"
    if low >= 0:
        zeros = float((values == 0).float().mean())
        return "never get negative, and many are exactly 0" if zeros > 0.1 else "never get negative"
    if high <= 0:
        return "never get positive"
    return "never leave −1 to 1" if low >= -1 and high <= 1 and max(-low, high) > 0.9 else ""


def _encoder_holds(results: list[Any], probes: list[Probe]) -> str:
    for result, probe in zip(results, probes, strict=True):
        problem = shared.codes_problem("Encoder", result, (len(probe.call.args[0]), int(probe.label)))
        if problem:
            return problem
    mu, logvar = results[-1]
    if shared.same(mu, logvar):
        return "mu and logvar are the same numbers: each needs a head of its own."
    reaches = {"The values of mu": _reach(mu), "The values of logvar": _reach(logvar)}
    if reaches["The values of mu"] and len(set(reaches.values())) == 1:
        return f"The values of both mu and logvar {_reach(mu)}, whatever the weights."
    for what, reach in reaches.items():
        if reach:
            return f"{what} {reach}, whatever the weights."
    constant = [what for what, v in (("mu", mu), ("logvar", logvar)) if shared.same(v, v[:1].expand_as(v))]
    return f"Every image gets the same {' and the same '.join(constant)}." if constant else ""


def _encoder_rows(g: Generator) -> list[Probe]:
    x = shared.pictures(g, 4)
    batches = (x, x, x.flip(0), x[:1])
    before = shared.settled("Encoder", 6, x, g)
    return [
        Probe(Call((batch,)), "", on="net", before=() if i else before) for i, batch in enumerate(batches)
    ]


def _encoder_rows_hold(results: list[Any], _: list[Probe]) -> str:
    problems = {
        name: shared.rows_problem([result[i] for result in results], "image")
        for i, name in enumerate(("mu", "logvar"))
    }
    found = [name for name, problem in problems.items() if problem]
    return f"{' and '.join(found)}: the result {problems[found[0]]}." if found else ""


def _encoder_gradients(g: Generator) -> list[Probe]:
    x = shared.pictures(g, 3)
    return shared.moving_weights(Call((x,)), shared.settled("Encoder", 6, x, g), g, (0, 1))


def _encoder_gradients_hold(results: list[Any], probes: list[Probe]) -> str:
    found = shared.reached(results, probes, (0, 1))
    for name, (reached, missed) in zip(("mu", "logvar"), found, strict=True):
        if missed and not reached:
            return f"No gradient of {name} reaches any weight."
    mine, theirs = (set(reached) for reached, _ in found)
    missed = [name for name in found[0][1] if name not in theirs]
    if missed:
        return f"No gradient reaches {missed[0]}: is that layer used?"
    if not mine & theirs and (len(mine) == 1 or len(theirs) == 1):
        return "One of the two heads is cut off from the layers below it."
    return shared.cut_problem(results, probes, ("mu", "logvar"))


def _encoder_inputs(g: Generator) -> list[Probe]:
    # pictures that stay on the far side, looked at before and after
    pictures = Step("props.itself", Call((torch.rand(2, 3, 64, 64, generator=g),), keep="x"))
    call = Step("net", Call((Handle("x"),), keep="codes"))
    return [
        Probe(
            Call(),
            "",
            on="x.clone",
            before=(*shared.made("Encoder", 4), pictures),
            after=(call, Step("x.clone", Call())),
        )
    ]


def _input_is_kept(results: list[Any], _: list[Probe]) -> str:
    before, _, after = results[0]
    return "" if torch.equal(before, after) else "The images that were passed in have been changed in place."


class _ApartEncoder(shared.SmallEncoder):
    """Looks at the features without their gradient for one head."""

    def forward(self, x: Tensor) -> Any:
        features = self.features(x)
        return self.mu(features), self.logvar(features.detach())


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



ENCODER = Check(
    name="Encoder",
    asks="a network from images (B, 3, 64, 64) to mu and logvar, (B, L) each",
    section="two-heads",
    oracle=None,
    parts=(
        Part("shapes and heads", 3, _encoder_value, _encoder_holds),
        Part("each image on its own", 2, _encoder_rows, _encoder_rows_hold),
        Part("gradient", 1, _encoder_gradients, _encoder_gradients_hold),
        Part("input", 1, _encoder_inputs, _input_is_kept),
    ),
    misconceptions=(
        _m("encoder-relu-mu", "two-heads", "a ReLU on the mu head: no mean can be negative then.",
           shared.encoder(lambda mu, logvar: (torch.relu(mu), logvar))),
        _m("encoder-relu-logvar", "two-heads", "a ReLU on the logvar head: no variance can be below 1 then.",
           shared.encoder(lambda mu, logvar: (mu, torch.relu(logvar)))),
        _m("encoder-relu-both", "two-heads", "a ReLU behind both heads: their last layer has to stay linear.",
           shared.encoder(lambda mu, logvar: (torch.relu(mu), torch.relu(logvar)))),
        _m("encoder-positive-mu", "two-heads", "the mu head ends in softplus or exp, so no mean can be negative.",
           shared.encoder(lambda mu, logvar: (F.softplus(mu), logvar))),
        _m("encoder-positive-logvar", "logvar-is-any-number",
           "the second head ends in softplus or exp: that gives a σ or σ², and logvar is asked for.",
           shared.encoder(lambda mu, logvar: (mu, F.softplus(logvar)))),
        _m("encoder-tanh-mu", "two-heads", "a tanh on the mu head: codes cannot spread as the prior does.",
           shared.encoder(lambda mu, logvar: (torch.tanh(mu), logvar))),
        _m("encoder-tanh-logvar", "logvar-is-any-number", "a tanh on the logvar head keeps σ between 0.6 and 1.6.",
           shared.encoder(lambda mu, logvar: (mu, torch.tanh(logvar)))),
        _m("encoder-tanh-both", "two-heads", "a tanh behind both heads: their last layer has to stay linear.",
           shared.encoder(lambda mu, logvar: (torch.tanh(mu), torch.tanh(logvar)))),
        _m("encoder-sigmoid-mu", "two-heads", "a sigmoid on the mu head: no mean can be negative, or above 1.",
           shared.encoder(lambda mu, logvar: (torch.sigmoid(mu), logvar))),
        _m("encoder-sigmoid-logvar", "logvar-is-any-number",
           "a sigmoid on the logvar head: no variance can be below 1, or above 2.8.",
           shared.encoder(lambda mu, logvar: (mu, torch.sigmoid(logvar)))),
        _m("encoder-negative-logvar", "logvar-is-any-number", "logvar is forced below 0: a σ above 1 is allowed.",
           shared.encoder(lambda mu, logvar: (mu, -F.softplus(logvar)))),
        _m("encoder-one-head", "two-heads", "one head serves for both mu and logvar.",
           shared.encoder(lambda mu, logvar: (mu, mu))),
        _m("encoder-joined", "two-heads", "mu and logvar come back glued together: split them into two tensors.",
           shared.encoder(lambda mu, logvar: torch.cat([mu, logvar], 1))),
        _m("encoder-chunk-rows", "two-heads", "the double-width result is split along the batch, not along the code.",
           shared.encoder(lambda mu, logvar: torch.cat([mu, logvar], 1).tensor_split(2, dim=0))),
        _m("encoder-three-results", "two-heads", "a sample comes back too; drawing it is not the encoder's work.",
           shared.encoder(lambda mu, logvar: (shared.sample(mu, logvar, None), mu, logvar))),
        _m("encoder-samples-mu", "two-heads", "a sample comes back in place of mu.",
           shared.encoder(lambda mu, logvar: (shared.sample(mu, logvar, None), logvar))),
        _m("encoder-constant-logvar", "two-heads", "logvar does not depend on the image.",
           shared.encoder(lambda mu, logvar: (mu, torch.linspace(-2, 2, mu.shape[1]).expand_as(mu)))),
        _m("encoder-batch-mean", "rows-stay-apart", "the mean over the batch is taken, so no image has a row.",
           shared.encoder(lambda mu, logvar: (mu.mean(0), logvar.mean(0)))),
        _m("encoder-batch-statistics", "rows-stay-apart",
           "images are standardised with the mean and spread of their batch, in evaluation too.",
           shared.encoder(begins=shared.standardised)),
        _m("encoder-rows-mixed", "rows-stay-apart", "a view or reshape is used where a transpose is needed.",
           shared.encoder(begins=lambda x: x.permute(1, 2, 3, 0).reshape(x.shape))),
        _m("encoder-dropout-always", "rows-stay-apart", "dropout stays on in evaluation: tell it about the mode.",
           shared.encoder(begins=lambda x: F.dropout(x, 0.3))),
        _m("encoder-detached", "gradients-reach-all", "the results are detached, so nothing can be learned.",
           shared.encoder(lambda mu, logvar: (mu.detach(), logvar.detach()))),
        _m("encoder-apart", "gradients-reach-all", "one head gets detached features, so no gradient passes through it.",
           lambda latent_dim: _ApartEncoder(latent_dim, shared.both, lambda x: x)),
        _m("encoder-changes-images", "two-heads", "the images are rescaled in place; the caller still needs them.",
           shared.encoder(begins=lambda x: x.mul_(2).sub_(1))),
    ),
    equivalents=(
        networks.Encoder,
        shared.ConvEncoder,
        shared.MlpEncoder,
        shared.encoder(begins=lambda x: 2 * x - 1),
        shared.encoder(lambda mu, logvar: (mu, 2 * logvar)),
    ),
)
