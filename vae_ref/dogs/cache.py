"""Decode once, keep as ``.npy``: a folder of arrays that appears whole or not at all.

A folder is written under a temporary name beside its final place and renamed when it is complete. Two
processes may build the same one: the first to finish wins, the other uses the winner's. A full disk or a
crash leaves no half folder under the final name.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from vae_ref.dogs.dataset import DogData, DogSet
from vae_ref.errors import CourseError

FORMAT_VERSION = 1  # raise it when the same input gives other arrays
_HEADER_LENGTH = 128  # bytes of an .npy header with four dimensions, fixed so that it can be written last
_STALE_SECONDS = 24 * 3600  # no build takes a day: an older temporary folder belongs to a killed process


def default_cache_dir() -> Path:
    """Where prepared pictures are kept unless ``--cache`` names another folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "vae-course"


def fingerprint(*what: Any) -> str:
    """A short name for what the data are made from; any change of ``what`` (plain JSON values) changes it."""
    text = json.dumps([FORMAT_VERSION, *what], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def content_fingerprint(folder: Path) -> str:
    """A short name for what the ``.npy`` files of a folder hold, the same wherever they were made."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.npy")):
        with path.open("rb") as file:
            digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def write_images(path: Path, images: Iterable[np.ndarray], size: int) -> int:
    """Write pictures one after the other as one ``.npy`` array and return how many there were.

    Args:
        path: the file.
        images: uint8 arrays, (3, size, size) each.
        size: side of the pictures.

    Raises:
        OSError: the disk is full (a memory map opened for writing would kill the process instead).
    """
    count = 0
    with path.open("wb") as file:
        file.write(bytes(_HEADER_LENGTH))
        for image in images:
            file.write(np.ascontiguousarray(image, dtype=np.uint8).tobytes())
            count += 1
        file.seek(0)
        shape = (count, 3, size, size)
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        if file.tell() != _HEADER_LENGTH:
            raise ValueError(f"the .npy header of shape {shape} takes {file.tell()} bytes")
    return count


def load_or_build(
    name: str, key: str, cache: Path | None, build: Callable[[Path], dict[str, Any]]
) -> DogData:
    """Open the data set ``name`` with fingerprint ``key``, building it first if it is not there yet.

    Args:
        name: "paper" or "stanford".
        key: see ``fingerprint``.
        cache: folder of the prepared pictures; the default one if None.
        build: writes ``train.npy``, ``train_labels.npy``, ``test…`` and optionally ``…_factors.npy`` into
            an empty folder and returns ``class_names``, ``skipped`` and, where the key is more than the pictures
            (the time of a file, for instance), their own ``fingerprint``.

    Raises:
        CourseError: the folder cannot be written or the disk is full; ``build`` found the input unusable.
    """
    cache = default_cache_dir() if cache is None else Path(cache)
    folder = cache / f"{name}-{key}"
    if not folder.is_dir():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            _sweep(cache)
            _build_folder(folder, build)
        except OSError as error:
            raise CourseError(
                f"cannot write the prepared pictures to {cache}: {error.strerror or error}; "
                "free some space or choose another folder with --cache"
            ) from error
    return _open_folder(name, key, folder)


def _build_folder(folder: Path, build: Callable[[Path], dict[str, Any]]) -> None:
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".partial", dir=folder.parent))
    try:
        meta = build(partial)
        (partial / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")
        for path in partial.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        try:
            partial.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process was first, with the same content
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _sweep(cache: Path) -> None:
    for partial in cache.glob("*.partial"):
        with contextlib.suppress(FileNotFoundError):  # its own process may be done with it just now
            if time.time() - partial.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(partial, ignore_errors=True)


def _open_folder(name: str, key: str, folder: Path) -> DogData:
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        train, test = (_open_side(folder, side) for side in ("train", "test"))
        names, skipped = tuple(meta["class_names"]), tuple(meta["skipped"])
        fingerprint = meta.get("fingerprint", key)
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise CourseError(
            f"the prepared pictures in {folder} are damaged ({error}); delete that folder and run again"
        ) from error
    return DogData(name, train, test, names, skipped, fingerprint)


def _open_side(folder: Path, side: str) -> DogSet:
    images = np.load(folder / f"{side}.npy", mmap_mode="r", allow_pickle=False)
    labels = np.load(folder / f"{side}_labels.npy", allow_pickle=False)
    path = folder / f"{side}_factors.npy"
    factors = np.load(path, allow_pickle=False) if path.exists() else None
    if len(labels) != len(images) or (factors is not None and len(factors) != len(images)):
        raise ValueError(f"{side} has {len(images)} pictures and {len(labels)} labels")
    return DogSet(images, labels, factors)
