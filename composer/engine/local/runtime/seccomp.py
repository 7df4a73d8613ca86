"""The system call filter of a container, in the OCI form, from a profile in Docker's form. Pure but for reading the default profile.

Docker's form adds to each rule *includes* and *excludes*: by capability, architecture and kernel version.
The default profile, seccomp-default.json, is moby/profiles' seccomp/default.json at cd3bed8 (Apache-2.0; see NOTICE.md beside it).
"""

from __future__ import annotations

import functools
import json
import platform
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from composer.engine.errors import InvalidArgument

_ARCHITECTURES = {  # uname -m -> (Go's name, libseccomp's name)
    "x86_64": ("amd64", "SCMP_ARCH_X86_64"),
    "aarch64": ("arm64", "SCMP_ARCH_AARCH64"),
    "armv7l": ("arm", "SCMP_ARCH_ARM"),
    "i686": ("386", "SCMP_ARCH_X86"),
    "ppc64le": ("ppc64le", "SCMP_ARCH_PPC64LE"),
    "s390x": ("s390x", "SCMP_ARCH_S390X"),
    "riscv64": ("riscv64", "SCMP_ARCH_RISCV64"),
    "loongarch64": ("loong64", "SCMP_ARCH_LOONGARCH64"),
}


@functools.cache
def default_profile() -> Mapping[str, Any]:
    """Docker's default profile."""
    text = resources.files("composer.engine.local.runtime").joinpath("seccomp-default.json").read_text()
    profile: Mapping[str, Any] = json.loads(text)
    return profile


def for_options(security_opt: Iterable[str], capabilities: tuple[str, ...], *, privileged: bool = False) -> dict[str, Any] | None:
    """The filter that ``security_opt`` asks for (seccomp=unconfined, =builtin or a profile as JSON); None = no filter."""
    wish = ""
    for option in security_opt:
        name, _, value = re.sub(r"^seccomp:", "seccomp=", option).partition("=")
        if name == "seccomp":
            wish = value
    if wish == "unconfined" or (privileged and not wish):
        return None
    if wish in ("", "builtin"):
        return _default(capabilities)
    try:
        profile = json.loads(wish)
    except ValueError as error:
        raise InvalidArgument(f"Decoding seccomp profile failed: {error}", hint="give the profile's JSON, or unconfined") from error
    return render(profile, capabilities)


@functools.lru_cache(maxsize=32)
def _default(capabilities: tuple[str, ...]) -> dict[str, Any]:
    return render(default_profile(), capabilities)


def render(
    profile: Mapping[str, Any], capabilities: Iterable[str], *, machine: str | None = None, kernel: str | None = None
) -> dict[str, Any]:
    """The profile's rules that hold for these capabilities on this machine, as ``linux.seccomp`` of config.json."""
    machine = machine or platform.machine()
    arch, native = _ARCHITECTURES.get(machine, (machine, ""))
    version = _version(kernel or platform.release())
    have = set(capabilities)
    rules = []
    try:
        for rule in profile.get("syscalls") or []:
            if _holds(rule.get("includes") or {}, rule.get("excludes") or {}, arch, have, version):
                rules.append(_rule(rule))
        result: dict[str, Any] = {"defaultAction": profile["defaultAction"], "syscalls": rules}
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidArgument(f"Decoding seccomp profile failed: {error!r} is not as expected") from error
    for name in ("defaultErrnoRet", "listenerPath", "listenerMetadata", "flags"):
        if name in profile:
            result[name] = profile[name]
    if architectures := _architectures(profile, native):
        result["architectures"] = architectures
    return result


def _architectures(profile: Mapping[str, Any], native: str) -> list[str]:
    for entry in profile.get("archMap") or []:
        if entry["architecture"] == native:
            return [native, *(entry.get("subArchitectures") or [])]
    return list(profile.get("architectures") or ([native] if native else []))


def _holds(includes: Mapping[str, Any], excludes: Mapping[str, Any], arch: str, capabilities: set[str], version: tuple[int, int]) -> bool:
    if includes.get("arches") and arch not in includes["arches"]:
        return False
    if any(name not in capabilities for name in includes.get("caps") or []):
        return False
    if includes.get("minKernel") and version < _version(includes["minKernel"]):
        return False
    if arch in (excludes.get("arches") or []):
        return False
    if any(name in capabilities for name in excludes.get("caps") or []):
        return False
    return not (excludes.get("minKernel") and version >= _version(excludes["minKernel"]))


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    names = rule.get("names") or [rule["name"]]
    result: dict[str, Any] = {"names": list(names), "action": rule["action"]}
    if rule.get("errnoRet") is not None:
        result["errnoRet"] = rule["errnoRet"]
    if rule.get("args"):
        result["args"] = rule["args"]
    return result


def _version(text: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)
