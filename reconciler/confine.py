"""What a program that works on foreign text may use: so much memory, so much output, and the network only where it has
to. The kernel keeps it so, whatever the text makes the program do."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
from dataclasses import dataclass

MIB = 1 << 20
_RESERVED = 1536 * MIB
_libc = ctypes.CDLL(None, use_errno=True)
_PR_GET_SECCOMP, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 21, 22, 38
_MODE_FILTER = 2
_AF_UNIX = 1
# By machine: AUDIT_ARCH_* (linux/audit.h) and the numbers of socket and io_uring_setup, which could open one as well.
_CALLS = {"x86_64": (0xC000003E, 41, 425), "aarch64": (0xC00000B7, 198, 425), "riscv64": (0xC00000F3, 198, 425)}
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF_LD+W+ABS, BPF_JMP+JEQ+K, JGE, BPF_RET+K
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # where struct seccomp_data has them; little-endian machines only
_X32 = 0x40000000  # the other numbering of x86_64's calls
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 13  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO with EACCES


@dataclass(frozen=True, slots=True)
class Limits:
    """`memory` is the most bytes of data a program may map (RLIMIT_DATA: what it only reserves does not count, and Go
    reserves much), `output` the most bytes of stdout, and of stderr. Without `network` it can open no socket but those
    of this machine's own files. The defaults are three times what the largest public charts need.

    Linux does not count what is mapped in the place of a reservation, however large, until the next mapping
    (mm/mmap.c: may_expand_vm is asked about the difference). So what is reserved has a limit as well (RLIMIT_AS):
    `memory` and 1,536 MiB, of which Go takes 1,000 to 1,200 before its program begins. What is left is the most that
    one allocation can get: about 1.5 GiB, where `memory` is 1 GiB."""

    memory: int = 1024 * MIB
    output: int = 32 * MIB
    network: bool = False

    def impose(self) -> None:
        """Hold this process, and all it starts, to them. For a child before its program is started. Raises OSError."""
        _lower(resource.RLIMIT_DATA, self.memory)
        _lower(resource.RLIMIT_AS, self.memory + _RESERVED)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # what was decrypted would lie in it
        if not self.network and _FENCE is not None:
            _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            if _libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(_FENCE), 0, 0):
                raise OSError(ctypes.get_errno(), "no filter of system calls")


def _lower(kind: int, limit: int) -> None:
    """A limit that somebody set before and that is lower stays."""
    _, most = resource.getrlimit(kind)
    lower = limit if most == resource.RLIM_INFINITY else min(limit, most)
    resource.setrlimit(kind, (lower, lower))


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _fence() -> _Program | None:
    """A filter of system calls that lets no socket be made, but for those of AF_UNIX. None where this kernel or machine
    has no such filters: there a program has what its environment and our checks keep it from."""
    calls = _CALLS.get(platform.machine())
    if calls is None or _libc.prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) < 0:
        return None
    architecture, socket, uring = calls
    steps = (
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 0, 7, architecture),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 5, 0, _X32),
        (_EQUAL, 4, 0, uring),
        (_EQUAL, 0, 2, socket),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 0, 1, _AF_UNIX),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    )
    return _Program(len(steps), b"".join(struct.pack("HBBI", *step) for step in steps))


_FENCE = _fence() if os.name == "posix" else None
