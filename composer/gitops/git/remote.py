"""A repository somewhere else, and how we show who we are: a token or a password by https, a deploy key by ssh.

Credentials are files that their owner keeps; they are read at each use (so they can be rotated), never copied, and given to git in its
environment, not in its arguments. Source: git-config(1) http.extraHeader, ssh_config(5).
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from composer.engine.errors import InvalidArgument
from composer.gitops.errors import RemoteLost
from composer.gitops.git.address import Address

_SECRET_MAX = 64 << 10  # bytes


@dataclass(frozen=True, slots=True)
class Remote:
    """``user`` "" with a token means any user (x-access-token). Paths are absolute, "" = not given."""

    address: Address
    user: str = ""
    token_file: str = ""
    ssh_key: str = ""
    known_hosts: str = ""
    ca_file: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def check(self) -> None:
        """InvalidArgument: what is given does not go together."""
        scheme = self.address.scheme
        if self.token_file and scheme not in ("https", "http"):
            raise InvalidArgument(f"a token is for https, not for {scheme}", hint="leave --token-file out, or use an https:// address")
        if self.token_file and scheme == "http" and not self.address.loopback:
            raise InvalidArgument("a token over http could be read on its way", hint="use an https:// address")
        if (self.ssh_key or self.known_hosts) and scheme != "ssh":
            raise InvalidArgument(f"--ssh-key and --known-hosts are for ssh, not for {scheme}")
        if scheme == "ssh" and not self.known_hosts:
            raise InvalidArgument(
                "ssh needs the server's host key", hint="ssh-keyscan HOST > known_hosts, compare it with the server's, --known-hosts FILE"
            )

    def settings(self) -> Mapping[str, str]:
        """git configuration for this remote. RemoteLost: the token's file cannot be read."""
        found = {f"protocol.{self.address.scheme}.allow": "always"}
        if self.ca_file:
            found["http.sslCAInfo"] = self.ca_file
        if self.token_file:
            pair = f"{self.user or 'x-access-token'}:{secret(self.token_file)}"
            found["http.extraHeader"] = f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}"
        return found

    def environment(self) -> Mapping[str, str]:
        """For git's own ssh: only this key, only these host keys, no configuration, no forwarding, nobody asked."""
        allowed = {"GIT_ALLOW_PROTOCOL": self.address.scheme}
        if self.address.scheme != "ssh":
            return allowed
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": _quoted(self.known_hosts),
            "GlobalKnownHostsFile": "/dev/null",
            "UpdateHostKeys": "no",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "ForwardAgent": "no",
            "ForwardX11": "no",
            "ClearAllForwardings": "yes",
            "PermitLocalCommand": "no",
            "ProxyCommand": "none",
            "ConnectTimeout": "15",
            "ServerAliveInterval": "15",
            "ServerAliveCountMax": "2",
        }
        words = ["ssh", "-F", "/dev/null", *(f"-o{key}={value}" for key, value in options.items())]
        words += ["-i", self.ssh_key] if self.ssh_key else []
        return {**allowed, "GIT_SSH_COMMAND": shlex.join(words), "GIT_SSH_VARIANT": "ssh"}


def _quoted(path: str) -> str:
    """A path as ssh's options take it, where a space ends a word."""
    return f'"{path}"' if " " in path else path


def secret(path: str) -> str:
    """The one line of a credential's file. RemoteLost: it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_SECRET_MAX).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise RemoteLost(f"the credential in {path} cannot be read: {reason}", hint="the daemon reads it at each use") from error
    if not text or "\n" in text or "\r" in text:
        raise RemoteLost(f"the credential in {path} must be one line")
    return text


def home_of(directory: Path, remote: Remote) -> Path:
    """HOME for git beneath ``directory``, with the one global configuration: a file address may belong to another user (safe.directory)."""
    home = directory / "home"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    config = home / "gitconfig"
    text = ""
    if remote.address.scheme == "file":
        path = remote.address.path.replace("\\", "\\\\").replace('"', '\\"')
        text = f'[safe]\n\tdirectory = "{path}"\n\tdirectory = "{path}/.git"\n'
    if not config.exists() or config.read_text() != text:
        config.write_text(text)
    return home
