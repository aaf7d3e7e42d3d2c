"""Grade for those who must not fork: a worker of a Dask cluster, and the server of the formgrader.

They have threads and event loops, which do not survive a fork. So each of their threads keeps a :class:`Station`, a
process of its own that forks a judge for every hand-in, as a batch on one machine does, and that ends what it is doing
when the one who asked ends. Only JSON crosses, in both directions.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.assignments import assignment_named
from autograder.grading import batch
from autograder.grading.batch import Task
from autograder.wall import Lane, Limits, Place, require_wall
from autograder.wall.limits import JUDGING_SECONDS
from vae_ref.errors import CourseError

IDLE_SECONDS = 60.0

_mine = threading.local()  # each thread grades one hand-in at a time, in a station of its own


def introduction() -> str:
    """What a worker says of itself before it gets work: its grader's version, and why it could not grade, as JSON."""
    try:
        require_wall()
        problem = ""
    except CourseError as error:
        problem = str(error)
    return json.dumps({"grader": batch.grader_version(), "problem": problem})


def other_grader(theirs: str, here: str) -> str:
    """Why a worker with version ``here`` of the grader must not grade for one who has ``theirs``; empty if it may."""
    if theirs == here:
        return ""
    return (
        f"its grader has version {here}, the one that asks has {theirs}, and both must give the same grades: install "
        "the same autograder on both, and restart the workers"
    )


def request_for(task: Task, hidden: tuple[Path, ...] = ()) -> str:
    """What to say to :func:`grade_here`.

    Args:
        task: the hand-in.
        hidden: folders that must not be visible behind the wall, where they exist at all.
    """
    request = {
        "grader": batch.grader_version(),
        "slug": task.slug,
        "student": task.student,
        "notebook": task.text,
        "limits": asdict(task.limits),
        "hidden": [str(folder) for folder in hidden],
    }
    return json.dumps(request)


def graded_notebook(answer: str) -> NotebookNode:
    """The notebook in an answer of :func:`grade_here`.

    Raises:
        CourseError: there is none, because nothing can be graded there.
    """
    said = json.loads(answer)
    if "problem" in said:
        raise CourseError(f"{said['machine']} cannot grade: {said['problem']}")
    return nbformat.reads(said["notebook"], as_version=4)


def grade_here(request: str) -> str:
    """Grade one hand-in on this machine.

    Args:
        request: from :func:`request_for`.

    Returns:
        JSON for :func:`graded_notebook`.

    Raises:
        RuntimeError: the station ended; another one will do.
    """
    if not hasattr(_mine, "station"):
        _mine.station = Station()
    try:
        return str(_mine.station.ask(request))
    except BaseException:
        leave()
        raise


def leave() -> None:
    """End the station of this thread, if it has one; :func:`grade_here` starts another."""
    if hasattr(_mine, "station"):
        _mine.station.close()
        del _mine.station


class Station:
    """A process that grades one hand-in after the other, each in a process of its own.

    It is started as a program, not forked; Dask forbids its workers children of the other kind, too.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "autograder.grading.station", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # ctrl-C is for the one who asked
            )
            self._line = Connection(ours.detach())

    def ask(self, request: str) -> str:
        """Send a request and wait for its answer.

        Raises:
            RuntimeError: the process ended, or did not answer in time.
        """
        # the station itself gives up earlier
        seconds = json.loads(request)["limits"]["total_seconds"] + 2 * JUDGING_SECONDS
        try:
            self._line.send_bytes(request.encode())
            if self._line.poll(seconds):
                return self._line.recv_bytes().decode()
        except (EOFError, OSError):
            code = self._process.wait(timeout=JUDGING_SECONDS)
            raise RuntimeError(f"the process that grades ended with code {code}") from None
        raise RuntimeError(f"the process that grades did not answer within {seconds:g} seconds")

    def close(self) -> None:
        """End the process; it ends what it has started."""
        self._line.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __del__(self) -> None:
        # the thread has ended, and with it the last one who could ask
        if hasattr(self, "_line"):
            self._line.close()


def serve(line: Connection) -> None:
    """Be a station: answer requests until the one at the other end of the line is gone."""
    importlib.import_module("autograder.grading.apart")  # not above: who asks can do without torch
    batch.grader_version()  # now, while the files are those that were loaded
    lanes = _Lanes()
    with contextlib.suppress(EOFError, OSError), contextlib.closing(lanes):
        while True:
            if not line.poll(IDLE_SECONDS):
                lanes.close()  # its memory may be wanted by others
            answer = _answer(line, json.loads(line.recv_bytes()), lanes)
            line.send_bytes(json.dumps({**answer, "machine": socket.gethostname()}).encode())


class _Lanes:
    """The lane of the assignment that is graded at present; hand-ins of one assignment come in a row."""

    def __init__(self) -> None:
        self._lane: Lane | None = None
        self._of: tuple[int, Limits, tuple[Path, ...]] | None = None

    def take(self, chapter: int, limits: Limits, hidden: tuple[Path, ...]) -> Place:
        """A kernel for a hand-in; arguments as for :class:`autograder.wall.Lane`."""
        if self._lane is None or self._of != (chapter, limits, hidden):
            self.close()
            self._lane, self._of = Lane(chapter, limits, hidden), (chapter, limits, hidden)
        return self._lane.take()

    def close(self) -> None:
        """End the lane."""
        if self._lane is not None:
            self._lane.close()
            self._lane = None


def _answer(line: Connection, request: dict[str, Any], lanes: _Lanes) -> dict[str, str]:
    """Grade what a request asks for.

    Raises:
        EOFError: nobody wants the answer any more.
    """
    # asked here, where the code was loaded that will grade: that on the disk may have changed since
    problem = other_grader(request["grader"], batch.grader_version())
    if problem:
        return {"problem": problem}
    # a folder of the driver's need not be here, and one that is not here cannot be covered
    hidden = tuple(path for path in map(Path, request["hidden"]) if path.is_dir())
    notebook = nbformat.reads(request["notebook"], as_version=4)
    try:
        limits = Limits(**request["limits"])
        place = lanes.take(assignment_named(request["slug"]).number, limits, hidden)
    except CourseError as error:
        return {"problem": str(error)}
    from autograder.grading.apart import Grading

    grading = Grading(notebook, request["slug"], request["student"], place)
    wait([grading.receiver, line], max(0.0, grading.deadline - time.monotonic()))
    if line.poll():  # who asked says nothing while waiting, so this is the end
        grading.stop()
        raise EOFError
    try:
        return {"notebook": nbformat.writes(grading.finish())}
    except CourseError as error:
        return {"problem": str(error)}


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
