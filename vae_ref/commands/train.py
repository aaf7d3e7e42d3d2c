"""``vae-ref train``: train a model, or continue a run that was stopped."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from vae_ref.commands.shared import Commands, add_data_options, folder, natural, positive
from vae_ref.config import (
    DEFAULTS,
    LIKELIHOODS,
    MODELS,
    PRIORS,
    TWO_LEVEL,
    VAE_GAN_LEARNING_RATE,
    Config,
    default_config,
    sharpened,
    under_spectrum,
)
from vae_ref.errors import CourseError

if TYPE_CHECKING:
    from vae_ref.parallel import Ranks

NO_RATE = "none"


def add_parser(commands: Commands) -> None:
    """Describe the options of ``vae-ref train``; defaults come from ``vae_ref.config``."""
    parser = commands.add_parser(
        "train",
        help="train a model, or continue a run that was stopped",
        epilog="Several processes, one for each graphics card or machine: torchrun --nproc-per-node N -m vae_ref "
        "train ...; they share every batch, and the outcome is that of one process up to rounding.\n\n"
        "examples:\n"
        "  vae-ref train --data paper --out runs/paper --minutes 2\n"
        "  vae-ref train --data stanford --out runs/stanford --minutes 30",
    )
    parser.add_argument(
        "--data", choices=sorted(DEFAULTS), default="paper", help="paper: drawn dogs; stanford: photos"
    )
    parser.add_argument("--out", type=folder, required=True, metavar="RUN", help="folder of the run")
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--minutes", type=positive(float), help="training time by the clock, pauses left out (default: 2)"
    )
    length.add_argument("--epochs", type=positive(int), help="passes over the training images, instead")
    paper, stanford = DEFAULTS["paper"], DEFAULTS["stanford"]
    parser.add_argument("--seed", type=natural, default=paper.seed, help="of all randomness (default: 0)")
    parser.add_argument(
        "--model",
        choices=MODELS,
        default=paper.model,
        help=f"kind of the model (default: {paper.model}); see the book's chapter 10",
    )
    parser.add_argument(
        "--from",
        dest="start",
        type=Path,
        metavar="RUN",
        help="finished vae to go on from, with --model vae-gan or --likelihood spectrum; its settings, data "
        "included, are taken over",
    )
    latent = (
        f"length of a code, of the global one where there are two levels (default: {paper.latent_dim} for paper, "
        f"{stanford.latent_dim} for stanford, {TWO_LEVEL.latent_dim} with two levels)"
    )
    parser.add_argument("--latent-dim", type=positive(int), help=latent)
    parser.add_argument(
        "--prior",
        choices=PRIORS,
        help="of the codes that samples are decoded from: N(0, I), or a flow that is fitted to codes at the end "
        f"(default: {paper.prior} for paper, {stanford.prior} for stanford and with two levels)",
    )
    parser.add_argument(
        "--rate",
        type=_rate,
        metavar="NATS",
        help="commit to this KL, nats per image: its weight is adapted until it holds; none: weight 1, after a "
        f"warm-up (default: {NO_RATE} for paper, {stanford.rate:g} for stanford, {TWO_LEVEL.rate:g} with two levels)",
    )
    parser.add_argument(
        "--likelihood",
        choices=LIKELIHOODS,
        help=f"of pixels while training (default: {paper.likelihood}); see the book's chapter 09",
    )
    parser.add_argument(
        "--batch-size",
        type=positive(int),
        help=f"images in a step (default: {paper.batch_size} for paper, {stanford.batch_size} for stanford)",
    )
    parser.add_argument(
        "--learning-rate",
        type=positive(float),
        help=f"highest learning rate (default: {paper.learning_rate:g}, {VAE_GAN_LEARNING_RATE:g} for a vae-gan)",
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda", "mps"),
        default="auto",
        help="where to compute (default: auto)",
    )
    add_data_options(parser)
    parser.set_defaults(handler=train)


def train(options: argparse.Namespace) -> None:
    """Train for the time or the epochs asked for and say how fast it was."""
    # torch takes seconds to import: only after the options are known to be right
    from vae_ref.devices import choose_device
    from vae_ref.parallel import open_ranks

    with open_ranks(choose_device(options.device)) as ranks:
        _train(options, ranks)


def _train(options: argparse.Namespace, ranks: Ranks) -> None:
    from vae_ref.runs import open_data
    from vae_ref.trainer import Trainer

    config = _config(options)
    data = open_data(config, options.root, options.cache, options.strict)
    root = "" if options.root is None else str(options.root.resolve())
    trainer = Trainer(config, data, options.out, root, ranks)
    if trainer.progress.step and ranks.rank == 0:
        print(f"continuing {options.out} from step {trainer.progress.step}")
    minutes = 2.0 if options.minutes is None and options.epochs is None else options.minutes
    progress = trainer.train(minutes, options.epochs)
    if ranks.rank > 0:
        return
    speed = progress.images / max(progress.seconds, 1e-9)
    print(
        f"{options.out}: {progress.step} steps, {progress.images / len(trainer.rows):.1f} epochs, "
        f"{progress.seconds:.0f} s, {speed:.0f} images/s"
    )
    print(f"next: vae-ref report --run {options.out} --out build/results")


def _config(options: argparse.Namespace) -> Config:
    """The default settings, or those of the run to start from, with what the command line says instead."""
    from vae_ref.checkpoint import load_checkpoint

    if options.start is None:
        if options.model == "vae-gan":
            raise CourseError("a vae-gan starts from a finished vae; name its folder with --from RUN")
        config = default_config(options.data, options.model)
    else:
        start = load_checkpoint(options.start)
        if options.model == "vae-gan":
            config = sharpened(start.settings(), str(options.start))
        elif options.likelihood == "spectrum":
            config = under_spectrum(start.settings(), str(options.start))
        else:
            raise CourseError("--from goes with --model vae-gan or --likelihood spectrum, add one of them")
        if options.root is None and start.root:
            options.root = Path(start.root)
    names = ("latent_dim", "prior", "rate", "likelihood", "batch_size", "learning_rate", "seed")
    given = {name: getattr(options, name) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    if options.rate == NO_RATE:
        given["rate"] = None
    return dataclasses.replace(config, **given)


def _rate(text: str) -> float | str:
    return text if text == NO_RATE else positive(float)(text)
