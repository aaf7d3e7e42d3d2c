"""How long a reproduction takes on this machine: the minutes of its plan, scaled by a few measured steps."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

import torch

from vae_ref.devices import CPU
from vae_ref.plans import MAIN, plan
from vae_ref.recipes import make_recipe
from vae_ref.stages import Stage, Train

WARM_STEPS = 5  # the first ones allocate memory and choose algorithms


def main_stage(data: str) -> Train:
    """The training at full length that speeds are measured with."""
    return next(stage for stage in plan(data) if isinstance(stage, Train) and stage.name == MAIN)


def images_per_second(stage: Train, device: torch.device = CPU, seconds: float = 3.0) -> float:
    """Speed of a training's steps, on noise instead of pictures.

    Args:
        stage: whose model and settings.
        device: where to compute.
        seconds: how long to measure.
    """
    states = torch.get_rng_state()
    recipe = make_recipe(stage.config, device)
    x = torch.rand(stage.config.batch_size, 3, 64, 64).to(device)
    for _ in range(WARM_STEPS):
        recipe.step(x, 1.0)
    steps, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        recipe.step(x, 1.0)  # returns plain numbers, so it waits for the device
        steps += 1
    speed = steps * len(x) / (time.perf_counter() - started)
    torch.set_rng_state(states)
    return speed


def minutes_left(
    stages: Sequence[Stage], finished: Collection[str], planned: float, training: float, processor: float
) -> float:
    """Minutes that the stages which are not finished will take.

    Args:
        stages: all of them.
        finished: names of those that are done.
        planned: images a second that the plan's minutes stand for.
        training: images a second of the device that trains.
        processor: images a second of the processor, where everything else is computed.
    """
    left = [stage for stage in stages if stage.name not in finished]
    return sum(
        stage.minutes * planned / (training if isinstance(stage, Train) else processor) for stage in left
    )


def estimate(
    stages: Sequence[Stage], finished: Collection[str], data: str, num_images: int, device: torch.device
) -> str:
    """A sentence to read before it starts.

    Args:
        stages, finished: as of ``minutes_left``.
        data: "paper" or "stanford".
        num_images: of the training side.
        device: that trains.
    """
    left = len(stages) - len({stage.name for stage in stages} & set(finished))
    if left == 0:
        return f"all {len(stages)} stages are done; the page is written anew"
    main = main_stage(data)
    processor = images_per_second(main)
    training = processor if device.type == "cpu" else images_per_second(main, device)
    planned = main.epochs * num_images / (60 * main.minutes)
    minutes = minutes_left(stages, finished, planned, training, processor)
    length = f"{minutes / 60:.1f} hours" if minutes > 90 else f"{max(1, round(minutes))} minutes"
    return (
        f"{left} of {len(stages)} stages to do, about {length} on {device.type} ({training:.0f} images a second in "
        "training); stop it at any moment, the same command goes on"
    )
