"""One run of git that can do nothing but what it is asked to.

No configuration but ours (GIT_CONFIG_NOSYSTEM, a global file of our own, values by GIT_CONFIG_COUNT), no hooks, no pager, no prompt, no
helper, no submodules, one transport; its own session, killed as a whole at the end; time, output and file sizes are bounded.
Source: git(1) "Environment Variables", git-config(1).
"""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from composer.errors import ComposerError
from composer.gitops.errors import GitMissing, TooBig

SECONDS = 120.0
OUTPUT = 128 << 20  # bytes of standard output
_ERRORS = 64 << 10  # bytes of standard error that are kept
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TELLING = ("fatal:", "error:", "remote: ", "ssh:")
_SSH_SAYS = ("Permission denied", "Host key verification failed", "Connection closed by", "host key is known", "has changed")
_ALWAYS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.untrackedCache": "false",
    "core.symlinks": "false",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.askPass": "",
    "credential.helper": "",
    "transfer.fsckObjects": "true",
    "transfer.bundleURI": "false",
    "fetch.unpackLimit": "1",  # a pack stays a pack: its size is what the bound is on
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "fetch.writeCommitGraph": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "http.followRedirects": "false",  # else the credentials would go where the answer says
    "http.lowSpeedLimit": "100",
    "http.lowSpeedTime": "30",
    "protocol.allow": "never",
    "protocol.version": "2",
    "advice.detachedHead": "false",
}


class GitFailed(ComposerError):
    """git said no. ``status``: its exit code; ``said``: its standard error."""

    code = "gitops.git"

    def __init__(self, words: Sequence[str], status: int, said: str) -> None:
        super().__init__(f"git {words[0]} failed: {said or f'exit status {status}'}")
        self.status = status
        self.said = said


@dataclass(frozen=True)
class Git:
    """``home``: a directory of our own for HOME. ``settings``: git configuration beside `_ALWAYS`; their values are in no argument and
    no log. ``environment``: for ssh and gpg. ``largest``: bytes of any file that is written."""

    home: Path
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    largest: int = 1 << 30

    def env(self) -> dict[str, str]:
        settings = {**_ALWAYS, **self.settings}
        found = {
            "PATH": _PATH,
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(self.home / "gitconfig"),
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "",
            "SSH_ASKPASS": "",
            "SSH_ASKPASS_REQUIRE": "never",
            "GIT_PROTOCOL_FROM_USER": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_PAGER": "cat",
            "GIT_CONFIG_COUNT": str(len(settings)),
        }
        for number, (key, value) in enumerate(settings.items()):
            found[f"GIT_CONFIG_KEY_{number}"], found[f"GIT_CONFIG_VALUE_{number}"] = key, value
        return {**found, **self.environment}

    async def run(self, *words: str, cwd: Path, stdin: bytes = b"", seconds: float = SECONDS, output: int = OUTPUT) -> bytes:
        """Its standard output. GitMissing, GitFailed, TooBig (more than ``output`` bytes), TimeoutError."""
        status, out, err = await self._run(words, cwd, stdin, seconds, output)
        if status:
            raise GitFailed(words, status, tidy(err))
        return out

    async def said(self, *words: str, cwd: Path) -> str:
        """Its standard error, whatever its exit status. GitMissing, TimeoutError."""
        _, _, err = await self._run(words, cwd, b"", SECONDS, OUTPUT)
        return err

    async def _run(self, words: Sequence[str], cwd: Path, stdin: bytes, seconds: float, output: int) -> tuple[int, bytes, str]:
        if shutil.which("git", path=_PATH) is None:
            raise GitMissing("git is not installed on this machine", hint="install the distribution's package: apt-get install git")
        process = await asyncio.create_subprocess_exec(
            "git",
            *words,
            cwd=cwd,
            env=self.env(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            with suppress(ProcessLookupError):
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (self.largest, self.largest))
                resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))
            async with asyncio.timeout(seconds):
                out, err, _ = await asyncio.gather(_read(process.stdout, output), _read(process.stderr, _ERRORS), _feed(process, stdin))
                status = await process.wait()
        finally:
            await _end(process)
        if out is None:
            raise TooBig(f"git {words[0]} answered with more than {output >> 20} MiB")
        if status == -signal.SIGXFSZ or b"File too large" in (err or b"") or b"signal 25" in (err or b""):
            raise TooBig(f"the repository is larger than {self.largest >> 20} MiB", hint="allow more: --max-size")
        return status, out, (err or b"").decode("utf-8", "replace")


async def _read(stream: asyncio.StreamReader | None, limit: int) -> bytes | None:
    """All of it; None when it is more than ``limit`` (the rest is read and dropped for standard error, which is bounded by time)."""
    assert stream is not None
    parts: list[bytes] = []
    size = 0
    while piece := await stream.read(1 << 18):
        size += len(piece)
        if size <= limit:
            parts.append(piece)
        elif limit != _ERRORS:
            return None
    return b"".join(parts)


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    """The whole session goes, whatever git left in it (ssh, index-pack, an agent)."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.returncode is None:
        await asyncio.shield(process.wait())


def tidy(text: str) -> str:
    """git's complaint in one line: the last one that says fatal or error, or the last."""
    lines = [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(_TELLING) or any(word in line for word in _SSH_SAYS)]
    kept = telling[:3] if telling else lines[-2:]
    return "; ".join(dict.fromkeys(line.removeprefix("fatal: ").removeprefix("error: ").rstrip(".") for line in kept))
