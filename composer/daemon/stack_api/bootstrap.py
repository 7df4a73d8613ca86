"""`bootstrap`: a base image out of the distribution's own packages; only the embedded engine can make one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol, cast

from composer.daemon.stack_api.call import Call
from composer.daemon.stack_api.stacks import Stacks
from composer.engine.errors import Unsupported
from composer.engine.model import Progress as Step
from composer.reconcile.model import Progress

Line = dict[str, Any]


class _Bootstraps(Protocol):
    def bootstrap(self, ref: str) -> AsyncIterator[Step]: ...


async def bootstrap_verb(stacks: Stacks, call: Call) -> Line:
    """``ref``: "debian:bookworm-slim" and the like. The lines that the making prints are told as details."""
    if not hasattr(stacks.engine.images, "bootstrap"):
        raise Unsupported("this engine cannot make base images", hint="use composer's own engine")
    ref = call.options.text("ref")
    name = f"Image {ref}"
    call.progress(Progress(name, "Bootstrapping"))
    async for step in cast(_Bootstraps, stacks.engine.images).bootstrap(ref):
        text = (step.stream or step.status).strip()
        if text:
            call.progress(Progress(name, "Bootstrapping", detail=text.splitlines()[-1]))
    call.progress(Progress(name, "Bootstrapped", done=True))
    return {"ref": ref}
