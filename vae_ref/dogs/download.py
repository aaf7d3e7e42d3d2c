"""Download the archives of Stanford Dogs from a server that may be slow, drop connections, or be wrong.

Bytes are kept under ``NAME.part`` and get their final name only when their sha256 is the published one. The sum
decides, not the server, so a download that was cut off goes on at any mirror, and no ETag has to be kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout
from tqdm.auto import tqdm

from vae_ref.dogs.archives import Archive, part_of
from vae_ref.errors import CourseError

OFFICIAL_MIRROR = "http://vision.stanford.edu/aditya86/ImageNetDogs"
LOCK = ".download.lock"  # in the folder, empty
_ATTEMPTS = (
    5  # in a row without a new byte, before a mirror is given up; waits of 1, 2, 4 and 8 s between them
)
_TIMEOUT = 30  # seconds without a byte
_CHUNK = 1 << 20  # bytes


class _DroppedError(Exception):
    """Something that may pass: worth another attempt at the same mirror."""


class _MirrorError(Exception):
    """This mirror does not have the file."""


def download(root: Path, mirrors: Sequence[str], archives: Sequence[Archive]) -> None:
    """Bring the archives into a folder; what is there already is verified and kept.

    Args:
        root: the folder; it is made if needed.
        mirrors: addresses of folders with the archives, http or https, tried in this order.
        archives: which ones.

    Raises:
        CourseError: a file that is there already is not the published one (it is left as it is); no mirror
            has an archive; the folder cannot be written; another process downloads to it.
    """
    for mirror in mirrors:
        _require_address(mirror)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _alone_in(root):
            missing = [archive for archive in archives if not _is_there(root / archive.name, archive)]
            for archive in missing:
                _fetch(archive, root / archive.name, mirrors)
    except OSError as error:  # of the disk: those of the network are handled where they come up
        raise CourseError(
            f"cannot write to {root}: {error.strerror or error}; "
            "free some space or choose another folder with --root"
        ) from error


def _require_address(mirror: str) -> None:
    try:
        parts = urlsplit(mirror)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        plain = mirror.isascii() and mirror.isprintable() and not set(mirror) & set(" @?#")
    except ValueError:  # brackets or a port that make no sense
        usable = plain = False
    if not usable or not plain:
        raise CourseError(f"{mirror!r} is no address of a folder; --mirror takes http://… or https://…")


@contextlib.contextmanager
def _alone_in(root: Path) -> Iterator[None]:
    """Keep a second process from writing into the same partial files."""
    try:
        with FileLock(root / LOCK, timeout=0):  # ends with the process, however it dies
            try:
                yield
            finally:
                with contextlib.suppress(OSError):  # where a file that is open cannot be removed
                    (root / LOCK).unlink()
    except Timeout as error:
        raise CourseError(f"another process is downloading to {root}; wait until it is done") from error


def _is_there(path: Path, archive: Archive) -> bool:
    if not path.exists():
        return False
    size = path.stat().st_size
    if size != archive.size:
        problem = f"has {size:,} bytes, not {archive.size:,}"
    elif _sha256(path) != archive.sha256:
        problem = "has another sha256"
    else:
        return True
    raise CourseError(
        f"{path} is not the published file: it {problem}; move it away, or name another folder with --root"
    )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with (
        path.open("rb") as file,
        tqdm(total=path.stat().st_size, desc="checking", unit="B", unit_scale=True, leave=False) as bar,
    ):
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            bar.update(len(chunk))
    return digest.hexdigest()


def _fetch(archive: Archive, path: Path, mirrors: Sequence[str]) -> None:
    part = part_of(path)
    problems = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{archive.name}"
        try:
            _fetch_from(url, archive, part)
        except _MirrorError as error:
            problems.append(f"{url} {error}")
        else:
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(path)
            return
    raise CourseError(
        f"cannot download {archive.name}: {'; '.join(problems)}; "
        "run again later to continue, or name another server with --mirror"
    )


def _fetch_from(url: str, archive: Archive, part: Path) -> None:
    """Complete and verify the partial file from one mirror."""
    while True:
        continued = _size(part) > 0
        _receive_all(url, archive, part)
        if _sha256(part) == archive.sha256:
            return
        part.unlink()
        if not continued:
            raise _MirrorError("sends another file: its sha256 is not the published one")
        # else the wrong bytes may be those from before: once more, all from here


def _receive_all(url: str, archive: Archive, part: Path) -> None:
    furthest, failures = _size(part), 0
    with tqdm(total=archive.size, desc=archive.name, unit="B", unit_scale=True) as bar:
        while _size(part) < archive.size:
            try:
                _receive(url, archive.size, part, bar)
            except _DroppedError as error:
                failures = failures + 1 if _size(part) <= furthest else 1
                furthest = max(furthest, _size(part))
                if failures == _ATTEMPTS:
                    raise _MirrorError(f"fails again and again: {error}") from error
                seconds = 2 ** (failures - 1)
                bar.set_postfix_str(f"{error}; again in {seconds} s")
                time.sleep(seconds)


def _receive(url: str, size: int, part: Path, bar: tqdm) -> None:
    """Append to the partial file what one request brings."""
    offset = _size(part)
    with _request(url, offset) as response:
        start = _first_byte(response, size)
        if start not in (0, offset):
            part.unlink()  # so that the next request is for the whole file
            raise _DroppedError(f"sent bytes from {start}, not from {offset}")
        with part.open("ab") as file:
            file.truncate(start)  # 0 where the server knows no ranges and sends everything
            bar.n = start
            bar.set_postfix_str("")
            for chunk in _chunks(response, size - start):
                file.write(chunk)
                bar.update(len(chunk))


def _request(url: str, offset: int) -> http.client.HTTPResponse:
    # without urllib's handlers for file, ftp and data addresses: a redirect must not lead there
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    headers = {"User-Agent": "vae-course"} | ({"Range": f"bytes={offset}-"} if offset else {})
    try:
        response: http.client.HTTPResponse = opener.open(
            urllib.request.Request(url, headers=headers), timeout=_TIMEOUT
        )
        return response
    except urllib.error.HTTPError as error:
        error.close()
        answer = f"answers {error.code} {http.client.responses.get(error.code, '')}".rstrip()
        if error.code >= 500 or error.code in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS):
            raise _DroppedError(answer) from error
        raise _MirrorError(answer) from error
    except urllib.error.URLError as error:
        raise _DroppedError(f"cannot be reached: {_why(error.reason)}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _DroppedError(f"broke off: {_why(error)}") from error
    except ValueError as error:
        raise _MirrorError(f"leads to an address that makes no sense: {error!r}") from error


def _first_byte(response: http.client.HTTPResponse, size: int) -> int:
    """Where in the file the response begins, after checking that it is a file of the right size."""
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        given = response.headers.get("Content-Range", "")
        match = re.fullmatch(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)", given)
        if not match or match[2] not in ("*", str(size)):
            raise _MirrorError(f"answers with Content-Range {given!r} for a file of {size:,} bytes")
        return int(match[1])
    if response.status != HTTPStatus.OK:
        raise _MirrorError(f"answers {response.status}, without the file")
    length = response.headers.get("Content-Length", str(size))  # not every server tells
    if length != str(size):
        raise _MirrorError(f"has another file: Content-Length {length!r}, not {size}")
    return 0


def _chunks(response: http.client.HTTPResponse, num_bytes: int) -> Iterator[bytes]:
    """The next ``num_bytes`` of a response, and never more."""
    while num_bytes:
        try:
            chunk = response.read1(min(_CHUNK, num_bytes))
        except (OSError, http.client.HTTPException) as error:
            raise _DroppedError(f"broke off: {_why(error)}") from error
        if not chunk:
            raise _DroppedError(f"ended {num_bytes:,} bytes early")
        yield chunk
        num_bytes -= len(chunk)


def _why(error: object) -> str:
    """An error in one line, with the control characters of a server that means ill made visible."""
    return getattr(error, "strerror", None) or repr(error)


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
