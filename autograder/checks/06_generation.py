"""Checks of assignment 06, reconstruct, generate, interpolate.

Oracles are plain formulas in double precision. Only ``generate`` is random. A model that shows its codes as pixels lets
their moments be read back; each may be 6.5 standard errors away from that of N(0, I). A moment is a mean over 8,192
rows, so a normal tail bounds one comparison by 8e-11; the skew of squared normals makes that 4e-10 at most. One run
makes 40 comparisons, so it fails a right answer with less than 2e-8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from autograder import toys
from autograder.checking import Check, Misconception, Part, Probe, Step
from autograder.comparing import STANDARD_ERRORS, difference, kind
from autograder.target import Call
from autograder.wire import Handle, Seed
from vae_ref import generation
from vae_ref.sampling import reparameterize

NUM_IMAGES = 8192
FLOOR = 1e-4  # of every tolerance: codes are read back from float32 pixels
SIZE = 8  # side of most images
IMAGES = (3, SIZE, SIZE)


def _integer(g: Generator) -> int:
    return int(torch.randint(2**31, (), generator=g))


def _tiny(latent_dim: int, seed: int, size: int = SIZE) -> tuple[Step, ...]:
    return (Step("toys.Tiny", Call((latent_dim, size, seed), keep="model")),)


def _means(model: Any, x: Tensor) -> Tensor:
    """The mean codes of images in double precision, (B, L)."""
    return (x.double().flatten(1) - 0.5) @ model.to_mu.detach().double().T


def _pictures(model: Any, z: Tensor) -> Tensor:
    return torch.sigmoid(z @ model.to_pixels.detach().double().T).unflatten(1, model.shape)


def _itself(result: Any) -> Any:
    return result


def _repeats(results: list[Any], _: list[Probe]) -> str:
    """The first two probes of a part ask the same."""
    first, second = results[:2]
    tensors = isinstance(first, Tensor) and isinstance(second, Tensor)
    if tensors and bool(first.isfinite().all()) and difference(second, first) is not None:
        return "Two calls with the same images gave different pictures, though nothing here needs noise."
    return ""


# ---- reconstruct ----------------------------------------------------------------------------------------------------


def _reconstruct_oracle(model: Any, x: Tensor) -> Tensor:
    return _pictures(model, _means(model, x))


def _reconstruct_probe(g: Generator, x: Tensor, latent_dim: int, label: str) -> Probe:
    return Probe(Call((Handle("model"), x)), label, before=_tiny(latent_dim, _integer(g), x.shape[-1]))


def _reconstruct_value(g: Generator) -> list[Probe]:
    first = _reconstruct_probe(g, torch.rand(4, *IMAGES, generator=g), 3, "4 images and 3 latents")
    other = _reconstruct_probe(g, torch.rand(3, *IMAGES, generator=g), 6, "3 images and 6 latents")
    return [first, first, other]


def _reconstruct_edges(g: Generator) -> list[Probe]:
    black_and_white = torch.stack([torch.zeros(IMAGES), torch.ones(IMAGES)])
    return [
        _reconstruct_probe(g, torch.rand(1, *IMAGES, generator=g), 4, "a single image"),
        _reconstruct_probe(g, torch.rand(3, *IMAGES, generator=g), 1, "a single latent"),
        _reconstruct_probe(g, black_and_white, 4, "a black and a white image"),
        _reconstruct_probe(g, torch.rand(2, 3, 64, 64, generator=g), 4, "images of 64×64"),
    ]


# ---- generate -------------------------------------------------------------------------------------------------------


def _moments(images: Tensor) -> Tensor:
    """Of the codes that the pictures show, (L, 5): means of z, z², cos 2z, of neighbouring latents and rows."""
    z = torch.logit(images[:, 0, 0].double().clamp(1e-7, 1 - 1e-7))
    terms = (z, z.square(), torch.cos(2 * z), z * z.roll(1, 1), z * z.roll(1, 0))
    return torch.stack([term.mean(0) for term in terms], dim=1)


def _generate_oracle(model: Any, num_images: int, generator: Any = None) -> Tensor:
    return torch.tensor([0, 1, math.exp(-2), 0, 0], dtype=torch.float64).repeat(model.latent_dim, 1)


def _generate_value(g: Generator) -> list[Probe]:
    # Var cos 2z = ½ (1 + E cos 4z) − (E cos 2z)²
    variances = torch.tensor([1, 2, 0.5 * (1 + math.exp(-8)) - math.exp(-4), 1, 1], dtype=torch.float64)
    tolerance = STANDARD_ERRORS * (variances / NUM_IMAGES).sqrt() + FLOOR
    return [
        Probe(
            Call((Handle("model"), NUM_IMAGES), {"generator": Seed(_integer(g))}),
            f"codes read back from {NUM_IMAGES} images (means of z, z² and cos 2z)",
            tolerance.repeat(latent_dim, 1),
            before=(Step("toys.Readable", Call((latent_dim, _integer(g)), keep="model")),),
        )
        for latent_dim in (3, 5)
    ]


def _are_pictures(results: list[Any], probes: list[Probe]) -> str:
    for images, probe in zip(results, probes, strict=True):
        size = probe.before[0].call.args[0]
        wanted = (probe.call.args[1], 3, size, size)
        if not isinstance(images, Tensor) or not images.is_floating_point():
            got = str(images.dtype) if isinstance(images, Tensor) else kind(images)
            return f"generate returned {got}, not a tensor of images in [0, 1]."
        if images.shape != wanted:
            return (
                f"Asked for {wanted[0]} images, generate returned shape {tuple(images.shape)}, not {wanted}."
            )
        if not bool(((images >= 0) & (images <= 1)).all()):
            return "generate returned pixels outside [0, 1]."
    return ""


def _generate_noise(g: Generator) -> list[Probe]:
    before = (Step("toys.Readable", Call((4, _integer(g)), keep="model")),)
    seed = _integer(g)
    seeds = ({"generator": Seed(s)} for s in (seed, seed, seed ^ 1))
    return [Probe(Call((Handle("model"), 3), kwargs), "", before=before) for kwargs in (*seeds, None, None)]


def _noise_is_fresh(results: list[Any], probes: list[Probe]) -> str:
    problem = _are_pictures(results, probes)
    if problem:
        return problem
    same, again, other, free, free_again = results
    if not torch.equal(same, again):
        return "Two calls with equally seeded generators differ: draw all codes from the generator you are given."
    if torch.equal(same, other) or torch.equal(free, free_again):
        return "Two calls with different noise gave the same pictures: draw new codes in each call."
    return ""


def _generate_edges(g: Generator) -> list[Probe]:
    return [
        Probe(
            Call((Handle("model"), count), kwargs),
            "",
            before=(Step("toys.Readable", Call((latent_dim, _integer(g)), keep="model")),),
        )
        for count, latent_dim, kwargs in ((1, 4, {"generator": Seed(3)}), (1, 3, None), (5, 1, None))
    ]


# ---- lerp and slerp -------------------------------------------------------------------------------------------------


def _lerp_oracle(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    return a + (b - a) * t


def _slerp_oracle(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """The arc in the plane of a and b, in which a is the first axis: stretched so that it ends in b."""
    norms = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    product = (a * b).sum(-1, keepdim=True)
    across = (norms[0].square() * norms[1].square() - product.square()).clamp(min=0).sqrt()  # |a| |b| sin Ω
    angle = torch.atan2(across, product)
    arc = torch.sin(angle * (1 - t)) / torch.sin(angle) * a + torch.sin(angle * t) / torch.sin(angle) * b
    return torch.where(across > 1e-9 * norms[0] * norms[1], arc, _lerp_oracle(a, b, t))


def _slerp_of_lengths(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """Right as well: the directions go along the arc, the lengths along the line."""
    norms = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    if not bool((norms[0] * norms[1] > 0).all()):
        return generation.lerp(a, b, t)
    return generation.slerp(a / norms[0], b / norms[1], t) * generation.lerp(*norms, t)


def _rows_apart(g: Generator, rows: int, dims: int) -> tuple[Tensor, Tensor]:
    """Unit codes (rows, dims) at angles between 0.7 and 2 that are no right angles, so that no mistake hides."""
    a = torch.randn(rows, dims, generator=g)
    b = torch.randn(rows, dims, generator=g)
    a = a / a.norm(dim=1, keepdim=True)
    b = b - (a * b).sum(1, keepdim=True) * a
    b = b / b.norm(dim=1, keepdim=True)
    angle = 0.7 + 0.6 * torch.rand(rows, 1, generator=g)
    angle = torch.where(torch.rand(rows, 1, generator=g) < 0.5, angle, angle + 0.7).clamp(max=2.0)
    angle = torch.where((angle - math.pi / 2).abs() < 0.1, angle - 0.3, angle)
    return a, angle.cos() * a + angle.sin() * b


def _share(g: Generator) -> float:
    """A share that is neither near an end nor near the middle."""
    share = 0.15 + 0.25 * float(torch.rand((), generator=g))
    return share if float(torch.rand((), generator=g)) < 0.5 else 1 - share


def _lerp_value(g: Generator) -> list[Probe]:
    probes = []
    for rows, dims in ((3, 5), (5, 2)):
        a, b = torch.randn(rows, dims, generator=g), torch.randn(rows, dims, generator=g)
        t = _share(g)
        probes.append(Probe(Call((a, b + 1, t)), f"{rows} codes of {dims} numbers and t = {t:.2f}"))
    return probes


def _on_the_way(g: Generator) -> list[Probe]:
    """Other shapes, another type."""
    (a, b), t = _rows_apart(g, 1, 6), torch.linspace(0, 1, 5)[:, None]
    c, d = _rows_apart(g, 3, 4)
    return [
        Probe(Call((a[0], b[0], _share(g))), "two single codes, (L,)"),
        Probe(Call((a, b, t)), "codes (1, L) and a tensor t, (5, 1)"),
        Probe(Call((c, d, torch.rand(3, 1, generator=g))), "codes (3, L) and a tensor t, (3, 1)"),
        Probe(Call((c.double(), d.double(), _share(g))), "float64 codes"),
    ]


def _lerp_ends(g: Generator) -> list[Probe]:
    a, b = torch.randn(3, 4, generator=g), 2 * torch.randn(3, 4, generator=g)
    kept = tuple(Step("props.itself", Call((code,), keep=name)) for name, code in (("a", a), ("b", b)))
    looked_at = tuple(Step("props.itself", Call((Handle(name),))) for name in ("a", "b"))
    call = Call((Handle("a"), Handle("b"), 0.3))
    return [
        Probe(Call((a, b, 0.0)), "t = 0"),
        Probe(Call((a, b, 1.0)), "t = 1"),
        Probe(Call((a, a, 0.3)), "two equal codes"),
        Probe(call, "a look at the codes after the call", before=kept, after=looked_at),
    ]


def _slerp_value(g: Generator) -> list[Probe]:
    probes = []
    for rows, dims, length in ((3, 5, 0.9), (4, 8, 0.6), (2, 3, 0.8)):
        a, b = _rows_apart(g, rows, dims)
        # of different lengths from row to row, equal ones in a pair
        lengths = length - 0.3 * torch.rand(rows, 1, generator=g)
        t = _share(g)
        label = f"{rows} codes of {dims} numbers and t = {t:.2f}"
        probes.append(Probe(Call((lengths * a, lengths * b, t)), label))
    return probes


def _slerp_lengths(g: Generator) -> list[Probe]:
    probes = []
    for dims, length in ((6, 2.5), (16, 4.0)):
        a, b = _rows_apart(g, 3, dims)
        probes.append(Probe(Call((length * a, (0.4 * length) * b, _share(g))), f"codes of {dims} numbers"))
    return probes


def _lengths_hold(results: list[Any], probes: list[Probe]) -> str:
    for got, probe in zip(results, probes, strict=True):
        a, b, t = probe.call.args
        right = (path(a.double(), b.double(), t) for path in (_slerp_oracle, _slerp_of_lengths))
        if all(difference(got, wanted) is not None for wanted in right):
            return "With codes of different length, the path does not lead from the one length to the other."
    return ""


def _slerp_special(g: Generator) -> list[Probe]:
    # on an axis, so that rounding cannot make an angle of what is none
    axis = torch.zeros(2, 5)
    axis[0, int(torch.randint(5, (), generator=g))] = 1.0
    axis[1, int(torch.randint(5, (), generator=g))] = -1.0
    a, b = _rows_apart(g, 2, 5)
    t = _share(g)
    return [
        Probe(Call((2 * axis, 2 * axis, t)), "two equal codes"),
        Probe(Call((2 * axis, 3 * axis, t)), "parallel codes"),
        Probe(Call((2 * axis, -2 * axis, t)), "opposite codes"),
        Probe(Call((torch.zeros(2, 5), b, t)), "a code of zeros"),
        Probe(Call((3 * a, 2 * b, 0.0)), "t = 0"),
        Probe(Call((3 * a, 2 * b, 1.0)), "t = 1"),
    ]


def _are_finite(results: list[Any], probes: list[Probe]) -> str:
    for got, probe in zip(results, probes, strict=True):
        if isinstance(got, Tensor) and not bool(got.isfinite().all()):
            return f"With {probe.label}, there are values that are not finite: is anything divided by zero?"
    return ""


# ---- interpolate ----------------------------------------------------------------------------------------------------


def _interpolate_oracle(
    model: Any, x_a: Tensor, x_b: Tensor, num_steps: int, method: str = "slerp"
) -> Tensor:
    a, b = _means(model, x_a[None]), _means(model, x_b[None])
    t = torch.linspace(0, 1, num_steps, dtype=torch.float64)[:, None]
    return _pictures(model, (_slerp_oracle if method == "slerp" else _lerp_oracle)(a, b, t))


def _two_images(g: Generator, latent_dim: int) -> tuple[tuple[Step, ...], Tensor, Tensor]:
    """A model and two images whose codes have one length and stand at a wide angle."""
    while True:
        seed = _integer(g)
        x = torch.rand(2, *IMAGES, generator=g)
        a, b = _means(toys.Tiny(latent_dim, SIZE, seed), x)
        if abs(float(torch.cosine_similarity(a, b, dim=0))) < 0.6:
            # the code is linear in x − ½: the longer one is shortened
            scale = torch.stack([b.norm() / a.norm(), a.norm() / b.norm()]).clamp(max=1).float()
            x_a, x_b = 0.5 + scale.view(2, 1, 1, 1) * (x - 0.5)
            return _tiny(latent_dim, seed), x_a, x_b


def _interpolate_probe(g: Generator, dims: int, num_steps: int, label: str, **kwargs: Any) -> Probe:
    before, x_a, x_b = _two_images(g, dims)
    return Probe(Call((Handle("model"), x_a, x_b, num_steps), kwargs or None), label, before=before)


def _interpolate_value(g: Generator) -> list[Probe]:
    first = _interpolate_probe(g, 4, 5, '5 steps of "lerp"', method="lerp")
    return [first, first, _interpolate_probe(g, 6, 4, '4 steps of "lerp"', method="lerp")]


def _interpolate_arc(g: Generator) -> list[Probe]:
    return [
        _interpolate_probe(g, 5, 6, '6 steps of "slerp"', method="slerp"),
        _interpolate_probe(g, 8, 3, "3 steps and no method named"),
    ]


def _interpolate_ends(g: Generator) -> list[Probe]:
    before, x, _ = _two_images(g, 4)
    return [
        _interpolate_probe(g, 4, 2, '2 steps of "lerp"', method="lerp"),
        _interpolate_probe(g, 4, 2, '2 steps of "slerp"', method="slerp"),
        Probe(Call((Handle("model"), x, x, 3)), "one image for both ends", before=before),
    ]


# ---- the catalogue --------------------------------------------------------------------------------------------------
# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off


_m = Misconception


def _sampled(model: Any, x: Tensor) -> Tensor:
    return reparameterize(*model.encode(x))


RECONSTRUCT = Check(
    name="reconstruct",
    asks="what the decoder makes of the mean codes of some images",
    section="reconstruction-from-the-mean",
    oracle=_reconstruct_oracle,
    parts=(
        Part("value", 2, _reconstruct_value, _repeats, _itself),
        Part("edge cases", 1, _reconstruct_edges),
    ),
    misconceptions=(
        _m("reconstruct-samples", "reconstruction-from-the-mean",
           "a code is drawn, so that sampling noise blurs what the model knows of the image.",
           lambda model, x: model.decode(_sampled(model, x))),
        _m("reconstruct-returns-mu", "reconstruction-from-the-mean", "the codes are returned without being decoded.",
           lambda model, x: model.encode(x)[0]),
        _m("reconstruct-decodes-logvar", "reconstruction-from-the-mean",
           "logvar is decoded: encode gives the mean first.",
           lambda model, x: model.decode(model.encode(x)[1])),
        _m("reconstruct-adds-std", "reconstruction-from-the-mean", "σ is added to the mean before it is decoded.",
           lambda model, x: model.decode(model.encode(x)[0] + (0.5 * model.encode(x)[1]).exp())),
        _m("reconstruct-returns-x", "reconstruction-from-the-mean", "these are the images themselves.",
           lambda model, x: x),
        _m("reconstruct-second-sigmoid", "reconstruction-from-the-mean",
           "the decoder's output goes through a sigmoid once more; it is in [0, 1] already.",
           lambda model, x: torch.sigmoid(model.decode(model.encode(x)[0]))),
        _m("reconstruct-scales-input", "reconstruction-from-the-mean",
           "the images are scaled to [−1, 1] first; the encoder takes them as they are.",
           lambda model, x: model.decode(model.encode(2 * x - 1)[0])),
        _m("reconstruct-scales-output", "reconstruction-from-the-mean",
           "the pictures are scaled to [−1, 1]; leave them in [0, 1].",
           lambda model, x: 2 * model.decode(model.encode(x)[0]) - 1),
        _m("reconstruct-bytes", "reconstruction-from-the-mean",
           "the pictures are turned into bytes; leave them as numbers in [0, 1].",
           lambda model, x: (255 * model.decode(model.encode(x)[0])).to(torch.uint8)),
        _m("reconstruct-flat", "reconstruction-from-the-mean", "the pictures are flattened.",
           lambda model, x: model.decode(model.encode(x)[0]).flatten(1)),
        _m("reconstruct-mean-code", "reconstruction-from-the-mean",
           "the codes of the batch are averaged: all images get the same picture.",
           lambda model, x: model.decode(model.encode(x)[0].mean(0, keepdim=True)).expand_as(x)),
        _m("reconstruct-squeezed", "reconstruction-from-the-mean",
           "squeeze drops the batch dimension of a single image.",
           lambda model, x: model.decode(model.encode(x)[0]).squeeze()),
    ),
    equivalents=(
        generation.reconstruct,
        lambda model, x: model.decode(model.encode(x)[0]),
        lambda model, x: torch.cat([model.decode(model.encode(image[None])[0]) for image in x]),
        lambda model, x: model.eval().decode(model(x)[1]).clamp(0, 1),
        lambda model, x: model.decode(model.encode(x.double())[0]),
    ),
)


def _generate_with(codes: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A variant that decodes ``codes(num_images, L, generator)``."""
    return lambda model, num_images, generator=None: model.decode(codes(num_images, model.latent_dim, generator))


def _normal(num_images: int, dims: int, generator: Generator | None) -> Tensor:
    return torch.randn(num_images, dims, generator=generator)


def _noise_images(num_images: int, generator: Generator | None) -> Tensor:
    return torch.rand(num_images, *IMAGES, generator=generator)


def _ignoring(model: Any, num_images: int, generator: Generator | None = None) -> Tensor:
    return generation.generate(model, num_images)


def _seeded(model: Any, num_images: int, generator: Generator | None = None) -> Tensor:
    return generation.generate(model, num_images, torch.Generator().manual_seed(0))


def _one_by_one(model: Any, num_images: int, generator: Generator | None = None) -> Tensor:
    """Right as well: one code at a time, all decoded together."""
    return model.decode(torch.stack([
        torch.randn(model.latent_dim, generator=generator) for _ in range(num_images)]))


GENERATE = Check(
    name="generate",
    asks="pictures of codes drawn from the prior N(0, I)",
    section="generation-from-the-prior",
    oracle=_generate_oracle,
    parts=(
        Part("distribution", 2, _generate_value, _are_pictures, _moments),
        Part("noise", 1, _generate_noise, _noise_is_fresh),
        Part("edge cases", 1, _generate_edges, _are_pictures),
    ),
    misconceptions=(
        _m("generate-uniform", "generation-from-the-prior",
           "the codes are uniform in [0, 1] (rand); the prior is normal.",
           _generate_with(lambda n, dims, generator: torch.rand(n, dims, generator=generator))),
        _m("generate-uniform-both-signs", "generation-from-the-prior",
           "the codes are uniform in [−1, 1]; the prior is normal.",
           _generate_with(lambda n, dims, generator: 2 * torch.rand(n, dims, generator=generator) - 1)),
        _m("generate-encodes-noise", "generation-from-the-prior",
           "random pixels go through the encoder, which has no part in this; draw the codes themselves.",
           lambda model, num_images, generator=None:
           model.decode(model.encode(_noise_images(num_images, generator))[0])),
        _m("generate-forward-noise", "generation-from-the-prior",
           "random pixels go through the whole model: that reconstructs noise.",
           lambda model, num_images, generator=None:
           model(_noise_images(num_images, generator), generator)[0]),
        _m("generate-sigma", "generation-from-the-prior",
           "the codes are scaled with model.sigma, which is the noise of a pixel and not of a code.",
           lambda model, num_images, generator=None:
           model.decode(model.sigma * _normal(num_images, model.latent_dim, generator))),
        _m("generate-too-wide", "generation-from-the-prior", "the codes are drawn with σ = 2 instead of 1.",
           _generate_with(lambda n, dims, generator: 2 * _normal(n, dims, generator))),
        _m("generate-zeros", "generation-from-the-prior",
           "all codes are zero: that is the middle of the prior, always the same picture.",
           _generate_with(lambda n, dims, generator: torch.zeros(n, dims))),
        _m("generate-ones", "generation-from-the-prior", "all codes are one: nothing is drawn.",
           _generate_with(lambda n, dims, generator: torch.ones(n, dims))),
        _m("generate-one-code", "generation-from-the-prior", "a single code serves all pictures.",
           _generate_with(lambda n, dims, generator: _normal(1, dims, generator).expand(n, -1))),
        _m("generate-one-number", "generation-from-the-prior", "a single number fills the whole code of a picture.",
           _generate_with(lambda n, dims, generator: _normal(n, 1, generator).expand(-1, dims))),
        _m("generate-second-sigmoid", "generation-from-the-prior",
           "the decoder's output goes through a sigmoid once more; it is in [0, 1] already.",
           lambda model, num_images, generator=None:
           torch.sigmoid(generation.generate(model, num_images, generator))),
        _m("generate-returns-codes", "generation-from-the-prior", "the codes are returned without being decoded.",
           lambda model, num_images, generator=None: _normal(num_images, model.latent_dim, generator)),
        _m("generate-ignores-generator", "generation-from-the-prior",
           "the generator that is passed in is not used.", _ignoring),
        _m("generate-fixed-seed", "generation-from-the-prior", "the noise is seeded inside the function.", _seeded),
        _m("generate-squeezed", "generation-from-the-prior", "squeeze drops the batch dimension of a single picture.",
           lambda model, num_images, generator=None: generation.generate(model, num_images, generator).squeeze(0)),
    ),
    equivalents=(
        generation.generate,
        _generate_with(_normal),
        _generate_with(lambda n, dims, generator: torch.empty(n, dims).normal_(generator=generator)),
        _generate_with(lambda n, dims, generator: -torch.randn(dims, n, generator=generator).T.double()),
        _one_by_one,
    ),
)

LERP = Check(
    name="lerp",
    asks="the point at share t of the straight line from a to b",
    section="lerp-and-slerp",
    oracle=_lerp_oracle,
    parts=(
        Part("value", 2, _lerp_value),
        Part("shapes", 1, _on_the_way),
        Part("ends", 1, _lerp_ends),
    ),
    misconceptions=(
        _m("lerp-swapped", "lerp-and-slerp", "the ends are swapped: t = 0 belongs to a, t = 1 to b.",
           lambda a, b, t: t * a + (1 - t) * b),
        _m("lerp-adds", "lerp-and-slerp", "a keeps its full weight while b comes in.", lambda a, b, t: a + t * b),
        _m("lerp-away", "lerp-and-slerp", "the difference is taken the wrong way round: the point moves away from b.",
           lambda a, b, t: a + t * (a - b)),
        _m("lerp-from-zero", "lerp-and-slerp", "this is the way from a to b alone: it has to start at a.",
           lambda a, b, t: t * (b - a)),
        _m("lerp-middle", "lerp-and-slerp", "t is ignored: this is the middle.", lambda a, b, t: (a + b) / 2),
        _m("lerp-unit", "lerp-and-slerp", "the point is scaled to length 1; a line keeps no length.",
           lambda a, b, t: torch.nn.functional.normalize((1 - t) * a + t * b, dim=-1)),
        _m("lerp-is-slerp", "lerp-and-slerp", "this is the point on the arc, not on the line.", _slerp_oracle),
        _m("lerp-in-place", "lerp-and-slerp", "a is changed by the call (an operation that ends in _, or +=).",
           lambda a, b, t: a.add_(t * (b - a)) if not isinstance(t, Tensor) else a + t * (b - a)),
    ),
    equivalents=(
        generation.lerp,
        lambda a, b, t: a + t * (b - a),
        lambda a, b, t: torch.lerp(a, b, torch.as_tensor(t, dtype=a.dtype)),
        lambda a, b, t: b - (1 - t) * (b - a),
        lambda a, b, t: (a * (1 - t)).add_(b * t),
    ),
)


def _angle(a: Tensor, b: Tensor) -> Tensor:
    return torch.acos(torch.cosine_similarity(a, b, dim=-1).clamp(-1, 1))[..., None]


def _arc(a: Tensor, b: Tensor, t: float | Tensor, angle: Tensor) -> Tensor:
    """The formula without any care for special cases."""
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)


def _unit(a: Tensor) -> Tensor:
    return a / a.norm(dim=-1, keepdim=True)


def _whole_norms(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    return _arc(a, b, t, torch.acos((a * b).sum(-1, keepdim=True) / (a.norm() * b.norm())))


def _one_angle(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    return _arc(a, b, t, torch.acos((a * b).sum() / (a.norm() * b.norm())))


def _guards_parallel(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    cosine = (_unit(a) * _unit(b)).sum(-1, keepdim=True).clamp(-1, 1)
    return torch.where(cosine.abs() > 0.9995, generation.lerp(a, b, t), _arc(a, b, t, torch.acos(cosine)))


def _slerp_by_threshold(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """Right as well: nearly parallel codes take the line, as in much code for other models."""
    norms = a.norm(dim=-1, keepdim=True) * b.norm(dim=-1, keepdim=True)
    cosine = (a * b).sum(-1, keepdim=True) / torch.where(norms > 0, norms, 1.0)
    line = (cosine.abs() > 0.9995) | (norms == 0)
    return torch.where(line, a + t * (b - a), _arc(a, b, t, torch.acos(torch.where(line, 0.5, cosine))))


def _slerp_by_rows(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """Right as well: a loop over single codes."""
    shape = torch.broadcast_shapes(a.shape, b.shape, t.shape if isinstance(t, Tensor) else ())
    rows = [x.expand(shape).reshape(-1, shape[-1]) for x in (a, b, torch.as_tensor(t, dtype=a.dtype))]
    points = []
    for start, end, share in zip(*rows, strict=True):
        angle = 2 * torch.atan2(  # Kahan's formula
            (start * end.norm() - end * start.norm()).norm(), (start * end.norm() + end * start.norm()).norm())
        on_line = float(torch.sin(angle)) < 1e-5
        points.append((1 - share) * start + share * end if on_line else _arc(start, end, share, angle))
    return torch.stack(points).reshape(shape)


SLERP = Check(
    name="slerp",
    asks="the point at share t of the arc from a to b",
    section="lerp-and-slerp",
    oracle=_slerp_oracle,
    parts=(
        Part("value", 3, _slerp_value),
        Part("lengths", 1, _slerp_lengths, _lengths_hold),
        Part("shapes", 1, _on_the_way),
        Part("special codes", 1, _slerp_special, _are_finite, _itself),
    ),
    misconceptions=(
        _m("slerp-swapped", "lerp-and-slerp", "the ends are swapped: t = 0 belongs to a, t = 1 to b.",
           lambda a, b, t: generation.slerp(b, a, t)),
        _m("slerp-is-lerp", "lerp-and-slerp",
           "this is the point on the straight line, which cuts through the inside of the sphere.",
           lambda a, b, t: generation.lerp(a, b, t)),
        _m("slerp-rescaled-line", "lerp-and-slerp",
           "the point of the line is pushed out to the sphere: it runs along the arc, but at another speed.",
           lambda a, b, t: _unit(generation.lerp(a, b, t)) * generation.lerp(
               a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True), t)),
        _m("slerp-unit-codes", "lerp-and-slerp", "the codes are scaled to length 1 for good: their own length is lost.",
           lambda a, b, t: generation.slerp(_unit(a), _unit(b), t)),
        _m("slerp-length-of-a", "lerp-and-slerp", "the whole path has the length of a, so that it does not end in b.",
           lambda a, b, t: generation.slerp(_unit(a), _unit(b), t) * a.norm(dim=-1, keepdim=True)),
        _m("slerp-angle-without-norms", "lerp-and-slerp",
           "the dot product is taken for a cosine without being divided by the lengths.",
           lambda a, b, t: _arc(a, b, t, torch.acos((a * b).sum(-1, keepdim=True).clamp(-1, 1)))),
        _m("slerp-norm-of-batch", "lerp-and-slerp",
           "norm() without a dimension measures the whole batch; each code has a length of its own.", _whole_norms),
        _m("slerp-one-angle", "lerp-and-slerp", "one angle serves the whole batch; each pair of codes has its own.",
           _one_angle),
        _m("slerp-angle-is-cosine", "lerp-and-slerp", "the cosine is used as the angle: acos is missing.",
           lambda a, b, t: _arc(a, b, t, torch.cosine_similarity(a, b, dim=-1)[..., None])),
        _m("slerp-degrees", "lerp-and-slerp", "the angle is turned into degrees, but sin takes radians.",
           lambda a, b, t: _arc(a, b, t, torch.rad2deg(_angle(a, b)))),
        _m("slerp-undivided", "lerp-and-slerp", "the division by sin Ω is missing.",
           lambda a, b, t: torch.sin((1 - t) * _angle(a, b)) * a + torch.sin(t * _angle(a, b)) * b),
        _m("slerp-right-angle", "lerp-and-slerp",
           "cos and sin as weights are right for codes at a right angle only.",
           lambda a, b, t: torch.cos(t * _angle(a, b)) * a + torch.sin(t * _angle(a, b)) * b),
        _m("slerp-quarter-turn", "lerp-and-slerp", "the angle is taken for a right angle, whatever the codes are.",
           lambda a, b, t: _arc(a, b, t, torch.tensor(math.pi / 2))),
        _m("slerp-parallel", "lerp-and-slerp",
           "codes without an angle between them divide by sin 0; there the line takes over.",
           lambda a, b, t: _arc(a, b, t, _angle(a, b))),
        _m("slerp-zero-code", "lerp-and-slerp", "a code of zeros is divided by its length.", _guards_parallel),
    ),
    equivalents=(
        generation.slerp,
        _slerp_of_lengths,
        _slerp_by_threshold,
        _slerp_by_rows,
        _slerp_oracle,
    ),
)


def _mus(model: Any, x_a: Tensor, x_b: Tensor) -> tuple[Tensor, Tensor]:
    return model.encode(x_a[None])[0], model.encode(x_b[None])[0]


def _shares(num_steps: int) -> Tensor:
    return torch.linspace(0, 1, num_steps)[:, None]


def _interpolate_with(
    shares: Callable[[int], Tensor] = _shares,
    codes: Callable[..., tuple[Tensor, Tensor]] = _mus,
    decode: Callable[[Any, Tensor], Any] = lambda model, z: model.decode(z),
    arc: Callable[..., Tensor] = generation.slerp,
    line: Callable[..., Tensor] = generation.lerp,
) -> Callable[..., Any]:
    """The function with one of its steps done in another way."""

    def variant(model: Any, x_a: Tensor, x_b: Tensor, num_steps: int, method: str = "slerp") -> Any:
        a, b = codes(model, x_a, x_b)
        return decode(model, (arc if method == "slerp" else line)(a, b, shares(num_steps)))

    return variant


def _in_pixels(model: Any, x_a: Tensor, x_b: Tensor, num_steps: int, method: str = "slerp") -> Tensor:
    return generation.lerp(x_a[None], x_b[None], _shares(num_steps)[..., None, None])


def _in_decoded_pixels(model: Any, x_a: Tensor, x_b: Tensor, num_steps: int, method: str = "slerp") -> Tensor:
    ends = generation.reconstruct(model, torch.stack([x_a, x_b]))
    return generation.lerp(ends[:1], ends[1:], _shares(num_steps)[..., None, None])


def _with_inputs_at_the_ends(
    model: Any, x_a: Tensor, x_b: Tensor, num_steps: int, method: str = "slerp"
) -> Tensor:
    images = generation.interpolate(model, x_a, x_b, num_steps, method)
    return torch.cat([x_a[None], images[1:-1], x_b[None]])


INTERPOLATE = Check(
    name="interpolate",
    asks="pictures of the codes on the way from one image to another, both ends included",
    section="walk-between-images",
    oracle=_interpolate_oracle,
    parts=(
        Part("value", 2, _interpolate_value, _repeats, _itself),
        Part("arc", 2, _interpolate_arc),
        Part("ends", 1, _interpolate_ends, _are_finite, _itself),
    ),
    misconceptions=(
        _m("interpolate-pixels", "walk-between-images",
           "the images themselves are mixed, pixel by pixel: that is a cross-fade, the model has no part in it.",
           _in_pixels),
        _m("interpolate-decoded-pixels", "walk-between-images",
           "the two reconstructions are mixed pixel by pixel: mix the codes and decode each mixture.",
           _in_decoded_pixels),
        _m("interpolate-samples", "walk-between-images",
           "the ends are drawn codes, so that another walk is shown each time; take the means.",
           _interpolate_with(codes=lambda model, x_a, x_b: (
               _sampled(model, x_a[None]), _sampled(model, x_b[None])))),
        _m("interpolate-logvar", "walk-between-images", "the path joins the logvars: encode gives the mean first.",
           _interpolate_with(codes=lambda model, x_a, x_b: (model.encode(x_a[None])[1], model.encode(x_b[None])[1]))),
        _m("interpolate-backwards", "walk-between-images", "the walk goes from x_b to x_a.",
           _interpolate_with(codes=lambda model, x_a, x_b: _mus(model, x_b, x_a))),
        _m("interpolate-without-ends", "walk-between-images", "the pictures lie between the ends; both belong to it.",
           _interpolate_with(shares=lambda n: torch.linspace(0, 1, n + 2)[1:-1, None])),
        _m("interpolate-without-last", "walk-between-images", "the last share is below 1: the walk stops early.",
           _interpolate_with(shares=lambda n: torch.arange(n)[:, None] / n)),
        _m("interpolate-one-more", "walk-between-images", "there is a picture too many: n steps are n pictures.",
           _interpolate_with(shares=lambda n: torch.linspace(0, 1, n + 1)[:, None])),
        _m("interpolate-two-more", "walk-between-images", "the ends are added to the number that includes them.",
           _interpolate_with(shares=lambda n: torch.linspace(0, 1, n + 2)[:, None])),
        _m("interpolate-inputs-at-ends", "walk-between-images",
           "the images stand at the ends; the walk begins and ends with what the model makes of them.",
           _with_inputs_at_the_ends),
        _m("interpolate-always-lerp", "walk-between-images", "method is ignored: the line is always taken.",
           _interpolate_with(arc=generation.lerp)),
        _m("interpolate-always-slerp", "walk-between-images", "method is ignored: the arc is always taken.",
           _interpolate_with(line=generation.slerp)),
        _m("interpolate-default", "walk-between-images", "without a method, the line is taken instead of the arc.",
           lambda model, x_a, x_b, num_steps, method="lerp":
           generation.interpolate(model, x_a, x_b, num_steps, method)),
        _m("interpolate-returns-codes", "walk-between-images", "the codes are returned without being decoded.",
           _interpolate_with(decode=lambda model, z: z)),
        _m("interpolate-list", "walk-between-images", "a list is returned; put the pictures into one tensor.",
           _interpolate_with(decode=lambda model, z: list(model.decode(z)))),
        _m("interpolate-stacked", "walk-between-images",
           "each picture keeps a batch dimension of its own: cat joins batches, stack adds a dimension.",
           _interpolate_with(decode=lambda model, z: model.decode(z)[:, None])),
    ),
    equivalents=(
        generation.interpolate,
        _interpolate_with(decode=lambda model, z: torch.cat([model.decode(row[None]) for row in z])),
        _interpolate_with(shares=lambda n: torch.arange(n)[:, None] / (n - 1), line=torch.lerp),
        _interpolate_with(arc=_slerp_of_lengths),
        _interpolate_with(arc=_slerp_by_rows, codes=lambda model, x_a, x_b: tuple(
            model.eval().encode(torch.stack([x_a, x_b]))[0])),
    ),
)

CHECKS = (RECONSTRUCT, GENERATE, LERP, SLERP, INTERPOLATE)
