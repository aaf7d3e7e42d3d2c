"""Imports once what a chapter's notebook needs, then forks a kernel for each request, in namespaces of its own.

Standard input is a socket. Each message on it brings the name of a folder under ``/spool``, a connection, and a file to
write errors to, and asks for one kernel: when the connection closes, the kernel is ended with all that it started, and
when the kernel ends, the connection closes. This process only imports: a fork hangs when its parent has computed with
several threads.
"""

import contextlib
import ctypes
import gc
import importlib
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = ["/course"]

import start  # type: ignore[import-not-found]  # noqa: E402

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC = 1, 2, 4, 8, 32, 4096, 16384
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 24, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
CAPABILITY_VERSION = 0x20080522
LEARNER = 1000  # the user inside
PREPARED = (
    "IPython.core.completer",
    "autograder.both_sides.target",
    "ipykernel.kernelapp",
    "ipykernel.zmqshell",
    "matplotlib.pyplot",
    "matplotlib_inline.backend_inline",
    "numpy",
    "safetensors.torch",
    "torch",
    "tqdm.auto",
)
# These take longer than all others together: the chapters whose notebooks do without.
PREPARED_BUT_FOR = {"sklearn.decomposition": range(1, 7), "torch._dynamo": (2,), "torchvision": (2,)}

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Serve requests until the other side of the socket is gone."""
    chapter = int(sys.argv[1])
    for name in (*PREPARED, *(name for name, without in PREPARED_BUT_FOR.items() if chapter not in without)):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a fork would copy every page that it looks at
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for keepers
    with socket.socket(fileno=0) as requests:
        while True:
            message, files, _, _ = socket.recv_fds(requests, 200, 2)
            if not message:
                return
            connection, errors = files
            if os.fork() == 0:
                _end_with_parent()
                requests.close()
                os.open(os.devnull, os.O_RDONLY)  # becomes standard input
                os._exit(_keep(socket.socket(fileno=connection), message.decode(), errors))
            for file in files:
                os.close(file)


def _keep(connection: socket.socket, name: str, errors: int) -> int:
    """Watch over one kernel in its namespaces: it ends with its connection, and the connection with it."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(errors, 2)
        os.close(errors)
        uid, gid = os.getuid(), os.getgid()
        _call(
            "unshare",
            CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
        )
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{LEARNER} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{LEARNER} {gid} 1")
        first = os.fork()
        if first == 0:
            _end_with_parent()
            connection.close()
            os._exit(_first_process(name))
        connection.send(b"!")  # the other side learns which process this is
        watched = os.pidfd_open(first)
        while True:
            ready, _, _ = select.select([connection.fileno(), watched], [], [])
            # whatever comes after the name, the other side has nothing more to say than that it is done
            if watched in ready or not connection.recv(200):
                break
        os.kill(first, signal.SIGKILL)  # with the first process of its namespace ends every other
        os.waitpid(first, 0)
    except OSError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _first_process(name: str) -> int:
    """Make the namespaces what a learner may see, start the kernel, and clear away processes that nobody waits for."""
    try:
        _furnish(name, start.read_limits(f"/spool/{name}/in"))
        _give_up_privileges()
        kernel = os.fork()
        if kernel == 0:
            os.setsid()
            start.become_kernel()
            os._exit(0)
        while True:
            ended, _ = os.wait()
            if ended == kernel:
                return 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return 1


def _furnish(name: str, limits: dict[str, Any]) -> None:
    """Mount what belongs to this kernel alone, and cover what belongs to others."""
    folder = f"/spool/{name}"
    _mount(f"{folder}/in", "/inbox", "", MS_BIND)
    _mount("", "/inbox", "", MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)
    _mount(f"{folder}/out", "/outbox", "", MS_BIND)
    _mount("tmpfs", "/spool", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV, "size=4096,mode=0555")
    for place in ("/tmp", "/home", "/dev/shm"):
        python = _open_python_below(place)
        _mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV, f"size={limits['file_bytes']},mode=1777")
        for prefix, handle in python.items():
            Path(prefix).mkdir(parents=True)
            # with the covers of what is hidden in it, and read-only as it was
            _mount(f"/proc/self/fd/{handle}", prefix, "", MS_BIND | MS_REC)
            os.close(handle)
    _mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    Path("/home/learner").mkdir(0o700)
    Path("/proc/sys/user/max_user_namespaces").write_text("0")


def _open_python_below(place: str) -> dict[str, int]:
    """Handles of the folders that Python and its libraries lie in, as far as they lie in ``place``."""
    prefixes = sorted({sys.prefix, sys.base_prefix}, key=len)
    below = [Path(prefix) for prefix in prefixes if Path(prefix).is_relative_to(place)]
    outermost = [prefix for prefix in below if not set(below) & set(prefix.parents)]
    return {str(prefix): os.open(prefix, os.O_PATH) for prefix in outermost}


def _give_up_privileges() -> None:
    """Lose for good what making namespaces has given."""
    for capability in range(int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1):
        _call("prctl", PR_CAPBSET_DROP, capability, 0, 0, 0)
    _call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    _call("capset", (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)())
    _call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _end_with_parent() -> None:
    _call("prctl", PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    _call("mount", source.encode(), target.encode(), kind.encode() or None, flags, data.encode() or None)


def _call(name: str, *arguments: object) -> None:
    """Call the C library.

    Raises:
        OSError: it says no.
    """
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(
            number,
            f"{name}{tuple(a for a in arguments if isinstance(a, bytes | int))}: {os.strerror(number)}",
        )


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
