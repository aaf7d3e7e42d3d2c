"""What each kind of model brings to its training: the model, what else has a state, and how a step is taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vae_ref.checkpoint import Progress, load_checkpoint
from vae_ref.config import Config, require_same
from vae_ref.errors import CourseError
from vae_ref.models import build_model, fill
from vae_ref.networks import VAE
from vae_ref.training import train_step

Step = Callable[[Tensor, float], dict[str, float]]


@dataclass
class Recipe:
    """How one kind of model is trained.

    Attributes:
        model: the model.
        optimizer: of its parameters.
        step: takes one step with a batch of images and the weight of the KL term; returns the terms before it.
        modules, optimizers: others that the step uses, by name.
    """

    model: VAE
    optimizer: torch.optim.Optimizer
    step: Step
    modules: dict[str, nn.Module] = field(default_factory=dict)
    optimizers: dict[str, torch.optim.Optimizer] = field(default_factory=dict)

    def all_optimizers(self) -> list[torch.optim.Optimizer]:
        return [self.optimizer, *self.optimizers.values()]

    def extra_state(self) -> dict[str, Any]:
        """States of all modules and optimizers but the model's own."""
        return {name: part.state_dict() for name, part in self._extra().items()}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        for name, part in self._extra().items():
            part.load_state_dict(state[name])

    def _extra(self) -> dict[str, Any]:
        return {**self.modules, **self.optimizers}


def make_recipe(config: Config, device: torch.device) -> Recipe:
    """Make a new model, ready to be trained in the way of its kind.

    Args:
        config: the settings; the weights come from its seed.
        device: where to compute.
    """
    torch.manual_seed(config.seed)  # drawn on the processor: the same weights on every device
    # channels last: convolutions on a processor take a twentieth less time, and GPUs like it too
    model = build_model(config).to(device).to(memory_format=torch.channels_last)
    if config.model == "vae-gan":
        return _sharpen(model, config.learning_rate, device)
    # one kernel for all numbers: a twentieth of a step on a processor
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True
    )
    if config.likelihood == "spectrum":
        from vae_ref.structured import RunningSpectrum, structured_step  # needs chapter 09

        likelihood = RunningSpectrum().to(device)
        return Recipe(
            model,
            optimizer,
            lambda x, beta: structured_step(model, likelihood, x, optimizer, beta),
            {"likelihood": likelihood},
        )
    return Recipe(model, optimizer, lambda x, beta: train_step(model, x, optimizer, beta))


def _sharpen(model: VAE, learning_rate: float, device: torch.device) -> Recipe:
    """The decoder against a discriminator; the KL has no part in it."""
    from vae_ref.sharper import Discriminator, vae_gan_step  # the rest of the course does without chapter 10
    from vae_ref.sharper.vae_gan import vae_gan_optimizers

    judge = Discriminator().to(device)
    optimizer, judge_optimizer = vae_gan_optimizers(model, judge, learning_rate)
    return Recipe(
        model,
        optimizer,
        lambda x, _: vae_gan_step(model, judge, x, optimizer, judge_optimizer),
        {"discriminator": judge},
        {"discriminator_optimizer": judge_optimizer},
    )


def load_start(model: VAE, config: Config, fingerprint: str) -> None:
    """Give a model the weights of the finished VAE that it starts from.

    Args:
        model: gets the weights.
        config: names the run and says what it must be like.
        fingerprint: of the data it must have been trained on.

    Raises:
        CourseError: there is no such run, it is not finished, or it differs; nothing is written.
    """
    saved = load_checkpoint(Path(config.start_from))
    same = {name: getattr(config, name) for name in ("data", "latent_dim", "prior")}
    found = {**{name: saved.config[name] for name in ("model", *same)}, "pictures": saved.fingerprint}
    require_same(found, {"model": "vae", **same, "pictures": fingerprint}, config.start_from)
    if not Progress(**saved.progress).finished:
        raise CourseError(
            f"{config.start_from} is not finished; continue it with the command that started it"
        )
    fill(model, saved.model, config.start_from)
