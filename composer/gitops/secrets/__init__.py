"""Files that lie encrypted in the repository: age (the whole file) and SOPS (its values), opened in memory.

`opener(paths)` gives what opens a file of the tree: one that is not encrypted passes as it is; one that is, and cannot be opened, is an
error that names it, never its content. Identities are read at each pass, so keys can be rotated. Source: the age format (C2SP),
github.com/getsops/sops "Encryption protocol".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from composer.gitops.errors import Undecryptable
from composer.gitops.opened import Open, Opened
from composer.gitops.secrets import age, sops

_PAIR = re.compile(r"(?:- )?[\w.\"'-]+:\s+(.+)")  # a line of YAML
_QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*)"')  # a string of JSON


def opener(paths: Sequence[str]) -> Open:
    """``paths``: absolute, of age identity files. Undecryptable: one of them cannot be read."""
    identities: list[age.Identity] | None = None

    def opened(path: str, data: bytes) -> Opened:
        nonlocal identities
        kind = sops.kind_of(path, data)
        if not kind and not age.is_encrypted(data):
            return Opened(data)
        if identities is None:
            identities = age.identities(paths)
        if not identities:
            raise Undecryptable(f"{path} is encrypted, and no key was given", hint="composer gitops add --replace ... --age-key FILE")
        if kind:
            return Opened(*_flat(sops.decrypt(path, data, kind, identities)))
        plain = age.decrypt(path, data, identities)
        return Opened(plain, True, tuple(values_of(plain)))

    return opened


def _flat(found: tuple[bytes, tuple[str, ...]]) -> tuple[bytes, bool, tuple[str, ...]]:
    return found[0], True, found[1]


def values_of(data: bytes) -> list[str]:
    """The secrets in a decrypted file: the values of an env file, each line, and all of it."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return []
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    values = [line.removeprefix("export ").partition("=")[2].strip() for line in lines]
    values += [match[1].strip() for line in lines if (match := _PAIR.match(line))]
    values += [match.replace('\\"', '"') for match in _QUOTED.findall(text)]
    found = [one for value in values for one in (value, value.strip("\"'"))]
    return [one for one in (*found, *lines, text.strip()) if one]
