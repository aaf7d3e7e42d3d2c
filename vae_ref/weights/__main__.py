"""``python -m vae_ref.weights NAME --runs RUN …``: ship a trained model with its card."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vae_ref.errors import CourseError
from vae_ref.weights import NAMES
from vae_ref.weights.cards import publish


def main() -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m vae_ref.weights",
        description="Ship a trained model: its weights, its numbers and its card.",
    )
    parser.add_argument("name", choices=NAMES)
    parser.add_argument(
        "--runs", type=Path, nargs="+", required=True, help="the shipped run, then other seeds"
    )
    parser.add_argument("--failure", action="append", required=True, help="a known failure; may be repeated")
    parser.add_argument("--root", type=Path, metavar="DIR", help="the photos' folder")
    options = parser.parse_args()
    try:
        publish(options.name, options.runs, options.failure, options.root)
    except CourseError as error:
        print(f"vae_ref.weights: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
