"""The daemon's process: the lock, the engine, the stacks, the server, the signals. Containers go on when it ends.

The socket is bound first, so that clients wait in its queue instead of being refused, and is answered as soon as the engine is up.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from composer.daemon import logs, systemd
from composer.daemon.dump import dump_tasks
from composer.daemon.late import LateStacks, hold_of
from composer.daemon.lock import held
from composer.daemon.options import LOCK, Options
from composer.daemon.server import Server, bind
from composer.engine.local.layout import Layout
from composer.engine.local.linux.libc import libc
from composer.errors import EXIT_FAILED, ComposerError

if TYPE_CHECKING:
    import socket

VERSION = "0.1.0"


def serve(options: Options) -> int:
    """Run the daemon until SIGTERM, SIGINT or `engine stop`; the exit code. Conflict: another daemon has the root or the socket."""
    gc.disable()  # until it serves: starting makes much and drops little, and collecting costs a tenth of it
    log = logs.configure(options.log_level, options.log_format)
    os.chdir("/")
    os.umask(0o022)
    with held(options.root / LOCK):
        sockets = systemd.inherited(os.environ, os.getpid())
        own = not sockets
        if own:
            sockets = [bind(options.socket)]
        try:
            return asyncio.run(_run(options, sockets, log))
        finally:
            if own:
                options.socket.unlink(missing_ok=True)


async def _run(options: Options, sockets: Sequence[socket.socket], lines: logs.WaitingHandler) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log = logs.DaemonLog()
    loop.add_signal_handler(signal.SIGUSR1, lambda: log.info("tasks dumped", path=dump_tasks(options.run)))
    async with AsyncExitStack() as ending:
        server, stacks = await _assemble(options, stop, ending)
        ending.push_async_callback(server.close)
        for sock in sockets:
            await server.adopt(sock)
        systemd.notify(os.environ, "READY=1", f"MAINPID={os.getpid()}")
        log.info("serving", host=options.host, root=options.root, pid=os.getpid())
        await stacks.open()
        await asyncio.to_thread(lines.open)
        settle()
        await stop.wait()
        systemd.notify(os.environ, "STOPPING=1")
        log.info("stopping; containers go on")
    return 0


def settle() -> None:
    """Collect the garbage of the start, never scan again what stays, give free memory back to the kernel (malloc_trim(3))."""
    gc.collect()
    gc.freeze()
    gc.enable()
    libc.malloc_trim(0)


async def _assemble(options: Options, stop: asyncio.Event, ending: AsyncExitStack) -> tuple[Server, LateStacks]:
    """The engine, the stacks and the server over them; what must be closed is pushed on ``ending``, in the order of making."""
    from composer.daemon import docker_api
    from composer.daemon.control import ControlRoutes
    from composer.engine.local.engine import LocalEngine, Settings

    layout = layout_of(options)
    engine = LocalEngine(layout, settings=Settings(hold=hold_of(layout)))
    await engine.start()
    ending.push_async_callback(engine.close)
    stacks = LateStacks(engine, layout, resync=options.resync_seconds, socket=str(options.socket))
    ending.push_async_callback(stacks.close)
    routes = [
        *docker_api.routes(engine, spool=layout.temporary, version=VERSION),
        *ControlRoutes(options, VERSION, stop.set).routes(),
        *stacks.routes(),
    ]
    return Server(routes, log=logs.DaemonLog(), headers={**docker_api.HEADERS, "Server": f"composer/{VERSION}"}), stacks


def layout_of(options: Options) -> Layout:
    pools = {name: value for name, value in (("pool", options.pool), ("pool6", options.pool6)) if value}
    return Layout(options.root, options.run, cgroup_parent=systemd.delegated(options.cgroup), **pools)


def main(options: Options) -> int:
    """`serve`, with errors said in one sentence on standard error."""
    try:
        return serve(options)
    except ComposerError as error:
        print(f"composer: {error.message}" + (f"\n  hint: {error.hint}" if error.hint else ""), file=sys.stderr)
        return EXIT_FAILED
