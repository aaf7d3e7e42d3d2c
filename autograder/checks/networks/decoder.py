"""The check of ``Decoder``: a network from codes (B, L) to images (B, 3, 64, 64) in [0, 1]."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from autograder.both_sides.target import Call
from autograder.checks.networks import shared
from autograder.judge.definitions import Check, Misconception, Part, Probe
from vae_ref import networks


def _decoder_value(g: Generator) -> list[Probe]:
    probes = [
        Probe(
            Call((torch.randn(batch, dims, generator=g),)), "", on="net", before=shared.made("Decoder", dims)
        )
        for dims, batch in ((16, 4), (5, 2), (1, 3))
    ]
    z = 3 * torch.randn(4, 16, generator=g)
    return [*probes, Probe(Call((z,)), "", on="net", before=shared.settled("Decoder", 16, z, g, gain=3.0))]


def _decoder_holds(results: list[Any], probes: list[Probe]) -> str:
    for result, probe in zip(results, probes, strict=True):
        problem = shared.tensor_problem("The picture", result, (len(probe.call.args[0]), *shared.IMAGE))
        if problem:
            return problem
    return _range_problem(results[0], results[-1])


def _range_problem(first: Tensor, wild: Tensor) -> str:
    """Judge pixels with the weights as they start, and with large ones."""
    low, high = float(wild.min()), float(wild.max())
    if float(first.mean()) > 2 and low >= 0 and high <= 255:
        return "Pixels lie between 0 and 255, not between 0 and 1."
    if low < 0 and low >= -1 and high <= 1:
        return "Pixels lie between −1 and 1, not between 0 and 1."
    if low < 0:
        return "Nothing keeps pixels inside [0, 1]: with large weights they leave it on both sides."
    if high > 1:
        return "Pixels are never negative, but nothing keeps them below 1."
    if shared.same(first.flatten(1).sum(1), torch.ones(len(first))):
        return "All pixels of a picture together sum to 1."
    if shared.same(first.sum(1), torch.ones_like(first.sum(1))):
        return "The three colours of every pixel sum to 1."
    flat = first.flatten(1)
    if bool((flat.min(1).values == 0).all()) and bool((flat.max(1).values == 1).all()):
        cut = float((flat == 0).float().mean()) > 0.01
        if not cut:
            return "Every picture is stretched until it reaches from exactly 0 to exactly 1."
    if float(((first == 0) | (first == 1)).float().mean()) > 0.05:
        return "Many pixels are exactly 0 or 1 from the start: they are cut off there, and learn nothing."
    if high <= 0.74 and low >= 0.49:
        return "Pixels lie between 0.5 and 0.73 only, whatever the weights."
    if low >= 0.49:
        return "No pixel is darker than 0.5, whatever the weights."
    if high <= 0.51:
        return "No pixel is brighter than 0.5, whatever the weights."
    return ""


def _decoder_codes(g: Generator) -> list[Probe]:
    z = torch.randn(1, 6, generator=g)
    negative = -torch.rand(1, 6, generator=g) - 0.5
    z = torch.cat([z, z + 2 * torch.eye(6), negative, 2 * negative, 3 * z])
    return [
        Probe(Call((z,)), "", on="net", before=shared.settled("Decoder", 6, z, g)),
        Probe(Call((z[-1:],)), "", on="net"),
    ]


def _decoder_codes_hold(results: list[Any], _: list[Probe]) -> str:
    base, moved, negative, more, longer = results[0].split([1, 6, 1, 1, 1])
    still = [torch.allclose(base, row[None], atol=1e-6, rtol=0) for row in moved]
    if all(still):
        same = torch.allclose(base, results[1], atol=1e-6, rtol=0)
        return (
            "The picture is the same for every code."
            if same
            else "All codes of a batch get the same picture."
        )
    if torch.allclose(negative, more, atol=1e-6, rtol=0):
        if torch.allclose(base, longer, atol=1e-5, rtol=0):
            return "A code and three times that code give the same picture: its length is lost."
        return "Negative numbers of a code change nothing in the picture."
    return "Some numbers of a code change nothing in the picture." if any(still) else ""


def _decoder_rows(g: Generator) -> list[Probe]:
    z = torch.randn(4, 6, generator=g)
    before = shared.settled("Decoder", 6, z, g)
    return [
        Probe(Call((batch,)), "", on="net", before=() if i else before)
        for i, batch in enumerate((z, z, z.flip(0), z[:1]))
    ]


def _decoder_rows_hold(results: list[Any], _: list[Probe]) -> str:
    problem = shared.rows_problem(results, "code")
    return f"The picture {problem}." if problem else ""


def _decoder_gradients(g: Generator) -> list[Probe]:
    z = torch.randn(3, 6, generator=g)
    return shared.moving_weights(Call((z,)), shared.settled("Decoder", 6, z, g), g, (None,))


def _decoder_gradients_hold(results: list[Any], probes: list[Probe]) -> str:
    ((reached, missed),) = shared.reached(results, probes, (None,))
    if missed and not reached:
        return "No gradient of the picture reaches any weight."
    if missed:
        return f"No gradient reaches {missed[0]}: is that layer used?"
    return shared.cut_problem(results, probes, ("the picture",))


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception



def _stretched(logits: Tensor) -> Tensor:
    low, high = logits.amin((1, 2, 3), keepdim=True), logits.amax((1, 2, 3), keepdim=True)
    return (logits - low) / (high - low)



DECODER = Check(
    name="Decoder",
    asks="a network from codes (B, L) to images (B, 3, 64, 64) in [0, 1]",
    section="pixels-in-range",
    oracle=None,
    parts=(
        Part("shapes and range", 3, _decoder_value, _decoder_holds),
        Part("uses the code", 1, _decoder_codes, _decoder_codes_hold),
        Part("each code on its own", 1, _decoder_rows, _decoder_rows_hold),
        Part("gradient", 1, _decoder_gradients, _decoder_gradients_hold),
    ),
    misconceptions=(
        _m("decoder-linear", "pixels-in-range", "the last layer is linear; something has to bound the pixels.",
           shared.decoder(lambda logits: logits)),
        _m("decoder-tanh", "pixels-in-range", "tanh at the end: that suits images from −1 to 1.",
           shared.decoder(torch.tanh)),
        _m("decoder-relu", "pixels-in-range", "a ReLU at the end: it bounds pixels on one side only.",
           shared.decoder(torch.relu)),
        _m("decoder-clamp", "pixels-in-range", "pixels are clamped: where they are cut off no gradient passes.",
           shared.decoder(lambda logits: logits.clamp(0, 1))),
        _m("decoder-relu-sigmoid", "pixels-in-range", "a ReLU before the sigmoid: nothing below 0 reaches it.",
           shared.decoder(lambda logits: torch.sigmoid(torch.relu(logits)))),
        _m("decoder-sigmoid-twice", "pixels-in-range", "the sigmoid is applied twice.",
           shared.decoder(lambda logits: torch.sigmoid(torch.sigmoid(logits)))),
        _m("decoder-softmax", "pixels-in-range", "a softmax over all pixels; each needs a range of its own.",
           shared.decoder(lambda logits: logits.flatten(1).softmax(1).view_as(logits))),
        _m("decoder-softmax-colours", "pixels-in-range", "a softmax over the colours: no pixel can be white.",
           shared.decoder(lambda logits: logits.softmax(1))),
        _m("decoder-stretched", "pixels-in-range", "each picture is rescaled by its own minimum and maximum.",
           shared.decoder(_stretched)),
        _m("decoder-255", "pixels-in-range", "pixels are multiplied by 255.",
           shared.decoder(lambda logits: 255 * torch.sigmoid(logits))),
        _m("decoder-bytes", "pixels-in-range", "pixels are turned into bytes, which have no gradient.",
           shared.decoder(lambda logits: (255 * torch.sigmoid(logits)).to(torch.uint8))),
        _m("decoder-half-size", "from-code-to-picture", "one doubling is missing: pictures are 32 pixels wide.",
           shared.decoder(size=32)),
        _m("decoder-double-size", "from-code-to-picture", "one doubling too many: pictures are 128 pixels wide.",
           shared.decoder(size=128)),
        _m("decoder-grey", "from-code-to-picture", "pictures have one channel; colours need three.",
           shared.decoder(colours=1)),
        _m("decoder-flat", "from-code-to-picture", "pixels stay in one long row: shape them into a picture.",
           shared.decoder(lambda logits: torch.sigmoid(logits).flatten(1))),
        _m("decoder-channels-last", "from-code-to-picture", "the colours come last; in this course they come first.",
           shared.decoder(lambda logits: torch.sigmoid(logits).permute(0, 2, 3, 1))),
        _m("decoder-squeeze", "from-code-to-picture", "squeeze also removes the batch when it holds one code.",
           shared.decoder(lambda logits: torch.sigmoid(logits).squeeze())),
        _m("decoder-ignores-code", "from-code-to-picture", "the code does not take part.",
           shared.decoder(begins=lambda z: torch.ones_like(z))),
        _m("decoder-relu-code", "from-code-to-picture", "a ReLU on the code itself removes all that is negative.",
           shared.decoder(begins=torch.relu)),
        _m("decoder-part-of-code", "from-code-to-picture", "only a part of the code is used.",
           shared.decoder(begins=lambda z: torch.cat([z[:, :2], 0 * z[:, 2:]], 1))),
        _m("decoder-normalised-code", "from-code-to-picture", "the code is scaled to a fixed length.",
           shared.decoder(begins=lambda z: F.normalize(z, dim=1))),
        _m("decoder-first-code", "rows-stay-apart", "the first code of the batch is used for all.",
           shared.decoder(begins=lambda z: z[:1].expand_as(z))),
        _m("decoder-batch-statistics", "rows-stay-apart",
           "codes are standardised with the mean and spread of their batch, in evaluation too.",
           shared.decoder(begins=shared.standardised)),
        _m("decoder-rows-mixed", "rows-stay-apart", "codes are reshaped where a transpose is needed.",
           shared.decoder(begins=lambda z: z.T.reshape(z.shape))),
        _m("decoder-dropout-always", "rows-stay-apart", "dropout, or other noise, stays on in evaluation.",
           shared.decoder(begins=lambda z: F.dropout(z, 0.3))),
        _m("decoder-detached", "gradients-reach-all", "the picture is detached, so nothing can be learned.",
           shared.decoder(lambda logits: torch.sigmoid(logits).detach())),
    ),
    equivalents=(
        networks.Decoder,
        shared.ConvDecoder,
        shared.UpsamplingDecoder,
        shared.decoder(),
        shared.decoder(lambda logits: 1 / (1 + torch.exp(-logits))),
    ),
)
