"""Pictures a second of training steps, side by side, as ratios and as shares of what the machine can multiply.

All take their steps in this one process, in turns: a round gives everybody about the same time, the next
round goes in the opposite order. So what slows the machine for a while slows all of them. A speed is the
median over rounds, a ratio the median of the ratios within a round.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from benchmarks.contestants import CONTESTANTS, Contestant, Published, Reference
from benchmarks.machine import GEMM_SIZES, gemm_flops
from vae_ref.devices import bfloat16_is_native
from vae_ref.dogs import DogData, augment
from vae_ref.dogs.dataset import take

SAME_BATCH_SIZE = 64
FEEDING = "feeding"


@dataclass(frozen=True)
class Entry:
    """A contestant with a precision and a batch size.

    Attributes:
        name: key of ``CONTESTANTS``.
        precision: "float32" or "bfloat16" (autocast; sums, norms and the optimiser stay float32).
        batch_size: pictures in a step.
    """

    name: str
    precision: str
    batch_size: int

    @property
    def key(self) -> str:
        return f"{self.name} {self.precision} {self.batch_size}"

    def make(self) -> Contestant:
        """The contestant, new."""
        contestant = CONTESTANTS[self.name]()
        contestant.bfloat16 = self.precision == "bfloat16"
        contestant.batch_size = self.batch_size
        return contestant


def as_published(name: str) -> Entry:
    """An entry with the contestant's own precision and batch size."""
    contestant = CONTESTANTS[name]()
    return Entry(name, "bfloat16" if contestant.bfloat16 else "float32", contestant.batch_size)


def precisions() -> dict[str, torch.dtype]:
    """What is worth measuring on this machine: emulated bfloat16 is not."""
    native = bfloat16_is_native()
    return {"float32": torch.float32} | ({"bfloat16": torch.bfloat16} if native else {})


def line_up() -> list[Entry]:
    """Everybody as published; every net in every precision; the reference also in batches as large as theirs."""
    own = Reference().batch_size
    entries = [as_published(name) for name in CONTESTANTS]
    for precision in precisions():
        entries += [Entry("vae_ref", precision, size) for size in (own, SAME_BATCH_SIZE)]
        entries += [
            Entry(name, precision, SAME_BATCH_SIZE)
            for name, kind in CONTESTANTS.items()
            if issubclass(kind, Published)
        ]
    return list({entry.key: entry for entry in entries}.values())


def measure(data: DogData, rounds: int, seconds: float) -> dict[str, object]:
    """Measure everybody, the feeding of data, and the machine's matrix products, in turns.

    Args:
        data: pictures to feed.
        rounds: how often everybody has a turn.
        seconds: length of a turn; at least one step is taken.

    Returns:
        See the keys; speeds in pictures a second, each a dictionary with "median", "min" and "max".
    """
    torch.manual_seed(0)
    entries = line_up()
    turns: dict[str, Callable[[], float]] = {FEEDING: partial(feeding_speed, data, seconds)}
    rows: dict[str, dict[str, Any]] = {}
    for entry in tqdm(entries, desc="throughput, first steps"):
        contestant = entry.make()
        x = take(data.train, torch.arange(entry.batch_size))[0]
        rows[entry.key] = {**vars(entry), **_sizes(contestant, x)}
        turns[entry.key] = partial(training_speed, contestant, x, seconds)
    for precision, dtype in precisions().items():
        turns |= {f"gemm {precision} {size}": partial(gemm_flops, size, dtype) for size in GEMM_SIZES}
    speeds = take_turns(turns, rounds)
    peaks = {p: max(statistics.median(speeds[f"gemm {p} {s}"]) for s in GEMM_SIZES) for p in precisions()}
    own = speeds[as_published("vae_ref").key]
    for key, row in rows.items():
        flops = statistics.median(speeds[key]) * row["flops_per_image"]
        row["images_per_second"] = spread(speeds[key])
        row["vae_ref_is_faster_by"] = spread([a / b for a, b in zip(own, speeds[key], strict=True)])
        row["share_of_gemm_peak"] = flops / peaks[row["precision"]]
    return {
        "rounds": rounds,
        "own": as_published("vae_ref").key,
        "gemm_flops_per_second": peaks,
        "entries": rows,
        "feeding_images_per_second": spread(speeds[FEEDING]),
        "feeding_share_of_step": spread([a / b for a, b in zip(own, speeds[FEEDING], strict=True)]),
    }


def _sizes(contestant: Contestant, x: torch.Tensor) -> dict[str, object]:
    """Parameters, and operations of one training step by count: products of matrices and convolutions."""
    with FlopCounterMode(display=False) as counter:
        contestant.step(x)
    return {
        "parameters": sum(p.numel() for p in contestant.model.parameters()),
        "flops_per_image": counter.get_total_flops() / len(x),
    }


def take_turns(turns: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Call everything once a round, every second round in the opposite order.

    Args:
        turns: what to call, by name.
        rounds: how often.

    Returns:
        What the calls returned, one number a round.
    """
    results: dict[str, list[float]] = {name: [] for name in turns}
    with tqdm(total=rounds * len(turns), desc="throughput") as bar:
        for i in range(rounds):
            for name in list(turns)[:: 1 if i % 2 == 0 else -1]:
                results[name].append(turns[name]())
                bar.update()
    return results


def training_speed(contestant: Contestant, x: torch.Tensor, seconds: float) -> float:
    """Pictures a second over steps of forward, backward and optimiser."""
    count, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds or count == 0:
        contestant.step(x)
        count += len(x)
    return count / elapsed


def feeding_speed(data: DogData, seconds: float) -> float:
    """Pictures a second from the memory map to augmented floats, in the reference's batches."""
    batch_size = Reference().batch_size
    count, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds or count == 0:
        x = augment(take(data.train, torch.randint(len(data.train), (batch_size,)))[0])
        count += len(x)
    return count / elapsed


def spread(values: list[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}
