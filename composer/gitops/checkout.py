"""A checkout as a source of commits, for the plan of a pull request: only its objects are read, hardened as a mirror's are."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp

from composer.engine.errors import InvalidArgument
from composer.gitops.git.run import Git, GitFailed
from composer.gitops.git.tree import Tree


class Checkout:
    """``top``: the work tree's root. `Checkout.at(directory)`; `close` at the end."""

    def __init__(self, top: Path, git: Git) -> None:
        self.top = top
        self._git = git

    @classmethod
    async def at(cls, directory: Path) -> Checkout:
        """The checkout that ``directory`` is in. InvalidArgument: it is in none."""
        found = next((path for path in (directory, *directory.parents) if (path / ".git").exists()), None)
        if found is None:
            raise InvalidArgument(f"{directory} is not in a git checkout", hint="change into one, such as CI's")
        home = Path(mkdtemp(prefix="composer-git-"))
        (home / "gitconfig").write_text(f'[safe]\n\tdirectory = "{found}"\n')
        return cls(found, Git(home, {}, {"GIT_DIR": str(found / ".git")}))

    def close(self) -> None:
        shutil.rmtree(self._git.home, ignore_errors=True)

    async def run(self, *words: str, stdin: bytes = b"", output: int = 128 << 20) -> bytes:
        """git on the checkout's objects."""
        return await self._git.run(*words, cwd=self.top, stdin=stdin, output=output)

    async def commit(self, name: str) -> str:
        """The commit that a name means. InvalidArgument."""
        try:
            out = await self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        except GitFailed as error:
            raise InvalidArgument(
                f"there is no commit '{name}' in {self.top}", hint="is the checkout deep enough? git fetch --depth"
            ) from error
        return out.decode().strip()

    async def range(self, text: str) -> tuple[str, str]:
        """BASE..HEAD, or BASE...HEAD from where they parted; a missing HEAD is HEAD. InvalidArgument."""
        base, dots, head = text.partition("...") if "..." in text else text.partition("..")
        if not dots or not base:
            raise InvalidArgument(f"not a range of commits: {text!r}", hint="such as origin/main..HEAD")
        first, second = await self.commit(base), await self.commit(head or "HEAD")
        if dots == "...":
            try:
                first = (await self.run("merge-base", "--end-of-options", first, second)).decode().strip()
            except GitFailed as error:
                raise InvalidArgument(
                    f"{base} and {head or 'HEAD'} have no common ancestor here", hint="fetch more of the history"
                ) from error
        return first, second

    async def tree(self, commit: str) -> Tree:
        return await Tree.of(self, commit)
