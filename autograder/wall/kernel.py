"""A Jupyter kernel behind the wall, as seen from outside. Everything it says is data, bounded and never trusted."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from types import TracebackType
from typing import Any, Literal

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from nbformat import NotebookNode

from autograder.both_sides.target import Call, Failure, Reply, Value
from autograder.both_sides.wire import WireError, read, write
from autograder.wall.outputs import Budget, Outputs
from autograder.wall.places import Place
from autograder.wall.sandbox import WallError
from autograder.wall.usage import memory_in_use

MAX_MESSAGE_BYTES = 8 * 2**20
MAX_WAITING_MESSAGES = 8
GRACE_SECONDS = 3.0  # what an interrupted kernel gets to stop, and a finished one to say its last words
POLL_SECONDS = 0.25
SOCKET_POLL_SECONDS = 0.005
ANSWER_POLL_SECONDS = 0.05
MEMORY_POLL_SECONDS = 0.5
SEND_MILLISECONDS = 2000
MAX_OUTBOX_ENTRIES = 64
SAY_GONE = {
    "ended": "the process that runs your code ended before this check could",
    "timeout": "a cell did not end within its time and could not be interrupted",
    "total": "all the code together used up its time",
    "memory": "the code used more memory than a hand-in may",
    "outbox": "the code wrote more data than a hand-in may",
    "nonsense": "the process that runs your code sent what no kernel sends",
}


@dataclass(frozen=True)
class CellRun:
    """How one cell went, and what it showed."""

    status: Literal["ok", "error", "timeout", "gone"]
    outputs: list[NotebookNode]
    reason: str = ""  # why it did not finish


class WalledKernel:
    """A kernel behind the wall for one submission; use it as a context manager.

    Args:
        place: where it runs; it is ended with the context, and its folder removed.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._folder = place.folder
        self._limits = place.limits
        self._calls = 0
        self._budget = Budget(self._limits)
        self._looked_at_memory = 0.0
        self.gone = ""  # why the kernel answers no more, once it does not

    def __enter__(self) -> WalledKernel:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self) -> None:
        self._context = zmq.Context()
        self._context.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
        self._context.setsockopt(zmq.RCVHWM, MAX_WAITING_MESSAGES)
        self._context.setsockopt(zmq.LINGER, 0)
        self._context.setsockopt(zmq.SNDTIMEO, SEND_MILLISECONDS)  # to a kernel that closed its sockets
        self._context.setsockopt(zmq.RECONNECT_IVL, -1)  # a socket put in the place of ours is never called
        self._wait_for_sockets()
        self._process = self._place.process()
        if self._folder.group is not None:
            self._folder.group.add(self._process)
        self._client = BlockingKernelClient(context=self._context)
        self._client.load_connection_info(self._folder.connection)
        self._client.start_channels(shell=True, iopub=True, stdin=False, hb=False, control=True)
        self._deadline = time.monotonic() + self._limits.start_seconds
        self._wait_for_answer()
        prepared = self._execute("import agent; agent.prepare()", self._limits.start_seconds, silent=True)
        if prepared.status != "ok":
            said = " ".join(str(output.get("evalue", "")) for output in prepared.outputs)
            raise WallError(f"the kernel behind the wall could not be prepared: {said or prepared.reason}")
        self._deadline = time.monotonic() + self._limits.total_seconds

    def _wait_for_sockets(self) -> None:
        end = time.monotonic() + self._limits.start_seconds
        while not self._folder.is_ready():
            if self._place.ended() or time.monotonic() > end:
                raise WallError(f"the kernel behind the wall did not start: {self._folder.last_words()}")
            time.sleep(SOCKET_POLL_SECONDS)

    def _wait_for_answer(self) -> None:
        """Ask until what the kernel publishes arrives: what it says before our subscription is in place is lost."""
        while True:
            self._client.kernel_info()
            try:
                self._client.get_iopub_msg(timeout=ANSWER_POLL_SECONDS)
                return
            except Empty:
                if self._place.ended() or time.monotonic() > self._deadline:
                    raise WallError(
                        f"the kernel behind the wall does not answer: {self._folder.last_words()}"
                    ) from None

    def _stop(self) -> None:
        if hasattr(self, "_client"):
            self._client.stop_channels()
        if hasattr(self, "_context"):
            self._context.destroy(linger=0)
        self._place.end()
        self._folder.remove()

    def run(self, source: str) -> CellRun:
        """Run one cell of the notebook."""
        return self._execute(source, self._limits.cell_seconds)

    def call(self, name: str, call: Call) -> Reply:
        """Call the learner's function ``name``; the reply is plain data."""
        if self.gone:
            return Failure("Gone", SAY_GONE[self.gone])
        self._calls += 1
        number = self._calls
        request = {
            "name": name,
            "args": list(call.args),
            "kwargs": dict(call.kwargs or {}),
            "wrt": list(call.wrt),
            "cotangent": call.cotangent,
            "stand_ins": {
                helper: [list(s.arguments), s.gives, s.seed] for helper, s in (call.stand_ins or {}).items()
            },
            "keep": call.keep,
        }
        write(self._folder.inbox / f"call-{number}.safetensors", request)
        run = self._execute(f"__import__('agent').serve({number})", self._limits.call_seconds, silent=True)
        if run.status == "gone":
            return Failure("Gone", run.reason)
        if run.status == "timeout":
            return Failure("Timeout", f"no answer within {self._limits.call_seconds:g} seconds")
        return self._read_reply(self._folder.outbox / f"reply-{number}.safetensors")

    def _read_reply(self, path: Path) -> Reply:
        try:
            tree = read(path)
        except WireError as error:
            return Failure("Unreadable", str(error))
        finally:
            with contextlib.suppress(OSError):
                path.unlink()
        if isinstance(tree, dict) and set(tree) == {"result"}:
            return Value(tree["result"])
        failure = tree.get("failure") if isinstance(tree, dict) else None
        if isinstance(failure, list) and len(failure) == 3 and all(isinstance(text, str) for text in failure):
            kind, message, line = (text[:500] for text in failure)
            return Failure(kind, message, line)
        return Failure("Unreadable", "the reply has no known form")

    def _execute(self, source: str, seconds: float, silent: bool = False) -> CellRun:
        """Run ``source`` and wait for its end, at most ``seconds`` and a short grace."""
        outputs = Outputs(self._limits, self._budget)
        if time.monotonic() >= self._deadline:
            self._end("total")
        if self.gone:
            return CellRun("gone", [], SAY_GONE[self.gone])
        end = min(time.monotonic() + seconds, self._deadline)
        try:
            message = self._client.execute(
                source, silent=silent, store_history=not silent, allow_stdin=False, stop_on_error=False
            )
        except zmq.ZMQError:
            self._end("nonsense")
            return CellRun("gone", [], SAY_GONE[self.gone])
        status = self._wait(message, outputs, end)
        if status == "timeout":
            self._interrupt()
            if end == self._deadline:
                self._end("total")
            elif self._wait(message, outputs, time.monotonic() + GRACE_SECONDS) == "timeout":
                self._end("timeout")
        if self.gone:
            return CellRun("gone", outputs.cells, SAY_GONE[self.gone])
        if status == "timeout":
            return CellRun("timeout", outputs.cells, f"stopped after {seconds:g} seconds")
        return CellRun("ok" if status == "ok" else "error", outputs.cells)

    def _wait(self, message: str, outputs: Outputs, end: float) -> str:
        """Collect output until the kernel is done with ``message``: "ok", "error", "timeout" or "gone"."""
        reply, idle, quiet_since = "", False, 0.0
        while not (reply and idle):
            now = time.monotonic()
            if now > end:
                return "timeout"
            if reply and now - quiet_since > GRACE_SECONDS:  # its "idle" drowned in its own output
                break
            kind, content = self._next(
                self._client.get_iopub_msg, message, 0 if reply and idle else POLL_SECONDS
            )
            if kind == "status" and isinstance(content, dict) and content.get("execution_state") == "idle":
                idle = True
            elif kind:
                outputs.add(kind, content)
            if not reply:
                kind, content = self._next(self._client.get_shell_msg, message, POLL_SECONDS if idle else 0)
                if kind == "execute_reply":
                    reply = "ok" if isinstance(content, dict) and content.get("status") == "ok" else "error"
                    quiet_since = time.monotonic()
            self._look_after()
            if self.gone:
                return "gone"
        return reply

    def _next(self, receive: Any, message: str, timeout: float) -> tuple[str, Any]:
        """Kind and content of the next message that answers ``message``; empty if there is none for now."""
        try:
            got = receive(timeout=timeout)
            if got["parent_header"].get("msg_id") != message:
                return "", None
            return str(got["header"]["msg_type"]), got["content"]
        except Empty:
            return "", None
        # jupyter_client raises all sorts of things on bytes that are no message
        except Exception:
            self._end("nonsense")
            return "", None

    def _look_after(self) -> None:
        """Notice a process that ended, and code that fills the memory or the disk."""
        if self._place.ended():
            self._end("ended")
            return
        if time.monotonic() - self._looked_at_memory > MEMORY_POLL_SECONDS:
            self._looked_at_memory = time.monotonic()
            if memory_in_use(self._process) > self._limits.all_memory_bytes:
                self._end("memory")
                return
        size = count = 0
        try:
            with os.scandir(self._folder.outbox) as entries:
                for count, entry in enumerate(entries, 1):
                    size += entry.stat(follow_symlinks=False).st_size
                    if entry.is_dir(follow_symlinks=False) or count > MAX_OUTBOX_ENTRIES:
                        self._end("outbox")
                        return
        except FileNotFoundError:
            return  # a reply that was just renamed
        except OSError:
            self._end("outbox")
        if size > self._limits.outbox_bytes:
            self._end("outbox")

    def _interrupt(self) -> None:
        try:
            self._client.control_channel.send(self._client.session.msg("interrupt_request", {}))
        except zmq.ZMQError:
            self._end("nonsense")

    def _end(self, reason: str) -> None:
        if not self.gone:
            self.gone = reason
            self._place.end()
