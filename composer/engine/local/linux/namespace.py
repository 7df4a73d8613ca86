"""Namespaces: unshare(2), setns(2). Each changes the calling *thread* only, so a caller uses a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

from composer.engine.local.linux.libc import check, libc

CLONE_FS, CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS = 0x200, 0x20000, 0x2000000, 0x4000000
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x8000000, 0x10000000, 0x20000000, 0x40000000

T = TypeVar("T")


def unshare(flags: int) -> None:
    check(libc.unshare(flags))


def setns(fd: int, kind: int) -> None:
    check(libc.setns(fd, kind))


def in_own_thread(work: Callable[[], T]) -> T:
    """Run ``work`` in a new thread and wait: what it does to its namespaces ends with the thread."""
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001 (handed to the caller)
            result.set_exception(error)

    thread = Thread(target=run, name="namespace")
    thread.start()
    thread.join()
    return result.result()
