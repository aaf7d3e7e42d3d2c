"""``vae-ref evaluate``: measure a run, or weights that come with the course, on the test side."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vae_ref.commands.shared import Commands, add_data_name, add_data_options


def add_parser(commands: Commands) -> None:
    """Describe the options of ``vae-ref evaluate``."""
    parser = commands.add_parser(
        "evaluate",
        help="measure a run, or trained weights, on the test side",
        epilog="examples:\n  vae-ref evaluate --run runs/paper\n  vae-ref evaluate --weights paper --json",
    )
    subject = parser.add_mutually_exclusive_group(required=True)
    subject.add_argument("--run", type=Path, help="folder of the run")
    subject.add_argument("--weights", metavar="NAME", help="weights that come with the course, by name")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.add_argument("--fid", action="store_true", help="also FID and KID (downloads a network of 95 MB)")
    add_data_name(parser)
    add_data_options(parser)
    parser.set_defaults(handler=evaluate)


def evaluate(options: argparse.Namespace) -> None:
    """Print the numbers of a model."""
    from vae_ref.runs import measure_fully, open_run, open_weights, training_facts

    place = (options.root, options.cache, options.strict, options.data)
    if options.run is not None:
        run = open_run(options.run, *place)
        metrics = measure_fully(run.model, run.config, run.data, options.fid) | training_facts(run.progress)
    else:
        model, origin, data = open_weights(options.weights, *place)
        metrics = measure_fully(model, origin.config, data, options.fid)
    print(json.dumps(metrics, indent=1) if options.json else "\n".join(table(metrics)))


def table(metrics: dict[str, Any]) -> Iterator[str]:
    """The numbers as lines for people, the verdict on the code first."""
    probe = metrics["swap_probe"]
    cost = f"{probe['own_psnr']:.2f} dB with its own code, {probe['swapped_psnr']:.2f} dB with another's"
    if probe["passed"]:
        yield f"the code is used: {cost}"
    else:
        yield f"BROKEN: pictures hardly depend on their codes ({cost}); no number below means much"
    for name, value in metrics.items():
        if isinstance(value, dict):
            yield name
            yield from (f"{key:>28}  {_short(part)}" for key, part in value.items())
        elif isinstance(value, list):
            largest = ", ".join(_short(part) for part in value[:8])
            yield f"{name:>28}  {largest}{', …' if len(value) > 8 else ''}"
        else:
            yield f"{name:>28}  {_short(value)}"


def _short(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
