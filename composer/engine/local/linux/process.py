"""Processes by pidfd: pidfd_open(2), pidfd_send_signal(2), the ioctl PIDFD_GET_INFO (Linux 6.15), prctl(2)."""

from __future__ import annotations

import fcntl
import functools
import os
import signal
import struct
from dataclasses import dataclass
from pathlib import Path

_PIDFD_GET_INFO = 0xC040FF0B
_PIDFD_INFO_EXIT = 8
PR_SET_CHILD_SUBREAPER = 36


@functools.cache
def boot_id() -> str:
    """It never changes while a process lives."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A pid that cannot be mistaken for a later process: with its start time (clock ticks since boot, proc_pid_stat(5)) and the boot."""

    pid: int
    start: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """Raises ProcessLookupError when there is no such process."""
        return cls(pid, start_time(pid), boot_id())

    def open(self) -> int:
        """A pidfd of just this process. Raises ProcessLookupError when it has ended (or the pid is another's now)."""
        fd = os.pidfd_open(self.pid)
        try:
            if self.boot != boot_id() or start_time(self.pid) != self.start:
                raise ProcessLookupError(self.pid)
        except BaseException:
            os.close(fd)
            raise
        return fd


def start_time(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError as error:
        raise ProcessLookupError(pid) from error
    return int(stat[stat.rindex(b")") + 2 :].split()[19])


def send_signal(pidfd: int, number: int) -> None:
    """Raises ProcessLookupError when the process has ended."""
    signal.pidfd_send_signal(pidfd, number)


def exit_status(pidfd: int) -> int | None:
    """The wait status of an ended process that is not our child (its parent has reaped it); None where the kernel does not tell."""
    info = bytearray(struct.pack("Q", _PIDFD_INFO_EXIT) + bytes(56))
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, info, True)
    except OSError:
        return None
    mask: int = info[0]
    return int(struct.unpack_from("i", info, 60)[0]) if mask & _PIDFD_INFO_EXIT else None
