"""The kinds of models that can be trained, by name."""

from __future__ import annotations

from torch import Tensor, nn

from vae_ref.config import Config
from vae_ref.errors import CourseError
from vae_ref.networks import VAE


def build_model(config: Config) -> VAE:
    """Make a new model of the kind and size that a configuration names; a vae-gan is a VAE with another training."""
    if config.model == "two-level":
        from vae_ref.sharper.two_level import TwoLevelVAE  # the rest of the course does without chapter 10

        return TwoLevelVAE(config.latent_dim)
    model = VAE(config.latent_dim)
    if config.prior == "flow":
        from vae_ref.sharper.flow import FlowPrior

        # fitted to finished codes: no part of the training of encoder and decoder
        model.learned_prior = FlowPrior(config.latent_dim).requires_grad_(False)
    return model


def fill(module: nn.Module, tensors: dict[str, Tensor], where: str) -> None:
    """Give a module the tensors of a file, if they are all its own.

    Args:
        module: gets the tensors, in its own number formats.
        tensors: by name, as in a ``state_dict``.
        where: the file, as a person would name it.

    Raises:
        CourseError: a tensor is missing, too many, or of another shape; the module is as it was.
    """
    wanted = module.state_dict()
    for name in sorted(wanted.keys() | tensors.keys()):
        here = tuple(tensors[name].shape) if name in tensors else "missing"
        there = tuple(wanted[name].shape) if name in wanted else "not part of the model"
        if here != there:
            raise CourseError(
                f"{where} is of another model: {name} is {here} there, {there} as its settings say; "
                "use a whole one: train again, or install the course again"
            )
    module.load_state_dict({name: tensors[name].to(wanted[name].dtype) for name in wanted})
