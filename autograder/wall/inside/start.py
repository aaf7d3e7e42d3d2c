"""First code behind the wall: set limits that the learner's code cannot lift, then become a Jupyter kernel."""

import ctypes
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

sys.path[:0] = ["/course"]

import calls  # type: ignore[import-not-found]  # noqa: E402
from ipykernel.iostream import OutStream  # noqa: E402
from ipykernel.kernelapp import launch_new_instance  # noqa: E402

LONGEST_PRINT = 1_000_000  # characters a second
KEYCTL_JOIN_SESSION_KEYRING = 1


class CappedStream(OutStream):
    """Cuts prints short: a message above the bound outside would end the connection of an honest learner."""

    _since, _room = 0.0, 0

    def write(self, string: str) -> int:
        """Pass on the beginning of ``string``, as far as this second still has room."""
        if time.monotonic() - self._since > 1:
            self._since, self._room = time.monotonic(), LONGEST_PRINT
        string = string[: self._room]
        self._room -= len(string)
        return super().write(string) or 0

    def make_room(self) -> None:
        """Begin another cell, which is not to suffer from what the last one printed."""
        self._since = 0.0


def leave_keys_behind() -> None:
    """Get a keyring of its own: that of the session comes from whoever started the grader, and others share it."""
    number = calls.REFUSED.get(os.uname().machine, {}).get("keyctl")
    if number is not None:
        # whatever it answers: a system may have no keys at all
        ctypes.CDLL(None).syscall(number, KEYCTL_JOIN_SESSION_KEYRING, None)


def read_limits(inbox: str) -> dict[str, Any]:
    """The limits of this submission."""
    return json.loads(Path(inbox, "limits.json").read_text())


def become_kernel() -> None:
    """Read the limits from the inbox, apply them, and serve the kernel until the end."""
    leave_keys_behind()
    limits = read_limits("/inbox")
    # RLIMIT_DATA counts private memory; RLIMIT_AS would count torch's libraries, gigabytes that are never touched
    for kind, value in (
        (resource.RLIMIT_DATA, limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))
    calls.refuse_dangerous_calls()
    os.chdir("/home/learner")
    launch_new_instance(
        argv=[
            "-f",
            "/outbox/connection.json",
            "--IPKernelApp.capture_fd_output=False",
            "--HistoryManager.enabled=False",
        ],
        outstream_class="start.CappedStream",
    )


if __name__ == "__main__":
    become_kernel()
