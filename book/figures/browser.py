"""Weights and recordings as scripts that a browser loads: plain assignments, since a page opened from a folder may
load scripts and nothing else.

Weights stay in half precision, as they are stored with the course, so nothing is lost; only their order changes, to the
one in which ``_static/figures/decoder.js`` runs through them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from figures import RECORDED
from vae_ref.dogs import paper_dogs
from vae_ref.latents import principal_components
from vae_ref.networks import GRID, SUMMARY, VAE, Decoder, ResidualBlock
from vae_ref.sharper.flow import FlowPrior
from vae_ref.weights import load_weights

NUM_DIRECTIONS = 6


def script(name: str, value: dict[str, Any]) -> str:
    """Text of a script that hands a value to the figures under a name."""
    return f"vaeFigures.data.{name} = {json.dumps(value, separators=(',', ':'))};\n"


def model_script(name: str) -> str:
    """A shipped model as the explorer takes it: decoder, learned prior, principal directions of its codes."""
    model, _ = load_weights(name)
    tensors = dict(_tensors(model))
    layout, start = [], 0
    for key, tensor in tensors.items():
        layout.append([key, start, tensor.numel()])
        start += tensor.numel()
    halves = torch.cat([tensor.flatten() for tensor in tensors.values()]).half()
    value = {"latentDim": model.latent_dim, "layout": layout, **_directions(name, model)}
    if isinstance(model.learned_prior, FlowPrior):
        value["orders"] = model.learned_prior.orders.tolist()
    value["half"] = base64.b64encode(halves.numpy().astype("<f2").tobytes()).decode()
    return script(name, value)


def recording_script(name: str, recording: dict[str, Any]) -> str:
    """A recording of ``book/record.py`` as its figure takes it; where its sprite lies is added."""
    return script(name, {**recording, "sprite": f"{name}.webp"})


def _tensors(model: VAE) -> Iterator[tuple[str, Tensor]]:
    """All that decoder and learned prior compute with; a row of a matrix belongs to one input."""
    assert isinstance(model.decoder, Decoder)
    linear, _, expand, *blocks, head, _ = model.decoder.layers
    yield from _matrix("linear", _places_first(linear.weight).T, _places_first(linear.bias))
    yield from _matrix("expand", expand.weight[:, :, 0, 0].T, expand.bias)
    for number, block in enumerate(blocks):
        assert isinstance(block, ResidualBlock)
        norm, _, wide, _, narrow = block.body
        yield from _matrix(f"block{number}.norm", norm.weight, norm.bias)
        # (out, in, 3, 3) → (9, in, out)
        yield from _matrix(f"block{number}.wide", wide.weight.flatten(2).permute(2, 1, 0), wide.bias)
        yield from _matrix(f"block{number}.narrow", narrow.weight[:, :, 0, 0].T, narrow.bias)
    yield from _matrix("head", head.weight[:, :, 0, 0].T, head.bias)
    prior = model.learned_prior
    if isinstance(prior, FlowPrior):
        yield "flow.centre", prior.centre
        yield "flow.spread", prior.spread
        for number, layer in enumerate(prior.layers):
            linears = [part for part in layer.network if isinstance(part, nn.Linear)]
            for letter, part in zip("abc", linears, strict=True):
                yield from _matrix(f"flow{number}.{letter}", part.weight.T, part.bias)


def _matrix(name: str, weight: Tensor, bias: Tensor) -> Iterator[tuple[str, Tensor]]:
    yield f"{name}.weight", weight.detach().contiguous()
    yield f"{name}.bias", bias.detach()


def _places_first(rows: Tensor) -> Tensor:
    """Rows (24·64, …) ordered by channel, then place → by place, then channel."""
    return rows.detach().unflatten(0, (SUMMARY, GRID**2)).transpose(0, 1).flatten(0, 1)


def _directions(name: str, model: VAE) -> dict[str, Any]:
    """Mean of the codes, their first principal directions, and the standard deviation along each."""
    if name == "stanford":  # its pictures do not come with the course: recorded
        found: dict[str, Any] = json.loads((RECORDED / "stanford.json").read_text(encoding="utf-8"))
        return {key: found[key] for key in ("mean", "directions", "spreads")}
    images, _ = paper_dogs(1200, seed=7)  # those of chapter 7, so that directions are the same
    with torch.no_grad():
        mu = torch.cat([model.encode(part.float() / 255)[0] for part in images.split(200)])
    return directions_of(mu)


def directions_of(mu: Tensor) -> dict[str, Any]:
    """The same from codes, (N, L)."""
    components, _, projected = principal_components(mu, NUM_DIRECTIONS)
    return {
        "mean": _short(mu.mean(0)),
        "directions": [_short(component) for component in components],
        "spreads": _short(projected.std(0)),
    }


def _short(values: Tensor) -> list[float]:
    return [round(value, 5) for value in values.tolist()]
