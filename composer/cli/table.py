"""Every command of composer: its name, where it is, and its line of help. Adding a command is a line here and its module."""

from __future__ import annotations

STACK = {
    "up": ("up:up", "Create and start the stack's containers, and keep them so"),
    "watch": ("watch:watch", "Bring the stack up, and keep its containers fresh while you edit"),
    "down": ("down:down", "Stop and remove the stack's containers and networks"),
    "plan": ("plan:plan", "Show what `up` would do, and why"),
    "history": ("history:history", "List the stack's revisions, and what became of them"),
    "rollback": ("history:rollback", "Go back to an earlier revision of the stack"),
    "diff": ("history:diff", "Show what differs between a revision and the current one"),
    "ps": ("ps:ps", "List the stack's containers"),
    "why": ("why:why", "Say why a service runs, waits, was made anew or died"),
    "drift": ("drift:drift", "Show what was not as the file says, and what came of it"),
    "logs": ("logs:logs", "View the containers' output"),
    "exec": ("exec:exec_", "Run a command in a running container"),
    "run": ("run:run", "Run a one-off command on a service"),
    "create": ("create:create", "Create a service's containers"),
    "start": ("service:start", "Start services"),
    "stop": ("service:stop", "Stop services"),
    "restart": ("service:restart", "Restart services"),
    "kill": ("service:kill", "Kill services' containers by a signal"),
    "pause": ("service:pause", "Pause services"),
    "unpause": ("service:unpause", "Unpause services"),
    "rm": ("service:rm", "Remove stopped containers of services"),
    "scale": ("service:scale", "Set the number of containers of services"),
    "pull": ("pictures:pull", "Pull services' images"),
    "push": ("pictures:push", "Push services' images"),
    "build": ("pictures:build", "Build services' images"),
    "images": ("pictures:images", "List the images that the containers use"),
    "config": ("config:config", "Check the stack file and show it resolved (also: convert)"),
    "ls": ("ls:ls", "List running stacks"),
    "top": ("top:top", "Show the processes of the containers"),
    "stats": ("stats:stats", "Show what the containers use, live"),
    "events": ("events:events", "Show what happens to the containers, live"),
    "port": ("port:port", "Show the public port of a container's port"),
    "cp": ("cp:cp", "Copy files from or to a container"),
    "wait": ("wait:wait", "Wait until services' containers stop"),
    "attach": ("attach:attach", "Attach to a service's running container"),
    "commit": ("keep:commit", "Make an image of a service's container"),
    "export": ("keep:export", "Write a service container's file system as a tar"),
    "volumes": ("volumes:volumes", "List the stack's volumes"),
    "version": ("version:version", "Show composer's version"),
}

GROUPS = {
    "image": ("image.group:image", "Images: ls, pull, build, load, bootstrap ..."),
    "container": ("container.group:container", "Single containers: run, ls, inspect, exec ..."),
    "network": ("network.group:network", "Networks: ls, create, inspect ..."),
    "volume": ("volume.group:volume", "Volumes: ls, create, inspect ..."),
    "jobs": ("jobs:jobs", "Scheduled services (x-schedule): ls, history, run, logs"),
    "system": ("system.group:system", "What the engine uses and is: df, info, prune, events"),
    "gitops": ("gitops.group:gitops", "Stacks that follow a git repository: add, ls, status, sync ..."),
    "engine": ("engine.group:engine", "The engine's daemon: start, stop, status, install ..."),
    "doctor": ("doctor:doctor", "Say what this machine lacks, and how to mend it"),
    "completion": ("completion:completion", "Print the completion script of a shell"),
    "schema": ("schema:schema", "Print the JSON schema of stack files, for editors"),
}

# where --dry-run means something, or nothing is changed anyway; elsewhere it is refused rather than passed over
DRY_RUN = frozenset(
    [
        *("up", "create", "plan", "ps", "logs", "images", "config", "convert", "ls", "top", "stats", "events", "port", "volumes"),
        *("history", "rollback", "diff"),
        *("version", "doctor", "completion", "schema"),
    ]
)

ALIASES = {"convert": "config"}
REFUSED = {
    "publish": "publishing stacks to a registry is not supported",
    "bridge": "converting to other platforms is not supported",
}
