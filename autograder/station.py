"""What a worker of a Dask cluster does: grade one hand-in after the other, in another process.

A worker never runs learners' code itself, nor forks, for it has threads: each of them keeps a :class:`Station`, a
process of its own that forks a judge for every hand-in, as a batch on one machine does, and that ends what it is doing
when its worker ends. Only JSON crosses, in both directions.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import nbformat

from autograder import batch
from autograder.apart import GRACE_SECONDS, Grading
from autograder.assignments import assignment_named
from autograder.wall import Lane, Limits, Place, require_wall
from vae_ref.errors import CourseError

_mine = threading.local()  # each thread of a worker grades one hand-in at a time, in a station of its own


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


def grade_here(request: str) -> str:
    """Grade one hand-in on this worker.

    Args:
        request: JSON of ``grader`` (the version that must be installed here), ``slug``, ``student``, ``notebook`` (text
            of what intake rebuilt) and ``hidden`` (paths).

    Returns:
        JSON of ``worker``, the name of this machine, and of either ``notebook``, the text of the graded notebook, or
        ``problem``, why nothing can be graded here.

    Raises:
        RuntimeError: the station ended; another one will do.
    """
    if not hasattr(_mine, "station"):
        _mine.station = Station()
    try:
        return str(_mine.station.ask(request))
    except BaseException:
        _mine.station.close()
        del _mine.station
        raise


class Station:
    """A process that grades one hand-in after the other, each in a process of its own.

    It is started as a program, not forked: a worker has threads, whose locks would stay locked in a fork, and Dask
    forbids its workers children of the other kind.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "autograder.station", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
            self._line = Connection(ours.detach())

    def ask(self, request: str) -> str:
        """Send a request and wait for its answer.

        Raises:
            RuntimeError: the process ended, or did not answer in time.
        """
        seconds = Limits().total_seconds + 2 * GRACE_SECONDS  # the station itself gives up earlier
        try:
            self._line.send_bytes(request.encode())
            if self._line.poll(seconds):
                return self._line.recv_bytes().decode()
        except (EOFError, OSError):
            code = self._process.wait(timeout=GRACE_SECONDS)
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
    """Be a station: answer requests until the worker at the other end of the line is gone."""
    batch.grader_version()  # now, while the files are those that were loaded
    lanes = _Lanes()
    with contextlib.suppress(EOFError, OSError), contextlib.closing(lanes):
        while True:
            answer = _answer(line, json.loads(line.recv_bytes()), lanes)
            line.send_bytes(json.dumps({**answer, "worker": socket.gethostname()}).encode())


class _Lanes:
    """The lane of the assignment that is graded at present; hand-ins of one assignment come in a row."""

    def __init__(self) -> None:
        self._lane: Lane | None = None
        self._of: tuple[int, tuple[Path, ...]] | None = None

    def take(self, chapter: int, hidden: tuple[Path, ...]) -> Place:
        """A kernel for a hand-in; arguments as for :class:`autograder.wall.Lane`."""
        if self._lane is None or self._of != (chapter, hidden):
            self.close()
            self._lane, self._of = Lane(chapter, hidden=hidden), (chapter, hidden)
        return self._lane.take()

    def close(self) -> None:
        """End the lane."""
        if self._lane is not None:
            self._lane.close()
            self._lane = None


def _answer(line: Connection, request: dict[str, Any], lanes: _Lanes) -> dict[str, str]:
    """Grade what a request asks for.

    Raises:
        EOFError: the worker is gone, and nobody wants the answer.
    """
    # asked here, where the code was loaded that will grade: that on the disk may have changed since the worker started
    problem = other_grader(request["grader"], batch.grader_version())
    if problem:
        return {"problem": problem}
    # a folder of the driver's need not be here, and one that is not here cannot be covered
    hidden = tuple(path for path in map(Path, request["hidden"]) if path.is_dir())
    notebook = nbformat.reads(request["notebook"], as_version=4)
    try:
        place = lanes.take(assignment_named(request["slug"]).number, hidden)
    except CourseError as error:
        return {"problem": str(error)}
    grading = Grading(notebook, request["slug"], request["student"], place)
    wait([grading.receiver, line], max(0.0, grading.deadline - time.monotonic()))
    if line.poll():  # the worker says nothing while it waits, so this is its end
        grading.stop()
        raise EOFError
    try:
        return {"notebook": nbformat.writes(grading.finish())}
    except CourseError as error:
        return {"problem": str(error)}


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
