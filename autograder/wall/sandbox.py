"""What a learner's process may see: a command line for bubblewrap."""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import vae_ref
from autograder.assignments import ASSIGNMENTS, CHAPTERS
from vae_ref.errors import CourseError

# modules of the reference that belong to no chapter and hold no answers
OPEN_MODULES = ("__init__.py", "errors.py", "figures.py", "inputs.py")
# what trained models are read with, and small models for checks: assignment 04 asks for such classes
MODELS_FROM = 5
WEIGHTS_MODULES = ("config.py", "files.py", "models.py", "weights", "sharper/flow.py")
GRADER, REFERENCE = Path(__file__).resolve().parents[1], Path(vae_ref.__file__ or "").resolve().parent
# what the part of this package that runs behind the wall needs
INSIDE = Path(__file__).parent / "inside"
SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/fonts", "/etc/ld.so.cache")
PREFIXES = (sys.base_prefix, sys.prefix)
# a root grader becomes such a user behind the wall: no account and no running process has one of these numbers
WARM_BYTES = 2**24  # of each temporary folder of the process that forks; the forks have their own
FIRST_LEARNER_UID = 1_879_000_000
UIDS_OF_A_PROCESS = 64  # the largest number of a process, 2²², times this stays below 2³¹
_uids = itertools.count()


class WallError(CourseError):
    """There is no wall here, so nothing of a learner's runs."""


@functools.cache
def require_wall() -> str:
    """The path of bubblewrap, once it was seen to work.

    Raises:
        WallError: it is missing or not allowed to make a sandbox; the message says what to do.
    """
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise WallError(
            "bubblewrap (bwrap) is not installed, and learners' code is never run without it: "
            "install it (Debian, Ubuntu: apt-get install bubblewrap; Fedora: dnf install bubblewrap) and grade again"
        )
    trial = subprocess.run(
        [bwrap, *_namespaces(), "--ro-bind", "/", "/", "--", "/bin/true"],
        capture_output=True,
        text=True,
        timeout=30,
        env={"PATH": os.defpath},
    )
    if trial.returncode != 0:
        reason = trial.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise WallError(
            f"bubblewrap cannot make a sandbox here ({reason[0]}): allow unprivileged user namespaces "
            "(Ubuntu: an AppArmor profile for bwrap; elsewhere: sysctl user.max_user_namespaces) or grade as root"
        )
    return bwrap


def _namespaces() -> list[str]:
    common = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    common += [
        "--die-with-parent",
        "--new-session",
        "--clearenv",
        "--cap-drop",
        "ALL",
        "--hostname",
        "course",
    ]
    if os.geteuid() == 0:
        # A user namespace made by root maps to root, who may write /proc/sys of the host. So root makes the
        # sandbox without one, and the process inside turns into a user that owns nothing (see `_sandbox`).
        return [*common, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return [*common, "--unshare-user", "--uid", "1000", "--gid", "1000"]


def new_learner_uid() -> int | None:
    """The user that a root grader's learners become, another one for each sandbox. None if not root.

    Of two sandboxes with the same user, one that starts many processes would leave none for the other.
    """
    if os.geteuid() != 0:
        return None
    return FIRST_LEARNER_UID + os.getpid() * UIDS_OF_A_PROCESS + next(_uids) % UIDS_OF_A_PROCESS


def kernel_command(
    inbox: Path, outbox: Path, uid: int | None, chapter: int, file_bytes: int, hidden: tuple[Path, ...] = ()
) -> list[str]:
    """The command that starts one kernel behind the wall.

    Args:
        inbox: folder that is read-only inside, at ``/inbox``.
        outbox: folder that is writable inside, at ``/outbox``.
        uid: see :func:`new_learner_uid`.
        chapter: modules of ``vae_ref`` from this chapter on cannot be seen.
        file_bytes: size of each temporary folder inside.
        hidden: folders that must not be seen even where a system folder contains them.
    """
    shared = ["--ro-bind", str(inbox), "/inbox", "--bind", str(outbox), "/outbox"]
    nested = [] if os.geteuid() == 0 else ["--disable-userns"]
    return [
        *_sandbox([*nested, "--proc", "/proc"], shared, uid, chapter, file_bytes, hidden),
        "/course/start.py",
    ]


def warm_command(spool: Path, uid: int | None, chapter: int, hidden: tuple[Path, ...] = ()) -> list[str]:
    """The command that starts a process behind the wall which forks kernels, each in namespaces of its own.

    Args:
        spool: folder of the kernels' folders.
        uid, chapter, hidden: as for :func:`kernel_command`.
    """
    # Each fork mounts a /proc of its own, which the system refuses where parts of the present one are covered.
    # Bubblewrap covers parts of its own when root starts it; the process inside, no root, cannot use them anyway.
    proc = ["--dev-bind", "/proc", "/proc"] if os.geteuid() == 0 else ["--proc", "/proc"]
    shared = ["--bind", str(spool), "/spool"]
    for folder in ("/inbox", "/outbox"):
        shared += ["--perms", "0755", "--dir", folder]
    return [*_sandbox(proc, shared, uid, chapter, WARM_BYTES, hidden), "/course/warm.py", str(chapter)]


def _sandbox(
    proc: list[str],
    shared: list[str],
    uid: int | None,
    chapter: int,
    file_bytes: int,
    hidden: tuple[Path, ...],
) -> list[str]:
    """All of a command but the program, which Python inside is to run."""
    bwrap = require_wall()
    args = [bwrap, *_namespaces(), *proc, "--dev", "/dev"]
    for folder in SYSTEM_FOLDERS:
        path = Path(folder)
        if path.is_symlink():
            args += ["--symlink", str(path.readlink()), folder]
        elif path.exists():
            args += ["--ro-bind", folder, folder]
    for folder in ("/tmp", "/home", "/dev/shm"):
        args += ["--size", str(file_bytes), "--perms", "1777", "--tmpfs", folder]
    args += ["--perms", "0777", "--dir", "/home/learner"]
    packages = [GRADER, REFERENCE]
    checkouts = [package.parent for package in packages if (package.parent / "pyproject.toml").exists()]
    secret = (*hidden, *checkouts)
    covered = tuple(path for path in secret if _inside_any(path, SYSTEM_FOLDERS))
    for path in covered:
        args += _cover(path)
    for prefix in dict.fromkeys(PREFIXES):
        if not _inside_any(Path(prefix), SYSTEM_FOLDERS) or _inside_any(Path(prefix), covered):
            args += [*_parents(prefix), "--ro-bind", prefix, prefix]
    # an installed course lies among the libraries, and some keep their work there
    for path in (*packages, *(s for s in secret if not any(_inside_any(Path(p), (s,)) for p in PREFIXES))):
        if _inside_any(path, PREFIXES) or (path in packages and _inside_any(path, SYSTEM_FOLDERS)):
            args += _cover(path)
    args += _course_files(chapter)
    args += shared
    covers = [args[i + 1] for i, arg in enumerate(args) if arg == "--tmpfs" and args[i - 1] == "65536"]
    for path_inside in (*covers, "/dev", "/"):
        args += ["--remount-ro", path_inside]
    for name, value in _environment().items():
        args += ["--setenv", name, value]
    args += ["--"]
    if uid is not None:
        args += [
            "/usr/bin/setpriv",
            f"--reuid={uid}",
            f"--regid={uid}",
            "--clear-groups",
            "--no-new-privs",
            "--",
        ]
    # -I: no user site, no PYTHON* variables, and the working folder is not importable first
    return [*args, sys.executable, "-I"]


def _cover(path: Path) -> list[str]:
    """Hide a folder behind an empty one."""
    return ["--size", "65536", "--tmpfs", str(path)]


def modules_inside(chapter: int) -> list[str]:
    """Files of ``both_sides`` that learners' code of a chapter may see: what checks hand out, and what carries it."""
    models = ["toys.py", "players.py"] if chapter >= MODELS_FROM else []
    return [
        "__init__.py",
        "text.py",
        "wire.py",
        "props.py",
        "handling.py",
        "stand_in.py",
        "target.py",
        *models,
    ]


def visible_files(chapter: int) -> list[tuple[Path, str]]:
    """Files and folders of the course that learners' code of a chapter may see, each with its name in ``/course``."""
    visible = [*OPEN_MODULES, *(WEIGHTS_MODULES if chapter >= MODELS_FROM else ())]
    for room in CHAPTERS:
        if room.number < chapter:
            visible += [f"{room.name}.py", room.name]
    visible += [
        file for assignment in ASSIGNMENTS if assignment.number == chapter for file in assignment.given
    ]
    return [
        *((REFERENCE / name, f"vae_ref/{name}") for name in visible if (REFERENCE / name).exists()),
        (INSIDE / "start.py", "start.py"),
        (INSIDE / "warm.py", "warm.py"),
        (INSIDE / "calls.py", "calls.py"),
        (INSIDE / "agent.py", "agent.py"),
        (INSIDE / "course.py", "autograder/__init__.py"),
        *(
            (GRADER / "both_sides" / name, f"autograder/both_sides/{name}")
            for name in modules_inside(chapter)
        ),
    ]


def _course_files(chapter: int) -> list[str]:
    """Binds for ``/course``: the chapters before this one, and a stand-in for ``autograder``."""
    visible = visible_files(chapter)
    args = [*_parents("/course/vae_ref/x"), *_parents("/course/autograder/x")]
    for folder in dict.fromkeys(Path(name).parent for _, name in visible):
        if len(folder.parts) > 1:  # of the chapter itself: a package without the file that imports all of it
            args += ["--perms", "0755", "--dir", f"/course/{folder}"]
    for source, name in visible:
        args += ["--ro-bind", str(source), f"/course/{name}"]
    return args


def _environment() -> dict[str, str]:
    return {
        "HOME": "/home/learner",
        "USER": "learner",
        "OMP_NUM_THREADS": "1",  # several hand-ins run at a time; threads of theirs would wait for each other
        "TORCHDYNAMO_DISABLE": "1",  # torch.compile would take longer than a check may
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "NBGRADER_EXECUTION": "autograde",
    }


def _parents(path: str | Path) -> list[str]:
    """The folders above ``path``, open to every user; made on the way by bubblewrap they would be closed."""
    parents = [str(parent) for parent in reversed(Path(path).parents)][1:]
    return [arg for parent in parents for arg in ("--perms", "0755", "--dir", parent)]


def _inside_any(path: Path, folders: tuple[str | Path, ...]) -> bool:
    return any(path.resolve().is_relative_to(Path(folder).resolve()) for folder in folders)
