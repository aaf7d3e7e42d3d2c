"""Attacks on the grader itself, on this machine, and on those who are graded next."""

from __future__ import annotations

from attacks.attack import Attack


def _ends(name: str, tries: str, code: str, shows: str = "process that runs your code ended") -> Attack:
    return Attack(name, tries, "Noticed at once: what was not reached gets 0 and the reason.", "lost score", code,
                  shows, alone=True, loses=True)  # fmt: skip


DAEMON = """
import os, subprocess, sys
code = "import os,signal,time\\nfor s in range(1,32):\\n  try: signal.signal(s, signal.SIG_IGN)\\n  except (OSError, ValueError): pass\\ntime.sleep(3600) #@MARK@"
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            os.execv(sys.executable, [sys.executable, "-c", code])
        os._exit(0)
print("TRIED")
"""

BREAKING = (
    _ends("exit", "End the process with `os._exit`", "import os; os._exit(0)"),
    _ends("kill-itself", "Kill its own process", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
    Attack(
        "kill-everything", "Kill every process in sight", "Only its own are in sight.", "lost score",
        """
import os, signal
for pid in (-1, 1, os.getppid(), *map(int, filter(str.isdigit, os.listdir("/proc")))):
    try:
        if pid != os.getpid():
            os.kill(pid, signal.SIGKILL)
    except OSError as error:
        print(error.strerror)
print("TRIED")
""", "TRIED|process that runs your code ended", alone=True, loses=True,
    ),
    _ends("crash", "Crash with a segmentation fault", "import ctypes; ctypes.string_at(0)"),
    _ends("exit-in-a-check", "End the process in the middle of a check",
          "print('TRIED')\ndef kl_divergence(mu, logvar):\n    import os\n    os._exit(0)", "TRIED"),
    Attack(
        "endless", "Loop for ever", "Interrupted when its time is up; the rest goes on.", "lost score",
        "while True: pass", r"stopped after", alone=True,
    ),
    Attack(
        "swallow-interrupts", "Loop for ever and swallow every interrupt",
        "Ended soon after its time is up.", "lost score",
        """
import signal
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
while True:
    try:
        while True: pass
    except BaseException:
        pass
""", "could not be interrupted", alone=True, loses=True,
    ),
    Attack(
        "stop-itself", "Stop its own process with SIGSTOP, so that it neither works nor ends",
        "Ended soon after its time is up.", "",
        "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
        "could not be interrupted|time", alone=True, loses=True,
    ),
    Attack(
        "endless-answer", "Loop for ever when called, and swallow interrupts there",
        "No answer is a wrong answer.", "",
        """
def kl_divergence(mu, logvar):
    while True:
        try:
            while True: pass
        except BaseException:
            pass
print("TRIED")
""", alone=True, loses=True,
    ),
    Attack(
        "memory-bomb", "Take all memory", "Stopped at 4 GiB of the process's own.", "the machine swaps, others suffer",
        # and lets go of it: what is left for the checks beside 4 GiB of pieces is nothing or enough, as it happens
        "x = []\ntry:\n    while True: x.append(bytearray(2**28))\nfinally: x.clear()", "MemoryError", crew="space",
    ),
    Attack(
        "fork-bomb", "Fork without end", "Stopped at a number of processes; none survives.", "processes survive",
        """
import os, time
children = 0
try:
    while children < 5000:
        if os.fork() == 0:
            time.sleep(3600)
        children += 1
except OSError as error:
    print("TRIED", children < 1000)
""", "TRIED True", alone=True, loses=True,
    ),
    Attack(
        "thread-bomb", "Start 10,000 threads", "Stopped at a number of them.", "",
        """
import threading, time
threading.stack_size(65536)
started = 0
try:
    while started < 10_000:
        threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
        started += 1
except RuntimeError as error:
    print("TRIED", started < 1000)
""", "TRIED True", alone=True, loses=True,
    ),
    Attack("daemons", "Leave daemons behind: two forks, sessions of their own, every signal ignored",
           "They end with the sandbox.", "processes survive", DAEMON, crew="after"),
    Attack(
        "time-bombs", "Leave work for the end: `atexit`, a thread, a finaliser, a signal in an hour",
        "The sandbox ends without asking.", "processes survive",
        """
import atexit, signal, threading, time, weakref
class Thing: pass
thing = Thing()
for act in (lambda: time.sleep(3600), lambda: open("/outbox/@MARK@", "w").write("x")):
    atexit.register(act)
    weakref.finalize(thing, act)
    threading.Thread(target=act).start() if act() is None and False else None
""".replace("    threading.Thread(target=act).start() if act() is None and False else None\n", "")
        + "threading.Thread(target=time.sleep, args=(3600,)).start()\nsignal.alarm(3000)\nprint('TRIED')\n",
        crew="after",
    ),
    Attack(
        "fill-disks", "Fill `/tmp`, `/dev/shm` and the home", "Each holds 256 MiB, in memory, and ends with the process.",
        "the disk fills",
        """
import os
for folder in ("/tmp", "/dev/shm", "/home/learner"):
    written, number = 0, 0
    try:
        while written < 2**31:
            with open(f"{folder}/{number}", "wb") as file:
                for _ in range(32):
                    written += file.write(bytes(2**22))
            number += 1
    except OSError as error:
        print(folder, written < 2**29, error.strerror)
    for name in os.listdir(folder):
        if name.isdigit():
            os.unlink(f"{folder}/{name}")
print("TRIED")
""", r"/tmp True[\s\S]*/dev/shm True[\s\S]*/home/learner True[\s\S]*TRIED", crew="space",
    ),
    Attack(
        "fill-outbox", "Fill the folder for replies, with a sparse file of a terabyte and a real one",
        "A file ends at 256 MiB; too much of them ends the process.", "",
        """
import os, resource
try:
    with open("/outbox/sparse", "wb") as file:
        os.ftruncate(file.fileno(), 2**40)
except OSError as error:
    print("refused:", error.strerror)
for number in range(4):
    with open(f"/outbox/{number}", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 200 * 2**20)
import time; time.sleep(8)
""", "more data than a hand-in may|File too large|process that runs your code ended", alone=True, loses=True,
    ),
    Attack(
        "things-in-outbox", "Put links, pipes and sockets where replies are expected",
        "Only plain files are read, never through a link; the rest is no answer.", "",
        """
import os, socket
for number in range(1, 20):
    path = f"/outbox/reply-{number}.safetensors"
    (os.mkfifo, lambda p: os.symlink("/etc/shadow", p), lambda p: os.symlink("/dev/zero", p))[number % 3](path)
import agent
agent.write = lambda *arguments: None
print("TRIED")
""", alone=True, loses=True,
    ),
    Attack(
        "header-bomb", "Reply with a header of 60 MB of empty lists, and with one of a million tensors",
        "Refused by its length before it is parsed.", "crash",
        """
import agent, struct
def write(path, tree):
    header = b'{"__metadata__":{"tree":"1"},"x":[' + b"[]," * 20_000_000 + b"[]]}"
    open(path, "wb").write(struct.pack("<Q", len(header)) + header)
agent.write = write
print("TRIED")
""", alone=True, loses=True,
    ),
    Attack(
        "use-up-handles", "Open files until there are no handles left", "Only its own are used up.", "",
        """
import os
kept = []
try:
    while len(kept) < 10**6:
        kept.append(os.open("/dev/null", os.O_RDONLY))
except OSError as error:
    for handle in kept:
        os.close(handle)
    print("TRIED", error.strerror)
""", "TRIED Too many open files", crew="talk",
    ),
    Attack(
        "close-sockets", "Close the sockets that the grader talks through",
        "No answer within its time is no answer.", "hangs",
        """
import os, time
print("TRIED", flush=True)
for handle in os.listdir("/proc/self/fd"):
    try:
        if os.readlink(f"/proc/self/fd/{handle}").startswith("socket:"):
            os.close(int(handle))
    except OSError:
        pass
time.sleep(30)
""", "", alone=True, loses=True,
    ),
    Attack(
        "nonsense-messages", "Send what is no message to the grader, and messages of 100 MB",
        "The connection ends, and with it this hand-in only.", "",
        """
kernel = get_ipython().kernel
kernel.iopub_socket.send_multipart([b"x", b"<IDS|MSG>", b"bad", b"{", b"{", b"{", b"{"])
kernel.session.send(kernel.iopub_socket, "stream", {"name": "stdout", "text": "x" * 100_000_000}, kernel.get_parent())
""", "", alone=True, loses=True,
    ),
    Attack(
        "output-flood", "Print 100 MB", "Cut off after 20,000 characters.", "notebook and feedback swell",
        "for _ in range(1000): print('x' * 100_000)", "the rest of the output was cut off", crew="space",
    ),
    Attack(
        "many-outputs", "Show thousands of small outputs", "100 are kept.", "notebook and feedback swell",
        "from IPython.display import display\nprint('TRIED')\nfor n in range(5_000): display(n)", crew="talk",
    ),
    Attack(
        "ask-for-input", "Ask for input, and wait for it", "An error at once: nobody is there.", "hangs",
        "import getpass\ntry:\n    input('password? ')\nexcept Exception as error:\n    print('TRIED', type(error).__name__)",
        "TRIED StdinNotImplementedError", crew="talk",
    ),
    Attack(
        "control-the-client", "Send requests to whoever runs the notebook: next cells, pagers, restarts, comms",
        "Nobody listens to them.", "the front end obeys",
        """
shell = get_ipython()
shell.set_next_input("import os; os.system('x')", replace=True)
shell.payload_manager.write_payload({"source": "ask_exit", "keepkernel": False})
kernel = shell.kernel
for kind in ("comm_open", "comm_msg", "shutdown_reply", "input_request", "update_display_data", "clear_output"):
    kernel.session.send(kernel.iopub_socket, kind, {"data": {}, "restart": True, "prompt": "?"}, kernel.get_parent())
print("TRIED")
""",
    ),
    _ends("shut-down", "Ask the kernel to shut down and restart", "get_ipython().kernel.do_shutdown(True)\n"
          "import asyncio; asyncio.get_event_loop().call_later(0.1, get_ipython().kernel.shell_stream.close)\n"
          "import time; time.sleep(1); print('TRIED')", ""),
    Attack(
        "deep-recursion", "Recurse until the stack ends", "An error in that cell.", "",
        "import sys\nsys.setrecursionlimit(10**8)\ndef f(n): return f(n + 1)\ntry:\n    f(0)\nexcept BaseException as e:\n"
        "    print(type(e).__name__)", "", alone=True, loses=True,
    ),
)  # fmt: skip
