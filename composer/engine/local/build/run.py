"""RUN: a command in a container of its own over the stage's files, with a working network, and its mounts.

The container has no row: its bundle, cgroup, sandbox and root have names that begin with ``build-``, which `recover` sweeps.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import shutil
import stat
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from composer.engine.local.build import stubs
from composer.engine.local.build.output import Output
from composer.engine.local.build.problem import BuildProblem
from composer.engine.local.build.roots import Root
from composer.engine.local.build.runmount import RunMount
from composer.engine.local.build.sources import Sources
from composer.engine.local.files import remove_tree, tree_size
from composer.engine.local.layout import Layout
from composer.engine.local.linux.beneath import make_directories
from composer.engine.local.network.model import SandboxRequest
from composer.engine.local.network.networks import LocalNetworks
from composer.engine.local.runtime import Bundle, Runtime, capabilities, oci, seccomp, users
from composer.engine.local.runtime.mounts import BundleMount
from composer.engine.model import BuildConfig, EndpointSettings, HostConfig, Ulimit

_PARTIAL_LIMIT = 64 << 10


@dataclass(frozen=True)
class Command:
    """What RUN runs. ``network``: default, none or host, "" = the build's own setting."""

    args: Sequence[str]
    env: Sequence[str]
    user: str = ""
    workdir: str = "/"
    mounts: Sequence[RunMount] = ()
    network: str = ""
    privileged: bool = False


class Runner:
    """Runs commands for builds."""

    def __init__(self, layout: Layout, runtime: Runtime, networks: LocalNetworks) -> None:
        self._layout, self._runtime, self._networks = layout, runtime, networks
        self._caches: dict[str, asyncio.Lock] = {}
        self._busy: Counter[str] = Counter()  # names of cache directories that commands use now

    async def run(self, command: Command, root: Root, config: BuildConfig, sources: Sources, output: Output) -> int:
        """The exit code. Output goes line by line to ``output``. BuildProblem for mounts that cannot be; EngineError."""
        async with AsyncExitStack() as undo:
            env, mounts = await self._mounts(command, root, config, sources, undo)
            files, netns = await self._network(command, root, config, undo)
            mounts = [*files, *mounts]
            host = _host(config, command, [m for m in command.mounts if m.kind == "tmpfs"])
            targets = [m.destination for m in mounts] + [m.target for m in command.mounts] + list(_STANDARD)
            made = await asyncio.to_thread(_missing, root.rootfs, targets, command.workdir)
            document = await asyncio.to_thread(self._render, command, [*command.env, *env], root, host, mounts, netns)
            directory = self._layout.bundle(f"{root.id}-run")  # beside the root: the runtime's leavings go, the files stay
            bundle = Bundle(root.id, directory, root.rootfs, f"{self._layout.cgroups}/{root.id}", self._runtime.default)
            code = await self._held(bundle, document, output)
            await asyncio.to_thread(_remove, root.rootfs, made)
            return code

    async def _held(self, bundle: Bundle, document: dict[str, object], output: Output) -> int:
        try:
            handle = await self._runtime.create(bundle, document)
            stream = await self._runtime.attach(bundle, stdin=False)
            try:
                await self._runtime.start(bundle, handle)
                lines = _Lines(output)
                async for frame in stream:
                    await lines.feed(frame.data)
                await lines.end()
                ended = await self._runtime.wait(bundle, handle)
            finally:
                await stream.close()
        finally:
            await asyncio.shield(self._runtime.delete(bundle))
        return 255 if ended.code is None else ended.code

    def _render(
        self, command: Command, env: Sequence[str], root: Root, host: HostConfig, mounts: Sequence[BundleMount], netns: Path | None
    ) -> dict[str, object]:
        user = users.lookup(root.rootfs, command.user)
        caps = capabilities.resolve(privileged=host.privileged)
        fd = os.open(root.rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.close(make_directories(fd, command.workdir))
        finally:
            os.close(fd)
        return oci.render(
            oci.BundleFacts(
                host=host,
                args=command.args,
                env=oci.environment(env, hostname="buildkitsandbox", home=user.home),
                rootfs=root.rootfs,
                cgroup=f"{self._layout.cgroups}/{root.id}",
                namespaces=oci.namespaces(
                    host, network=None if netns is None else str(netns), cgroup_version=self._runtime.hierarchies.version
                ),
                capabilities=caps,
                seccomp=seccomp.for_options((), caps, privileged=host.privileged),
                cwd=command.workdir,
                uid=user.uid,
                gid=user.gid,
                groups=user.groups,
                hostname="buildkitsandbox",
                mounts=mounts,
            )
        )

    async def _network(
        self, command: Command, root: Root, config: BuildConfig, undo: AsyncExitStack
    ) -> tuple[list[BundleMount], Path | None]:
        mode = command.network if command.network not in ("", "default") else config.network
        endpoints = {} if mode in ("none", "host") else {mode if mode not in ("", "default") else "bridge": EndpointSettings()}
        request = SandboxRequest(
            container_id=root.id,
            name=root.id,
            hostname="buildkitsandbox",
            endpoints=endpoints,
            extra_hosts=config.extra_hosts,
            mode=mode if mode in ("none", "host") else "bridge",
        )
        netns: Path | None = None
        if mode == "host":
            hosts, resolv_conf = self._networks.host_files(request)
        else:
            undo.push_async_callback(self._networks.release, root.id)
            sandbox = await self._networks.open(request)
            hosts, resolv_conf, netns = sandbox.hosts, sandbox.resolv_conf, sandbox.netns
        work = root.upper.parent
        made = []
        for name, text in (("hosts", hosts), ("resolv.conf", resolv_conf)):
            (work / name).write_text(text)
            made.append(BundleMount(f"/etc/{name}", str(work / name), read_only=False))
        return made, netns

    async def _mounts(
        self, command: Command, root: Root, config: BuildConfig, sources: Sources, undo: AsyncExitStack
    ) -> tuple[list[str], list[BundleMount]]:
        env: list[str] = []
        mounts: list[BundleMount] = []
        for number, wish in enumerate(command.mounts):
            if wish.kind == "secret":
                content = config.secrets.get(wish.id)
                if content is None:
                    if wish.required:
                        raise BuildProblem(f"secret {wish.id}: not found", hint="pass it with the build's `secrets`")
                    continue
                if wish.env:
                    env.append(f"{wish.env}={content.decode(errors='surrogateescape')}")
                if wish.target or not wish.env:
                    mounts.append(await asyncio.to_thread(self._secret, root, number, wish, content))
            elif wish.kind == "cache":
                mounts.append(await self._cache(wish, undo))
            elif wish.kind == "bind":
                mounts.append(await undo.enter_async_context(self._bind(wish, sources, command.workdir)))
        return env, mounts

    @staticmethod
    def _secret(root: Root, number: int, wish: RunMount, content: bytes) -> BundleMount:
        """The secret lies in the run directory, which is memory, for as long as the command runs."""
        folder = root.bundle / "secrets"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / str(number)
        path.write_bytes(content)
        os.chown(path, wish.uid, wish.gid)
        os.chmod(path, 0o400 if wish.mode is None else wish.mode)
        return BundleMount(wish.target or f"/run/secrets/{wish.id}", str(path), read_only=True)

    async def _cache(self, wish: RunMount, undo: AsyncExitStack) -> BundleMount:
        """A directory that outlives builds; ``sharing=locked`` lets one RUN at a time in."""
        name = "".join(c if c.isalnum() else f"_{ord(c):x}" for c in wish.id)[:120]
        path = self._directories / name
        self._busy[name] += 1
        undo.callback(self._busy.subtract, (name,))
        if wish.sharing != "shared":
            await undo.enter_async_context(self._caches.setdefault(name, asyncio.Lock()))

        def make() -> None:
            if not path.is_dir():
                path.mkdir(parents=True)
                os.chown(path, wish.uid, wish.gid)
                os.chmod(path, 0o755 if wish.mode is None else wish.mode)

        await asyncio.to_thread(make)
        return BundleMount(wish.target, str(path), read_only=not wish.writable)

    @property
    def _directories(self) -> Path:
        return self._layout.root / "build-cache"

    def clear(self) -> int:
        """Remove the directories of ``--mount=type=cache`` that no command uses; how many bytes they held. Blocking."""
        freed = 0
        for path in self._directories.iterdir() if self._directories.is_dir() else ():
            if not self._busy[path.name]:
                freed += tree_size(path)
                remove_tree(path)
        return freed

    @asynccontextmanager
    async def _bind(self, wish: RunMount, sources: Sources, workdir: str) -> AsyncIterator[BundleMount]:
        async with sources.open(wish.origin) as tree:
            try:
                fd = tree.open(wish.source.strip("/"), os.O_PATH)
            except FileNotFoundError as error:
                raise BuildProblem(f'"/{wish.source.strip("/")}" not found for --mount=type=bind') from error
            try:
                real = os.readlink(f"/proc/self/fd/{fd}")
                directory = stat.S_ISDIR(os.fstat(fd).st_mode)
            finally:
                os.close(fd)
            target = wish.target if wish.target.startswith("/") else os.path.join(workdir, wish.target)
            if not wish.writable:
                yield BundleMount(target, real, read_only=True)
                return
            copy = self._layout.temporary / f"build-bind-{os.urandom(6).hex()}"  # writes are seen by this RUN, and then thrown away
            await asyncio.to_thread(_copy, real, copy, directory)
            try:
                yield BundleMount(target, str(copy))
            finally:
                await asyncio.to_thread(remove_tree, copy)


def _copy(source: str, target: Path, directory: bool) -> None:
    if directory:
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)


_STANDARD = ("/proc", "/dev", "/sys", "/etc/hosts", "/etc/resolv.conf")


def _host(config: BuildConfig, command: Command, tmpfs: Sequence[RunMount]) -> HostConfig:
    return HostConfig(
        privileged=command.privileged or config.privileged,
        shm_size=config.shm_size,
        ulimits=tuple(Ulimit(name=name, soft=soft, hard=hard) for name, (soft, hard) in config.ulimits.items()),
        tmpfs={wish.target: f"size={wish.size}" if wish.size else "" for wish in tmpfs},
    )


def _missing(rootfs: Path, targets: Sequence[str], workdir: str) -> list[str]:
    fd = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        keep = set(stubs.missing(fd, [workdir]))  # the working directory is meant to stay
        return [path for path in stubs.missing(fd, targets) if path not in keep]
    finally:
        os.close(fd)


def _remove(rootfs: Path, paths: Sequence[str]) -> None:
    fd = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        stubs.remove(fd, paths)
    finally:
        os.close(fd)


class _Lines:
    """Bytes of a command, told as whole lines; a line without end is told in pieces."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    async def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + self._decoder.decode(data)).split("\n")
        for line in lines:
            await self._output.say(line)
        if len(self._rest) > _PARTIAL_LIMIT:
            await self.end()

    async def end(self) -> None:
        if self._rest:
            await self._output.say(self._rest)
        self._rest = ""
