"""Files that are whole or absent: written beside their place, then renamed."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from vae_ref.errors import CourseError


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Create or replace a file so that readers, also after a crash, see all of it or the old one.

    Args:
        path: the file; its folder is made if needed.
        write: gets the open temporary file.

    Raises:
        CourseError: the file cannot be written.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False
        ) as file:
            temporary = Path(file.name)
            write(cast(BinaryIO, file))
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # temporary files are private; results are for everybody
        temporary.replace(path)
    except OSError as error:
        full = "free some space or " if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        raise CourseError(
            f"cannot write {path}: {error.strerror or error}; {full}choose another folder"
        ) from error
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Create or replace a text file atomically, UTF-8."""
    write_atomically(path, lambda file: file.write(text.encode()))
