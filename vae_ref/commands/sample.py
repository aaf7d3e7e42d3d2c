"""``vae-ref sample``: decode random codes into a sheet of pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from vae_ref.commands.shared import Commands, natural, positive
from vae_ref.errors import CourseError


def add_parser(commands: Commands) -> None:
    """Describe the options of ``vae-ref sample``."""
    parser = commands.add_parser(
        "sample",
        help="draw dogs that nobody ever saw: decode random codes",
        epilog="example:\n  vae-ref sample --run runs/paper --out build/dogs.png",
    )
    subject = parser.add_mutually_exclusive_group(required=True)
    subject.add_argument("--run", type=Path, help="folder of the run")
    subject.add_argument("--weights", metavar="NAME", help="weights that come with the course, by name")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE.png", help="the picture; it is replaced"
    )
    parser.add_argument("--num", type=positive(int), default=64, help="how many (default: 64)")
    parser.add_argument("--seed", type=natural, default=0, help="of the codes (default: 0)")
    parser.set_defaults(handler=sample)


def sample(options: argparse.Namespace) -> None:
    """Write the sheet and say where it is.

    Raises:
        CourseError: there is no such model, or the file cannot be written or has another format.
    """
    if options.out.suffix.lower() != ".png":
        raise CourseError(f"--out must be a file that ends in .png, got {options.out}")
    # torch takes seconds to import: only after the options are known to be right
    import math

    import torch
    from PIL import Image

    from vae_ref.checkpoint import load_checkpoint
    from vae_ref.figures import tile
    from vae_ref.files import write_atomically
    from vae_ref.generation import generate
    from vae_ref.weights import load_weights

    model = load_checkpoint(options.run).build_model() if options.run else load_weights(options.weights)[0]
    generator = torch.Generator().manual_seed(options.seed)
    sizes = [min(256, options.num - first) for first in range(0, options.num, 256)]
    images = torch.cat([generate(model, size, generator) for size in sizes])
    sheet = Image.fromarray(tile(images, math.ceil(math.sqrt(options.num))))
    write_atomically(options.out, lambda file: sheet.save(file, "PNG"))
    print(f"open {options.out}")
