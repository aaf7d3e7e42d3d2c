"""Refuses system calls that no notebook needs and through which people have got out of sandboxes.

A filter of seccomp (seccomp(2), Linux): it holds for the process that sets it and all that it starts, and cannot be
taken off again. The namespaces keep a learner's process away from the host; this keeps it away from the parts of the
system that make namespaces, mount, trace, load programs into the system or keep keys.
"""

import ctypes
import errno
import os
import struct

# numbers of system calls by machine: asm/unistd.h of Linux 6
ALIKE = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442,
}  # fmt: skip
REFUSED = {
    "x86_64": {
        "ptrace": 101, "pivot_root": 155, "chroot": 161, "mount": 165, "umount2": 166, "init_module": 175,
        "delete_module": 176, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272,
        "perf_event_open": 298, "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310,
        "process_vm_writev": 311, "finit_module": 313, "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323, **ALIKE,
    },
    "aarch64": {
        "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "unshare": 97, "kexec_load": 104,
        "init_module": 105, "delete_module": 106, "ptrace": 117, "add_key": 217, "request_key": 218, "keyctl": 219,
        "perf_event_open": 241, "open_by_handle_at": 265, "setns": 268, "process_vm_readv": 270,
        "process_vm_writev": 271, "finit_module": 273, "bpf": 280, "userfaultfd": 282, "kexec_file_load": 294, **ALIKE,
    },
}  # fmt: skip
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
CLONE = {"x86_64": 56, "aarch64": 220}
SECCOMP = {"x86_64": 317, "aarch64": 277}
CLONE3 = 435
NEW_NAMESPACES = 0x7E020000  # the flags CLONE_NEW* of clone
OTHER_ABI = 0x40000000  # x32 on x86_64, whose numbers are others

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = (
    0x20,
    0x15,
    0x35,
    0x45,
    0x06,
)  # of the filter language (linux/filter.h)
ALLOW, REFUSE = 0x7FFF0000, 0x00050000  # with an error number in the lower half
NUMBER, MACHINE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data, little-endian
SET_MODE_FILTER, ALL_THREADS = 1, 1


def refuse_dangerous_calls() -> None:
    """Set the filter, where the numbers of this machine's calls are known.

    Raises:
        OSError: the system does not take it.
    """
    machine = os.uname().machine
    if machine not in REFUSED:
        return
    code = b"".join(program(machine))
    buffer = ctypes.create_string_buffer(code, len(code))
    described = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(SECCOMP[machine], SET_MODE_FILTER, ALL_THREADS, described) != 0:
        raise OSError(ctypes.get_errno(), "the filter of system calls was not taken")


def program(machine: str) -> list[bytes]:
    """The instructions of the filter: a call that is not refused by one of them is allowed."""
    refused = _return(REFUSE | errno.EPERM)
    lines = [
        _line(LOAD, MACHINE),
        *_unless(EQUAL, ARCHITECTURE[machine], refused),
        _line(LOAD, NUMBER),
        *_if(AT_LEAST, OTHER_ABI, refused),
    ]
    for number in REFUSED[machine].values():
        lines += _if(EQUAL, number, refused)
    # its flags lie in memory, which no filter can read; the C library makes do with clone
    lines += _if(EQUAL, CLONE3, _return(REFUSE | errno.ENOSYS))
    lines += [
        _line(EQUAL, CLONE[machine], 0, 3),  # if it is clone, look at its flags
        _line(LOAD, FIRST_ARGUMENT),
        *_if(ANY_BIT, NEW_NAMESPACES, refused),
    ]
    return [*lines, _return(ALLOW)]


def _if(test: int, value: int, then: bytes) -> list[bytes]:
    return [_line(test, value, 0, 1), then]


def _unless(test: int, value: int, then: bytes) -> list[bytes]:
    return [_line(test, value, 1, 0), then]


def _return(value: int) -> bytes:
    return _line(RETURN, value)


def _line(code: int, value: int, skip_if_true: int = 0, skip_if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, skip_if_true, skip_if_false, value)
