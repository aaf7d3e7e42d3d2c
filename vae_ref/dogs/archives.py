"""The published archives of Stanford Dogs: what they are, whether they are here, and unpacking them."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from tqdm.auto import tqdm

from vae_ref.dogs.cache import default_cache_dir
from vae_ref.dogs.sources import TarSource, find_source, is_safe
from vae_ref.errors import CourseError


@dataclass(frozen=True)
class Archive:
    """One published file.

    Attributes:
        name: its file name.
        folder: the one folder it holds; "" if its files lie at the top.
        size: bytes.
        sha256: of its content, in hexadecimal.
    """

    name: str
    folder: str
    size: int
    sha256: str


# Sizes and sums as TensorFlow Datasets publishes them. Small ones first: whatever is wrong with a server or a
# folder then shows before the long download.
ARCHIVES = (
    Archive("lists.tar", "", 481_280, "34b47cacd9a98b5d150e084f24d29391c084c55272295ec65c85651bc35f4d6c"),
    Archive(
        "annotation.tar",
        "Annotation",
        21_852_160,
        "662ed36f707be6b195c2fda392d8e153e83af28cedc8e2134a649f198def30fd",
    ),
    Archive(
        "images.tar",
        "Images",
        793_579_520,
        "a443fc2f9a851aa1a7b8e4fa4af94b8459fce2c9f5a2f4dd4669cf9673a4ec58",
    ),
)


def default_photos_dir() -> Path:
    """Where the archives are looked for, and downloaded to, unless ``--root`` names another folder."""
    return default_cache_dir() / "stanford-dogs"


def part_of(path: Path) -> Path:
    """Where a download is kept until it is whole and verified."""
    return path.with_name(f"{path.name}.part")


def describe(root: Path, archives: Sequence[Archive]) -> tuple[list[str], bool]:
    """Say what there is of Stanford Dogs in a folder, by sizes and without reading the pictures.

    Args:
        root: the folder; it may not exist yet.
        archives: what belongs there.

    Returns:
        A line for each archive, and whether all of it is there.

    Raises:
        CourseError: the folder cannot be read.
    """
    try:
        states = [_state(root, archive) for archive in archives]
    except OSError as error:
        raise CourseError(
            f"cannot read {root}: {error.strerror or error}; choose another folder with --root"
        ) from error
    lines = [f"{archive.name:<14}  {state}" for archive, (state, _) in zip(archives, states, strict=True)]
    return lines, all(usable for _, usable in states)


def _state(root: Path, archive: Archive) -> tuple[str, bool]:
    path = root / archive.name
    source = find_source(root, archive.name, archive.folder)
    if isinstance(source, TarSource):
        size = path.stat().st_size
        if size == archive.size:
            return f"whole ({size:,} bytes)", True
        try:
            source.open()
        except CourseError as error:
            return f"damaged: {error}", False
        finally:
            source.close()
        return f"whole, but not as published: {size:,} bytes, not {archive.size:,}", True
    if source is not None:
        return "unpacked", True
    if part_of(path).is_file():
        return f"{part_of(path).stat().st_size / archive.size:.0%} downloaded", False
    return "missing", False


def unpack(root: Path, folder: Path, archives: Sequence[Archive]) -> None:
    """Unpack the archives into a new folder, whole or not at all; ``load_stanford`` does not need it.

    Only plain files are made, each of them new and with the user's own permissions: with no link ever there, a
    name without ``..`` cannot lead out of the folder. An archive with anything else in it is refused.

    Args:
        root: folder with the archives.
        folder: where their files go; it must not exist.
        archives: which ones.

    Raises:
        CourseError: ``folder`` exists or cannot be written; an archive is missing, cut short or holds
            something that is no file or folder inside it.
    """
    if folder.exists():
        raise CourseError(f"{folder} exists already; name a new folder with --unpack")
    partial = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".partial", dir=folder.parent))
        for archive in archives:
            _unpack_one(root / archive.name, partial)
        partial.chmod(0o755)  # temporary folders are private
        partial.rename(folder)
    except OSError as error:
        raise CourseError(
            f"cannot unpack to {folder}: {error.strerror or error}; free some space or name another folder"
        ) from error
    finally:
        if partial:
            shutil.rmtree(partial, ignore_errors=True)


def _unpack_one(path: Path, folder: Path) -> None:
    source = TarSource(path, "")
    try:
        source.open()  # refuses an archive that is cut short, which tarfile would take for a smaller one
    finally:
        source.close()
    with tarfile.open(path, "r:") as archive:
        for member in tqdm(archive, desc=f"unpacking {path.name}", unit=" files"):
            plain = member.isreg() and not member.issparse()
            if not (plain or member.isdir()) or not is_safe(member.name) or "\0" in member.name:
                raise _refusal(path, member)
            if plain:
                target = folder / member.name
                try:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    file = target.open("xb")
                except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                    raise _refusal(path, member) from error  # its name is taken by another member
                with file, cast(BinaryIO, archive.extractfile(member)) as content:
                    shutil.copyfileobj(content, file)


def _refusal(path: Path, member: tarfile.TarInfo) -> CourseError:
    return CourseError(
        f"{path} holds {member.name!r}, which is not a file of its own inside the folder; nothing was unpacked: "
        "delete the archive and download the published one"
    )
