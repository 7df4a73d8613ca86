"""The C library, and the one way its errors become OSError."""

from __future__ import annotations

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def check(result: int, *names: object) -> int:
    """``result``, or the OSError that errno tells, with the names of what it was about."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), *[os.fspath(n) if isinstance(n, os.PathLike) else n for n in names[:1]])
    return result


def syscall(number: int, *args: object) -> int:
    """syscall(2): integers are passed as long, bytes as pointers. Releases the GIL."""
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    return check(libc.syscall(ctypes.c_long(number), *converted))
