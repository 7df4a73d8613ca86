"""Keys while a stack runs in the foreground: w watch, r rebuild, d detach, q quit. Ctrl-C goes on to mean what it means."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from composer.cli.terminal import is_terminal

WATCH, REBUILD, DETACH, QUIT = "w", "r", "d", "q"


def interactive() -> bool:
    """Is there somebody who can press keys, and do they come to us (not to another process in the foreground)?"""
    if not (is_terminal(0) and is_terminal(1)):
        return False
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


@contextmanager
def keys() -> Iterator[None]:
    """Each key comes at once and is not shown (termios(3), cbreak mode); put back at the end, whatever happens."""
    import termios
    import tty

    before = termios.tcgetattr(0)
    try:
        tty.setcbreak(0, termios.TCSANOW)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def pressed() -> str:
    """The keys that were pressed (standard input is readable), in lower case; the end of input means quit."""
    data = os.read(0, 64)
    return data.decode("ascii", "replace").lower() if data else QUIT


def offer(*, watch: bool, rebuild: bool = True) -> str:
    """The line that says which keys there are."""
    words = [f"w {'watch on/off' if watch else 'watch'}"]
    if rebuild and watch:
        words.append("r rebuild")
    return "keys: " + "   ".join([*words, "d detach", "q quit"])
