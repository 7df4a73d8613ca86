"""OpenPGP signatures: by a key that was given, by another, by none; of commits and tags. (ssh: `test_histories`.)"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from composer.gitops.errors import Refused
from composer.gitops.git.mirror import Mirror
from composer.gitops.git.verify import Signers, signed_by
from composer.gitops.model import Source
from tests.conftest import run
from tests.gitops.repository import Repository

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed (gnupg)")]


@dataclass
class Ring:
    """Somebody's own keyring."""

    home: str

    def key(self, name: str) -> str:
        self.gpg("--quick-generate-key", "--passphrase", "", f"{name} <{name}@example.org>", "ed25519", "sign", "never")
        return self.gpg("--armor", "--export", f"{name}@example.org")

    def gpg(self, *words: str) -> str:
        command = ["gpg", "--batch", "--pinentry-mode", "loopback", *words]
        env = {**os.environ, "GNUPGHOME": self.home}
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture
def ring() -> Iterator[Ring]:
    home = tempfile.mkdtemp(prefix="cg-", dir="/tmp")  # an agent's socket has a short path
    os.chmod(home, 0o700)
    yield Ring(home)
    subprocess.run(["gpgconf", "--kill", "all"], env={**os.environ, "GNUPGHOME": home}, timeout=20, check=False)
    shutil.rmtree(home, ignore_errors=True)


def test_openpgp(ring: Ring, tmp_path: Path) -> None:
    ann, eve = ring.key("ann"), ring.key("eve")
    repo = Repository.new(tmp_path / "repo")
    env = {"GNUPGHOME": ring.home}
    repo.commit({"a": "1"})
    for name, signer in (("ann", "ann"), ("eve", "eve")):
        repo.git("commit", "-q", "--allow-empty", "-m", name, f"-S{signer}@example.org", **env)
        repo.git("branch", f"by-{name}")
    repo.git("checkout", "-q", "--orphan", "plain")
    repo.commit({"a": "2"})
    repo.git("-c", "user.signingKey=ann@example.org", "tag", "-s", "-m", "v1", "v1", **env)

    async def verdict(ref: str, *keys: str) -> str:
        mirror = Mirror(tmp_path / "mirror", Source("s", repo.url).remote)
        try:
            return await signed_by(mirror, await mirror.fetch(ref), Signers(keys))
        except Refused as error:
            return error.message

    async def work() -> None:
        assert len(await verdict("by-ann", ann)) == 40
        assert "not trusted" in await verdict("by-eve", ann)
        assert len(await verdict("by-eve", ann, eve)) == 40
        assert len(await verdict("v1", ann)) == 40
        assert "not signed" in await verdict("plain", ann)
        assert "not trusted" in await verdict("v1", eve)

    run(work())


def test_a_commit_that_was_altered(ring: Ring, tmp_path: Path) -> None:
    """The signature of one commit on the tree of another."""
    ann = ring.key("ann")
    repo = Repository.new(tmp_path / "repo")
    repo.commit({"a": "1"})
    repo.git("commit", "-q", "--allow-empty", "-m", "signed", "-Sann@example.org", GNUPGHOME=ring.home)
    raw = repo.git("cat-file", "commit", "HEAD")
    repo.write({"a": "evil"})
    repo.git("add", "-A")
    tree = repo.git("write-tree")
    (tmp_path / "raw").write_text(raw.replace(raw.split()[1], tree, 1) + "\n")
    forged = repo.git("hash-object", "-t", "commit", "-w", str(tmp_path / "raw"))
    repo.git("update-ref", "refs/heads/main", forged)

    async def work() -> None:
        mirror = Mirror(tmp_path / "mirror", Source("s", repo.url).remote)
        with pytest.raises(Refused, match="bad"):
            await signed_by(mirror, await mirror.fetch("main"), Signers((ann,)))

    run(work())
