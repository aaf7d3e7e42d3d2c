"""``vae-ref train``: train a model, or continue a run that was stopped."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from vae_ref.commands.shared import Commands, add_data_options, natural, positive
from vae_ref.config import DEFAULTS, LIKELIHOODS, MODELS, Config, sharpened
from vae_ref.errors import CourseError

if TYPE_CHECKING:
    from vae_ref.parallel import Ranks


def add_parser(commands: Commands) -> None:
    """Describe the options of ``vae-ref train``; defaults come from ``vae_ref.config``."""
    parser = commands.add_parser("train", help="train a model, or continue a run that was stopped")
    parser.add_argument(
        "--data", choices=sorted(DEFAULTS), default="paper", help="paper: drawn dogs; stanford: photos"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
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
        help=f"kind of the model (default: {paper.model}); see the book's chapter 10",
    )
    parser.add_argument(
        "--from",
        dest="start",
        type=Path,
        metavar="RUN",
        help="finished vae that a vae-gan starts from; its settings, data included, are taken over",
    )
    latent = f"length of a code (default: {paper.latent_dim} for paper, {stanford.latent_dim} for stanford)"
    parser.add_argument("--latent-dim", type=positive(int), help=latent)
    parser.add_argument(
        "--rate",
        type=positive(float),
        metavar="NATS",
        help="commit to this KL, nats per image: its weight is adapted until it holds (default: weight 1)",
    )
    parser.add_argument(
        "--likelihood",
        choices=LIKELIHOODS,
        help=f"of pixels while training (default: {paper.likelihood}); see the book's chapter 09",
    )
    parser.add_argument(
        "--batch-size", type=positive(int), help=f"images in a step (default: {paper.batch_size})"
    )
    rate = f"highest learning rate (default: {paper.learning_rate:g})"
    parser.add_argument("--learning-rate", type=positive(float), help=rate)
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

    if (options.start is not None) != (options.model == "vae-gan"):
        raise CourseError("--model vae-gan and --from RUN, a finished vae, go together")
    config = DEFAULTS[options.data]
    if options.start is not None:
        config = sharpened(load_checkpoint(options.start).settings(), str(options.start))
    names = ("model", "latent_dim", "rate", "likelihood", "batch_size", "learning_rate", "seed")
    given = {name: getattr(options, name) for name in names}
    return dataclasses.replace(config, **{name: value for name, value in given.items() if value is not None})
