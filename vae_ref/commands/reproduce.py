"""``vae-ref reproduce``: train and measure everything the page of results needs, and write it."""

from __future__ import annotations

import argparse

from vae_ref.commands.shared import Commands, add_data_options, folder, positive
from vae_ref.config import DEFAULTS


def add_parser(commands: Commands) -> None:
    """Describe the options of ``vae-ref reproduce``."""
    parser = commands.add_parser(
        "reproduce",
        help="train and measure everything, and make the page of results; continues where it was stopped",
        epilog="example:\n  vae-ref reproduce --data paper --out build/paper",
    )
    parser.add_argument(
        "--data", choices=sorted(DEFAULTS), default="paper", help="paper: drawn dogs; stanford: photos"
    )
    parser.add_argument(
        "--out",
        type=folder,
        required=True,
        metavar="DIR",
        help="folder for the page, and for the stages' folders",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--scale",
        type=positive(float),
        default=1.0,
        help="factor on the length of every training (default: 1)",
    )
    length.add_argument(
        "--minutes",
        type=positive(float),
        metavar="TOTAL",
        help="about how long all trainings may take together, instead",
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda", "mps"),
        default="auto",
        help="where models are trained (default: auto)",
    )
    add_data_options(parser)
    parser.set_defaults(handler=reproduce)


def reproduce(options: argparse.Namespace) -> None:
    """Do what is not done yet, write the page, and say where it is."""
    from vae_ref.devices import choose_device
    from vae_ref.estimate import estimate
    from vae_ref.plans import plan, training_minutes
    from vae_ref.report.everything import write_results
    from vae_ref.reproduce import read_result, reproduce, stage_folders
    from vae_ref.runs import open_data

    device = choose_device(options.device)
    data = open_data(DEFAULTS[options.data], options.root, options.cache, options.strict)
    scale = options.scale if options.minutes is None else options.minutes / training_minutes(options.data)
    root = "" if options.root is None else str(options.root.resolve())
    stages = plan(options.data, scale)
    folders = stage_folders(stages, data.fingerprint, options.out / "stages")
    done = [name for name, folder in folders.items() if read_result(folder) is not None]
    print(estimate(stages, done, options.data, len(data.train), device), flush=True)
    results, folders = reproduce(stages, data, options.out / "stages", root, device)
    print(f"open {write_results(stages, results, folders, data, options.out)}")
