"""A git repository that a history is played in, as its authors would: commits, force-pushes, signatures, links, submodules."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

GIT = shutil.which("git") or "git"
_ENV = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.org",
}
Content = str | bytes | None


@dataclass
class Repository:
    """``directory``: its work tree."""

    directory: Path

    @classmethod
    def new(cls, directory: Path) -> Repository:
        directory.mkdir(parents=True)
        made = cls(directory)
        made.git("init", "-q", "-b", "main")
        return made

    @property
    def url(self) -> str:
        return f"file://{self.directory}"

    def git(self, *words: str, **env: str) -> str:
        done = subprocess.run(
            [GIT, "-c", "protocol.file.allow=always", *words],
            cwd=self.directory,
            env={**os.environ, **_ENV, **env},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert not done.returncode, f"git {' '.join(words)}: {done.stderr}"
        return done.stdout.strip()

    def write(self, files: Mapping[str, Content]) -> None:
        """``None`` removes; a content that begins with -> makes a link."""
        for name, content in files.items():
            path = self.directory / name
            if path.is_symlink() or path.is_file():
                path.unlink()
            if content is None:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str) and content.startswith("->"):
                path.symlink_to(content[2:])
            else:
                path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: Mapping[str, Content] | None = None, *flags: str, message: str = "change") -> str:
        """The id of a commit with these files changed."""
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, *flags)
        return self.git("rev-parse", "HEAD")


def ssh_key(path: Path) -> Path:
    """A new key pair; the private key's path."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)], check=True, timeout=20)
    return path


def signing(key: Path) -> tuple[str, ...]:
    """Words for git by which it signs with an ssh key."""
    return ("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}")
