"""Files of a data set, read in place from a tar archive or an unpacked folder; never extracted."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from vae_ref.errors import CourseError

_BLOCK = 512  # bytes; a tar is a row of such blocks and ends with empty ones


class Source(Protocol):
    """A set of files by their names inside the data set, such as ``n02085620-Chihuahua/n02085620_7.jpg``."""

    def open(self) -> None:
        """Get ready to read; CourseError if that is impossible."""

    def close(self) -> None:
        """Let go of open files; harmless if nothing is open."""

    def read(self, name: str) -> bytes:
        """Return the content of a file; FileNotFoundError if there is none of that name."""

    def state(self) -> list[tuple[str, int, int]]:
        """Return name, size and time of what is on disk: what a cache made from it depends on."""


class FolderSource:
    """Files below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    def read(self, name: str) -> bytes:
        if not is_safe(name):
            raise FileNotFoundError(name)
        return (self.folder / name).read_bytes()

    def state(self) -> list[tuple[str, int, int]]:
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return [
            (path.relative_to(self.folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns)
            for path in files
        ]


class ListFolder(FolderSource):
    """The unpacked lists; they may lie beside 20,000 pictures, so only they count as its state."""

    def state(self) -> list[tuple[str, int, int]]:
        paths = [path for name in ("train", "test") if (path := self.folder / f"{name}_list.mat").is_file()]
        return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]


class TarSource:
    """Regular files of an uncompressed tar, read by their offset; safe to use from many threads.

    Args:
        path: the archive.
        prefix: leading folder to leave out of the names, "Images" for instance; members outside it are
            ignored.
    """

    def __init__(self, path: Path, prefix: str) -> None:
        self.path, self.prefix = path, prefix
        self._places: dict[str, tuple[int, int]] = {}
        self._file: BinaryIO | None = None

    def open(self) -> None:
        """Find the members: one pass over the archive's headers.

        Raises:
            CourseError: the archive cannot be read or is cut short.
        """
        remedy = "copy or download it again"
        try:
            self._file = self.path.open("rb")
            with tarfile.open(fileobj=self._file, mode="r:") as archive:
                members = [m for m in archive.getmembers() if m.isreg() and not m.issparse()]
            self._file.seek(-_BLOCK, os.SEEK_END)
            if any(self._file.read(_BLOCK)):
                raise tarfile.ReadError("its closing empty block is missing")
        except tarfile.TarError as error:
            raise CourseError(f"{self.path} is not a whole tar archive ({error}); {remedy}") from error
        except OSError as error:
            raise CourseError(f"cannot read {self.path}: {error.strerror or error}; {remedy}") from error
        # names are only compared with the names in the lists; they never become paths on this machine
        for member in members:
            name = PurePosixPath(member.name)
            if not self.prefix or name.is_relative_to(self.prefix):
                inside = name.relative_to(self.prefix) if self.prefix else name
                self._places[inside.as_posix()] = (member.offset_data, member.size)

    def close(self) -> None:
        if self._file:
            self._file.close()

    def read(self, name: str) -> bytes:
        if self._file is None or name not in self._places:
            raise FileNotFoundError(name)
        offset, size = self._places[name]
        return os.pread(self._file.fileno(), size, offset)

    def state(self) -> list[tuple[str, int, int]]:
        stat = self.path.stat()
        return [(self.path.name, stat.st_size, stat.st_mtime_ns)]


def is_safe(name: str) -> bool:
    """Whether a name stays inside the folder it is joined to."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def find_source(root: Path, archive: str, folder: str) -> Source | None:
    """Open what ``archive`` holds if it is unpacked below ``root``, else ``root/archive``, else return None.

    Args:
        root: folder of the data set.
        archive: name of the tar.
        folder: the one folder it holds; "" for the lists, which lie at its top.
    """
    if folder and (root / folder).is_dir():
        return FolderSource(root / folder)
    if not folder:
        for place in (root, root / "lists"):
            if (place / "train_list.mat").is_file():
                return ListFolder(place)
    if (root / archive).is_file():
        return TarSource(root / archive, folder)
    return None
