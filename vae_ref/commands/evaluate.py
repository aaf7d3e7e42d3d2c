"""``vae-ref evaluate``: measure a run on the test side."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from vae_ref.commands.shared import Commands, add_data_name, add_data_options


def add_parser(commands: Commands) -> None:
    """Describe the options of ``vae-ref evaluate``."""
    parser = commands.add_parser("evaluate", help="measure a run on the test side")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    add_data_name(parser)
    add_data_options(parser)
    parser.set_defaults(handler=evaluate)


def evaluate(options: argparse.Namespace) -> None:
    """Print the numbers of a run."""
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
