"""Options that several commands share, and the kinds of numbers they take."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from vae_ref.config import DEFAULTS

# what add_subparsers returns: argparse gives it no public name, and it takes a type only in quotes
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_data_name(parser: argparse.ArgumentParser) -> None:
    """``--data``, for commands that take a finished run and so know its data already."""
    parser.add_argument(
        "--data", choices=sorted(DEFAULTS), help="the data of the run; refused if it was trained on others"
    )


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """``--root``, ``--cache`` and ``--strict``: where the data are and how they are read."""
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="folder with images.tar, annotation.tar and lists.tar of Stanford Dogs, or with what they hold "
        "(default: where vae-ref data stanford --download puts them)",
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


def positive(kind: type) -> Callable[[str], Any]:
    """A converter for argparse: a finite number above 0, ``float`` or ``int``."""

    def convert(text: str) -> Any:
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"must be positive, got {text}")
        return value

    convert.__name__ = "number" if kind is float else "whole number"  # argparse puts it into its messages
    return convert


def natural(text: str) -> int:
    """A converter for argparse: a seed, 0 to 2³² − 1."""
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"must be between 0 and {2**32 - 1}, got {text}")
    return value


def folder(text: str) -> Path:
    """A converter for argparse: a folder, there or not; found out before hours of work end in it."""
    path = Path(text)
    if path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is a file, name a folder")
    return path
