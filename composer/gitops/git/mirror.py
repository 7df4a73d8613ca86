"""A bare repository of our own that has what the remote has: `fetch` brings the ref's commit, and says what became of the one before.

Nothing is checked out, and nothing that the repository says is run: objects are read by `tree`. Commits that run are kept by refs of our
own (``refs/composer/keep/...``), so that a rewritten history cannot take them. Source: git-fetch(1), git-ls-remote(1).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from composer.gitops.errors import RefGone, RemoteLost, TooBig
from composer.gitops.git.address import is_commit
from composer.gitops.git.remote import Remote, home_of
from composer.gitops.git.run import Git, GitFailed

_HEAD = "refs/composer/head"
_LISTING = 4 << 20  # bytes of ls-remote's answer
_PACKS = 40  # each fetch brings one
_FETCH = 300.0  # seconds


@dataclass(frozen=True, slots=True)
class Head:
    """``commit``: what the ref names; ``tag``: the annotated tag's object on the way to it, "" without one; ``name``: the full ref."""

    commit: str
    tag: str = ""
    name: str = ""


def size_text(size: int) -> str:
    """Bytes for people."""
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size} bytes"


class Mirror:
    """``directory``: of this source alone. ``largest``: bytes of one fetch and of all."""

    def __init__(self, directory: Path, remote: Remote, *, largest: int = 1 << 30) -> None:
        self.directory = directory
        self.path = directory / "mirror.git"
        self._remote = remote
        self._largest = largest

    def git(self, *, online: bool = False) -> Git:
        """``online``: with the remote's transport and credentials."""
        home = home_of(self.directory, self._remote)
        if not online:
            return Git(home, {}, {"GIT_DIR": str(self.path)}, self._largest)
        environment = {**self._remote.environment(), "GIT_DIR": str(self.path)}
        return Git(home, self._remote.settings(), environment, self._largest)

    async def run(self, *words: str, stdin: bytes = b"", output: int = 128 << 20) -> bytes:
        """git on the mirror, without a network."""
        return await self.git().run(*words, cwd=self.directory, stdin=stdin, output=output)

    # The remote.

    async def look(self, ref: str) -> Head:
        """What the remote says that ``ref`` is. RefGone, RemoteLost."""
        if is_commit(ref):
            return Head(ref)
        names = [ref] if ref == "HEAD" or ref.startswith("refs/") else [f"refs/heads/{ref}", f"refs/tags/{ref}"]
        patterns = [pattern for name in names for pattern in (name, f"{name}^{{}}")]
        try:
            out = await self._prepared(online=True).run(
                "ls-remote", "--quiet", "--end-of-options", self._remote.address.url, *patterns, cwd=self.directory, output=_LISTING
            )
        except (GitFailed, TimeoutError) as error:
            raise self._lost(error) from error
        found = {name: oid for oid, _, name in (line.partition("\t") for line in out.decode("utf-8", "replace").splitlines())}
        for name in names:
            if is_commit(found.get(name, "")):
                peeled = found.get(f"{name}^{{}}", "")
                return Head(peeled, found[name], name) if peeled else Head(found[name], "", name)
        raise RefGone(f"the remote has no branch or tag '{ref}'")

    async def fetch(self, ref: str) -> Head:
        """Bring the commit that ``ref`` names now. RefGone, RemoteLost, TooBig."""
        head = await self.look(ref)
        await self._made(head)
        if not await self.has(head.commit) or (head.tag and not await self.has(head.tag)):
            await self._bring(head)
            if not await self.has(head.commit):  # the ref moved between the two questions
                head = await self.look(ref)
        await self.run("update-ref", _HEAD, head.commit)
        return head

    async def _bring(self, head: Head) -> None:
        spec = f"+{head.name or head.commit}:refs/composer/fetched"
        words = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules")
        try:
            await self._prepared(online=True).run(
                *words, "--end-of-options", self._remote.address.url, spec, cwd=self.directory, seconds=_FETCH
            )
        except (GitFailed, TimeoutError) as error:
            if self._cut_off():
                raise self._too_big() from error
            raise self._lost(error) from error
        finally:
            self._clean()
        size = sum(file.stat().st_size for file in (self.path / "objects").rglob("*") if file.is_file())
        if size > self._largest:
            await self.forget()
            raise self._too_big()

    def _too_big(self) -> TooBig:
        return TooBig(f"the repository is larger than {size_text(self._largest)}", hint="allow more: --max-size")

    def _cut_off(self) -> bool:
        """A pack ended where the bound on files is."""
        return any(file.stat().st_size >= self._largest for file in (self.path / "objects" / "pack").glob("tmp_*"))

    def _clean(self) -> None:
        """What a killed fetch left half-written."""
        for file in (self.path / "objects" / "pack").glob("tmp_*"):
            file.unlink(missing_ok=True)

    def _lost(self, error: Exception) -> RemoteLost:
        if isinstance(error, TimeoutError):
            return RemoteLost("the remote did not answer in time")
        said = error.said if isinstance(error, GitFailed) else str(error)
        if "could not read Username" in said or "Authentication failed" in said:
            if self._remote.token_file:
                return RemoteLost("the remote refuses the token", hint=f"is the one in {self._remote.token_file} valid, and may it read?")
            return RemoteLost("the remote asks who we are", hint="--token-file FILE, with --user NAME where the server wants one")
        return RemoteLost(f"the remote cannot be read: {said or 'no reason given'}")

    # Our own.

    def _prepared(self, *, online: bool) -> Git:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.git(online=online)

    async def _made(self, head: Head) -> None:
        """The mirror is there and sound, in the remote's hash."""
        wanted = "sha256" if len(head.commit) == 64 else "sha1"
        if (self.path / "HEAD").exists():
            try:
                found = await self.run("rev-parse", "--show-object-format")
            except GitFailed:
                found = b""
            if found.decode().strip() == wanted:
                return
            await self.forget()
        shutil.rmtree(self.path, ignore_errors=True)
        await self.run("init", "--quiet", "--bare", "--template=", f"--object-format={wanted}", "--initial-branch=none", str(self.path))

    async def forget(self) -> None:
        """Remove the mirror; the next fetch makes it anew."""
        shutil.rmtree(self.path, ignore_errors=True)

    async def has(self, oid: str) -> bool:
        """The object, and for a commit all that it needs (a fetch that was killed leaves no ref and no pack)."""
        try:
            await self.run("cat-file", "-e", oid)
        except GitFailed:
            return False
        return True

    async def follows(self, new: str, old: str) -> bool:
        """Whether ``new`` has ``old`` among its ancestors; False also when ``old`` is not known here."""
        try:
            await self.run("merge-base", "--is-ancestor", old, new)
        except GitFailed:
            return False
        return True

    async def keep(self, name: str, commit: str) -> None:
        """A commit that runs, or ran well, stays although the remote forgets it."""
        await self.run("update-ref", f"refs/composer/keep/{name}", commit)

    async def accept(self, commit: str) -> None:
        """The head that was accepted stays known, so that the next one can be told to follow from it. Many packs become one."""
        await self.run("update-ref", "refs/composer/accepted", commit)
        if len(list((self.path / "objects" / "pack").glob("*.pack"))) > _PACKS:
            await self.run("repack", "-a", "-d", "-q")

    async def subject(self, commit: str) -> str:
        """The first line of a commit's message and its author, for people: at most 120 characters."""
        out = await self.run("log", "-1", "--no-show-signature", "--format=%s (%an)", "--end-of-options", commit)
        return "".join(char for char in out.decode("utf-8", "replace").strip() if char.isprintable())[:120]
