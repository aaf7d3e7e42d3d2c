"""The machines of a Dask cluster: the same grades, nothing lost and nothing twice when one of them dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import nbformat
import psutil
import pytest
from distributed import Client
from distributed.comm import CommClosedError
from nbformat import NotebookNode

from autograder.grading import batch, cluster, station
from autograder.grading.batch import Store, Task, grade_all
from autograder.grading.cluster import on_dask
from autograder.grading.graded import verdict_record
from autograder.grading.station import Station, grade_here, graded_notebook, leave, request_for
from autograder.wall.places import FOLDERS
from vae_ref.errors import CourseError

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]

BIN = Path(sys.executable).parent
SLUG = "02_bound"
KL = "def kl_divergence(mu, logvar):\n    return (mu**2 + logvar.exp() - logvar - 1).sum(1) / 2"


def task(student: str, source: str = KL) -> Task:
    """A small hand-in: one cell, one check."""
    check = {"grade": True, "solution": False, "grade_id": "check_kl_divergence"}
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("import torch"),
            nbformat.v4.new_code_cell(source),
            nbformat.v4.new_code_cell("check(kl_divergence)", metadata={"nbgrader": check}),
        ],
        metadata={"autograder": {"refused": "", "notes": []}},
    )
    return Task(SLUG, student, nbformat.writes(notebook))


def score(graded: NotebookNode) -> float:
    (verdict,) = verdict_record(graded)["verdicts"]
    return verdict["score"]


class Machines:
    """A scheduler and its workers on loopback, as an administrator would start them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0")
        self.workers: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        return json.loads((self.folder / "scheduler.json").read_text())["address"]

    def _start(self, kind: str, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        file = self.folder / "scheduler.json"
        process = subprocess.Popen(
            [BIN / "dask", kind, "--no-dashboard", "--scheduler-file", file, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env={**os.environ, **environment},
        )
        wait_until(lambda: is_whole(file))
        return process

    def add_worker(self, **environment: str) -> subprocess.Popen[bytes]:
        """One more worker, which grades one hand-in at a time."""
        name = f"w{len(self.workers)}"
        options = ("--no-nanny", "--nthreads", "1", "--host", "127.0.0.1", "--name", name)
        self.workers.append(self._start("worker", *options, **environment))
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(len(self.workers), timeout=60)
        return self.workers[-1]

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


def is_whole(file: Path) -> bool:
    """Dask makes its file first and fills it then."""
    try:
        return bool(json.loads(file.read_text()))
    except (FileNotFoundError, ValueError):
        return False


def is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def wait_until(true: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    (tmp_path / "machines").mkdir()
    machines = Machines(tmp_path / "machines")
    try:
        yield machines
    finally:
        machines.stop()


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A scheduler and a worker for what ends neither of them."""
    machines = Machines(tmp_path_factory.mktemp("standing"))
    try:
        machines.add_worker()
        yield machines
    finally:
        machines.stop()


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whose notebooks were stored, in order: each by the one who calls, and once."""
    names: list[str] = []
    save = Store.save

    def save_and_note(self: Store, one: Task, graded: NotebookNode) -> None:
        save(self, one, graded)
        names.append(one.student)

    monkeypatch.setattr(Store, "save", save_and_note)
    return names


def children(worker: subprocess.Popen[bytes]) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(worker.pid).children(recursive=True)
    return []


def at_work(worker: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """All below a worker, in one look, while a station's judge waits for a hand-in; else nothing."""
    with contextlib.suppress(psutil.NoSuchProcess):
        processes = children(worker)
        commands = [process.cmdline() for process in processes]
        judging = sum("autograder.grading.station" in command for command in commands) > 1
        inside = sum("/course/warm.py" in command for command in commands) > 3  # more than the one that waits
        return processes if judging and inside else []
    return []


def test_a_worker_that_is_killed_loses_nothing_and_leaves_nothing(
    machines: Machines, tmp_path: Path, saved: list[str]
) -> None:
    victim, _ = machines.add_worker(), machines.add_worker()
    wrong = KL.replace("/ 2", "")
    tasks = [task(name, wrong if name == "c" else f"import time; time.sleep(2)\n{KL}") for name in "abcd"]
    seen: list[psutil.Process] = []

    def kill_while_it_grades() -> None:
        wait_until(lambda: seen.extend(at_work(victim)) or seen, 120)
        os.kill(victim.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_while_it_grades)
    killer.start()
    store = Store(tmp_path, SLUG)
    list(grade_all(tasks, store, on_dask(machines.address)))
    killer.join()
    assert seen
    assert sorted(saved) == list("abcd")
    graded = {one.student: store.load(one) for one in tasks}
    assert {name: score(notebook) for name, notebook in graded.items()} == {
        n: 4.0 * (n != "c") for n in "abcd"
    }
    wait_until(lambda: not any(map(is_alive, seen)), 15)
    assert not [folder for p in seen for folder in FOLDERS.glob(f"wall-{p.pid}-*")]
    list(grade_all(tasks, store, on_dask(machines.address)))
    assert len(saved) == 4


def test_a_worker_with_another_grader_gets_no_work(
    standing: Machines, tmp_path: Path, saved: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = batch.grader_version()
    monkeypatch.setattr(batch, "grader_version", lambda: "another")
    with pytest.raises(
        CourseError, match=f"worker tcp://.*version {own}, the one that asks has another.*install"
    ):
        list(grade_all([task("a")], Store(tmp_path, SLUG), on_dask(standing.address)))
    # one that joins later is not asked before, but with each hand-in
    monkeypatch.setattr(cluster, "_require_same_grader", lambda client: None)
    with pytest.raises(CourseError, match=f"{socket.gethostname()} cannot grade: .*version {own}"):
        list(grade_all([task("a")], Store(tmp_path, SLUG), on_dask(standing.address)))
    assert not saved


def test_a_worker_that_dies_when_asked_is_not_missed_and_one_without_the_package_is_named() -> None:
    def require(answer: BaseException) -> None:
        cluster._require_same_grader(SimpleNamespace(run=lambda function, on_error: {"tcp://w": answer}))

    require(CommClosedError("Stream is closed"))
    with pytest.raises(
        CourseError, match=r"worker tcp://w has no such grader .*No module named 'autograder'.*install"
    ):
        require(ModuleNotFoundError("No module named 'autograder'"))


def test_a_worker_without_a_wall_gets_no_work(machines: Machines, tmp_path: Path, saved: list[str]) -> None:
    machines.add_worker(PATH=str(BIN))
    with pytest.raises(
        CourseError, match=r"worker tcp://.* cannot grade: bubblewrap \(bwrap\) is not installed"
    ):
        list(grade_all([task("a")], Store(tmp_path, SLUG), on_dask(machines.address)))
    assert not saved


def test_a_stopped_batch_goes_on_where_it_was(standing: Machines, tmp_path: Path, saved: list[str]) -> None:
    tasks, store = [task(name) for name in "abc"], Store(tmp_path, SLUG)

    executor = on_dask(standing.address)
    results = executor(tasks)
    store.save(*next(results))
    results.close()  # as grade_all does at ctrl-C
    with Client(standing.address, set_as_default=False) as client:
        wait_until(lambda: not client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)), 60)
    list(grade_all(tasks, store, executor))
    assert sorted(saved) == list("abc")


def test_a_scheduler_that_dies_is_said_at_once_and_what_is_graded_is_kept(
    machines: Machines, tmp_path: Path, saved: list[str]
) -> None:
    machines.add_worker()
    tasks = [task("a"), task("b", f"import time; time.sleep(20)\n{KL}")]

    def kill_scheduler() -> None:
        wait_until(lambda: saved, 120)
        machines.scheduler.kill()

    killer = threading.Thread(target=kill_scheduler)
    killer.start()
    with pytest.raises(CourseError, match="connection to the scheduler was lost: what was graded is kept"):
        list(grade_all(tasks, Store(tmp_path, SLUG), on_dask(machines.address)))
    killer.join()
    assert len(saved) == 1


@pytest.mark.parametrize("what", ["nobody listens", "somebody says nothing", "no such machine", "no address"])
def test_a_scheduler_that_does_not_answer_is_one_line_within_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 2.0)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        if what == "somebody says nothing":
            mute.listen()
        address = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        address = {"no such machine": "tcp://nowhere.invalid:8786", "no address": "tcp:/8786"}.get(
            what, address
        )
        started = time.monotonic()
        with pytest.raises(CourseError, match=r"no Dask scheduler answers at .*dask scheduler") as error:
            list(grade_all([task("a")], Store(tmp_path, SLUG), on_dask(address)))
        assert time.monotonic() - started < 10
        assert repr(address) in str(error.value) and "\n" not in str(error.value)


def test_a_station_that_dies_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(station, "_mine", threading.local())
    station._mine.station = Station()
    station._mine.station._process.kill()
    request = request_for(task("a"), (Path("/nowhere"),))
    with pytest.raises(RuntimeError, match="the process that grades ended with code -9"):
        grade_here(request)
    assert score(graded_notebook(grade_here(request))) == 4
    process = station._mine.station._process
    leave()
    assert process.returncode == 0


def test_grades_from_a_thread_whose_event_loop_runs(
    standing: Machines, tmp_path: Path, saved: list[str]
) -> None:

    async def in_a_notebook() -> None:
        list(grade_all([task("a")], Store(tmp_path, SLUG), on_dask(standing.address)))

    with ThreadPoolExecutor(1) as notebook:  # in this thread the browser of other tests may run a loop
        notebook.submit(asyncio.run, in_a_notebook()).result()
    assert saved == ["a"]
