"""What all processes of a hand-in use together; cgroups are shown on a tree of files that behaves like the system's."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograder.wall import Limits, usage

LIMITS = Limits(all_memory_bytes=3 * 2**30, processes=77)
HUNDRED = 100 * 2**20


class System:
    """A cgroup tree in which ``own`` is this process's group.

    A new folder has the files of a group; a group that holds a process does not pass controllers on.
    """

    def __init__(self, root: Path, controllers: str) -> None:
        self.own = root / "own"
        self.controllers = controllers
        self.make(self.own)
        (self.own / "cgroup.procs").write_text(str(os.getpid()))

    def make(self, folder: Path) -> None:
        os.mkdir(folder)  # noqa: PTH102  (Path.mkdir is this system's)
        for name in ("cgroup.procs", "cgroup.subtree_control"):
            (folder / name).touch()
        given = self.controllers if folder == self.own else (self.own / "cgroup.subtree_control").read_text()
        (folder / "cgroup.controllers").write_text(given.replace("+", ""))

    def write(self, path: Path, text: str) -> None:
        if path.name == "cgroup.subtree_control" and (path.parent / "cgroup.procs").read_text():
            raise OSError(errno.EBUSY, "holds processes")
        if path.name == "cgroup.procs":
            for other in self.own.rglob("cgroup.procs"):
                other.write_bytes(b"")  # a process is in one group
        path.write_bytes(text.encode())


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> System:
    made = System(tmp_path, getattr(request, "param", "cpu memory pids"))
    monkeypatch.setattr(usage, "_own_folder", lambda: made.own)
    monkeypatch.setattr(Path, "mkdir", lambda self, exist_ok=False: self.exists() or made.make(self))
    monkeypatch.setattr(Path, "write_text", lambda self, text: made.write(self, text))
    return made


def test_a_group_bounds_all_processes_together(system: System) -> None:
    group = usage.new_group("wall-1", LIMITS)
    assert group is not None
    bounds = {path.name: path.read_text() for path in (system.own / "wall-1").iterdir()}
    assert bounds["memory.max"] == str(3 * 2**30) and bounds["memory.oom.group"] == "1"
    assert bounds["pids.max"] == "77"
    # the grader had to step aside before its group could pass controllers on
    assert (system.own / f"grader-{os.getpid()}" / "cgroup.procs").read_text() == str(os.getpid())
    sleeper = subprocess.Popen(["sleep", "60"])
    group.add(sleeper.pid)
    assert (system.own / "wall-1" / "cgroup.procs").read_text() == str(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    group.add(sleeper.pid)  # one that has ended needs no bound


@pytest.mark.parametrize("system", ["cpu hugetlb", ""], indirect=True)
def test_without_the_controllers_there_is_no_group(system: System) -> None:
    assert usage.new_group("wall-1", LIMITS) is None


def test_what_may_not_be_written_is_no_group(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, text: str) -> None:
        raise PermissionError(errno.EACCES, "not yours")

    monkeypatch.setattr(Path, "write_text", refuse)
    assert usage.new_group("wall-1", LIMITS) is None


@pytest.mark.slow
def test_memory_that_processes_share_counts_once() -> None:
    code = (
        f"import os, time; x = bytearray(b'x') * {3 * HUNDRED}\n"
        "for _ in range(3):\n    if os.fork() == 0: break\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(4):
            process.stdout.readline()
        time.sleep(0.2)
        used = usage.memory_in_use(process.pid)
        for child in usage.psutil.Process(process.pid).children():
            child.kill()
        process.kill()
    assert 3 * HUNDRED <= used < 5 * HUNDRED
    assert usage.memory_in_use(process.pid) == 0
