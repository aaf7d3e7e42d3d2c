"""What all processes of a kernel use together: watched everywhere, and bounded by the system where it has cgroups.

Resource limits bound each process by itself, and a hand-in may have many.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from pathlib import Path

import psutil

from autograder.wall.limits import Limits

CONTROLLERS = {"memory", "pids"}
LEAF = r"grader-\d+"  # the group that a grader moves into to make groups beside it


def memory_in_use(process: int) -> int:
    """Bytes of memory of a process and all its descendants; what several of them share counts once."""
    total = 0
    with contextlib.suppress(psutil.Error):
        first = psutil.Process(process)
        for one in (first, *first.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += one.memory_full_info().pss
    return total


class Group:
    """A cgroup (version 2) for the processes of one kernel.

    Args:
        folder: a new folder in a cgroup whose controllers are passed on.
        limits: what all its processes together may use.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder = folder
        folder.mkdir()
        given = set((folder / "cgroup.controllers").read_text().split())
        if "memory" in given:
            (folder / "memory.max").write_text(str(limits.all_memory_bytes))
            (folder / "memory.oom.group").write_text("1")  # all of a hand-in or nothing of it
            with contextlib.suppress(OSError):  # a system without swap
                (folder / "memory.swap.max").write_text("0")
        if "pids" in given:
            (folder / "pids.max").write_text(str(limits.processes))

    def add(self, process: int) -> None:
        """Move a process and its descendants, which have not started anything of the learner's yet, into the group."""
        with contextlib.suppress(psutil.Error, OSError):  # one that has ended needs no bound
            first = psutil.Process(process)
            for one in (first, *first.children(recursive=True)):
                (self._folder / "cgroup.procs").write_text(str(one.pid))

    def remove(self) -> None:
        """Remove the group, whose processes have ended."""
        with contextlib.suppress(
            OSError
        ):  # the system takes a moment to clear them away; an empty group harms nobody
            self._folder.rmdir()


def new_group(name: str, limits: Limits) -> Group | None:
    """A group for one kernel; None where this process may not make one.

    Args:
        name: of the group, which no other has.
        limits: what all its processes together may use.
    """
    own = _own_folder()
    if own is None or not _passes_on(own):
        return None
    try:
        return Group(own / name, limits)
    except OSError:
        return None


def _own_folder() -> Path | None:
    """Where the system shows the cgroup that this process was started in."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    mount = next((Path(place) for _, place, kind, *_ in mounts if kind == "cgroup2"), None)
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    own = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), None)
    if mount is None or own is None:
        return None
    folder = mount / own.strip("/")
    return folder.parent if re.fullmatch(LEAF, folder.name) else folder


def _passes_on(folder: Path) -> bool:
    """Whether groups made in ``folder`` get its controllers; see to it if it may be done."""
    try:
        wanted = CONTROLLERS & set((folder / "cgroup.controllers").read_text().split())
        control = folder / "cgroup.subtree_control"
        if not wanted or wanted <= set(control.read_text().split()):
            return bool(wanted)
        command = " ".join(f"+{name}" for name in sorted(wanted))
        try:
            control.write_text(command)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            # a group either holds processes or passes controllers on, so this process goes one level down
            leaf = folder / f"grader-{os.getpid()}"
            leaf.mkdir(exist_ok=True)
            (leaf / "cgroup.procs").write_text(str(os.getpid()))
            control.write_text(command)
    except OSError:
        return False
    return True
