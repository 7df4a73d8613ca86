"""The command of a `sync+exec` in one replica: no terminal, no input, its output line by line, its exit code."""

from __future__ import annotations

import os
from collections.abc import Callable

from composer.cli.client import Client
from composer.cli.commands.exec import exit_code
from composer.cli.session import Frames
from composer.watch.door import Replica
from composer.watch.model import Exec


def run_in(address: str, replica: Replica, command: Exec, output: Callable[[str, bytes], None]) -> int:
    """Blocking. ``output``: told of each line, with the replica's name. Raises ApiError when it cannot be started."""
    client = Client(address)
    try:
        config = {
            "AttachStdout": True,
            "AttachStderr": True,
            "Cmd": list(command.command),
            "Env": [text if "=" in text else f"{text}={os.environ.get(text, '')}" for text in command.environment],
            "Privileged": command.privileged,
            "User": command.user,
            "WorkingDir": command.working_dir,
        }
        made = client.post(f"/containers/{replica.id}/exec", config)["Id"]
        reply = client.hijack(f"/exec/{made}/start", body={"Detach": False, "Tty": False})
        try:
            _print(reply.connection.buffer, reply.connection.sock.recv, lambda line: output(replica.name, line))
        finally:
            reply.connection.close()
        return exit_code(client, made)
    finally:
        client.close()


def _print(early: bytes, receive: Callable[[int], bytes], line: Callable[[bytes], None]) -> None:
    frames, rest, data = Frames(), {1: b"", 2: b""}, early
    while True:
        for stream, piece in frames.feed(data):
            *whole, rest[stream] = (rest.get(stream, b"") + piece).split(b"\n")
            for one in whole:
                line(one)
        data = receive(65536)
        if not data:
            break
    for last in rest.values():
        if last:
            line(last)
