"""What checks do to networks while they look at them: move their weights, take their slopes, exchange their organs.

It happens beside learners' code, so nothing here is an answer to anything; what matters is compared elsewhere.
"""

from __future__ import annotations

from types import MethodType
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn


def shake(net: nn.Module, seed: int, gain: float) -> None:
    """Draw weights anew, so that nothing depends on how somebody starts them; parameters of other layers move a little.

    Args:
        net: changed in place.
        seed: of the weights.
        gain: standard deviation of weights times the square root of how many numbers they sum.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in net.modules():
            for parameter in module.parameters(recurse=False):
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float32)
                if not isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
                    parameter.add_(0.1 * noise)
                elif parameter.dim() < 2:
                    parameter.copy_(0.1 * noise)
                else:
                    parameter.copy_(gain * noise / parameter[0].numel() ** 0.5)


_unmoved: WeakKeyDictionary[nn.Module, tuple[nn.Parameter, Tensor]] = WeakKeyDictionary()


def move(net: nn.Module, seed: int, number: int) -> None:
    """Let one weight change a little, after the one before it went back; global noise starts anew.

    What a network makes of a batch before and after is what :func:`slopes` has to agree with.

    Args:
        net: changed in place.
        seed: of the order of the weights and of the directions in which they move.
        number: which one, from 0; beyond the last they start again, and before the first none moves.
    """
    weights = list(_weights(net).values())
    order = torch.randperm(len(weights), generator=torch.Generator().manual_seed(seed)).tolist()
    with torch.no_grad():
        if net in _unmoved:
            weight, before = _unmoved.pop(net)
            weight.copy_(before)
        if weights and number >= 0:
            place = order[number % len(order)]
            _unmoved[net] = weights[place], weights[place].clone()
            weights[place].add_(_direction(weights[place], seed + place))
    torch.default_generator.manual_seed(seed)  # torch.manual_seed keeps a stack trace for each kind of card


def _weights(net: nn.Module) -> dict[str, nn.Parameter]:
    return {name: weight for name, weight in net.named_parameters() if weight.dim() >= 2}


def _direction(weight: Tensor, seed: int) -> Tensor:
    """A two-thousandth of the weight, whichever way: layers that bend look straight from so near."""
    noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)
    size = float(weight.detach().square().mean().sqrt()) or 1.0
    return (5e-4 * size * noise).to(weight.dtype)


def views(shape: tuple[int, ...], seed: int) -> Tensor:
    """Weights of the three sums that stand for a result of this shape, (3, *shape)."""
    return torch.randn(3, *shape, generator=torch.Generator().manual_seed(seed))


def slopes(
    net: nn.Module, x: Tensor, seed: int, position: int | None = None, noise: int | None = None
) -> dict[str, Any]:
    """How sums of what ``net`` makes of ``x`` change, by their gradients, when each weight moves as ``move`` does it.

    Args:
        net: any network; its gradients stay as they are.
        x: a batch.
        seed: as given to ``move``.
        position: of the result to differentiate, where there are several.
        noise: seed of the generator that the network is given, if it takes one.

    Returns:
        The ``names`` of the weights, and their ``slopes``, (W, 3).
    """
    torch.default_generator.manual_seed(seed)  # torch.manual_seed keeps a stack trace for each kind of card
    result = net(x) if noise is None else net(x, generator=torch.Generator().manual_seed(noise))
    result = result if position is None else result[position]
    weights = _weights(net)
    rows = torch.zeros(len(weights), 3)
    if result.requires_grad and weights:
        for column, view in enumerate(views(tuple(result.shape), seed)):
            gradients = torch.autograd.grad(
                result, list(weights.values()), view.to(result.dtype), retain_graph=True, allow_unused=True
            )
            for row, (weight, gradient) in enumerate(zip(weights.values(), gradients, strict=True)):
                if gradient is not None:
                    rows[row, column] = (gradient * _direction(weight, seed + row)).sum().item()
    return {"names": list(weights), "slopes": rows}


def descend(model: nn.Module, x: Tensor, learning_rate: float) -> None:
    """A step down the squares of what a model makes of ``x``, on top of the gradients that it holds already.

    So the weights afterwards tell whether it could learn, in which mode it was, and what was left in it.
    """
    loss = sum(part.square().sum() for part in model(x))
    if isinstance(loss, Tensor) and loss.requires_grad:
        loss.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.sub_(learning_rate * parameter.grad)


def steer(model: Any, x: Tensor, wanted: Tensor) -> None:
    """Change the weights a little until the encoder says what is wanted of one image: a few Gauss-Newton steps.

    Args:
        model: its encoder is changed in place.
        x: one image, (1, 3, S, S).
        wanted: its mu and logvar, (1, 2 L).
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    for _ in range(8):
        got = torch.cat(list(model.encode(x)), dim=1)[0]
        if not got.requires_grad:
            return  # cut off: it stays as it is
        if bool((got - wanted[0]).abs().max() < 1e-3):
            return
        slopes = [torch.autograd.grad(v, parameters, retain_graph=True, allow_unused=True) for v in got]
        used = [i for i in range(len(parameters)) if any(row[i] is not None for row in slopes)]
        zeros = [torch.zeros_like(p) for p in parameters]
        rows = [[zeros[i] if row[i] is None else row[i] for i in used] for row in slopes]
        flat = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])
        change = torch.linalg.pinv(flat @ flat.T, rtol=1e-6) @ (wanted[0] - got.detach()) @ flat
        with torch.no_grad():
            for i, part in zip(used, change.split([parameters[i].numel() for i in used]), strict=True):
                parameters[i].add_(part.view_as(parameters[i]))


def near(model: Any, x: Tensor, offsets: Tensor) -> Tensor:
    """Pictures of the codes at offsets (O, L) from the mean of one image, (O, 3, S, S)."""
    with torch.no_grad():
        return model.decode(model.encode(x)[0] + offsets)


def practise(model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, num_steps: int) -> None:
    """Steps that make the squares of what a model makes of ``x`` small; noise comes from torch's own source."""
    for _ in range(num_steps):
        optimizer.zero_grad()
        sum((part.square().mean() for part in model(x)), torch.zeros(())).backward()
        optimizer.step()


def transplant(model: Any, donor: Any, organ: str) -> Any:
    """Give a model a method of another class in place of its own.

    Args:
        model: changed in place.
        donor: of that class.
        organ: name of the method.

    Returns:
        The model.
    """
    setattr(model, organ, MethodType(getattr(type(donor), organ), model))
    return model


def draw_from(model: Any, mu: Tensor, logvar: Tensor, seed: int) -> dict[str, Tensor]:
    """What a model draws where its encoder says mu and logvar, and how that moves with them.

    Args:
        model: its ``encode`` is replaced meanwhile.
        mu, logvar: (B, L).
        seed: of the generator that it is given.

    Returns:
        z; and the derivatives to_mu and to_logvar of each number of z, (B, L), 0 where nothing arrives.
    """
    leaves = mu.clone().requires_grad_(), logvar.clone().requires_grad_()
    own = model.__dict__.get("encode")
    model.encode = lambda x: leaves
    try:
        z = model.draw(torch.zeros(len(mu), 3, 8, 8), generator=torch.Generator().manual_seed(seed))[0]
    finally:
        del model.encode
        if own is not None:
            model.encode = own
    found: Any = (None, None)
    if z.requires_grad:
        found = torch.autograd.grad(z.sum(), leaves, allow_unused=True)
    slopes = [torch.zeros_like(mu) if slope is None else slope for slope in found]
    return {"z": z, "to_mu": slopes[0], "to_logvar": slopes[1]}
