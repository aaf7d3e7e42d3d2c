"""The files of a zip archive or a folder, read with limits: nothing is unpacked, no name is used as a path.

Archives come from a learning platform, but learners named and made what is in them. So the list of files is bounded
before it is read, each file while it is unpacked, and links are not followed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vae_ref.errors import CourseError

MAX_FILES = 50_000
MAX_LIST_BYTES = 16 * 2**20  # of an archive's list of files, which is read as a whole
END = struct.Struct("<4s4H2LH")  # of an archive: APPNOTE.TXT of PKWARE, 4.3.16
END64_PLACE = struct.Struct("<4sLQL")  # 4.3.15
END64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14


class Unreadable(Exception):
    """A file cannot be read; the message says why."""


@dataclass(frozen=True)
class Entry:
    """A file.

    Attributes:
        name: as the archive or the folder has it, with / between folders; not to be trusted.
        read: returns its content, at most as many bytes as asked for; raises Unreadable.
    """

    name: str
    read: Callable[[int], bytes]


@contextlib.contextmanager
def entries(source: Path) -> Iterator[list[Entry]]:
    """The files of a folder or a zip archive, which can be read as long as the context lasts.

    Raises:
        CourseError: it is neither, or has too many files.
    """
    if source.is_dir():
        yield [*_of_folder(source)]
    elif source.is_file():
        with _opened(source) as archive:
            files = [info for info in archive.infolist() if not info.is_dir()]
            _require(len(files), source)
            yield [Entry(i.filename, functools.partial(_unpacked, archive, i)) for i in files]
    else:
        raise CourseError(f"there is no {source}: name a folder or a zip file")


def _of_folder(source: Path) -> Iterator[Entry]:
    count = 0
    for folder, folders, files in os.walk(source):  # follows no links
        folders.sort()
        for name in sorted(files):
            count += 1
            _require(count, source)
            path = Path(folder) / name
            yield Entry(path.relative_to(source).as_posix(), functools.partial(_plain, path))


def _plain(path: Path, most: int) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Unreadable("it is a link" if path.is_symlink() else str(error.strerror)) from None
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Unreadable("it is no file")
        return file.read(most)


def _opened(source: Path) -> zipfile.ZipFile:
    _require_short_list(source)
    try:
        return zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise CourseError(f"{source} cannot be read as a zip file ({error}): download it again") from None


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    if stat.S_ISLNK(info.external_attr >> 16):
        raise Unreadable("it is a link")
    try:
        with archive.open(info) as file:
            return file.read(most)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        raise Unreadable(f"it is damaged ({error})") from None
    except (RuntimeError, NotImplementedError) as error:  # a password, or another way of packing
        raise Unreadable(str(error)) from None
    except Exception as error:  # bz2 and lzma have errors of their own
        raise Unreadable(f"it is damaged ({type(error).__name__})") from None


def _require(count: int, source: Path) -> None:
    if count > MAX_FILES:
        raise CourseError(
            f"{source} has more than {MAX_FILES:,} files: is it the hand-ins of one assignment?"
        )


def _require_short_list(source: Path) -> None:
    """See that reading the list of files cannot fill the memory, whatever the archive says.

    Raises:
        CourseError: it could, or there is no such list.
    """
    try:
        with source.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = max(0, size - 2**16 - END.size)
            file.seek(start)
            tail = file.read()
            place = tail.rfind(b"PK\x05\x06")
            if place < 0 or len(tail) - place < END.size:
                raise CourseError(
                    f"{source} is no zip file: name what the platform gives for all hand-ins, or a folder"
                )
            listed = END.unpack_from(tail, place)[5]
            locator = place - END64_PLACE.size
            if locator >= 0 and tail.startswith(b"PK\x06\x07", locator):
                file.seek(END64_PLACE.unpack_from(tail, locator)[2])
                listed = max(listed if listed != 0xFFFFFFFF else 0, END64.unpack(file.read(END64.size))[8])
    except (OSError, struct.error, ValueError, OverflowError) as error:
        raise CourseError(f"{source} cannot be read as a zip file ({error}): download it again") from None
    if listed > MAX_LIST_BYTES:
        raise CourseError(
            f"{source} lists more than {MAX_FILES:,} files: is it the hand-ins of one assignment?"
        )
