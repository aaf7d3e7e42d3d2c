"""Checks of assignment 04, encoder and decoder.

An architecture is free and its weights are random, so there is no right result: the parts say what holds for every
right one. What could depend on how somebody starts the weights is looked at after ``props.shake`` has drawn them anew
from the cases' seed. A linear head gives each of 64 latents a sign as good as a fair coin's, so all its numbers have
one sign only with 2^-63. The noise inside ``VAE.forward`` is read off 128 pictures: mean and standard deviation may be
6.5 standard errors away, which a right answer exceeds with less than 1e-9 a run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from autograder import props
from autograder.checking import Check, Misconception, Part, Probe, Step
from autograder.comparing import STANDARD_ERRORS, kind
from autograder.target import Call
from autograder.wire import Handle, Seed
from vae_ref import networks

IMAGE = (3, 64, 64)
MANY = 64  # latents where signs are counted
NUM_DRAWS = 128
AIM = (1.5, -2.4)  # mu and logvar where σ, σ², 1 and |logvar| are far apart: 0.30, 0.09, 1 and 2.4
NUM_MOVES = 12  # of weights, one at a time
BESIDE = (-0.6, -0.3, 0.3, 0.6)  # of mu: codes whose pictures are asked for by their numbers
NO_NOISE = "x_hat is decoded from mu itself, without noise."
CLOSE = 1e-3  # of the largest number: sums of thousands in another order


def _pictures(g: Generator, batch: int) -> Tensor:
    """Smooth random images, which differ in their colours as a whole too."""
    return F.interpolate(torch.rand(batch, 3, 4, 4, generator=g), size=64, mode="bilinear")


def _number(g: Generator) -> int:
    return int(torch.randint(2**31, (), generator=g))


def _made(name: str, latent_dim: int) -> tuple[Step, ...]:
    return (Step(name, Call((latent_dim,), keep="net")),)


def _settled(name: str, latent_dim: int, x: Tensor, g: Generator, gain: float = 1.4) -> tuple[Step, ...]:
    """Steps that leave a net in evaluation mode with weights of our own; a first call fills in lazy layers."""
    return (
        *_made(name, latent_dim),
        Step("net.eval", Call(keep="net")),
        Step("net", Call((x,), keep="first")),
        Step("props.shake", Call((Handle("net"), _number(g), gain))),
    )


def _same(a: Tensor, b: Tensor) -> bool:
    scale = max(float(a.abs().max()), float(b.abs().max()))
    return a.shape == b.shape and float((a.double() - b.double()).abs().max()) <= CLOSE * scale


def _tensor_problem(name: str, value: Any, shape: tuple[int, ...]) -> str:
    if not isinstance(value, Tensor):
        return f"{name} is {kind(value)}, not a tensor."
    if value.shape != shape:
        return f"{name} has shape {tuple(value.shape)}, not {shape}."
    if value.dtype != torch.float32:
        return f"{name} is {value.dtype}, not torch.float32."
    if not bool(value.isfinite().all()):
        return f"{name} holds values that are not finite."
    return ""


def _tuple_problem(name: str, result: Any, names: tuple[str, ...]) -> str:
    wanted = f"the {len(names)} tensors {', '.join(names[:-1])} and {names[-1]}"
    if not isinstance(result, list | tuple):
        return f"{name} returned {kind(result)}, not {wanted}."
    if len(result) != len(names):
        return f"{name} returned {len(result)} things, not {wanted}."
    return ""


def _codes_problem(name: str, result: Any, shape: tuple[int, ...]) -> str:
    """What is wrong with the form of mu and logvar."""
    problem = _tuple_problem(name, result, ("mu", "logvar"))
    for what, value in zip(("mu", "logvar"), () if problem else result, strict=False):
        problem = problem or _tensor_problem(what, value, shape)
    return problem


def _rows_problem(results: list[Any], noun: str) -> str:
    """Compare the results of a batch, of it once more, of it in reverse and of its first row alone."""
    batch, again, turned, single = results
    if not _same(batch, again):
        return "differs from call to call, although the net is in evaluation mode"
    if single.shape != batch[:1].shape:
        return f"has shape {tuple(single.shape)} for a single {noun}, not {tuple(batch[:1].shape)}"
    if not _same(batch.flip(0), turned):
        return f"does not follow when the {noun}s of a batch change places: rows get mixed up on the way"
    if not _same(batch[:1], single):
        return f"of one {noun} depends on what else is in its batch"
    return ""


# ---- gradients, held against what happens when the weights really move ----------------------------------------------


def _moving_weights(
    call: Call, before: tuple[Step, ...], g: Generator, positions: tuple[int | None, ...]
) -> list[Probe]:
    """The slopes of each result, what the net makes of a batch, and the same as one weight after another moves.

    The net's own word on its gradients would be cheap to invent; what it makes of the batch has to agree with it.
    """
    seed, net = _number(g), Handle("net")
    noise = (call.kwargs or {}).get("generator")
    asked = (call.args[0], seed)
    told = [
        Probe(
            Call((net, *asked, position, None if noise is None else noise.value)),
            "",
            on="props.slopes",
            before=before if i == 0 else (),
        )
        for i, position in enumerate(positions)
    ]
    # what is moved by −1 is moved by nothing: only the noise starts anew, as it does in the other calls
    return told + [
        Probe(call, "", on="net", before=(Step("props.move", Call((net, seed, number))),))
        for number in range(-1, NUM_MOVES)
    ]


def _part(result: Any, position: int | None) -> Tensor:
    return (result if position is None else result[position]).double()


def _reached(
    results: list[Any], probes: list[Probe], positions: tuple[int | None, ...]
) -> list[tuple[list[str], list[str]]]:
    """For each result the names of the weights that its gradient reaches, and of those that it does not."""
    still, *moved = results[len(positions) :]
    found = []
    for told, position in zip(results, positions, strict=False):
        names, slopes = told["names"], told["slopes"]
        if not names:
            raise ValueError("a network without weights")
        before = _part(still, position)
        without_effect = {
            place
            for place, after in zip(_order(len(names), probes[0]), moved, strict=False)
            if torch.equal(_part(after, position), before)
        }
        hit = [bool(row.any()) and place not in without_effect for place, row in enumerate(slopes)]
        found.append(
            (
                [n for n, h in zip(names, hit, strict=True) if h],
                [n for n, h in zip(names, hit, strict=True) if not h],
            )
        )
    return found


def _order(num_weights: int, probe: Probe) -> list[int]:
    """Which weight moved in each of the calls."""
    seed = probe.call.args[2]
    order = torch.randperm(num_weights, generator=torch.Generator().manual_seed(seed)).tolist()
    return [order[number % num_weights] for number in range(NUM_MOVES)]


def _cut_problem(results: list[Any], probes: list[Probe], whats: tuple[str, ...]) -> str:
    """Hold the slopes against what the moves did."""
    still, *moved = results[len(whats) :]
    for i, what in enumerate(whats):
        position = probes[i].call.args[3]
        before = _part(still, position)
        views = props.views(tuple(before.shape), probes[0].call.args[2]).double()
        for place, after in zip(_order(len(results[i]["names"]), probes[0]), moved, strict=True):
            change = (views * (_part(after, position) - before)).flatten(1).sum(1)
            told = results[i]["slopes"][place].double()
            # a step is not quite a slope where layers bend, and rounding hides the smallest
            allowed = 0.7 * max(float(change.norm()), float(told.norm())) + 5e-6 * float(before.norm())
            if not float((change - told).norm()) <= allowed:
                return (
                    f"When {results[i]['names'][place]} moves, {what} changes otherwise than its gradient says: "
                    "something on the way is cut off from it."
                )
    return ""


# ---- Encoder --------------------------------------------------------------------------------------------------------


def _encoder_value(g: Generator) -> list[Probe]:
    probes = [
        Probe(Call((_pictures(g, batch),)), str(dims), on="net", before=_made("Encoder", dims))
        for dims, batch in ((16, 4), (5, 2), (1, 3))
    ]
    x = _pictures(g, 4)
    before = _settled("Encoder", MANY, x, g, gain=3.0)
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
        problem = _codes_problem("Encoder", result, (len(probe.call.args[0]), int(probe.label)))
        if problem:
            return problem
    mu, logvar = results[-1]
    if _same(mu, logvar):
        return "mu and logvar are the same numbers: each needs a head of its own."
    reaches = {"The values of mu": _reach(mu), "The values of logvar": _reach(logvar)}
    if reaches["The values of mu"] and len(set(reaches.values())) == 1:
        return f"The values of both mu and logvar {_reach(mu)}, whatever the weights."
    for what, reach in reaches.items():
        if reach:
            return f"{what} {reach}, whatever the weights."
    constant = [what for what, v in (("mu", mu), ("logvar", logvar)) if _same(v, v[:1].expand_as(v))]
    return f"Every image gets the same {' and the same '.join(constant)}." if constant else ""


def _encoder_rows(g: Generator) -> list[Probe]:
    x = _pictures(g, 4)
    batches = (x, x, x.flip(0), x[:1])
    before = _settled("Encoder", 6, x, g)
    return [
        Probe(Call((batch,)), "", on="net", before=() if i else before) for i, batch in enumerate(batches)
    ]


def _encoder_rows_hold(results: list[Any], _: list[Probe]) -> str:
    problems = {
        name: _rows_problem([result[i] for result in results], "image")
        for i, name in enumerate(("mu", "logvar"))
    }
    found = [name for name, problem in problems.items() if problem]
    return f"{' and '.join(found)}: the result {problems[found[0]]}." if found else ""


def _encoder_gradients(g: Generator) -> list[Probe]:
    x = _pictures(g, 3)
    return _moving_weights(Call((x,)), _settled("Encoder", 6, x, g), g, (0, 1))


def _encoder_gradients_hold(results: list[Any], probes: list[Probe]) -> str:
    found = _reached(results, probes, (0, 1))
    for name, (reached, missed) in zip(("mu", "logvar"), found, strict=True):
        if missed and not reached:
            return f"No gradient of {name} reaches any weight."
    mine, theirs = (set(reached) for reached, _ in found)
    missed = [name for name in found[0][1] if name not in theirs]
    if missed:
        return f"No gradient reaches {missed[0]}: is that layer used?"
    if not mine & theirs and (len(mine) == 1 or len(theirs) == 1):
        return "One of the two heads is cut off from the layers below it."
    return _cut_problem(results, probes, ("mu", "logvar"))


def _encoder_inputs(g: Generator) -> list[Probe]:
    # pictures that stay on the far side, looked at before and after
    pictures = Step("props.itself", Call((torch.rand(2, 3, 64, 64, generator=g),), keep="x"))
    call = Step("net", Call((Handle("x"),), keep="codes"))
    return [
        Probe(
            Call(),
            "",
            on="x.clone",
            before=(*_made("Encoder", 4), pictures),
            after=(call, Step("x.clone", Call())),
        )
    ]


def _input_is_kept(results: list[Any], _: list[Probe]) -> str:
    before, _, after = results[0]
    return "" if torch.equal(before, after) else "The images that were passed in have been changed in place."


# ---- Decoder --------------------------------------------------------------------------------------------------------


def _decoder_value(g: Generator) -> list[Probe]:
    probes = [
        Probe(Call((torch.randn(batch, dims, generator=g),)), "", on="net", before=_made("Decoder", dims))
        for dims, batch in ((16, 4), (5, 2), (1, 3))
    ]
    z = 3 * torch.randn(4, 16, generator=g)
    return [*probes, Probe(Call((z,)), "", on="net", before=_settled("Decoder", 16, z, g, gain=3.0))]


def _decoder_holds(results: list[Any], probes: list[Probe]) -> str:
    for result, probe in zip(results, probes, strict=True):
        problem = _tensor_problem("The picture", result, (len(probe.call.args[0]), *IMAGE))
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
    if _same(first.flatten(1).sum(1), torch.ones(len(first))):
        return "All pixels of a picture together sum to 1."
    if _same(first.sum(1), torch.ones_like(first.sum(1))):
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
        Probe(Call((z,)), "", on="net", before=_settled("Decoder", 6, z, g)),
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
    before = _settled("Decoder", 6, z, g)
    return [
        Probe(Call((batch,)), "", on="net", before=() if i else before)
        for i, batch in enumerate((z, z, z.flip(0), z[:1]))
    ]


def _decoder_rows_hold(results: list[Any], _: list[Probe]) -> str:
    problem = _rows_problem(results, "code")
    return f"The picture {problem}." if problem else ""


def _decoder_gradients(g: Generator) -> list[Probe]:
    z = torch.randn(3, 6, generator=g)
    return _moving_weights(Call((z,)), _settled("Decoder", 6, z, g), g, (None,))


def _decoder_gradients_hold(results: list[Any], probes: list[Probe]) -> str:
    ((reached, missed),) = _reached(results, probes, (None,))
    if missed and not reached:
        return "No gradient of the picture reaches any weight."
    if missed:
        return f"No gradient reaches {missed[0]}: is that layer used?"
    return _cut_problem(results, probes, ("the picture",))


# ---- VAE ------------------------------------------------------------------------------------------------------------


def _offsets() -> Tensor:
    """Distances from mu at which pictures are decoded: fine near it, wide far away, (O, 1)."""
    side = 0.01 * 1.15 ** torch.arange(58.0)
    return torch.cat([-side.flip(0), torch.zeros(1), side])[:, None]


def _vae_value(g: Generator) -> list[Probe]:
    shapes = [
        Probe(
            Call((_pictures(g, batch),), {"generator": Seed(_number(g))}),
            str(dims),
            on="net",
            before=_made("VAE", dims),
        )
        for dims, batch in ((16, 2), (5, 3))
    ]
    shapes.append(
        replace(shapes[1], call=replace(shapes[1].call, kwargs={"generator": Seed(_number(g))}), before=())
    )
    x = _pictures(g, 1)
    aimed = (*_settled("VAE", 1, x, g), Step("props.steer", Call((Handle("net"), x, torch.tensor([AIM])))))
    draws = Call((x.expand(NUM_DRAWS, -1, -1, -1),), {"generator": Seed(_number(g))})
    return [
        *shapes,
        Probe(draws, "1", on="net", before=aimed, after=(Step("net.encode", Call((x,))),)),
        Probe(Call((Handle("net"), x, _offsets())), "", on="props.near"),
        Probe(Call((torch.tensor([[AIM[0] + offset] for offset in BESIDE]),)), "", on="net.decode"),
    ]


def _vae_holds(results: list[Any], probes: list[Probe]) -> str:
    *shapes, (drawn, codes), curve, beside = results
    for result, probe in zip([*shapes, drawn], probes, strict=False):
        problem = _tuple_problem("forward", result, ("x_hat", "mu", "logvar"))
        batch, dims = len(probe.call.args[0]), int(probe.label)
        wanted = {"x_hat": (batch, *IMAGE), "mu": (batch, dims), "logvar": (batch, dims)}
        for (name, shape), value in zip(wanted.items(), () if problem else result, strict=False):
            problem = problem or _tensor_problem(f"{name} of forward", value, shape)
        if problem:
            return problem
    problem = _codes_problem("encode", codes, (1, 1)) or _tensor_problem(
        "decode", curve, (len(_offsets()), *IMAGE)
    )
    problem = problem or _returned_problem(drawn, codes)
    if not problem and _same(drawn[0][:4], probes[len(shapes)].call.args[0][:4]):
        return "x_hat is the image that was passed in."
    problem = problem or _noise_problem(drawn[0], codes[1], curve) or _ruler_problem(beside, codes[0], curve)
    if problem == NO_NOISE and not _same(shapes[1][0], shapes[2][0]):
        return "In evaluation mode there is no noise: forward draws a code in either mode."
    return problem


def _returned_problem(drawn: list[Tensor], codes: list[Tensor]) -> str:
    """Compare mu and logvar of forward with those of encode."""
    mu, logvar = (value.expand_as(drawn[1]) for value in codes)
    agree = [_same(drawn[1], mu), _same(drawn[2], logvar)]
    if all(agree):
        return ""
    if _same(drawn[1], logvar) and _same(drawn[2], mu):
        return "forward returns mu and logvar in the wrong order."
    if agree[0] and _same(drawn[2], torch.exp(0.5 * logvar)):
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
    x, z = _pictures(g, 4), torch.randn(2, 4, generator=g)
    before = _settled("VAE", 4, x, g)
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
        problem = _codes_problem("encode", result, shape)
        if problem:
            return problem
    problem = _tensor_problem("decode", first, (2, *IMAGE)) or _tensor_problem("decode", second, (2, *IMAGE))
    if problem:
        return problem
    if not _same(first, second):
        return "decode gives another picture for the same code once another image was encoded: it knows more than z."
    if not all(_same(both[:1], one) for both, one in zip(batch, single, strict=True)):
        return "encode gives an image another code when other images are in its batch."
    return ""


def _vae_noise(g: Generator) -> list[Probe]:
    x = _pictures(g, 3)
    before = (*_settled("VAE", 4, x, g), Step("net.train", Call((False,), keep="net")))
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
    if not _same(same, again):
        return "Two calls with equally seeded generators differ: draw all noise from the generator you are given."
    return ""


def _vae_gradients(g: Generator) -> list[Probe]:
    x = _pictures(g, 3)
    call = Call((x,), {"generator": Seed(_number(g))})
    return _moving_weights(call, _settled("VAE", 4, x, g), g, (0, 1, 2))


def _vae_gradients_hold(results: list[Any], probes: list[Probe]) -> str:
    found = _reached(results, probes, (0, 1, 2))
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
    return _cut_problem(results, probes, ("x_hat", "mu", "logvar"))


# ---- what the catalogue is built of ---------------------------------------------------------------------------------


class _SmallEncoder(nn.Module):
    """Right unless a part of it is replaced."""

    def __init__(self, latent_dim: int, ends: Callable[..., Any], begins: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 8, stride=8), nn.ReLU(), nn.Flatten())
        self.mu, self.logvar = nn.Linear(512, latent_dim), nn.Linear(512, latent_dim)
        self.ends, self.begins = ends, begins

    def forward(self, x: Tensor) -> Any:
        features = self.features(self.begins(x))
        return self.ends(self.mu(features), self.logvar(features))


def _both(mu: Tensor, logvar: Tensor) -> tuple[Tensor, Tensor]:
    return mu, logvar


def _encoder(
    ends: Callable[..., Any] = _both, begins: Callable[[Tensor], Tensor] = lambda x: x
) -> Callable[..., Any]:
    return lambda latent_dim: _SmallEncoder(latent_dim, ends, begins)


class _ApartEncoder(_SmallEncoder):
    """Looks at the features without their gradient for one head."""

    def forward(self, x: Tensor) -> Any:
        features = self.features(x)
        return self.mu(features), self.logvar(features.detach())


class _PlainDecoder(nn.Module):
    """Linear layers around one nonlinearity; ``ends`` turns their result (B, 3, 64, 64) into the picture."""

    def __init__(
        self,
        latent_dim: int,
        ends: Callable[[Tensor], Any],
        begins: Callable[[Tensor], Tensor],
        size: int,
        colours: int,
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, 12),
            nn.LeakyReLU(),
            nn.Linear(12, colours * size**2),
            nn.Unflatten(1, (colours, size, size)),
        )
        self.ends, self.begins = ends, begins

    def forward(self, z: Tensor) -> Any:
        return self.ends(self.layers(self.begins(z)))


def _decoder(
    ends: Callable[[Tensor], Any] = torch.sigmoid,
    begins: Callable[[Tensor], Tensor] = lambda z: z,
    size: int = 64,
    colours: int = 3,
) -> Callable[..., Any]:
    return lambda latent_dim: _PlainDecoder(latent_dim, ends, begins, size, colours)


def _eps(mu: Tensor, generator: Generator | None) -> Tensor:
    return torch.randn(mu.shape, generator=generator)


def _sample(mu: Tensor, logvar: Tensor, generator: Generator | None, training: bool = True) -> Tensor:
    return mu + torch.exp(0.5 * logvar) * _eps(mu, generator)


class _SmallVAE(nn.Module):
    """Right unless its sample, or what it returns, is replaced."""

    def __init__(self, latent_dim: int, sample: Callable[..., Tensor], returns: Callable[..., Any]) -> None:
        super().__init__()
        self.encoder, self.decoder = _encoder()(latent_dim), _decoder()(latent_dim)
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
    sample: Callable[..., Tensor] = _sample,
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
        super().__init__(latent_dim, _sample, lambda x_hat, mu, logvar, z, x: (x_hat, mu, logvar))


class _ConvEncoder(nn.Module):
    """Batch norm, dropout, a lazy layer and one linear layer for both heads."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 8, 4, 2, 1), nn.BatchNorm2d(8), nn.LeakyReLU(0.2),
            nn.Conv2d(8, 16, 4, 2, 1), nn.BatchNorm2d(16), nn.LeakyReLU(0.2), nn.MaxPool2d(2), nn.Dropout(0.1),
            nn.Flatten(), nn.LazyLinear(32), nn.Tanh(), nn.Linear(32, 2 * latent_dim),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Any:
        return self.net(x).chunk(2, dim=1)


class _MlpEncoder(nn.Module):
    """No convolution; log variances start at exactly −3 and are kept in bounds."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(3 * 64 * 64, 32)
        self.fc_mu, self.fc_logvar = nn.Linear(32, latent_dim), nn.Linear(32, latent_dim)
        nn.init.zeros_(self.fc_logvar.weight)
        nn.init.constant_(self.fc_logvar.bias, -3)

    def forward(self, x: Tensor) -> Any:
        h = F.gelu(self.hidden(x.reshape(x.size(0), -1)))
        return [self.fc_mu(h), self.fc_logvar(h).clamp(-10, 10)]


class _ConvDecoder(nn.Module):
    """Transposed convolutions with batch norm."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.fc = nn.Linear(latent_dim, 16 * 64)
        self.net = nn.Sequential(
            nn.BatchNorm2d(16), nn.ReLU(inplace=True), nn.ConvTranspose2d(16, 8, 4, 2, 1), nn.BatchNorm2d(8), nn.ReLU(),
            nn.ConvTranspose2d(8, 8, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 3, 4, 2, 1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, z: Tensor) -> Any:
        return self.net(self.fc(z).view(-1, 16, 8, 8))


class _UpsamplingDecoder(nn.Module):
    """Upsampling and a last layer that starts at 0: all grey."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.fc = nn.Linear(latent_dim, 8 * 256)
        self.conv, self.last = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        nn.init.zeros_(self.last.weight)

    def forward(self, z: Tensor) -> Any:
        h = F.elu(self.conv(self.fc(z).unflatten(1, (8, 16, 16))))
        return 0.5 * (torch.tanh(self.last(F.interpolate(h, scale_factor=4.0))) + 1)


class _FlatVAE(nn.Module):
    """All layers in one class; forward does not go through encode and decode."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.body = _ConvEncoder(latent_dim)
        self.out = _ConvDecoder(latent_dim)

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
        super().__init__(latent_dim, _sample, lambda x_hat, mu, logvar, z, x: [x_hat, mu, logvar])
        self.encoder, self.decoder = _MlpEncoder(latent_dim), _UpsamplingDecoder(latent_dim)


# ---- the catalogue --------------------------------------------------------------------------------------------------
# One variant a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


def _standardised(x: Tensor) -> Tensor:
    return (x - x.mean(0)) / (x.std(0, unbiased=False) + 1e-3)


def _stretched(logits: Tensor) -> Tensor:
    low, high = logits.amin((1, 2, 3), keepdim=True), logits.amax((1, 2, 3), keepdim=True)
    return (logits - low) / (high - low)


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
           _encoder(lambda mu, logvar: (torch.relu(mu), logvar))),
        _m("encoder-relu-logvar", "two-heads", "a ReLU on the logvar head: no variance can be below 1 then.",
           _encoder(lambda mu, logvar: (mu, torch.relu(logvar)))),
        _m("encoder-relu-both", "two-heads", "a ReLU behind both heads: their last layer has to stay linear.",
           _encoder(lambda mu, logvar: (torch.relu(mu), torch.relu(logvar)))),
        _m("encoder-positive-mu", "two-heads", "the mu head ends in softplus or exp, so no mean can be negative.",
           _encoder(lambda mu, logvar: (F.softplus(mu), logvar))),
        _m("encoder-positive-logvar", "logvar-is-any-number",
           "the second head ends in softplus or exp: that gives a σ or σ², and logvar is asked for.",
           _encoder(lambda mu, logvar: (mu, F.softplus(logvar)))),
        _m("encoder-tanh-mu", "two-heads", "a tanh on the mu head: codes cannot spread as the prior does.",
           _encoder(lambda mu, logvar: (torch.tanh(mu), logvar))),
        _m("encoder-tanh-logvar", "logvar-is-any-number", "a tanh on the logvar head keeps σ between 0.6 and 1.6.",
           _encoder(lambda mu, logvar: (mu, torch.tanh(logvar)))),
        _m("encoder-tanh-both", "two-heads", "a tanh behind both heads: their last layer has to stay linear.",
           _encoder(lambda mu, logvar: (torch.tanh(mu), torch.tanh(logvar)))),
        _m("encoder-sigmoid-mu", "two-heads", "a sigmoid on the mu head: no mean can be negative, or above 1.",
           _encoder(lambda mu, logvar: (torch.sigmoid(mu), logvar))),
        _m("encoder-sigmoid-logvar", "logvar-is-any-number",
           "a sigmoid on the logvar head: no variance can be below 1, or above 2.8.",
           _encoder(lambda mu, logvar: (mu, torch.sigmoid(logvar)))),
        _m("encoder-negative-logvar", "logvar-is-any-number", "logvar is forced below 0: a σ above 1 is allowed.",
           _encoder(lambda mu, logvar: (mu, -F.softplus(logvar)))),
        _m("encoder-one-head", "two-heads", "one head serves for both mu and logvar.",
           _encoder(lambda mu, logvar: (mu, mu))),
        _m("encoder-joined", "two-heads", "mu and logvar come back glued together: split them into two tensors.",
           _encoder(lambda mu, logvar: torch.cat([mu, logvar], 1))),
        _m("encoder-chunk-rows", "two-heads", "the double-width result is split along the batch, not along the code.",
           _encoder(lambda mu, logvar: torch.cat([mu, logvar], 1).tensor_split(2, dim=0))),
        _m("encoder-three-results", "two-heads", "a sample comes back too; drawing it is not the encoder's work.",
           _encoder(lambda mu, logvar: (_sample(mu, logvar, None), mu, logvar))),
        _m("encoder-samples-mu", "two-heads", "a sample comes back in place of mu.",
           _encoder(lambda mu, logvar: (_sample(mu, logvar, None), logvar))),
        _m("encoder-constant-logvar", "two-heads", "logvar does not depend on the image.",
           _encoder(lambda mu, logvar: (mu, torch.linspace(-2, 2, mu.shape[1]).expand_as(mu)))),
        _m("encoder-batch-mean", "rows-stay-apart", "the mean over the batch is taken, so no image has a row.",
           _encoder(lambda mu, logvar: (mu.mean(0), logvar.mean(0)))),
        _m("encoder-batch-statistics", "rows-stay-apart",
           "images are standardised with the mean and spread of their batch, in evaluation too.",
           _encoder(begins=_standardised)),
        _m("encoder-rows-mixed", "rows-stay-apart", "a view or reshape is used where a transpose is needed.",
           _encoder(begins=lambda x: x.permute(1, 2, 3, 0).reshape(x.shape))),
        _m("encoder-dropout-always", "rows-stay-apart", "dropout stays on in evaluation: tell it about the mode.",
           _encoder(begins=lambda x: F.dropout(x, 0.3))),
        _m("encoder-detached", "gradients-reach-all", "the results are detached, so nothing can be learned.",
           _encoder(lambda mu, logvar: (mu.detach(), logvar.detach()))),
        _m("encoder-apart", "gradients-reach-all", "one head gets detached features, so no gradient passes through it.",
           lambda latent_dim: _ApartEncoder(latent_dim, _both, lambda x: x)),
        _m("encoder-changes-images", "two-heads", "the images are rescaled in place; the caller still needs them.",
           _encoder(begins=lambda x: x.mul_(2).sub_(1))),
    ),
    equivalents=(
        networks.Encoder,
        _ConvEncoder,
        _MlpEncoder,
        _encoder(begins=lambda x: 2 * x - 1),
        _encoder(lambda mu, logvar: (mu, 2 * logvar)),
    ),
)

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
           _decoder(lambda logits: logits)),
        _m("decoder-tanh", "pixels-in-range", "tanh at the end: that suits images from −1 to 1.",
           _decoder(torch.tanh)),
        _m("decoder-relu", "pixels-in-range", "a ReLU at the end: it bounds pixels on one side only.",
           _decoder(torch.relu)),
        _m("decoder-clamp", "pixels-in-range", "pixels are clamped: where they are cut off no gradient passes.",
           _decoder(lambda logits: logits.clamp(0, 1))),
        _m("decoder-relu-sigmoid", "pixels-in-range", "a ReLU before the sigmoid: nothing below 0 reaches it.",
           _decoder(lambda logits: torch.sigmoid(torch.relu(logits)))),
        _m("decoder-sigmoid-twice", "pixels-in-range", "the sigmoid is applied twice.",
           _decoder(lambda logits: torch.sigmoid(torch.sigmoid(logits)))),
        _m("decoder-softmax", "pixels-in-range", "a softmax over all pixels; each needs a range of its own.",
           _decoder(lambda logits: logits.flatten(1).softmax(1).view_as(logits))),
        _m("decoder-softmax-colours", "pixels-in-range", "a softmax over the colours: no pixel can be white.",
           _decoder(lambda logits: logits.softmax(1))),
        _m("decoder-stretched", "pixels-in-range", "each picture is rescaled by its own minimum and maximum.",
           _decoder(_stretched)),
        _m("decoder-255", "pixels-in-range", "pixels are multiplied by 255.",
           _decoder(lambda logits: 255 * torch.sigmoid(logits))),
        _m("decoder-bytes", "pixels-in-range", "pixels are turned into bytes, which have no gradient.",
           _decoder(lambda logits: (255 * torch.sigmoid(logits)).to(torch.uint8))),
        _m("decoder-half-size", "from-code-to-picture", "one doubling is missing: pictures are 32 pixels wide.",
           _decoder(size=32)),
        _m("decoder-double-size", "from-code-to-picture", "one doubling too many: pictures are 128 pixels wide.",
           _decoder(size=128)),
        _m("decoder-grey", "from-code-to-picture", "pictures have one channel; colours need three.",
           _decoder(colours=1)),
        _m("decoder-flat", "from-code-to-picture", "pixels stay in one long row: shape them into a picture.",
           _decoder(lambda logits: torch.sigmoid(logits).flatten(1))),
        _m("decoder-channels-last", "from-code-to-picture", "the colours come last; in this course they come first.",
           _decoder(lambda logits: torch.sigmoid(logits).permute(0, 2, 3, 1))),
        _m("decoder-squeeze", "from-code-to-picture", "squeeze also removes the batch when it holds one code.",
           _decoder(lambda logits: torch.sigmoid(logits).squeeze())),
        _m("decoder-ignores-code", "from-code-to-picture", "the code does not take part.",
           _decoder(begins=lambda z: torch.ones_like(z))),
        _m("decoder-relu-code", "from-code-to-picture", "a ReLU on the code itself removes all that is negative.",
           _decoder(begins=torch.relu)),
        _m("decoder-part-of-code", "from-code-to-picture", "only a part of the code is used.",
           _decoder(begins=lambda z: torch.cat([z[:, :2], 0 * z[:, 2:]], 1))),
        _m("decoder-normalised-code", "from-code-to-picture", "the code is scaled to a fixed length.",
           _decoder(begins=lambda z: F.normalize(z, dim=1))),
        _m("decoder-first-code", "rows-stay-apart", "the first code of the batch is used for all.",
           _decoder(begins=lambda z: z[:1].expand_as(z))),
        _m("decoder-batch-statistics", "rows-stay-apart",
           "codes are standardised with the mean and spread of their batch, in evaluation too.",
           _decoder(begins=_standardised)),
        _m("decoder-rows-mixed", "rows-stay-apart", "codes are reshaped where a transpose is needed.",
           _decoder(begins=lambda z: z.T.reshape(z.shape))),
        _m("decoder-dropout-always", "rows-stay-apart", "dropout, or other noise, stays on in evaluation.",
           _decoder(begins=lambda z: F.dropout(z, 0.3))),
        _m("decoder-detached", "gradients-reach-all", "the picture is detached, so nothing can be learned.",
           _decoder(lambda logits: torch.sigmoid(logits).detach())),
    ),
    equivalents=(
        networks.Decoder,
        _ConvDecoder,
        _UpsamplingDecoder,
        _decoder(),
        _decoder(lambda logits: 1 / (1 + torch.exp(-logits))),
    ),
)

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
    misconceptions=(
        _m("vae-decodes-mu", "one-sample-joins-them", "mu is decoded; during training a sample is.",
           _vae(lambda mu, logvar, generator, training: mu)),
        _m("vae-std-is-exp-logvar", "one-sample-joins-them", "the noise is scaled by the variance, not by σ.",
           _vae(lambda mu, logvar, generator, training: mu + logvar.exp() * _eps(mu, generator))),
        _m("vae-unit-std", "one-sample-joins-them", "the noise is added to mu as it is: logvar does not take part.",
           _vae(lambda mu, logvar, generator, training: mu + _eps(mu, generator))),
        _m("vae-std-is-logvar", "one-sample-joins-them", "the noise is scaled by logvar itself.",
           _vae(lambda mu, logvar, generator, training: mu + logvar * _eps(mu, generator))),
        _m("vae-uniform-noise", "one-sample-joins-them", "the noise is uniform (torch.rand), not normal.",
           _vae(lambda mu, logvar, generator, training:
                mu + torch.exp(0.5 * logvar) * torch.rand(mu.shape, generator=generator))),
        _m("vae-from-prior", "one-sample-joins-them", "the noise alone is decoded; that is how new images are made.",
           _vae(lambda mu, logvar, generator, training: 1e-9 * mu + _eps(mu, generator))),
        _m("vae-sample-without-mu", "one-sample-joins-them", "mu is left out of the sample.",
           _vae(lambda mu, logvar, generator, training: torch.exp(0.5 * logvar) * _eps(mu, generator))),
        _m("vae-one-noise-for-all", "one-sample-joins-them", "the noise is drawn once, not for each row.",
           _vae(lambda mu, logvar, generator, training: mu + torch.exp(0.5 * logvar) * _eps(mu[:1], generator))),
        _m("vae-noise-in-training-only", "one-sample-joins-them",
           "outside of training mu is decoded; the bound needs a sample there too.",
           _vae(lambda mu, logvar, generator, training: _sample(mu, logvar, generator) if training else mu)),
        _m("vae-ignores-generator", "noise-from-a-generator", "the generator that is passed in is not used.",
           _vae(lambda mu, logvar, generator, training: _sample(mu, logvar, None))),
        _m("vae-fixed-seed", "noise-from-a-generator", "the noise is seeded inside: it is the same in every call.",
           _vae(lambda mu, logvar, generator, training: _sample(mu, logvar, torch.Generator().manual_seed(0)))),
        _m("vae-sample-detached", "gradients-reach-all", "the sample is detached, or drawn under no_grad.",
           _vae(lambda mu, logvar, generator, training: _sample(mu, logvar, generator).detach())),
        _m("vae-std-detached", "gradients-reach-all", "σ is detached, so x_hat teaches logvar nothing.",
           _vae(lambda mu, logvar, generator, training: _sample(mu, logvar.detach(), generator))),
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

CHECKS = (ENCODER, DECODER, VAE)
