"""What several checks of assignment 04 use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from autograder.both_sides import handling
from autograder.both_sides.target import Call
from autograder.both_sides.wire import Handle
from autograder.judge.comparing import kind
from autograder.judge.definitions import Probe, Step

IMAGE = (3, 64, 64)

NUM_MOVES = 12  # of weights, one at a time

CLOSE = 1e-3  # of the largest number: sums of thousands in another order


def pictures(g: Generator, batch: int) -> Tensor:
    """Smooth random images, which differ in their colours as a whole too."""
    return F.interpolate(torch.rand(batch, 3, 4, 4, generator=g), size=64, mode="bilinear")


def number(g: Generator) -> int:
    return int(torch.randint(2**31, (), generator=g))


def made(name: str, latent_dim: int) -> tuple[Step, ...]:
    return (Step(name, Call((latent_dim,), keep="net")),)


def settled(name: str, latent_dim: int, x: Tensor, g: Generator, gain: float = 1.4) -> tuple[Step, ...]:
    """Steps that leave a net in evaluation mode with weights of our own; a first call fills in lazy layers."""
    return (
        *made(name, latent_dim),
        Step("net.eval", Call(keep="net")),
        Step("net", Call((x,), keep="first")),
        Step("handling.shake", Call((Handle("net"), number(g), gain))),
    )


def same(a: Tensor, b: Tensor) -> bool:
    scale = max(float(a.abs().max()), float(b.abs().max()))
    return a.shape == b.shape and float((a.double() - b.double()).abs().max()) <= CLOSE * scale


def tensor_problem(name: str, value: Any, shape: tuple[int, ...]) -> str:
    if not isinstance(value, Tensor):
        return f"{name} is {kind(value)}, not a tensor."
    if value.shape != shape:
        return f"{name} has shape {tuple(value.shape)}, not {shape}."
    if value.dtype != torch.float32:
        return f"{name} is {value.dtype}, not torch.float32."
    if not bool(value.isfinite().all()):
        return f"{name} holds values that are not finite."
    return ""


def tuple_problem(name: str, result: Any, names: tuple[str, ...]) -> str:
    wanted = f"the {len(names)} tensors {', '.join(names[:-1])} and {names[-1]}"
    if not isinstance(result, list | tuple):
        return f"{name} returned {kind(result)}, not {wanted}."
    if len(result) != len(names):
        return f"{name} returned {len(result)} things, not {wanted}."
    return ""


def codes_problem(name: str, result: Any, shape: tuple[int, ...]) -> str:
    """What is wrong with the form of mu and logvar."""
    problem = tuple_problem(name, result, ("mu", "logvar"))
    for what, value in zip(("mu", "logvar"), () if problem else result, strict=False):
        problem = problem or tensor_problem(what, value, shape)
    return problem


def rows_problem(results: list[Any], noun: str) -> str:
    """Compare the results of a batch, of it once more, of it in reverse and of its first row alone."""
    batch, again, turned, single = results
    if not same(batch, again):
        return "differs from call to call, although the net is in evaluation mode"
    if single.shape != batch[:1].shape:
        return f"has shape {tuple(single.shape)} for a single {noun}, not {tuple(batch[:1].shape)}"
    if not same(batch.flip(0), turned):
        return f"does not follow when the {noun}s of a batch change places: rows get mixed up on the way"
    if not same(batch[:1], single):
        return f"of one {noun} depends on what else is in its batch"
    return ""


def moving_weights(
    call: Call, before: tuple[Step, ...], g: Generator, positions: tuple[int | None, ...]
) -> list[Probe]:
    """The slopes of each result, what the net makes of a batch, and the same as one weight after another moves.

    The net's own word on its gradients would be cheap to invent; what it makes of the batch has to agree with it.
    """
    seed, net = number(g), Handle("net")
    noise = (call.kwargs or {}).get("generator")
    asked = (call.args[0], seed)
    told = [
        Probe(
            Call((net, *asked, position, None if noise is None else noise.value)),
            "",
            on="handling.slopes",
            before=before if i == 0 else (),
        )
        for i, position in enumerate(positions)
    ]
    # what is moved by −1 is moved by nothing: only the noise starts anew, as it does in the other calls
    return told + [
        Probe(call, "", on="net", before=(Step("handling.move", Call((net, seed, number))),))
        for number in range(-1, NUM_MOVES)
    ]


def part(result: Any, position: int | None) -> Tensor:
    return (result if position is None else result[position]).double()


def reached(
    results: list[Any], probes: list[Probe], positions: tuple[int | None, ...]
) -> list[tuple[list[str], list[str]]]:
    """For each result the names of the weights that its gradient reaches, and of those that it does not."""
    still, *moved = results[len(positions) :]
    found = []
    for told, position in zip(results, positions, strict=False):
        names, slopes = told["names"], told["slopes"]
        if not names:
            raise ValueError("a network without weights")
        before = part(still, position)
        without_effect = {
            place
            for place, after in zip(order(len(names), probes[0]), moved, strict=False)
            if torch.equal(part(after, position), before)
        }
        hit = [bool(row.any()) and place not in without_effect for place, row in enumerate(slopes)]
        found.append(
            (
                [n for n, h in zip(names, hit, strict=True) if h],
                [n for n, h in zip(names, hit, strict=True) if not h],
            )
        )
    return found


def order(num_weights: int, probe: Probe) -> list[int]:
    """Which weight moved in each of the calls."""
    seed = probe.call.args[2]
    order = torch.randperm(num_weights, generator=torch.Generator().manual_seed(seed)).tolist()
    return [order[number % num_weights] for number in range(NUM_MOVES)]


def cut_problem(results: list[Any], probes: list[Probe], whats: tuple[str, ...]) -> str:
    """Hold the slopes against what the moves did."""
    still, *moved = results[len(whats) :]
    for i, what in enumerate(whats):
        position = probes[i].call.args[3]
        before = part(still, position)
        views = handling.views(tuple(before.shape), probes[0].call.args[2]).double()
        for place, after in zip(order(len(results[i]["names"]), probes[0]), moved, strict=True):
            change = (views * (part(after, position) - before)).flatten(1).sum(1)
            told = results[i]["slopes"][place].double()
            # a step is not quite a slope where layers bend, and rounding hides the smallest
            allowed = 0.7 * max(float(change.norm()), float(told.norm())) + 5e-6 * float(before.norm())
            if not float((change - told).norm()) <= allowed:
                return (
                    f"When {results[i]['names'][place]} moves, {what} changes otherwise than its gradient says: "
                    "something on the way is cut off from it."
                )
    return ""


class SmallEncoder(nn.Module):
    """Right unless a part of it is replaced."""

    def __init__(self, latent_dim: int, ends: Callable[..., Any], begins: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 8, stride=8), nn.ReLU(), nn.Flatten())
        self.mu, self.logvar = nn.Linear(512, latent_dim), nn.Linear(512, latent_dim)
        self.ends, self.begins = ends, begins

    def forward(self, x: Tensor) -> Any:
        features = self.features(self.begins(x))
        return self.ends(self.mu(features), self.logvar(features))


def both(mu: Tensor, logvar: Tensor) -> tuple[Tensor, Tensor]:
    return mu, logvar


def encoder(
    ends: Callable[..., Any] = both, begins: Callable[[Tensor], Tensor] = lambda x: x
) -> Callable[..., Any]:
    return lambda latent_dim: SmallEncoder(latent_dim, ends, begins)


class PlainDecoder(nn.Module):
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


def decoder(
    ends: Callable[[Tensor], Any] = torch.sigmoid,
    begins: Callable[[Tensor], Tensor] = lambda z: z,
    size: int = 64,
    colours: int = 3,
) -> Callable[..., Any]:
    return lambda latent_dim: PlainDecoder(latent_dim, ends, begins, size, colours)


def eps(mu: Tensor, generator: Generator | None) -> Tensor:
    return torch.randn(mu.shape, generator=generator)


def sample(mu: Tensor, logvar: Tensor, generator: Generator | None, training: bool = True) -> Tensor:
    return mu + torch.exp(0.5 * logvar) * eps(mu, generator)


class ConvEncoder(nn.Module):
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


class MlpEncoder(nn.Module):
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


class ConvDecoder(nn.Module):
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


class UpsamplingDecoder(nn.Module):
    """Upsampling and a last layer that starts at 0: all grey."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.fc = nn.Linear(latent_dim, 8 * 256)
        self.conv, self.last = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        nn.init.zeros_(self.last.weight)

    def forward(self, z: Tensor) -> Any:
        h = F.elu(self.conv(self.fc(z).unflatten(1, (8, 16, 16))))
        return 0.5 * (torch.tanh(self.last(F.interpolate(h, scale_factor=4.0))) + 1)


# One formula a line reads as a table; broken up by the formatter it would be twice as long.
# fmt: off



def standardised(x: Tensor) -> Tensor:
    return (x - x.mean(0)) / (x.std(0, unbiased=False) + 1e-3)
