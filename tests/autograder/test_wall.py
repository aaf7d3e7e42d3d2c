"""What learners' code can and cannot do behind the wall; each attack runs for real."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from autograder.both_sides.target import Call, Failure, Value
from autograder.both_sides.wire import Handle
from autograder.wall import Limits, OwnSandbox, Place, WallError, sandbox
from autograder.wall.inside import calls
from autograder.wall.kernel import WalledKernel
from autograder.wall.places import Warm

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wall")]

SHORT = Limits(cell_seconds=2, call_seconds=2, memory_bytes=2 * 2**30)
ONES = torch.ones(2, 3)


KEYS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
add_key, keyctl = {"x86_64": (248, 250), "aarch64": (217, 219)}[os.uname().machine]
SESSION, SEARCH, JOIN = -3, 10, 1
def find(): return libc.syscall(keyctl, SEARCH, SESSION, b"user", b"grader-secret", 0)
"""


keys: dict[str, Any] = {}
exec(KEYS, keys)
Places = Callable[[Limits], Place]


@pytest.fixture(scope="module", params=["own sandbox", "fork"])
def place(request: pytest.FixtureRequest) -> Iterator[Places]:
    """Where kernels run: each in a sandbox of its own, or forked from a warm process."""
    keys["libc"].syscall(keys["keyctl"], keys["JOIN"], None)
    assert keys["libc"].syscall(keys["add_key"], b"user", b"grader-secret", b"x", 1, keys["SESSION"]) > 0
    if request.param == "own sandbox":
        yield functools.partial(OwnSandbox, 2)
        return
    warm = Warm(2)
    yield warm.fork
    warm.close()


@pytest.fixture(scope="module")
def kernel(place: Places) -> Iterator[WalledKernel]:
    """One kernel for what does not break it."""
    # for as long as all the tests take, whatever else the machine does
    with WalledKernel(place(Limits(total_seconds=7200))) as kernel:
        yield kernel


def said(kernel: WalledKernel, source: str) -> str:
    run = kernel.run(source)
    return "".join(str(o.get("text", "")) + str(o.get("evalue", "")) for o in run.outputs)


def processes_with(words: str) -> list[str]:
    """Numbers of the processes on this machine whose command has these words."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if words.encode() in command.read_bytes().replace(b"\0", b" "):
                found.append(command.parent.name)
    return found


def test_calls_bring_numbers_and_gradients_out(kernel: WalledKernel) -> None:
    kernel.run("import torch\ndef squares(x, k=1.0): return (k * x ** 2).sum(1)")
    assert torch.equal(kernel.call("squares", Call((ONES,), {"k": 2.0})).result, torch.tensor([6.0, 6.0]))
    reply = kernel.call("squares", Call((ONES,), wrt=(0,), cotangent=torch.tensor([1.0, 2.0])))
    assert torch.equal(reply.result[0], torch.tensor([[2.0] * 3, [4.0] * 3]))


def test_objects_stay_inside_and_are_called_by_their_handles(kernel: WalledKernel) -> None:
    kernel.run(
        "import torch\nclass Pair(torch.nn.Module):\n    def __init__(self, size):\n        super().__init__()\n"
        "        self.first = torch.nn.Linear(3, size)\n    def forward(self, x): return self.first(x), x.sum()\n"
        "def through(f, model, x): return f(x), {'sum': model(x)[1].item()}"
    )
    assert kernel.call("Pair", Call((2,), keep="pair")) == Value("Pair")
    torch.manual_seed(0)
    mine = torch.nn.Linear(3, 2)
    state = {f"first.{name}": part for name, part in mine.state_dict().items()}
    assert isinstance(kernel.call("pair.load_state_dict", Call((state,))), Value)
    got = kernel.call("pair.state_dict", Call())
    assert all(torch.equal(got.result[name], part) for name, part in state.items())
    first, second = kernel.call("pair", Call((ONES,))).result
    assert torch.allclose(first, mine(ONES)) and second == 6
    weight = torch.arange(9.0).reshape(3, 3)
    kernel.call("props.quadratic", Call((weight, ONES[0], 1.0), keep="f"))
    values, sums = kernel.call("through", Call((Handle("f"), Handle("pair"), ONES))).result
    assert torch.equal(values, torch.full((2,), weight.sum().item() + 3 + 1)) and sums == {"sum": 6.0}
    missing = kernel.call("through", Call((Handle("g"), Handle("pair"), ONES)))
    assert missing == Failure("Missing", "g is not there any more")
    assert kernel.call("pair.fly", Call()) == Failure("Missing", "Pair.fly is not defined")


def test_errors_come_out_as_words(kernel: WalledKernel) -> None:
    kernel.run("def g(x):\n    return x.nonsense")
    reply = kernel.call("g", Call((ONES,)))
    assert isinstance(reply, Failure) and reply.kind == "AttributeError" and "x.nonsense" in reply.line
    assert kernel.call("nobody", Call()) == Failure("Missing", "nobody is not defined")


@pytest.mark.parametrize(
    "value", ["object()", "lambda: 0", "{1}", "torch.zeros(2**25)", "[[]] * 5 + [object()]"]
)
def test_what_is_no_plain_data_stays_inside(kernel: WalledKernel, value: str) -> None:
    kernel.run(f"import torch\ndef thing(): return {value}")
    assert kernel.call("thing", Call()).kind == "Unreadable"


def test_earlier_chapters_are_there_and_later_ones_are_not(kernel: WalledKernel) -> None:
    assert said(kernel, "from vae_ref.dogs import paper_dogs; print(paper_dogs(1)[0].shape)").startswith(
        "torch.Size"
    )
    for name in (
        "vae_ref.bound",
        "vae_ref.training",
        "autograder.checks",
        "autograder.judge.checking",
        "autograder.judge.definitions",
        "autograder.grading.one_notebook",
    ):
        assert "No module named" in said(kernel, f"import {name}")


def test_nothing_of_the_host_is_visible(kernel: WalledKernel, repository: Path) -> None:
    listing = said(kernel, "import os; print(os.listdir('/'), os.listdir('/home'), os.listdir('/tmp'))")
    assert "work" not in listing.split() and "mnt" not in listing
    found = said(
        kernel, f"print(os.path.exists({str(repository / 'solutions')!r}), os.path.exists('/etc/passwd'))"
    )
    assert found.split() == ["False", "False"]
    assert said(kernel, "print(sorted(p for p in os.listdir('/proc') if p.isdigit()))").count(",") < 4
    # the variables of the grader's process may hold secrets
    assert "PYTEST" not in said(kernel, "print(dict(os.environ))")


def test_nothing_outside_can_be_written(kernel: WalledKernel) -> None:
    paths = [
        "/usr/x",
        "/x",
        "/course/x",
        "/course/vae_ref/__init__.py",
        "/inbox/x",
        "/proc/sys/kernel/core_pattern",
    ]
    code = f"""
for path in {paths!r}:
    try:
        open(path, "a")
        print("WRITABLE", path)
    except OSError:
        pass
print("done")
"""
    assert said(kernel, code).strip() == "done"


def test_it_is_nobody_and_cannot_become_somebody(kernel: WalledKernel) -> None:
    status = said(kernel, "print(open('/proc/self/status').read())")
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    assert fields["Uid"].split()[0] != "0"
    assert int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == 0
    assert fields["NoNewPrivs"].strip() == "1"


def test_keys_of_the_graders_session_are_not_found(place: Places) -> None:
    assert keys["find"]() > 0
    with WalledKernel(place(SHORT)) as kernel:
        assert said(kernel, KEYS + "print(find())").strip() == "-1"


def test_no_file_of_the_grader_is_open_inside(kernel: WalledKernel) -> None:
    code = """
import os
for handle in os.listdir("/proc/self/fd"):
    try:
        print(handle, os.readlink(f"/proc/self/fd/{handle}"))
    except OSError:
        pass
"""
    files = dict(line.split(" ", 1) for line in said(kernel, code).splitlines())
    assert files["0"] == "/dev/null"
    kinds = ("/dev/null", "/dev/urandom", "socket:", "anon_inode:", "pipe:", "/proc/", "/usr/", "/outbox/")
    log = {"2"}  # what a kernel says when it cannot start
    assert all(path.startswith(kinds) for number, path in files.items() if number not in log), files


def test_calls_that_make_namespaces_mount_or_trace_are_refused(kernel: WalledKernel) -> None:
    code = f"""
import ctypes, errno, os, subprocess, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
NEW_USER, CHILD = 0x10000000, 17
def answers():
    found = []
    for number in {sorted(calls.REFUSED[os.uname().machine].values())!r}:
        libc.syscall(number, 0, 0, 0, 0, 0)
        found.append(ctypes.get_errno())
    libc.syscall({calls.CLONE[os.uname().machine]}, NEW_USER | CHILD, 0, 0, 0, 0)
    return {{*found, ctypes.get_errno()}}
said = [answers()]
thread = threading.Thread(target=lambda: said.append(answers()))
thread.start(); thread.join()
if os.fork() == 0:
    os._exit(answers() != {{errno.EPERM}})
print(said, os.waitstatus_to_exitcode(os.wait()[1]), subprocess.run([sys.executable, "-c", "0"]).returncode)
"""
    assert said(kernel, code).strip() == "[{1}, {1}] 0 0"


@pytest.mark.parametrize(
    ("machine", "header"),
    [
        ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        ("aarch64", "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_numbers_of_refused_calls_are_those_of_the_system(machine: str, header: str) -> None:
    if not Path(header).exists():
        pytest.skip(f"{header} is not here: it comes with linux-libc-dev")
    numbers = dict(
        re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)", Path(header).read_text(), re.MULTILINE)
    )
    ours = {**calls.REFUSED[machine], "clone": calls.CLONE[machine], "seccomp": calls.SECCOMP[machine]}
    assert {name: int(numbers[name]) for name in ours} == ours
    assert int(numbers["clone3"]) == calls.CLONE3


def test_there_is_no_network(kernel: WalledKernel) -> None:
    code = """
import socket
for address in (("127.0.0.1", 22), ("10.0.0.1", 80), ("192.0.2.1", 80)):
    try:
        socket.create_connection(address, 1)
        print("REACHED", address)
    except OSError as error:
        print(error.errno in (101, 111))
"""
    assert said(kernel, code).split() == ["True"] * 3


def test_output_is_capped_and_only_text_and_pictures_come_out(kernel: WalledKernel) -> None:
    assert len(said(kernel, "print('x' * 100_000_000)")) < 21_000
    assert len(said(kernel, "for _ in range(10_000): print('x' * 1000)")) < 21_000
    assert said(kernel, "print('and on')") == "and on\n"  # at once after so much
    run = kernel.run(
        "from IPython.display import HTML, display; display(HTML('<script>alert(1)</script>')); 4.0"
    )
    # an execute_result with a number would be points to nbgrader
    assert {o.output_type for o in run.outputs} == {"display_data"}
    assert all(set(o.data) <= {"text/plain", "image/png"} for o in run.outputs)
    assert "<script" not in str([o.data for o in run.outputs])


def test_an_endless_cell_is_stopped_and_the_next_one_runs(place: Places) -> None:
    with WalledKernel(place(SHORT)) as kernel:
        assert kernel.run("while True: pass").status == "timeout"
        assert said(kernel, "print('alive')").strip() == "alive"
        kernel.run("def f():\n    while True: pass")
        assert kernel.call("f", Call()).kind == "Timeout"
        assert said(kernel, "print('alive')").strip() == "alive"


def test_a_cell_that_swallows_interrupts_is_ended(place: Places) -> None:
    with WalledKernel(place(SHORT)) as kernel:
        stubborn = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
        assert kernel.run(stubborn).status == "gone"
        assert kernel.call("f", Call()).kind == "Gone"


@pytest.mark.parametrize(
    "code",
    [
        "import os; os._exit(0)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import ctypes; ctypes.string_at(0)",
        "import os; os.abort()",
    ],
)
def test_a_process_that_ends_is_noticed_at_once(place: Places, code: str) -> None:
    with WalledKernel(place(SHORT)) as kernel:
        started = time.monotonic()
        assert kernel.run(code).status == "gone"
        assert time.monotonic() - started < 5
        assert kernel.call("f", Call()).kind == "Gone"


def test_a_memory_bomb_hits_the_limit_and_the_rest_goes_on(place: Places) -> None:
    with WalledKernel(place(SHORT)) as kernel:
        assert "MemoryError" in str(kernel.run("x = bytearray(8 * 2**30)").outputs)
        assert said(kernel, "print('alive')").strip() == "alive"


def test_who_keeps_all_the_memory_is_told_so(place: Places) -> None:
    fill = """
kept, size = [], 2**28
while size > 2**18:
    try:
        while True: kept.append(bytearray(size))
    except MemoryError: size //= 2
"""
    with WalledKernel(place(Limits(memory_bytes=2 * 2**30))) as kernel:
        kernel.run("def g(x):\n    return x.sum()")
        kernel.run(fill)
        many = Call((torch.ones(2**19),))
        reply = kernel.call("g", many)
        assert isinstance(reply, Failure) and reply.kind == "MemoryError" and "earlier cells" in reply.message
        kernel.run("kept.clear()")
        assert kernel.call("g", many) == Value(torch.tensor(2.0**19))


def test_many_processes_have_no_more_memory_than_one(place: Places) -> None:
    hungry = "import sys, time; x = bytearray(b'x') * (600 * 2**20); time.sleep(60)"
    with WalledKernel(place(Limits(cell_seconds=40, all_memory_bytes=2 * 2**30))) as kernel:
        run = kernel.run(
            f"import subprocess, sys, time\n"
            f"many = [subprocess.Popen([sys.executable, '-c', {hungry!r}]) for _ in range(6)]\ntime.sleep(40)"
        )
        assert run.status == "gone" and "more memory" in run.reason


def test_processes_are_limited_and_none_survives(place: Places) -> None:
    sleep = f"sleep 600.{os.getpid()}"  # no other test's
    with WalledKernel(place(Limits(cell_seconds=30, processes=40))) as kernel:
        code = f"""
import subprocess
sleepers = []
try:
    while len(sleepers) < 500:
        sleepers.append(subprocess.Popen({sleep.split()!r}, start_new_session=True))
except OSError:
    pass
print("started", len(sleepers))
"""
        started = int(said(kernel, code).split()[-1])
        assert 0 < started < 40  # the kernel's own threads count too
        deadline = time.monotonic() + 10
        while len(processes_with(sleep)) < started and time.monotonic() < deadline:
            time.sleep(0.1)  # one that was just started has its parent's command still
        assert len(processes_with(sleep)) == started
    deadline = time.monotonic() + 10
    while processes_with(sleep) and time.monotonic() < deadline:
        time.sleep(0.1)  # the system takes a moment to clear away forty processes
    assert not processes_with(sleep)


def test_a_reply_cut_short_while_it_is_read_does_no_harm() -> None:
    cut = """
import agent, os
kept, write = [], agent.write
def cutting(path, tree):
    for handle in kept:
        os.ftruncate(handle, 0)
    write(path, tree)
    kept.append(os.open(path, os.O_RDWR))
agent.write = cutting
def f(x): return x + 1
"""
    with WalledKernel(OwnSandbox(2, SHORT)) as kernel:
        kernel.run(cut)
        replies = [kernel.call("f", Call((torch.ones(100_000),))) for _ in range(3)]
        assert all(float(reply.result.sum()) == 200_000 for reply in replies)


def test_closed_sockets_do_not_hang_the_grader(place: Places) -> None:
    close = """
import os, socket, time
for handle in os.listdir("/proc/self/fd"):
    try:
        if os.readlink(f"/proc/self/fd/{handle}").startswith("socket:"):
            one = socket.socket(fileno=os.dup(int(handle)))
            listens = one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            if str(one.getsockname()).startswith("/outbox") and not listens:
                one.shutdown(2)
    except OSError:
        pass
time.sleep(60)
"""
    started = time.monotonic()
    with WalledKernel(place(SHORT)) as kernel:
        kernel.run(close)
        assert kernel.call("f", Call()).kind in ("Gone", "Timeout", "Missing", "Unreadable")
    assert time.monotonic() - started < 60


def test_the_whole_notebook_has_a_time_of_its_own(place: Places) -> None:
    limits = Limits(cell_seconds=2, total_seconds=5)
    slow = """
import time
end = time.time() + 4
while time.time() < end:
    try:
        time.sleep(4)
    except KeyboardInterrupt:
        pass
"""
    with WalledKernel(place(limits)) as kernel:
        started = time.monotonic()
        runs = [kernel.run(slow) for _ in range(4)]
        assert time.monotonic() - started < 12
        assert runs[-1].status == "gone" and kernel.gone in ("total", "timeout")


def test_folders_and_many_files_in_the_outbox_end_the_process(place: Places) -> None:
    for code in ("os.makedirs('/outbox/a/b')", "[open(f'/outbox/{n}', 'w') for n in range(100)]"):
        with WalledKernel(place(Limits(cell_seconds=20))) as kernel:
            assert kernel.run(f"import os, time; {code}; time.sleep(15)").status == "gone"


def test_what_is_nested_deeply_is_removed(place: Places) -> None:
    with WalledKernel(place(SHORT)) as kernel:
        folder = kernel._folder.path
        kernel.run(
            "import os\nos.chdir('/outbox')\nfor _ in range(1500):\n    os.mkdir('d'); os.chdir('d')\nos.chmod('.', 0)"
        )
    assert not folder.exists()


def test_errors_count_as_output_too(place: Places) -> None:
    flood = """
kernel = get_ipython().kernel
for _ in range(300):
    content = {"ename": "E" * 200, "evalue": "v" * 2000, "traceback": []}
    kernel.session.send(kernel.iopub_socket, "error", content, kernel.get_parent())
"""
    with WalledKernel(place(SHORT)) as kernel:
        run = kernel.run(flood)
        assert len(run.outputs) <= 100 and len(str(run.outputs)) < 60_000


def test_the_environment_of_the_grader_is_not_passed_on(
    place: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADER_SECRET", "hunter2")
    with WalledKernel(place(SHORT)) as kernel:
        assert "hunter2" not in said(kernel, "print(open('/proc/1/environ').read())")


HONEST = {
    "quit() in a cell": "quit()\nexit()",
    "gradients switched off elsewhere": "import torch; torch.set_grad_enabled(False)",
}


@pytest.mark.parametrize("habit", HONEST)
def test_habits_that_cost_nothing(place: Places, habit: str) -> None:
    with WalledKernel(place(Limits())) as kernel:
        kernel.run(HONEST[habit])
        kernel.run("import torch\n@torch.compile\ndef f(x):\n    x *= 2\n    return x.sum(1)")
        reply = kernel.call("f", Call((ONES,), wrt=(0,), cotangent=torch.ones(2)))
        assert isinstance(reply, Value) and torch.equal(reply.result[0], torch.full((2, 3), 2.0))


def test_filling_the_outbox_ends_the_process(place: Places) -> None:
    with WalledKernel(place(Limits(outbox_bytes=2**20, cell_seconds=20))) as kernel:
        run = kernel.run("import time; open('/outbox/x', 'wb').write(bytes(2**22)); time.sleep(15)")
        assert run.status == "gone" and "more data" in run.reason


@pytest.mark.parametrize("target", ["/etc/passwd", "/outbox/connection.json", "/dev/zero"])
def test_a_reply_that_is_a_link_is_not_followed(place: Places, target: str) -> None:
    with WalledKernel(place(SHORT)) as kernel:
        kernel.run(
            f"import os\nfor n in range(1, 5): os.symlink({target!r}, f'/outbox/reply-{{n}}.safetensors')"
        )
        kernel.run("import agent; agent.write = lambda *a: None\ndef f(): return 1")
        assert kernel.call("thing", Call()).kind == "Unreadable"


def test_forged_replies_are_data() -> None:
    forged = """
import agent, autograder.both_sides.wire
def serve(number):
    autograder.both_sides.wire.write(agent.Path(f"/outbox/reply-{number}.safetensors"), {"result": 4.0, "passed": True})
agent.serve = serve
"""
    with WalledKernel(OwnSandbox(2, SHORT)) as kernel:
        kernel.run(forged)
        assert kernel.call("thing", Call()).kind == "Unreadable"


def test_messages_that_are_none_end_the_kernel_not_the_grader(place: Places) -> None:
    with WalledKernel(place(SHORT)) as kernel:
        run = kernel.run(
            "get_ipython().kernel.iopub_socket.send_multipart([b'x', b'<IDS|MSG>', b'bad', b'{', b'{', b'{', b'{'])"
        )
        assert run.status in ("ok", "gone")
        assert kernel.gone in ("", "nonsense")


def test_folders_are_gone_afterwards(place: Places) -> None:
    with WalledKernel(place(SHORT)) as kernel:
        folder = kernel._folder.path
        assert folder.is_dir()
    assert not folder.exists()


def test_two_kernels_do_not_see_each_other(place: Places) -> None:
    with WalledKernel(place(SHORT)) as one, WalledKernel(place(SHORT)) as other:
        one.run("open('/tmp/note', 'w').write('x'); open('/home/learner/.pythonrc', 'w').write('x')")
        listing = said(other, "import os; print(os.listdir('/tmp'), os.listdir('/home/learner'))")
        assert "note" not in listing and ".pythonrc" not in listing
        assert isinstance(one.call("print", Call()), Failure | Value)


def test_without_bubblewrap_it_refuses_and_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    sandbox.require_wall.cache_clear()
    with pytest.raises(WallError, match="apt-get install bubblewrap"):
        sandbox.require_wall()
    sandbox.require_wall.cache_clear()


def test_a_bubblewrap_that_may_not_work_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(fake))
    sandbox.require_wall.cache_clear()
    with pytest.raises(WallError, match=r"Permission denied.*user namespaces"):
        sandbox.require_wall()
    sandbox.require_wall.cache_clear()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become an ordinary user")
def test_an_ordinary_user_has_a_wall_too(tmp_path: Path) -> None:
    # as root the suite has shown the other way above; this shows the command that ordinary users get
    command = [
        "bwrap",
        *sandbox_namespaces_of_a_user(),
        "--ro-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "--",
        "/usr/bin/id",
        "-u",
    ]
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command],
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "1000", done.stderr


def sandbox_namespaces_of_a_user() -> list[str]:
    original = os.geteuid
    os.geteuid = lambda: 1000
    try:
        return sandbox._namespaces()
    finally:
        os.geteuid = original
