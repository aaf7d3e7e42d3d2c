"""Functions that take the place of a learner's helpers while the function that uses them is looked at.

They tell whether a function puts its helpers together rightly, whatever the learner's own helpers are worth, and they
give nothing away: none is an answer to anything. They run beside learners' code and beside the oracle alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Gives = Literal["elements", "rows", "images", "mean", "number", "noise", "step", "encoder", "decoder"]

NOISE_OF_STAND_IN = 0.4


@dataclass(frozen=True)
class StandIn:
    """An arbitrary function of the same arguments as the helper, and with a result of the same kind.

    Attributes:
        arguments: names, in order.
        gives: what comes back: "elements", a tensor like the arguments; "rows", summed over the last dimension;
            "images", summed over all but the first; "mean" of all, (); "number", a float; "noise", the first argument
            and normal noise of spread ``NOISE_OF_STAND_IN``, whatever the others are; "step", the terms of a step that
            an optimizer has taken, as a dict; "encoder" and "decoder", a network for codes of that many numbers.
        seed: which of all such functions.
    """

    arguments: tuple[str, ...]
    gives: Gives
    seed: int

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        values = {**dict(zip(self.arguments, args, strict=False)), **kwargs}
        if self.gives == "noise":
            middle = values[self.arguments[0]]
            noise = torch.randn(middle.shape, generator=values.get("generator"), dtype=middle.dtype)
            return middle + NOISE_OF_STAND_IN * noise
        if self.gives == "step":
            return self._step(**values)
        if self.gives in ("encoder", "decoder"):
            return (_Encoder if self.gives == "encoder" else _Decoder)(values[self.arguments[0]])
        mixed = self._mixed([values[name] for name in self.arguments])
        match self.gives:
            case "rows":
                return mixed.sum(dim=-1)
            case "images":
                return mixed.flatten(1).sum(dim=1)
            case "mean":
                return mixed.mean()
            case "number":
                return float(mixed)
        return mixed

    def _mixed(self, values: list[Any]) -> torch.Tensor:
        weights = torch.rand(len(values), generator=torch.Generator().manual_seed(self.seed)) + 0.5
        total: Any = 0.3
        for value, weight in zip(values, weights.tolist(), strict=True):
            total = total + weight * value
        total = torch.as_tensor(total)
        return torch.tanh(total) + 0.1 * total

    def _step(
        self, model: torch.nn.Module, x: torch.Tensor, optimizer: torch.optim.Optimizer, beta: float = 1.0
    ) -> dict[str, float]:
        """Every weight gets the same gradient, and the optimizer its turn, so that one left out would show."""
        first = float(self._mixed([x.detach().double().mean(), beta]))
        for weight in model.parameters():
            weight.grad = torch.full_like(weight, first)
        optimizer.step()
        optimizer.zero_grad()
        return {"loss": first, "reconstruction": first - 0.7, "kl": 2 * first + 0.2}


class _Encoder(nn.Module):
    """Images (B, 3, S, S) to mu and logvar (B, L); no answer, for its logvar is never above 0."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.heads = nn.Linear(3 * 8 * 8, 2 * latent_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu, logvar = self.heads(F.adaptive_avg_pool2d(x, 8).flatten(1)).chunk(2, dim=1)
        return mu, -F.softplus(logvar)


class _Decoder(nn.Module):
    """Codes (B, L) to images (B, 3, 64, 64); no answer, for its pixels lie between -1 and 1."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(latent_dim, 12), nn.Linear(12, 3 * 64 * 64)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.last(F.leaky_relu(self.first(z)))).unflatten(1, (3, 64, 64))
