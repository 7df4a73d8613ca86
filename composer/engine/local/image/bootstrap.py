"""Base images without a registry: a distribution's root made from its own package mirror by mmdebstrap(1), then imported.

The root is made as the public images of the same names are: minbase, and for "-slim" without documentation and translations; services do
not start in it, dpkg does not fsync in it; resolv.conf and hostname, which mmdebstrap copies from the host, are empty.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from composer.engine.errors import EngineError, InvalidArgument, Unavailable
from composer.engine.local import files
from composer.engine.local.archive import finish
from composer.engine.local.image import mirrors
from composer.engine.local.image import reference as references
from composer.engine.local.image.manifest import Platform
from composer.engine.local.image.mirrors import DEBIAN, UBUNTU, Family
from composer.engine.local.image.relay import Tell, relay
from composer.engine.local.linux import mount as mounts
from composer.engine.model import Progress

_RELEASES = {
    "debian": (DEBIAN, {"bookworm": "bookworm", "12": "bookworm", "trixie": "trixie", "13": "trixie"}),
    "ubuntu": (UBUNTU, {"noble": "noble", "24.04": "noble", "jammy": "jammy", "22.04": "jammy"}),
}
_CHANGES = ('CMD ["bash"]', "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
_SLIM = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/groff/*",
    "path-exclude=/usr/share/lintian/*",
    "path-exclude=/usr/share/locale/*",
    "path-include=/usr/share/locale/locale.alias",
)
_HOOK = r"""set -e
: >"$1/etc/resolv.conf"; : >"$1/etc/hostname"; chmod 644 "$1/etc/resolv.conf" "$1/etc/hostname"
rm -f "$1/etc/machine-id" "$1/var/lib/dbus/machine-id"
printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"
printf '%s\n' 'Acquire::Languages "none";' 'Apt::AutoRemove::SuggestsImportant "false";' >"$1/etc/apt/apt.conf.d/container"
rm -rf "$1"/var/log/apt "$1"/var/log/*.log "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/var/cache/ldconfig/aux-cache
"""
_TELL = ("I: ", "W: ", "E: ")
_ROOT_SIZE = 1500 << 20  # bytes that a root, with the packages it is made from, stays well below
_GRACE = 20.0  # seconds for mmdebstrap to unmount and remove what it made


@dataclass(frozen=True)
class Recipe:
    """What is made: the image's ``name``, from which suite of which family."""

    name: str
    family: Family
    suite: str
    slim: bool
    changes: Sequence[str] = _CHANGES

    @property
    def message(self) -> str:
        return f"bootstrapped from {self.family.name} {self.suite}"


def known() -> list[str]:
    """The names that can be made."""
    return [
        f"{name}:{tag}{slim}"
        for name, (_, tags) in _RELEASES.items()
        for tag in tags
        for slim in (("", "-slim") if name == "debian" else ("",))
    ]


def recipe(ref: str) -> Recipe:
    """Raises InvalidArgument that lists what is known."""
    name = references.parse(ref)
    family, tags = _RELEASES.get(name.familiar_name, (None, {}))
    suite = tags.get(name.tag.removesuffix("-slim"))
    if family is None or suite is None or name.digest or (name.tag.endswith("-slim") and family is not DEBIAN):
        raise InvalidArgument(f"no recipe to bootstrap {name.familiar}", hint=f"known: {', '.join(known())}")
    return Recipe(name.familiar, family, suite, name.tag.endswith("-slim"))


def command(recipe: Recipe, keyring: str, sources: Sequence[str]) -> list[str]:
    """mmdebstrap's arguments; the tar comes out of its standard output."""
    https = any(" https://" in line for line in sources)  # then apt inside needs certificates, too
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        "--format=tar",
        f"--keyring={keyring}",
        "--dpkgopt=force-unsafe-io",  # neither now nor in builds upon it: an image is synced as a whole
        *(f"--dpkgopt={option}" for option in (_SLIM if recipe.slim else ())),
        *(["--include=ca-certificates"] if https else []),
        f"--customize-hook={_HOOK}",
        recipe.suite,
        "-",
        *sources,
    ]


class Run:
    """One run of mmdebstrap, in a directory of its own beneath ``temporary``."""

    def __init__(self, recipe: Recipe, temporary: Path, *, apt: Path = Path("/etc/apt")) -> None:
        self._recipe = recipe
        self._directory = temporary / f"bootstrap-{os.urandom(6).hex()}"
        self._apt = apt

    def follow(self, consume: Callable[[AsyncIterator[bytes]], AsyncIterator[Progress]]) -> AsyncIterator[Progress]:
        """Make the root and give its tar to ``consume``; yields what both tell. Unavailable when a tool or a key is missing."""
        return relay(lambda tell: self._work(consume, tell))

    async def _work(self, consume: Callable[[AsyncIterator[bytes]], AsyncIterator[Progress]], tell: Tell) -> None:
        family = self._recipe.family
        if shutil.which("mmdebstrap") is None:
            raise Unavailable("mmdebstrap is not installed", hint="apt-get install mmdebstrap")
        keyring = next((one for one in family.keyrings if os.path.exists(one)), None)
        if keyring is None:
            raise Unavailable(
                f"the keys of {family.name}'s archive are not on this machine", hint=f"apt-get install {family.keyring_package}"
            )
        host = list(mirrors.parse(await asyncio.to_thread(self._apt_files)))
        sources = mirrors.apt_lines(family, self._recipe.suite, host, Platform.host().architecture)
        for line in sources:
            tell(Progress(stream=f"{line}\n"))
        self._directory.mkdir(mode=0o755)
        try:
            self._prepare()
            await self._run(command(self._recipe, keyring, sources), consume, tell)
        finally:
            await finish(lambda: files.remove_tree(self._directory))

    def _prepare(self) -> None:
        """In memory where there is plenty: a root is ten thousand small files that are packed and deleted again."""
        os.chmod(self._directory, 0o755)
        if _available_memory() > 2 * _ROOT_SIZE:
            mounts.mount("none", self._directory, "tmpfs", 0, f"size={_ROOT_SIZE},mode=755")

    def _apt_files(self) -> list[tuple[str, str]]:
        paths = [self._apt / "sources.list", *sorted((self._apt / "sources.list.d").glob("*"))]
        return [(path.name, path.read_text(errors="replace")) for path in paths if path.is_file() and path.suffix in (".list", ".sources")]

    async def _run(self, arguments: Sequence[str], consume: Callable[[AsyncIterator[bytes]], AsyncIterator[Progress]], tell: Tell) -> None:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "TMPDIR": str(self._directory), "LC_ALL": "C.UTF-8"}
        environment |= {key: value for key, value in os.environ.items() if key.lower() in ("http_proxy", "https_proxy", "no_proxy")}
        process = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,
            limit=1 << 20,
        )
        last: deque[str] = deque(maxlen=8)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_listen(process, last, tell))
                async for progress in consume(_output(process, last)):
                    tell(progress)
        except BaseExceptionGroup as error_group:
            raise error_group.exceptions[0] from None
        finally:
            await _end(process)


def _available_memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


async def _output(process: asyncio.subprocess.Process, last: Sequence[str]) -> AsyncIterator[bytes]:
    """The tar; EngineError at its end when the run failed, before anything is made of what came."""
    assert process.stdout is not None
    while chunk := await process.stdout.read(1 << 20):
        yield chunk
    if await process.wait() != 0:
        await asyncio.sleep(0)
        raise EngineError(f"mmdebstrap failed: {last[-1] if last else f'exit code {process.returncode}'}", hint="\n".join(last))


async def _listen(process: asyncio.subprocess.Process, last: deque[str], tell: Tell) -> None:
    assert process.stderr is not None
    while line := await process.stderr.readline():
        text = line.decode(errors="replace").rpartition("\r")[2].strip()
        if text.startswith(_TELL):
            last.append(text)
            tell(Progress(stream=f"{text}\n"))
        elif text and not text.startswith(("done", "progress")):
            last.append(text)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Stop it with its children, if it still runs: first so that it cleans up."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _GRACE)
