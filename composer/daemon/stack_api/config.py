"""`config`: what the files say, as the command of that name prints it (composer.spec.config does the work)."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from typing import Any

from composer.daemon.stack_api.call import Call
from composer.daemon.stack_api.loader import NeedFiles, request_of
from composer.daemon.stack_api.stacks import Stacks
from composer.spec.config import ConfigOptions, config
from composer.spec.read import Need

Line = dict[str, Any]
_WORDS = ("format", "view", "hashes", "explain", "explain_variable")


async def config_verb(stacks: Stacks, call: Call) -> Line:
    """Options: the fields of ConfigOptions. The result: ``text``, or ``unpinned``: images whose digests are to be given."""
    names = [field.name for field in fields(ConfigOptions)]
    flags = {name: call.options.flag(name) for name in names if name not in ("services", "digests", *_WORDS)}
    given: dict[str, Any] = {name: call.options.text(name) for name in _WORDS} | flags
    options = ConfigOptions(services=call.options.names("services"), digests=call.options.strings("digests"), **given)
    found = await asyncio.to_thread(config, request_of(call.project), options)
    if isinstance(found, Need):
        raise NeedFiles(found.paths)
    for warning in found.warnings:
        call.diagnose(warning)
    return {"text": found.text, "unpinned": list(found.unpinned)}
