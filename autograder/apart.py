"""Grade each notebook in a process of its own, so that whatever happens there happens to one hand-in only."""

from __future__ import annotations

import json
import multiprocessing
import resource
from multiprocessing.connection import Connection
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.grading import fill_in_reason, grade_notebook
from autograder.wall import Limits
from autograder.wall.kernel import FOLDERS, folder_prefix, remove_folder
from vae_ref.errors import CourseError

GRACE_SECONDS = 120.0  # beyond the submission's own time, for the judge's work
MEMORY_BYTES = 6 * 2**30  # of the judge


def grade_apart(
    notebook: NotebookNode, slug: str, student: str, hidden: tuple[Path, ...] = ()
) -> NotebookNode:
    """The graded notebook; with 0 points and the reason in each check if grading it went wrong.

    Args:
        notebook: what intake rebuilt.
        slug: name of the assignment.
        student: whose it is.
        hidden: folders that must not be visible behind the wall.

    Raises:
        CourseError: nothing can be graded here, whoever hands in.
    """
    # A fork has all libraries loaded already. It is safe because this process only imports torch: its threads would
    # be missing in a child after the first large computation.
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_grade, args=(sender, notebook, slug, student, hidden), daemon=True)
    child.start()
    sender.close()
    reason, answer = "grading did not end within its time", {}
    try:
        if receiver.poll(Limits().total_seconds + GRACE_SECONDS):
            reason, answer = "", json.loads(receiver.recv_bytes())
    except (EOFError, OSError):
        reason = "grading it ended the process that graded"
    finally:
        child.kill()
        child.join()
        for left in FOLDERS.glob(f"{folder_prefix(child.pid or 0)}*"):
            remove_folder(left)
        receiver.close()
    if "problem" in answer:
        raise CourseError(answer["problem"])
    if reason or "error" in answer:
        return fill_in_reason(notebook, reason or f"grading it failed ({answer['error']})")
    return nbformat.reads(answer["notebook"], as_version=4)


def _grade(
    sender: Connection, notebook: NotebookNode, slug: str, student: str, hidden: tuple[Path, ...]
) -> None:
    """Grade in the child and send a JSON answer."""
    # only the soft limit: processes behind the wall set their own below the hard one
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    try:
        grade_notebook(notebook, slug, student, hidden=hidden)
        answer = {"notebook": nbformat.writes(notebook)}
    except CourseError as error:
        answer = {"problem": str(error)}
    except Exception as error:  # one hand-in must not stop the others, whatever it found
        answer = {"error": type(error).__name__}
    sender.send_bytes(json.dumps(answer).encode())
