"""``composer container``: single containers, stack or not."""

from __future__ import annotations

import click

from composer.cli.lazy import LazyGroup

TABLE = {
    "run": ("container.run:run", "Create and run a new container"),
    "create": ("container.run:create", "Create a new container"),
    "ls": ("container.ls:ls", "List containers"),
    "start": ("container.start:start", "Start stopped containers"),
    "stop": ("container.state:stop", "Stop running containers"),
    "restart": ("container.state:restart", "Restart containers"),
    "kill": ("container.state:kill", "Kill running containers"),
    "rm": ("container.state:rm", "Remove containers"),
    "pause": ("container.state:pause", "Pause all processes of containers"),
    "unpause": ("container.state:unpause", "Unpause containers"),
    "wait": ("container.state:wait", "Wait until containers stop, print their exit codes"),
    "rename": ("container.state:rename", "Rename a container"),
    "prune": ("container.state:prune", "Remove all stopped containers"),
    "update": ("container.update:update", "Change the limits of containers"),
    "exec": ("container.streams:exec_", "Run a command in a running container"),
    "attach": ("container.streams:attach", "Attach to a running container"),
    "logs": ("container.streams:logs", "Fetch the logs of a container"),
    "inspect": ("container.look:inspect", "Show all about containers"),
    "top": ("container.look:top", "Show the processes of a container"),
    "stats": ("container.look:stats", "Show what containers use, live"),
    "port": ("container.look:port", "List a container's published ports"),
    "diff": ("container.look:diff", "Show what a container changed in its file system"),
    "cp": ("container.files:cp", "Copy files from or to a container"),
    "export": ("container.files:export", "Write a container's file system as a tar"),
    "commit": ("container.files:commit", "Make an image of a container"),
}


@click.group(cls=LazyGroup, table=TABLE, aliases={"list": "ls", "ps": "ls", "remove": "rm"})
def container() -> None:
    """Manage containers."""
