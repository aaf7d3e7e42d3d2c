"""Grade on the machines of a Dask cluster: the same tasks, the same judge, the same grades.

The driver, who runs ``autograder grade --scheduler ADDRESS``, rebuilds the hand-ins, sends each as JSON text to a
worker (:mod:`autograder.grading.station`), and alone writes what comes back, once for each task.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import sys
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbformat import NotebookNode
from tqdm.auto import tqdm

from autograder.grading import batch
from autograder.grading.batch import Executor, Task
from autograder.grading.station import grade_here, graded_notebook, introduction, other_grader, request_for
from vae_ref.errors import CourseError

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 10.0
POLL_SECONDS = 0.05
WINDOW = 1000  # hand-ins that the scheduler holds at a time, in its memory
RETRIES = 2  # of a hand-in whose station ended; a lost worker is the scheduler's business (allowed-failures)
LOST = (
    "the connection to the scheduler was lost: what was graded is kept; start the scheduler again, if it ended, and "
    "give the same command again"
)


def on_dask(address: str, hidden: tuple[Path, ...] = ()) -> Executor:
    """Grades on the workers of a Dask scheduler.

    Args:
        address: of the scheduler, such as ``tcp://10.0.0.1:8786``; ``tls://`` as Dask's configuration says.
        hidden: folders that must not be visible behind the wall, where a worker has them at all.
    """
    return functools.partial(_on_dask, address=address, hidden=hidden)


def _on_dask(
    tasks: Sequence[Task], address: str, hidden: tuple[Path, ...]
) -> Generator[tuple[Task, NotebookNode], None, None]:
    """Yield each task with its graded notebook.

    Raises:
        CourseError: the scheduler cannot be reached or went away, a worker has another grader or cannot grade, or
            hand-ins were lost with their workers too often; whatever was graded before has been yielded.
    """
    if not tasks:
        return
    client = _connect(address)
    try:
        _require_same_grader(client)
        yield from _results(client, tasks, hidden)
    finally:  # the scheduler forgets what nobody waits for: stopped in the middle, nothing new is begun
        client.close(timeout=CONNECT_SECONDS)


def _connect(address: str) -> Client:
    try:
        import distributed
    except ImportError:
        raise CourseError(
            "distributed is not installed; --scheduler needs it: pip install 'vae-course[cluster]'"
        ) from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is said once, by us
    try:
        with ThreadPoolExecutor(1) as aside:  # a notebook's thread runs a loop already
            aside.submit(asyncio.run, asyncio.wait_for(_knock(address), CONNECT_SECONDS + 1)).result()
        return distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name="autograder")
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CourseError(
            f"no Dask scheduler answers at {address!r} ({reason}): is it running, is its port open from here, do both "
            "sides use tls:// or both tcp://? Start one with: dask scheduler"
        ) from None


async def _knock(address: str) -> None:
    """Connect and leave: Dask's client would wait for ever for a server that accepts and says nothing."""
    from distributed import Security
    from distributed.comm.core import connect

    line = await connect(address, timeout=CONNECT_SECONDS, **Security().get_connection_args("client"))
    line.abort()


def _require_same_grader(client: Client) -> None:
    # those who join later, also in the place of one that died just now, are asked with each hand-in
    answers = client.run(introduction, on_error="return")
    if not answers:
        tqdm.write("no worker has joined the scheduler yet: grading starts when one does", file=sys.stderr)
    for worker, answer in answers.items():
        if isinstance(answer, OSError):
            continue
        if isinstance(answer, BaseException):
            raise CourseError(
                f"worker {worker} has no such grader ({type(answer).__name__}: {answer}): install on it what is "
                "installed here, and restart it"
            )
        said = json.loads(answer)
        problem = other_grader(batch.grader_version(), said["grader"]) or said["problem"]
        if problem:
            raise CourseError(f"worker {worker} cannot grade: {problem}")


def _results(
    client: Client, tasks: Sequence[Task], hidden: tuple[Path, ...]
) -> Generator[tuple[Task, NotebookNode], None, None]:
    from distributed import as_completed

    waiting = list(reversed(tasks))
    running: dict[str, Task] = {}
    lost: dict[str, str] = {}
    completed = as_completed(loop=client.loop, with_results=True, raise_errors=False)
    while waiting or running:
        while waiting and len(running) < WINDOW:
            task = waiting.pop()
            if task.key not in running:  # the same notebook twice has the same answer
                completed.add(_submit(client, task, hidden))
            running[task.key] = task
        future, result = _next(client, completed)
        task = running.pop(str(future.key).rpartition("-")[2])
        if isinstance(result, str):
            yield task, graded_notebook(result)
        elif future.status == "error":
            lost[task.student] = _one_line(result)
        else:
            raise CourseError(LOST)
    if lost:
        who = ", ".join(f"{student} ({reason})" for student, reason in list(lost.items())[:5])
        raise CourseError(
            f"{len(lost)} of {len(tasks)} hand-ins were lost with their workers and are not graded, all others are "
            f"kept: {who}. See the workers' logs, then give the same command again, or without --scheduler"
        )


def _next(client: Client, completed: Any) -> tuple[Future[Any], object]:
    """The next future that has ended, and its result; never waits for a scheduler that is gone."""
    while not completed.has_ready():
        if client.status in ("closing", "closed"):
            raise CourseError(LOST)
        time.sleep(POLL_SECONDS)
    future, result = next(completed)
    return future, result


def _submit(client: Client, task: Task, hidden: tuple[Path, ...]) -> Future[Any]:
    # The key is all that decides the grades: whoever asks twice, also after a stop, gets the one answer.
    key = f"grade-{task.slug}-{task.key}"
    return client.submit(grade_here, request_for(task, hidden), key=key, retries=RETRIES, pure=False)


def _one_line(error: object) -> str:
    """What a future's exception says, which comes as (kind, exception, traceback)."""
    exception = error[1] if isinstance(error, tuple) else error
    return f"{type(exception).__name__}: {' '.join(str(exception).split())[:200]}"
