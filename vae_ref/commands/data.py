"""``vae-ref data``: get the photos of Stanford Dogs, or draw the paper dogs."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from vae_ref.commands.shared import Commands
from vae_ref.errors import CourseError


def add_parser(commands: Commands) -> None:
    """Describe the options of ``vae-ref data stanford`` and ``vae-ref data paper``."""
    parser = commands.add_parser(
        "data",
        help="download the photos, see what is there, draw the paper dogs",
        epilog="examples:\n  vae-ref data stanford --download\n  vae-ref data paper",
    )
    sets = parser.add_subparsers(required=True, metavar="DATA")

    stanford = sets.add_parser(
        "stanford",
        help="what there is of Stanford Dogs; with --download, get the rest",
        epilog="example:\n  vae-ref data stanford --download",
    )
    stanford.add_argument(
        "--root", type=Path, metavar="DIR", help="folder of the archives (default: in the user's cache)"
    )
    stanford.add_argument(
        "--download",
        action="store_true",
        help="verify what is there and fetch what is missing, about 816 MB; run it again to continue",
    )
    stanford.add_argument(
        "--mirror",
        nargs="+",
        action="extend",
        metavar="URL",
        help="folders on servers to download from, tried in this order, instead of the official one",
    )
    stanford.add_argument(
        "--unpack",
        type=Path,
        metavar="NEW",
        help="also unpack into a new folder, to look at; training needs none",
    )
    stanford.set_defaults(handler=stanford_dogs)

    paper = sets.add_parser(
        "paper",
        help="draw the paper dogs, as training does by itself",
        epilog="example:\n  vae-ref data paper",
    )
    paper.add_argument(
        "--cache", type=Path, metavar="DIR", help="where they are kept (default: the user's cache)"
    )
    paper.set_defaults(handler=paper_dogs)


def stanford_dogs(options: argparse.Namespace) -> None:
    """Download if asked to, and say what is there.

    Raises:
        CourseError: not everything is there.
    """
    # torch takes seconds to import: only after the options are known to be right
    from vae_ref.dogs.archives import ARCHIVES, default_photos_dir, describe, unpack
    from vae_ref.dogs.download import OFFICIAL_MIRROR, download

    root = options.root or default_photos_dir()
    if options.mirror and not options.download:
        raise CourseError("--mirror says where to download from; add --download")
    if options.download:
        download(root, options.mirror or (OFFICIAL_MIRROR,), ARCHIVES)
    lines, whole = describe(root, ARCHIVES)
    place = "" if options.root is None else f" --root {shlex.quote(str(root))}"
    print(f"Stanford Dogs in {root}", *lines, sep="\n  ")
    if not whole:
        raise CourseError(f"not everything is there; get it with vae-ref data stanford --download{place}")
    if options.unpack:
        unpack(root, options.unpack, ARCHIVES)
        print(f"unpacked in {options.unpack}")
    print(f"next: vae-ref train --data stanford{place} --out runs/stanford")


def paper_dogs(options: argparse.Namespace) -> None:
    """Draw what training uses, unless it is drawn already, and say how much it is."""
    from vae_ref.dogs import load_paper

    data = load_paper(cache=options.cache)
    print(f"paper dogs: {len(data.train):,} to train on, {len(data.test):,} to test with")
    print("next: vae-ref train --data paper --out runs/paper")
