"""One training on several processes, equal to one on a single process with the same batches.

``torchrun --nproc-per-node N -m vae_ref train ...`` starts N ranks. Each computes its rows of every global batch
and DistributedDataParallel averages the gradients. Three things make the sum come out right:

* DDP averages over ranks, not over images: a rank's loss is weighted by its share of the batch.
* σ is a statistic of the whole batch. At the best σ the loss does not change with it, dL/dσ = 0, so the σ of all
  ranks together can enter the gradient as a constant.
* Every rank draws the noise of the whole batch and keeps its rows, so what is drawn does not depend on N.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.overrides import TorchFunctionMode

from vae_ref.bound import kl_divergence, reconstruction_log_likelihood
from vae_ref.devices import CPU, random_states, restore_random_states
from vae_ref.networks import VAE


@dataclass(frozen=True)
class Ranks:
    """The processes of a training; the default is a process on its own.

    Attributes:
        rank: number of this one, from 0.
        count: how many there are.
        device: where this one computes.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = CPU

    def share(self, num_images: int) -> tuple[slice, float]:
        """This rank's rows of a batch and their weight.

        Returns:
            The rows, at least one, and what each counts in the batch's mean, times the number of ranks. A rank that
            is left without a row, because the last batch is short, computes the first one and counts it as 0.
        """
        start, stop = (num_images * rank // self.count for rank in (self.rank, self.rank + 1))
        return (slice(start, stop), self.count / num_images) if stop > start else (slice(0, 1), 0.0)

    def agree(self, value: float) -> float:
        """The value of rank 0, on every rank."""
        if self.count == 1:
            return value
        return self._broadcast(torch.tensor(value, dtype=torch.float64)).item()

    def require_equal(self, model: nn.Module) -> None:
        """Stop if a model is not the same on every rank.

        Raises:
            RuntimeError: it is not; nothing that follows would mean anything.
        """
        if self.count == 1:
            return
        state = torch.cat([value.detach().float().flatten().cpu() for value in model.state_dict().values()])
        differs = torch.tensor(float(not torch.equal(state, self._broadcast(state.clone()).cpu())))
        if self.sum(differs).item() > 0:
            raise RuntimeError("the ranks' models have come apart; restart from the last checkpoint")

    def sum(self, values: Tensor) -> Tensor:
        """The sum over ranks of values of one shape, on every rank: that shape, on the rank's device."""
        values = values.to(self.device)
        dist.all_reduce(values)
        return values

    def _broadcast(self, values: Tensor) -> Tensor:
        values = values.to(self.device)
        dist.broadcast(values, src=0)
        return values


@contextmanager
def open_ranks(device: torch.device) -> Iterator[Ranks]:
    """Join the other processes that torchrun started, if it did.

    Args:
        device: what to compute on; with CUDA each process of a machine takes a device of its own.
    """
    if "WORLD_SIZE" not in os.environ:  # torchrun sets it
        yield Ranks(device=device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size(), device)
        dist.barrier()  # nobody leaves while another still talks to it
    finally:
        gc.collect()  # a DDP that outlives its process group can abort the process at its end
        dist.destroy_process_group()


class SharedNoise(TorchFunctionMode):
    """Within it ``torch.randn`` draws for the whole batch and returns this rank's rows.

    Args:
        rows: this rank's, see ``Ranks.share``.
        num_images: rows of the whole batch.
    """

    def __init__(self, rows: slice, num_images: int) -> None:
        super().__init__()
        self.rows, self.num_images = rows, num_images

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is not torch.randn:
            return func(*args, **kwargs)
        shape = tuple(args[0]) if len(args) == 1 and not isinstance(args[0], int) else args
        if shape[0] != self.rows.stop - self.rows.start:
            raise RuntimeError(f"noise of shape {tuple(shape)} does not belong to the rows {self.rows}")
        return func((self.num_images, *shape[1:]), **kwargs)[self.rows]


def distribute(model: VAE, ranks: Ranks) -> DistributedDataParallel:
    """Wrap a model so that its gradients are averaged over ranks, always in the same order.

    DDP groups gradients anew after its first backward pass, and three or more ranks then add them up in another
    order. One pass that changes nothing lets a run that is resumed start with the final groups, as one does that was
    never stopped, so both end bit-equal.
    """
    wrapped = DistributedDataParallel(model)
    states = random_states(ranks.device)
    nothing = torch.zeros(1, 3, 64, 64, device=ranks.device, dtype=model.sigma.dtype)
    x_hat, mu, logvar = wrapped(nothing)
    (x_hat.sum() + mu.sum() + logvar.sum()).backward()
    model.zero_grad()
    restore_random_states(states, ranks.device)
    return wrapped


def parallel_step(
    model: DistributedDataParallel, x: Tensor, optimizer: torch.optim.Optimizer, beta: float, ranks: Ranks
) -> dict[str, float]:
    """Chapter 05's ``train_step``, taken by all ranks together.

    Args:
        model: the wrapped VAE.
        x: the images of all ranks, (B, 3, 64, 64), in [0, 1].
        optimizer: holds the model's parameters.
        beta: weight of the KL term.
        ranks: who computes which rows.

    Returns:
        "loss", "reconstruction" and "kl" of the whole batch before the step, nats per image.
    """
    model.train()
    num_images = len(x)
    rows, weight = ranks.share(num_images)
    x = x[rows]
    with SharedNoise(rows, num_images):
        x_hat, mu, logvar = model(x)
    # what this rank's rows contribute to a sum over the batch: all of it, or nothing
    counts = weight * num_images / ranks.count
    # σ² = mean (x − x̂)² over the whole batch
    squared_error = (x - x_hat).detach().square().sum(dtype=torch.float64) * counts
    variance = ranks.sum(squared_error) / (num_images * x[0].numel())
    reconstruction = -reconstruction_log_likelihood(x, x_hat, variance.clamp(min=1e-12).sqrt())
    kl = kl_divergence(mu, logvar)
    optimizer.zero_grad()
    ((reconstruction + beta * kl).sum() * weight).backward()  # DDP takes the mean over ranks of its gradient
    optimizer.step()
    sums = torch.stack([reconstruction.detach().sum(), kl.detach().sum()]).double() * counts
    mean_reconstruction, mean_kl = (ranks.sum(sums) / num_images).tolist()
    return {
        "loss": mean_reconstruction + beta * mean_kl,
        "reconstruction": mean_reconstruction,
        "kl": mean_kl,
    }
