"""Where a kernel runs: alone in a sandbox of its own, or forked from a warm process in one.

Either way it has a folder of its own with what goes in and what comes out, and can be ended with all that it started.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from jupyter_client.connect import write_connection_file

from autograder.wall.limits import Limits
from autograder.wall.sandbox import WallError, kernel_command, new_learner_uid, warm_command
from autograder.wall.usage import new_group

FOLDERS = Path("/tmp")  # ipc socket paths must be short, so not wherever TMPDIR points
CHANNELS = ("shell", "iopub", "stdin", "hb", "control")
LAST_WORDS_BYTES = 4000
CREDENTIALS = struct.Struct("3i")  # process, user and group of who sent a message


class Folder:
    """What goes into a kernel and what comes out of it.

    Args:
        parent: where to make it.
        limits: what the kernel may use.
        uid: the user that it runs as, if not ours.

    Attributes:
        inbox: read-only inside, at ``/inbox``.
        outbox: writable inside, at ``/outbox``; nothing in it can be trusted.
        sockets: where the kernel listens.
        connection: what a client needs to know.
    """

    def __init__(self, parent: Path, limits: Limits, uid: int | None) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"wall-{os.getpid()}-", dir=parent))
        self.path.chmod(0o711)
        self.inbox, self.outbox = self.path / "in", self.path / "out"
        self.inbox.mkdir(mode=0o755)
        self.outbox.mkdir(mode=0o700)
        (self.inbox / "limits.json").write_text(json.dumps(asdict(limits)))
        ports: dict[str, Any] = {f"{name}_port": number for number, name in enumerate(CHANNELS, 1)}
        file, info = write_connection_file(
            str(self.outbox / "connection.json"), transport="ipc", ip="/outbox/k", **ports
        )
        self.sockets = tuple(self.outbox / f"k-{port}" for port in ports.values())
        self.connection: Any = {**info, "ip": str(self.outbox / "k")}
        if uid is not None:
            for path in (self.outbox, Path(file)):
                os.chown(path, uid, uid)
        self.log = (self.path / "log").open("w+b")
        self.group = new_group(self.path.name, limits)

    def is_ready(self) -> bool:
        """Whether the kernel listens."""
        return all(path.exists() and stat.S_ISSOCK(path.lstat().st_mode) for path in self.sockets)

    def last_words(self) -> str:
        """The last line that the process wrote to its standard error."""
        return _last_line(self.log)

    def remove(self) -> None:
        """Remove what a learner's process left, however deeply it is nested and whatever its permissions."""
        self.log.close()
        if self.group is not None:
            self.group.remove()
        for command_line in (["rm", "-rf"], ["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
            subprocess.run([*command_line, "--", self.path], capture_output=True, check=False)
            if not self.path.exists():
                return


class Place(Protocol):
    """Where one kernel runs."""

    folder: Folder
    limits: Limits

    def process(self) -> int:
        """Number of the process above all others of the kernel, once that listens."""
        ...

    def ended(self) -> bool:
        """Whether the kernel's process is gone."""
        ...

    def end(self) -> None:
        """End the kernel at once, and all that it has started."""
        ...


class OwnSandbox:
    """A sandbox that holds one kernel.

    Args:
        chapter: the assignment's number; modules of ``vae_ref`` from there on are not visible inside.
        limits: what the submission may use.
        hidden: folders of the host, such as the course's, that must not be visible inside.
    """

    def __init__(self, chapter: int, limits: Limits, hidden: tuple[Path, ...] = ()) -> None:
        self.limits = limits
        uid = new_learner_uid()
        self.folder = Folder(FOLDERS, limits, uid)
        self._process = _start(
            kernel_command(self.folder.inbox, self.folder.outbox, uid, chapter, limits.file_bytes, hidden),
            subprocess.DEVNULL,
            self.folder.log.fileno(),
        )
        # unlike the process's number this works in forks of ours too
        self._handle = io.FileIO(os.pidfd_open(self._process.pid))

    def process(self) -> int:
        return self._process.pid

    def ended(self) -> bool:
        return self._handle.closed or bool(select.select([self._handle], [], [], 0)[0])

    def end(self) -> None:
        if self._handle.closed:
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle.fileno(), signal.SIGKILL)
        select.select([self._handle], [], [])  # the sandbox and all its processes die with it
        self._process.poll()
        self._handle.close()


class Fork:
    """A kernel that a warm process has forked."""

    def __init__(self, folder: Folder, limits: Limits, connection: socket.socket) -> None:
        self.folder = folder
        self.limits = limits
        self._connection = connection
        # the one message that comes says who sent it, in numbers of this side
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._process = 0

    def process(self) -> int:
        if not self._process:
            self._receive(0)
        return self._process

    def ended(self) -> bool:
        try:
            return not self._receive(socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _receive(self, flags: int) -> bytes:
        message, notes, _, _ = self._connection.recvmsg(1, socket.CMSG_SPACE(CREDENTIALS.size), flags)
        for level, kind, content in notes:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS) and message:
                self._process = CREDENTIALS.unpack(content)[0]
        return message

    def end(self) -> None:
        # not only closed: forks of this process hold the same connection
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
            self._connection.settimeout(10)
            while self._connection.recv(
                100
            ):  # until its keeper is gone, and with it every process of its own
                pass
        self._connection.close()


class Warm:
    """A process behind the wall that has imported what notebooks import, and forks kernels.

    Args:
        chapter, hidden: as for :class:`OwnSandbox`, for all its kernels.
    """

    def __init__(self, chapter: int, hidden: tuple[Path, ...] = ()) -> None:
        self._uid = new_learner_uid()
        self._spool = Path(tempfile.mkdtemp(prefix=f"wall-{os.getpid()}-", dir=FOLDERS))
        self._spool.chmod(0o711)
        self._log = (self._spool / "log").open("w+b")
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = _start(
                warm_command(self._spool, self._uid, chapter, hidden),
                theirs.fileno(),
                self._log.fileno(),
            )

    def close(self) -> None:
        """End the process, and with it all kernels that it has forked."""
        self._process.kill()
        self._process.wait()
        self._requests.close()
        self._log.close()
        shutil.rmtree(self._spool, ignore_errors=True)

    def ended(self) -> bool:
        """Whether the process is gone, and with it all kernels that it has forked."""
        return self._process.poll() is not None

    def last_words(self) -> str:
        """The last line that the process wrote to its standard error."""
        return _last_line(self._log)

    def fork(self, limits: Limits) -> Fork:
        """Ask for a kernel; it comes up while the caller does something else.

        Args:
            limits: what the submission may use.

        Raises:
            WallError: the process is gone.
        """
        folder = Folder(self._spool, limits, self._uid)
        mine, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(
                    self._requests, [folder.path.name.encode()], [theirs.fileno(), folder.log.fileno()]
                )
            except OSError as error:
                mine.close()
                folder.remove()
                raise WallError(f"the process that forks kernels is gone: {error.strerror}") from None
        return Fork(folder, limits, mine)


def _last_line(log: BinaryIO) -> str:
    log.seek(0)
    said = log.read(LAST_WORDS_BYTES).decode(errors="replace").strip().splitlines()
    return said[-1] if said else "no reason given"


def _start(command: list[str], stdin: int, stderr: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        cwd="/",
        env={"PATH": os.defpath},  # bubblewrap's own environment can be read inside
    )
