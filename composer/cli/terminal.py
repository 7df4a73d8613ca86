"""The user's terminal in raw mode, for the time of a session."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def is_terminal(file_descriptor: int) -> bool:
    try:
        return os.isatty(file_descriptor)
    except OSError:
        return False


@contextmanager
def raw(file_descriptor: int = 0) -> Iterator[None]:
    """Every key goes through as it is (termios(3), cfmakeraw); put back at the end, whatever happens."""
    import termios
    import tty

    before = termios.tcgetattr(file_descriptor)
    try:
        tty.setraw(file_descriptor, termios.TCSANOW)
        yield
    finally:
        sys.stdout.flush()
        termios.tcsetattr(file_descriptor, termios.TCSADRAIN, before)


def write_all(file_descriptor: int, data: bytes) -> None:
    """All of ``data``, also to a pipe that someone made non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(file_descriptor, view) :]
        except BlockingIOError:
            import select

            select.select([], [file_descriptor], [], 1.0)


def detach_keys(text: str) -> bytes:
    """``ctrl-p,ctrl-q`` as bytes; "" is no key at all. Raises ValueError."""
    keys = bytearray()
    for key in filter(None, text.split(",")):
        if len(key) == 1:
            keys += key.encode()
        elif key.startswith("ctrl-") and len(key) == 6:
            keys.append(ord(key[5].upper()) & 0x1F)
        else:
            raise ValueError(f"unknown character: '{key}'")
    return bytes(keys)
