"""Attacks that look for tests, answers, grades and secrets."""

from __future__ import annotations

from attacks.attack import Attack

READING = (
    Attack(
        "tests-in-memory", "Find hidden tests in `In`, the history, frames and every object in memory",
        "Nothing there: tests run in another process.", "succeeds",
        """
import gc, sys
texts = [*In, *map(str, get_ipython().history_manager.get_range())]
frame = sys._getframe()
while frame:
    texts += [str(name) for name in frame.f_locals] + [frame.f_code.co_filename]
    frame = frame.f_back
texts += [o for o in gc.get_objects() if isinstance(o, str)]
texts += [module for module in sys.modules]
words = ("kl_" + "oracle", "auto" + "grader.checks", "auto" + "grader.grading", "kl-mean-over-" + "latents")
print("WON" if any(word in text for text in texts for word in words) else "TRIED")
""",
    ),
    Attack(
        "notebooks-on-disk", "Find the autograded notebook, the gradebook, the course and other hand-ins on disk",
        "None is visible.", "succeeds",
        """
import os
names = ("gradebook.db", "nbgrader_config.py", "submitted", "autograded", ".graded", "solutions", "checks")
found = []
for folder, folders, files in os.walk("/"):
    folders[:] = [f for f in folders if f"{folder}/{f}" not in ("//proc", "//sys") and f != "site-packages"]
    found += [f"{folder}/{f}" for f in (*files, *folders) if f in names or f.endswith(".ipynb")]
print("TRIED", [f for f in found if not f.startswith(("//usr/share", "//usr/lib/python3"))])
""", shows=r"TRIED \[\]",
    ),
    Attack(
        "run-the-reference", "Import the reference or the checks, from the package or by their path",
        "Modules of the chapter and later ones do not exist there.", "full marks",
        """
import importlib, importlib.metadata, pathlib, sys
for name in ("vae_ref.bound", "vae_ref.training", "autograder.checks", "autograder.judge.checking", "autograder.both_sides.toys"):
    try:
        importlib.import_module(name)
        print("WON", name)
    except ImportError as error:
        print(error)
places = [pathlib.Path(p) for p in sys.path if p]
try:
    places += [pathlib.Path(str(f.locate())) for f in importlib.metadata.files("vae-course") or []]
    places += [pathlib.Path(importlib.metadata.distribution("vae-course").read_text("direct_url.json").split('"')[3][7:])]
except Exception as error:
    print(type(error).__name__)
for place in places:
    for name in ("vae_ref/bound.py", "bound.py", "autograder/checks/02_bound.py", "solutions/02_bound/02_bound.py"):
        if (place / name).is_file():
            print("WON", place / name)
print("TRIED")
""", shows=r"No module named 'vae_ref\.bound'[\s\S]*TRIED",
    ),
    Attack(
        "environment", "Read secrets from the environment, of this process and of all others in sight",
        "The grader's environment is not passed on.", "succeeds",
        """
import os, pathlib
print(dict(os.environ))
for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
    try:
        print(path, path.read_bytes())
    except OSError as error:
        print(path, error.strerror)
print("TRIED")
""",
    ),
    Attack(
        "secrets-on-disk", "Read every file outside of system folders",
        "There are none but the course's own open modules and what the learner made.", "succeeds",
        """
import os
for start in ("/", "/root", "/home", "/etc", "/var", "/run", "/mnt", "/srv", "/opt", "/work", "/media", "/tmp"):
    for folder, folders, files in os.walk(start):
        skip = ("/proc", "/sys", "/usr", "/lib", "/lib64", "/bin", "/sbin", "/dev", "/etc/fonts")
        folders[:] = [f for f in folders if os.path.join(folder, f) not in skip and f not in ("site-packages", ".venv")]
        for name in files:
            try:
                with open(os.path.join(folder, name), "rb") as file:
                    if b"secret-of-the-course" in file.read(200):
                        print("WON", os.path.join(folder, name))
            except OSError:
                pass
print("TRIED")
""",
    ),
    Attack(
        "coming-questions", "Read the questions in the inbox before they are asked",
        "Only past questions lie there, and no answers.", "",
        """
import os
from pathlib import Path
from autograder.both_sides.wire import read
calls = sorted(Path("/inbox").glob("call-*"))
wanted = {"name", "args", "kwargs", "wrt", "cotangent", "stand_ins", "keep"}
print("WON" if any(set(read(c)) != wanted for c in calls) else "TRIED", len(calls), os.listdir("/inbox"))
""", shows=r"TRIED \d+",
    ),
    Attack(
        "memory-of-others", "Read the memory of process 1 and attach to it with ptrace",
        "Not permitted; there is nothing of the grader's in this process table.", "",
        """
import ctypes, os
for path in ("/proc/1/mem", "/proc/kcore", "/dev/mem", "/dev/kmem", "/proc/kmsg", "/dev/port"):
    try:
        with open(path, "rb") as file:
            file.seek(4096)
            file.read(16)
            print("readable", path)
    except (OSError, ValueError) as error:
        print(path, type(error).__name__)
libc = ctypes.CDLL(None, use_errno=True)
for request in (16, 0x4206):  # PTRACE_ATTACH, PTRACE_SEIZE
    libc.ptrace(request, 1, 0, 0)
names = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        names.append(open(f"/proc/{pid}/cmdline").read())
    except OSError:
        pass
print("WON" if any("nbgrader" in n or "pytest" in n or "autograder grade" in n for n in names) else "TRIED")
""",
    ),
    Attack(
        "root-of-others", "Walk out through `/proc/1/root`, `/proc/1/cwd` and open file handles",
        "Not permitted, or they lead to the same empty place.", "",
        """
import os, sys
for base in ("/proc/1/root", "/proc/1/cwd", "/proc/self/root/..", "/proc/self/cwd/../../..", "/proc/1/task/1/root"):
    for more in ("/etc/passwd", "/etc/shadow", "/var/lib", "/root/.ssh", "/root/.bashrc", "/home/user", "/etc/hostname"):
        if os.path.exists(base + more):
            print("WON", base + more)
for folder in ("/proc/1/fd", "/proc/1/map_files", "/proc/self/fd"):
    try:
        for handle in os.listdir(folder):
            target = os.readlink(f"{folder}/{handle}")
            known = ("/dev", "/proc", "/outbox", "/memfd", "/home", "/tmp", "/usr", sys.prefix, sys.base_prefix)
            if target.startswith("/") and not target.startswith(known):
                print("WON", target)
    except OSError as error:
        print(type(error).__name__)
print("TRIED")
""",
    ),
    Attack(
        "core-dump", "Raise the limit of core dumps and crash a child, to leave its memory on disk",
        "The limit is 0 and cannot be raised.", "",
        """
import os, resource
try:
    resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))
    print("WON")
except (OSError, ValueError):
    print("TRIED", resource.getrlimit(resource.RLIMIT_CORE))
""", shows=r"TRIED \(0, 0\)",
    ),
)  # fmt: skip
