"""The command ``vae-ref``: train the reference, evaluate it, and make a page of its results."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from vae_ref.config import DEFAULTS
from vae_ref.errors import CourseError

EXAMPLES = """examples:
  vae-ref train --data paper --out runs/paper --minutes 2
  vae-ref train --data stanford --root ~/stanford-dogs --out runs/stanford --minutes 30
  vae-ref evaluate --run runs/paper
  vae-ref report --run runs/paper --out build/results

The same train command continues a run that was stopped, also by a power cut.
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line; defaults come from ``vae_ref.config``."""
    parser = argparse.ArgumentParser(
        prog="vae-ref",
        description="Train the course's variational autoencoder, measure it, and show the results.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train a model, or continue a run that was stopped")
    train.add_argument(
        "--data", choices=sorted(DEFAULTS), default="paper", help="paper: drawn dogs; stanford: photos"
    )
    train.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    length = train.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=_positive(float), help="training time (default: 2)")
    length.add_argument("--epochs", type=_positive(int), help="passes over the training images, instead")
    paper, stanford = DEFAULTS["paper"], DEFAULTS["stanford"]
    train.add_argument("--seed", type=_natural, default=paper.seed, help="of all randomness (default: 0)")
    latent = f"length of a code (default: {paper.latent_dim} for paper, {stanford.latent_dim} for stanford)"
    train.add_argument("--latent-dim", type=_positive(int), help=latent)
    train.add_argument(
        "--batch-size", type=_positive(int), help=f"images in a step (default: {paper.batch_size})"
    )
    rate = f"highest learning rate (default: {paper.learning_rate:g})"
    train.add_argument("--learning-rate", type=_positive(float), help=rate)
    _add_data_options(train)

    evaluate = commands.add_parser("evaluate", help="measure a run on the test side")
    evaluate.add_argument("--run", type=Path, required=True, help="folder of the run")
    evaluate.add_argument("--json", action="store_true", help="print the numbers as JSON")
    _add_data_name(evaluate)
    _add_data_options(evaluate)

    report = commands.add_parser("report", help="make a page of results from a run")
    report.add_argument("--run", type=Path, required=True, help="folder of the run")
    report.add_argument(
        "--out", type=Path, required=True, help="folder for index.html and metrics.json; they are replaced"
    )
    _add_data_name(report)
    _add_data_options(report)
    return parser


def _add_data_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", choices=sorted(DEFAULTS), help="the data of the run; refused if it was trained on others"
    )


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="folder with images.tar, annotation.tar and lists.tar of Stanford Dogs, or with what they hold",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="where prepared pictures are kept (default: the user's cache)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="refuse photos that are damaged, do not skip them"
    )


def _positive(kind: type) -> Any:
    def convert(text: str) -> Any:
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"must be positive, got {text}")
        return value

    convert.__name__ = "number" if kind is float else "whole number"  # argparse puts it into its messages
    return convert


def _natural(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"must be between 0 and {2**32 - 1}, got {text}")
    return value


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0 done, 1 a problem to fix, 130 interrupted, 141 cut off."""
    options = build_parser().parse_args(arguments)
    warnings.showwarning = _show_warning
    # OpenMP threads that spin while they wait starve each other when the machine is shared: with two trainings
    # at once on two cores a short spin is 5 times as fast. It is read when torch is imported, further down.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        {"train": _train, "evaluate": _evaluate, "report": _report}[options.command](options)
        sys.stdout.flush()
    except CourseError as error:
        print(f"vae-ref: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("vae-ref: stopped; the same command continues from the last checkpoint", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, "head" for instance, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more to flush at exit
        return 141  # what a shell reports for a closed pipe
    return 0


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"vae-ref: warning: {message}", file=sys.stderr)


def _train(options: argparse.Namespace) -> None:
    # torch takes seconds to import: only after the options are known to be right
    from vae_ref.runs import open_data
    from vae_ref.trainer import Trainer

    config = DEFAULTS[options.data]
    given = {name: getattr(options, name) for name in ("latent_dim", "batch_size", "learning_rate", "seed")}
    config = dataclasses.replace(
        config, **{name: value for name, value in given.items() if value is not None}
    )
    data = open_data(config, options.root, options.cache, options.strict)
    root = "" if options.root is None else str(options.root.resolve())
    trainer = Trainer(config, data, options.out, root)
    if trainer.progress.step:
        print(f"continuing {options.out} from step {trainer.progress.step}")
    minutes = 2.0 if options.minutes is None and options.epochs is None else options.minutes
    progress = trainer.train(minutes, options.epochs)
    speed = progress.images / max(progress.seconds, 1e-9)
    print(
        f"{options.out}: {progress.step} steps, {progress.images / len(trainer.rows):.1f} epochs, "
        f"{progress.seconds:.0f} s, {speed:.0f} images/s"
    )
    print(f"next: vae-ref report --run {options.out} --out build/results")


def _evaluate(options: argparse.Namespace) -> None:
    from vae_ref.runs import measure, open_run

    metrics = measure(open_run(options.run, options.root, options.cache, options.strict, options.data))
    if options.json:
        print(json.dumps(metrics, indent=1))
        return
    for name, value in metrics.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {_short(part)}" for key, part in value.items())
        print(f"{name:>22}  {_short(value)}")


def _short(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _report(options: argparse.Namespace) -> None:
    from vae_ref.report import write_report
    from vae_ref.runs import open_run

    run = open_run(options.run, options.root, options.cache, options.strict, options.data)
    page = write_report(run, options.out)
    print(f"open {page}")
