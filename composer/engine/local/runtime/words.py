"""What a runtime says when a process cannot be started, in the words of Docker's users and as the kinds of our errors.

crun and runc word the same things differently; dockerd shows runc's words in a fixed frame, which scripts look for.
"""

from __future__ import annotations

import re

from composer.engine.errors import CommandNotExecutable, CommandNotFound, EngineError

_CREATE = "failed to create task for container: failed to create shim task: OCI runtime create failed: "
_EXEC = "OCI runtime exec failed: exec failed: "
_NOT_FOUND = re.compile(r"executable file .*not found|exec(?:utable)?.*no such file or directory|stat .*: no such file", re.I)
_DENIED = re.compile(
    r"(?:open executable|exec|executable|execve?).*(?:permission denied|not permitted|is a directory)|not executable", re.I
)


def refusal(message: str, argv0: str, *, runtime: str, exec: bool = False) -> EngineError:
    """The error for the words ``message`` of a runtime that did not start ``argv0``."""
    text = _plain(message)
    frame = _EXEC if exec else f"{_CREATE}{runtime} create failed: "
    tail = "" if exec else ": unknown"
    subject = f'{frame}unable to start container process: {"" if exec else "error during container init: "}exec: "{argv0}": '
    if _NOT_FOUND.search(text):
        why = "stat " + argv0 + ": no such file or directory" if "/" in argv0 else "executable file not found in $PATH"
        return CommandNotFound(f"{subject}{why}{tail}", hint="is the command in the image, and its directory in PATH?")
    if _DENIED.search(text):
        why = "is a directory" if "is a directory" in text.lower() else "permission denied"
        return CommandNotExecutable(f"{subject}{why}{tail}", hint="is the file executable (chmod +x) for the container's user?")
    return EngineError(f"{frame}{text or 'no reason given'}{tail}")


def _plain(message: str) -> str:
    """The last words of a runtime's output, without its name, time stamps and log levels."""
    lines = [line.strip() for line in message.replace("\\n", "\n").splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or "level=" in line] or lines
    text = errors[-1] if errors else ""
    found = re.search(r'msg="((?:[^"\\]|\\.)*)"', text)
    if found:
        text = found.group(1).replace('\\"', '"')
    return re.sub(r"^(?:\d{4}-\d\d-\d\dT\S+: |(?:[Ee]rror: )|(?:crun|runc)(?: \w+ failed)?: )+", "", text).strip()
