"""Who signed a commit or tag, by git's own verification: ssh signatures against a file of allowed signers, OpenPGP ones against a keyring
that holds nothing else than the keys that were given. Source: git-verify-commit(1), git-config(1) gpg.ssh.allowedSignersFile,
ssh-keygen(1) "ALLOWED SIGNERS", doc/DETAILS of GnuPG.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from composer.engine.errors import InvalidArgument
from composer.gitops.errors import Refused
from composer.gitops.git.mirror import Head, Mirror
from composer.gitops.git.run import Git

_KEY = re.compile(r"(?:sk-)?(?:ssh-(?:ed25519|rsa)|ecdsa-sha2-nistp\d+)(?:@openssh\.com)? [A-Za-z0-9+/=]+( .*)?")
_ARMOR = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_GOOD = re.compile(r"^\[GNUPG:\] VALIDSIG (\S+)", re.MULTILINE)
_BAD = re.compile(r"^\[GNUPG:\] (BADSIG|ERRSIG|EXPSIG|EXPKEYSIG|REVKEYSIG|NO_PUBKEY)\b", re.MULTILINE)
_SSH_GOOD = re.compile(r'Good "git" signature for (\S+)')
_GPG_SECONDS = 30.0
UNSIGNED = "gitops.unsigned"


@dataclass(frozen=True)
class Signers:
    """``texts``: each an armored OpenPGP key block, or lines of ssh keys (authorized_keys or allowed_signers form)."""

    texts: tuple[str, ...]

    @property
    def ssh(self) -> str:
        """As an allowed signers file."""
        lines = [line.strip() for text in self.texts if _ARMOR not in text for line in text.splitlines()]
        return "".join(f"{_allowed(line)}\n" for line in lines if line and not line.startswith("#"))

    @property
    def pgp(self) -> str:
        return "\n".join(text for text in self.texts if _ARMOR in text)

    def check(self) -> None:
        """InvalidArgument: a text holds no key."""
        for text in self.texts:
            if _ARMOR not in text and not any(line.strip() and not line.startswith("#") for line in text.splitlines()):
                raise InvalidArgument("a file of signing keys is empty", hint="ssh public keys, allowed_signers, or an armored OpenPGP key")
        self.ssh  # noqa: B018 (raises)


def _allowed(line: str) -> str:
    """A line of an allowed signers file; a bare key gets its comment, or its hash, as the principal."""
    if _KEY.fullmatch(line):
        comment = re.sub(r"[^A-Za-z0-9@._+-]", "-", line.split(" ", 2)[2]) if line.count(" ") >= 2 else ""
        return f'{comment or "key-" + hashlib.sha256(line.encode()).hexdigest()[:12]} namespaces="git" {line}'
    words = line.split()
    if len(words) >= 3 and any(_KEY.match(" ".join(words[number : number + 2])) for number in range(1, len(words) - 1)):
        return line
    raise InvalidArgument(f"not a signing key: {line[:60]}", hint="an ssh public key, a line of allowed_signers, or an armored OpenPGP key")


async def signed_by(mirror: Mirror, head: Head, signers: Signers) -> str:
    """Whose signature the commit carries, or the annotated tag that names it. Refused: it has none, a bad one, or a stranger's."""
    what = f"tag {head.tag[:12]}" if head.tag else f"commit {head.commit[:12]}"
    names = [("verify-tag", head.tag), ("verify-commit", head.commit)] if head.tag else [("verify-commit", head.commit)]
    git = await _git(mirror, signers)
    said = ""
    for verb, oid in names:
        found, words = await _verify(mirror, git, verb, oid)
        said += words
        if found:
            return found
    why = _reason(said)
    raise Refused(f"{what} is refused: {why}", hint="sign it with a key that --require-signed names", code=UNSIGNED)


def _reason(said: str) -> str:
    if _BAD.search(said):
        word = _BAD.search(said)
        return {"BADSIG": "its signature is bad", "EXPKEYSIG": "its key has expired", "REVKEYSIG": "its key was revoked"}.get(
            word[1] if word else "", "it is signed with a key that is not trusted"
        )
    lowered = said.lower()
    if "no signature found" in lowered or not said.strip():
        return "it is not signed"
    if "no principal matched" in lowered or "no principal" in lowered or "allowedsignersfile" in lowered:
        return "it is signed with a key that is not trusted"
    return f"its signature cannot be verified: {said.strip().splitlines()[-1][:200]}"


async def _verify(mirror: Mirror, git: Git, verb: str, oid: str) -> tuple[str, str]:
    """The signer, and what git said (on standard error)."""
    said = await git.said(verb, "--raw", oid, cwd=mirror.directory)
    ssh = _SSH_GOOD.search(said)
    if ssh:
        return ssh[1], said
    good = _GOOD.search(said)
    if good and not _BAD.search(said):
        return good[1], said
    return "", said


async def _git(mirror: Mirror, signers: Signers) -> Git:
    """git with the signers and nothing else to trust."""
    base = mirror.git()
    key = hashlib.sha256("\0".join(signers.texts).encode()).hexdigest()[:16]
    directory = mirror.directory / "trust" / key
    if not (directory / "ready").exists():
        await _make(directory, signers)
    settings = {"gpg.ssh.allowedSignersFile": str(directory / "signers"), "gpg.minTrustLevel": "undefined"}
    return Git(base.home, settings, {**base.environment, "GNUPGHOME": str(directory / "gnupg")}, base.largest)


async def _make(directory: Path, signers: Signers) -> None:
    shutil.rmtree(directory.parent, ignore_errors=True)
    home = directory / "gnupg"
    home.mkdir(mode=0o700, parents=True)
    (home / "gpg.conf").write_text("no-autostart\nno-auto-key-retrieve\nno-auto-key-import\nbatch\nno-tty\n")
    (directory / "signers").write_text(signers.ssh)
    if signers.pgp:
        await _import(home, signers.pgp)
    (directory / "ready").touch()


async def _import(home: Path, keys: str) -> None:
    """Fill the keyring. Refused: gpg is missing, or the keys are none."""
    if shutil.which("gpg") is None:
        raise Refused("gpg is not installed, and OpenPGP keys were given", hint="apt-get install gnupg", code="gitops.no-gpg")
    process = await asyncio.create_subprocess_exec(
        "gpg",
        "--batch",
        "--status-fd=1",
        "--import",
        env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "GNUPGHOME": str(home), "HOME": str(home), "LC_ALL": "C"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_GPG_SECONDS):
            status, said = await process.communicate(keys.encode())
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    if b"[GNUPG:] IMPORT_OK" not in status:  # its exit status is also that of an agent that it misses, and that nobody needs
        shutil.rmtree(home.parent, ignore_errors=True)
        raise Refused(f"the OpenPGP keys cannot be imported: {_last(said)}")


def _last(said: bytes) -> str:
    """gpg's complaint, without what it tells of its files."""
    lines = [line.removeprefix("gpg: ") for line in said.decode("utf-8", "replace").splitlines()]
    return "; ".join(line for line in lines if line and "created" not in line and "agent running" not in line)[:300]
