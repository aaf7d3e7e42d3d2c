"""Attacks that want to leave the sandbox, or leave something behind."""

from __future__ import annotations

from attacks.attack import Attack

ESCAPING = (
    Attack(
        "network", "Reach another machine, or a service of this one", "Unreachable: there is no network.", "succeeds",
        """
import errno, socket
for address in (("127.0.0.1", 22), ("127.0.0.1", 8888), ("10.0.0.1", 80), ("192.0.2.1", 443), ("169.254.169.254", 80)):
    try:
        socket.create_connection(address, 1)
        print("WON", address)
    except OSError as error:
        print(errno.errorcode.get(error.errno, error))
try:
    socket.getaddrinfo("example.org", 80)
    print("WON")
except OSError:
    print("TRIED")
""",
    ),
    Attack(
        "raw-sockets", "Open raw, packet and netlink sockets", "Not permitted, or deaf.", "",
        """
import socket
for family, kind in ((socket.AF_INET, socket.SOCK_RAW), (socket.AF_PACKET, socket.SOCK_RAW)):
    try:
        socket.socket(family, kind, 1)
        print("WON", family)
    except OSError as error:
        print(error.strerror)
print("interfaces", [name for _, name in socket.if_nameindex()], "TRIED")
""", shows=r"interfaces \['lo'\] TRIED",
    ),
    Attack(
        "sockets-of-the-host", "Talk to services through their sockets: containers, D-Bus, abstract names",
        "None is visible, in the file system or by an abstract name.", "",
        """
import os, socket
tried = ["/run/docker.sock", "/var/run/docker.sock", "/run/dbus/system_bus_socket", "/run/systemd/private",
         "/run/containerd/containerd.sock", "/tmp/.X11-unix/X0", "/run/user/0/bus"]
abstract = [line.split()[-1] for line in open("/proc/net/unix").read().splitlines()[1:] if "@" in line]
for path in [*tried, *("\\0" + name[1:] for name in abstract)]:
    with socket.socket(socket.AF_UNIX) as one:
        try:
            one.connect(path)
            print("WON", path)
        except OSError:
            pass
print("TRIED", abstract)
""", shows=r"TRIED \[\]",
    ),
    Attack(
        "namespaces", "Make namespaces of its own, and mount the host or lift what covers it there",
        "Nothing of the host can be mounted, and no cover can be lifted.", "",
        """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for name, flag in (("mount", 0x00020000), ("pid", 0x20000000), ("net", 0x40000000), ("uts", 0x04000000)):
    if os.fork() == 0:
        os._exit(7 if libc.unshare(flag) == 0 else 0)
    if os.waitstatus_to_exitcode(os.wait()[1]) == 7:
        print("WON", name)
def among_namespaces():
    if libc.unshare(0x10000000 | 0x00020000) != 0:  # a user namespace, where one would be root
        return 0
    for line in reversed(open("/proc/self/mountinfo").readlines()):
        if libc.umount2(line.split()[4].encode(), 2) == 0:
            return 1
    for device in (b"/dev/sda1", b"/dev/vda1", b"/dev/nvme0n1p1", b"overlay", b"none"):
        for kind in (b"ext4", b"overlay", b"devtmpfs", b"sysfs", b"cgroup2"):
            if libc.mount(device, b"/tmp", kind, 0, None) == 0:
                return 2
    for flags in (4096, 4096 | 16384):
        if libc.mount(b"/", b"/tmp", None, flags, None) == 0:
            if os.path.exists("/tmp/etc/passwd") or set(os.listdir("/tmp")) != set(os.listdir("/")):
                return 3
    return 0
for act in (among_namespaces,):
    if os.fork() == 0:
        try:
            code = act()
        except BaseException:
            code = 0
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.wait()[1])
    print("WON" if code else "TRIED", code)
""", shows="TRIED 0",
    ),
    Attack(
        "become-root", "Become root: setuid, programs with the setuid bit, capabilities, chroot, device nodes",
        "Not permitted: no privileges, and no way to new ones.", "",
        """
import ctypes, os, stat, subprocess
for act in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.chroot("/tmp"), lambda: os.setgroups([0]),
            lambda: os.mknod("/tmp/disk", 0o600 | stat.S_IFBLK, os.makedev(8, 0)),
            lambda: os.chown("/tmp", 0, 0), lambda: os.nice(-5)):
    try:
        act()
        print("WON")
    except OSError as error:
        print(error.strerror)
found = []
for folder in ("/usr/bin", "/usr/sbin", "/bin", "/usr/lib"):
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.stat(path).st_mode & (stat.S_ISUID | stat.S_ISGID):
            found.append(path)
for command in (["su", "-c", "id -u"], ["sudo", "-n", "id", "-u"], ["mount", "-t", "tmpfs", "x", "/tmp"],
                ["newgrp"], ["pkexec", "id", "-u"], ["setpriv", "--reuid=0", "id", "-u"]):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, stdin=subprocess.DEVNULL)
        if done.stdout.strip() == "0" or (command[0] == "mount" and done.returncode == 0):
            print("WON", command)
    except (OSError, subprocess.TimeoutExpired):
        pass
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
print("TRIED", status["CapEff"].strip(), status["NoNewPrivs"].strip(), len(found))
""", shows=r"TRIED 0000000000000000 1",
    ),
    Attack(
        "kernel-surface", "Use keyrings, io_uring, BPF, performance counters and userfaultfd on the host's kernel",
        "Refused, or harmless: no key, program or counter of anybody else is in reach.", "",
        """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
calls = {"add_key": (248, b"user", b"@MARK@", b"x", 1, -3), "keyctl": (250, 0, -5, 0), "bpf": (321, 5, 0, 0),
         "perf_event_open": (298, 0, -1, 0, -1, 0), "io_uring_setup": (425, 4, 0), "userfaultfd": (323, 0),
         "init_module": (175, 0, 0, b""), "kexec_load": (246, 0, 0, 0), "reboot": (169, 0, 0, 0)}
for name, (number, *arguments) in calls.items():
    result = libc.syscall(number, *arguments)
    if result >= 0 and name in ("bpf", "init_module", "kexec_load", "reboot"):
        print("WON", name)
print("TRIED")
""",
    ),
    Attack(
        "write-outside", "Write to libraries, kernel settings and devices, or leave a start-up file for the next kernel",
        "Everything but its own temporary folders is read-only, and those end with it.",
        "succeeds: the next honest learner gets 0",
        """
import os, sys, sysconfig
site = sysconfig.get_paths()["purelib"]
paths = [f"{site}/sitecustomize.py", f"{site}/@MARK@.pth", "/usr/lib/python3/dist-packages/x.py", "/course/agent.py",
         "/course/vae_ref/errors.py", "/inbox/call-99.safetensors", "/inbox/limits.json", "/etc/@MARK@", "/@MARK@",
         "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/sys/power/state",
         "/proc/1/oom_score_adj", "/dev/@MARK@", "/usr/share/jupyter/@MARK@", "/var/tmp/@MARK@", "/run/@MARK@"]
for path in paths:
    try:
        with open(path, "a") as file:
            file.write("raise SystemExit")
        print("WON", path)
    except OSError as error:
        print(error.strerror)
print("TRIED")
""",
    ),
    Attack(
        "start-up-file", "Leave IPython, Jupyter and shell start-up files at home, and files in shared folders",
        "The home is its own and ends with it.", "succeeds: the next honest learner gets 0",
        """
import os
from pathlib import Path
for path in (".ipython/profile_default/startup/00-x.py", ".jupyter/jupyter_config.py", ".bashrc", ".config/x.pth",
             ".local/lib/python3.11/site-packages/usercustomize.py"):
    file = Path.home() / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("raise SystemExit('@MARK@')")
for folder in ("/tmp", "/dev/shm", "/home"):
    try:
        Path(folder, "@MARK@").write_text("print('WON')")
    except OSError:
        pass
print("TRIED")
""",
    ),
    Attack(
        "shadow-a-library", "Write `torch.py` and `math.py` into the working folder",
        "The working folder is not importable first, and its own.", "succeeds",
        """
from pathlib import Path
for name in ("torch.py", "autograder.py", "agent.py", "safetensors.py"):
    Path(name).write_text("print('WON')")
import importlib, sys
for name in ("agent", "safetensors"):
    importlib.reload(sys.modules[name]) if name in sys.modules else importlib.import_module(name)
print("TRIED")
""",
    ),
    Attack(
        "run-other-things", "Run shell commands, scripts and extensions: `!rm -rf`, `%%script`, `%run`, `%load_ext`",
        "They run, where there is nothing of value.", "succeeds",
        """
!rm -rf /usr/share /course /inbox /home/learner/* 2>/dev/null
get_ipython().run_cell_magic("script", "bash", "rm -rf / --no-preserve-root 2>/dev/null; echo done")
open("/tmp/x.py", "w").write("y = 1\\ndef load_ipython_extension(shell): pass")
%run /tmp/x.py
import os, sys
sys.path.insert(0, "/tmp")
%load_ext x
print("TRIED" if os.path.isdir("/usr/share") and os.path.exists("/course/agent.py") else "WON")
""", shows="TRIED", alone=True, loses=True,
    ),
)  # fmt: skip
