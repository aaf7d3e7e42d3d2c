"""Grade each notebook in a process of its own, so that whatever happens there happens to one hand-in only."""

from __future__ import annotations

import functools
import gc
import importlib
import json
import multiprocessing
import resource
import time
from multiprocessing.connection import Connection

import nbformat
import torch
from nbformat import NotebookNode

from autograder.checks import checks_of
from autograder.grading.graded import fill_in_reason
from autograder.grading.one_notebook import grade_notebook
from autograder.wall import Place
from autograder.wall.limits import JUDGING_SECONDS
from vae_ref.errors import CourseError

MEMORY_BYTES = 6 * 2**30  # of the judge


class Grading:
    """A hand-in that is being graded in a process of its own.

    Args:
        notebook: what intake rebuilt.
        slug: name of the assignment.
        student: whose it is.
        place: where its cells run; it is used up.

    Attributes:
        receiver: becomes ready when there is an answer, or none will come.
        deadline: when waiting ends, by ``time.monotonic``.
    """

    def __init__(self, notebook: NotebookNode, slug: str, student: str, place: Place) -> None:
        self.notebook = notebook
        self._place = place
        # A fork has all libraries loaded already. It is safe because this process only imports torch: its threads would
        # be missing in a child after the first large computation.
        prepare(slug)
        context = multiprocessing.get_context("fork")
        self.receiver, sender = context.Pipe(duplex=False)
        self._child = context.Process(
            target=_grade, args=(sender, notebook, slug, student, place), daemon=True
        )
        self._child.start()
        sender.close()
        self.deadline = time.monotonic() + place.limits.total_seconds + JUDGING_SECONDS

    def finish(self) -> NotebookNode:
        """Wait for the graded notebook; it has 0 points and the reason in each check if grading it went wrong.

        Raises:
            CourseError: nothing can be graded here, whoever hands in.
        """
        reason, answer = "grading did not end within its time", {}
        try:
            if self.receiver.poll(max(0.0, self.deadline - time.monotonic())):
                reason, answer = "", json.loads(self.receiver.recv_bytes())
        except (EOFError, OSError):
            reason = "grading it ended the process that graded"
        finally:
            self.stop()
        if "problem" in answer:
            raise CourseError(answer["problem"])
        if reason or "error" in answer:
            return fill_in_reason(self.notebook, reason or f"grading it failed ({answer['error']})")
        return nbformat.reads(answer["notebook"], as_version=4)

    def stop(self) -> None:
        """End the process, whatever it was doing, and remove what it leaves."""
        self._child.kill()
        self._child.join()
        self._place.end()
        self._place.folder.remove()
        self.receiver.close()


@functools.cache
def prepare(slug: str) -> None:
    """Import before the first fork what every one of them would import by itself."""
    checks_of(slug)
    importlib.import_module("torch.fx.experimental.symbolic_shapes")  # with sympy, for the first optimizer
    gc.collect()
    gc.freeze()  # a collection in a fork would copy every page that it looks at


def _grade(sender: Connection, notebook: NotebookNode, slug: str, student: str, place: Place) -> None:
    """Grade in the child and send a JSON answer."""
    torch.set_num_threads(1)  # several are graded at a time; threads of theirs would wait for each other
    # only the soft limit: processes behind the wall set their own below the hard one
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    try:
        grade_notebook(notebook, slug, student, place)
        answer = {"notebook": nbformat.writes(notebook)}
    except CourseError as error:
        answer = {"problem": str(error)}
    except Exception as error:  # one hand-in must not stop the others, whatever it found
        answer = {"error": type(error).__name__}
    sender.send_bytes(json.dumps(answer).encode())
