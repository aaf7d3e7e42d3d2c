"""The settings of a training run, and their defaults: the only place where they are written down."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from vae_ref.errors import CourseError

DATA = ("paper", "stanford")
MODELS = ("vae", "two-level", "vae-gan")
PRIORS = ("normal", "flow")
LIKELIHOODS = ("sigma", "spectrum")
VAE_GAN_LEARNING_RATE = 5e-4  # of decoder and discriminator
SPECTRUM_LEARNING_RATE = 1e-3  # of a finished vae that goes on under the spectrum


@dataclass(frozen=True)
class Config:
    """What decides the outcome of a run, besides its length and its data.

    Attributes:
        data: "paper" or "stanford".
        model: kind of the model: "vae", "two-level" (hierarchical), or "vae-gan" (a finished vae whose decoder is
            sharpened against a discriminator; at evaluation a vae like any other).
        latent_dim: length of a code.
        rate: the KL term that training commits to, nats per image: β is adapted until the KL is there. None:
            β warms up to 1 and the KL is what the bound makes it.
        prior: of the code when pictures are drawn: "normal", or "flow", which is fitted to the codes of training
            pictures at the end.
        likelihood: p(x|z) while training: "sigma" shared by all pixels, or "spectrum", a variance for each colour
            and frequency. Without a rate, the code of a model that is trained under the latter collapses.
        batch_size: images in a step.
        learning_rate: AdamW's, at its highest.
        warmup_steps: steps over which the weight of the KL term rises to 1; of no effect with a rate.
        augmented: whether training images are mirrored and brightened. Off for paper dogs: which side the
            patch is on and how bright the paper is belong to what is drawn there.
        num_validation: training images kept aside to watch progress; the test side stays untouched.
        seed: of the weights, the order of images and all noise.
        start_from: folder of the finished run that is continued: by a vae-gan always, by a vae when it learns the
            spectrum after a warm-up under a shared σ.

    Raises:
        CourseError: a setting makes no sense.
    """

    data: str = "paper"
    model: str = "vae"
    latent_dim: int = 128
    rate: float | None = None
    prior: str = "normal"
    likelihood: str = "sigma"
    batch_size: int = 32
    learning_rate: float = 2e-3
    warmup_steps: int = 300
    augmented: bool = False
    num_validation: int = 512
    seed: int = 0
    start_from: str = ""

    def __post_init__(self) -> None:
        for name, choices in (
            ("data", DATA),
            ("model", MODELS),
            ("prior", PRIORS),
            ("likelihood", LIKELIHOODS),
        ):
            if getattr(self, name) not in choices:
                raise CourseError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}")
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise CourseError(f"{name} must be a whole number of at least {least}, got {value!r}")
        for name in ("rate", "learning_rate"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise CourseError(f"{name} must be positive, got {value}; leave it out for the default")
        if self.prior == "flow" and (self.model == "two-level" or self.latent_dim < 2):
            raise CourseError(
                f"a flow needs one level with a latent_dim of at least 2, got a {self.model} with "
                f"{self.latent_dim}; use --prior normal"
            )
        if self.model == "vae-gan" and not self.start_from:
            raise CourseError("a vae-gan starts from a finished vae; use --model vae-gan --from RUN")
        if self.start_from and (self.model, self.likelihood) not in (
            ("vae-gan", "sigma"),
            ("vae", "spectrum"),
        ):
            raise CourseError(
                f"a {self.model} under the likelihood {self.likelihood} starts from nothing, got "
                f"start_from {self.start_from!r}; with --from goes --model vae-gan or --likelihood spectrum"
            )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


_LEAST = {"latent_dim": 1, "batch_size": 1, "warmup_steps": 0, "num_validation": 1, "seed": 0}

DEFAULTS = {
    "paper": Config(data="paper", latent_dim=16, learning_rate=4e-3, prior="flow"),
    "stanford": Config(
        data="stanford", latent_dim=192, rate=385.0, batch_size=64, learning_rate=4e-3, augmented=True
    ),
}


TWO_LEVEL = replace(DEFAULTS["stanford"], model="two-level", latent_dim=128, rate=940.0)


def default_config(data: str, model: str = "vae") -> Config:
    """The settings that measured best for some data and a kind of model that starts from nothing."""
    if (data, model) == ("stanford", "two-level"):
        return TWO_LEVEL
    prior = "normal" if model == "two-level" else DEFAULTS[data].prior  # a flow takes one level
    return replace(DEFAULTS[data], model=model, prior=prior)


def sharpened(config: Config, start_from: str) -> Config:
    """The settings of a VAE-GAN that starts from a VAE: as there, but for what makes it one.

    Args:
        config: of the VAE.
        start_from: folder of its run.

    Raises:
        CourseError: it is no VAE.
    """
    return replace(
        _of_a_vae(config, start_from),
        model="vae-gan",
        start_from=start_from,
        learning_rate=VAE_GAN_LEARNING_RATE,
        rate=None,  # the encoder stays as it is
        likelihood="sigma",
        warmup_steps=0,
    )


def under_spectrum(config: Config, start_from: str) -> Config:
    """The settings of a VAE that goes on under the spectrum likelihood: as before, its rate included.

    Args:
        config: of the VAE.
        start_from: folder of its run.

    Raises:
        CourseError: it is no VAE.
    """
    return replace(
        _of_a_vae(config, start_from),
        likelihood="spectrum",
        start_from=start_from,
        learning_rate=SPECTRUM_LEARNING_RATE,
        warmup_steps=0,
    )


def _of_a_vae(config: Config, where: str) -> Config:
    if config.model != "vae":
        raise CourseError(f"{where} is a {config.model}; only a vae can be continued in another way")
    return config


def require_same(saved: dict[str, Any], wanted: dict[str, Any], where: str) -> None:
    """Refuse to continue a run under other settings.

    Raises:
        CourseError: names the first setting that differs.
    """
    for name in sorted(saved.keys() | wanted.keys()):
        before, now = saved.get(name), wanted.get(name)
        if before != now:
            raise CourseError(
                f"{where} was trained with {name} = {before!r}, not {now!r}; "
                "use the same setting to continue it, or another --out to start afresh"
            )
