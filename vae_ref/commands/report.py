"""``vae-ref report``: make a page of results from a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from vae_ref.commands.shared import Commands, add_data_name, add_data_options, folder


def add_parser(commands: Commands) -> None:
    """Describe the options of ``vae-ref report``."""
    parser = commands.add_parser(
        "report",
        help="make a page of results from a run",
        epilog="example:\n  vae-ref report --run runs/paper --out build/results",
    )
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument(
        "--out", type=folder, required=True, help="folder for index.html and metrics.json; they are replaced"
    )
    add_data_name(parser)
    add_data_options(parser)
    parser.set_defaults(handler=report)


def report(options: argparse.Namespace) -> None:
    """Write the page and say where it is."""
    from vae_ref.report import write_report
    from vae_ref.runs import open_run

    run = open_run(options.run, options.root, options.cache, options.strict, options.data)
    page = write_report(run, options.out)
    print(f"open {page}")
