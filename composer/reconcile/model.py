"""The reconciler's nouns: Ref, Resource (should be), Live (is), Action and Plan (what to do), Policy (how), Outcome (what came of it).

Values only. A **Resource** is a network, a volume, or a service with all its replicas; a **Live** is a network, a volume or one container.
Source: DESIGN "Nouns and verbs"; the words are docker compose's where it has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from composer.engine.model import ContainerConfig, NetworkConfig, VolumeConfig
from composer.reconcile.rollout.model import Rollout

STARTED, HEALTHY, COMPLETED = "service_started", "service_healthy", "service_completed_successfully"
READY = "service_running_or_healthy"  # what `up --wait` waits for: healthy where there is a check, else running


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """``kind``: network, volume, service (in what should be), container (in what is). ``name``: the engine's name; a service's own."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Need:
    """A service that comes before another. ``hard``: it lends a namespace or volumes, so replacing it replaces the other.

    ``shares``: it lends a namespace, which it makes anew at each start; then the other has to start again, too.
    """

    service: str
    condition: str = STARTED
    restart: bool = False
    required: bool = True
    hard: bool = False
    shares: bool = False


@dataclass(frozen=True, slots=True)
class Hook:
    """A command that runs in a container after its start or before its stop. ``user`` "" is the container's own."""

    command: tuple[str, ...]
    user: str = ""
    privileged: bool = False
    working_dir: str = ""
    environment: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContentFile:
    """A secret or config whose content is in the stack: it must be at ``path`` before the container starts."""

    path: str
    data: bytes = field(repr=False)
    uid: int = 0
    gid: int = 0
    mode: int = 0o444


@dataclass(frozen=True, slots=True)
class Replicas:
    """A service: ``template`` is what each container is made from but for its number.

    ``image_id``: what the image's name means now ("": unknown). ``networks`` and ``volumes``: the engine's names of those that it uses.
    ``rollout``: how it is replaced, None: all at once. ``group``: under which word its replicas share host ports, "": they do not.
    ``previous``: the same service of the last healthy revision, to which a failed rollout goes back. ``accepts``: further (hash, image)
    that its containers may have, after a rollout that was paused.
    """

    template: ContainerConfig
    scale: int = 1
    container_name: str = ""
    image_id: str = ""
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    files: tuple[ContentFile, ...] = ()
    post_start: tuple[Hook, ...] = ()
    pre_stop: tuple[Hook, ...] = ()
    host_ports: frozenset[str] = frozenset()
    rollout: Rollout | None = None
    group: str = ""
    previous: Resource | None = None
    accepts: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing that should exist. ``parts``: a short hash of each setting, so that a plan can say which one changed."""

    ref: Ref
    config: Replicas | NetworkConfig | VolumeConfig
    hash: str
    parts: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[Need, ...] = ()
    external: bool = False
    key: str = ""  # what the stack file calls a network or volume

    @property
    def replicas(self) -> Replicas:
        """The configuration of a service; asked of a service only."""
        if not isinstance(self.config, Replicas):
            raise TypeError(f"{self.ref} has no replicas")
        return self.config


@dataclass(frozen=True, slots=True)
class Live:
    """One thing that exists. ``project`` "" : it belongs to no stack. Most of it speaks of containers only."""

    ref: Ref
    id: str
    hash: str = ""
    project: str = ""
    service: str = ""
    number: int = 0
    oneoff: bool = False
    state: str = ""  # created, running, paused, restarting, removing, exited, dead
    exit_code: int = 0
    started: str = ""  # RFC 3339; "" unknown
    health: str = ""  # "" no check, starting, healthy, unhealthy
    by_request: bool = False  # it was stopped through the API
    lost: bool = False  # it ran when the machine went down
    image_id: str = ""
    replaces: str = ""
    joined: tuple[str, ...] = ()  # ids of the containers whose namespaces or volumes it uses
    networks: Mapping[str, str] = field(default_factory=dict)  # name -> id
    anonymous: Mapping[str, str] = field(default_factory=dict)  # target -> volume
    parts: str = ""  # the label of that name; read when something differs
    needs: tuple[Need, ...] = ()  # from the label depends_on
    host_ports: frozenset[str] = frozenset()
    limits: Mapping[str, int | str] = field(default_factory=dict)  # what `update` can change, as it is now; {} unknown
    config_files: str = ""
    working_dir: str = ""
    aside: bool = False  # nothing new is led to it: see `composer.engine.interface.Traffic`
    labels: Mapping[str, str] = field(default_factory=dict)
    restarts: int = 0  # by its restart policy, since it was last started by somebody
    oom: bool = False
    finished: str = ""  # RFC 3339, its last end; "" never
    next_start: str = ""  # RFC 3339, while it waits for its restart
    probe: str = ""  # what its last failed health check said

    @property
    def running(self) -> bool:
        return self.state in ("running", "restarting")


@dataclass(frozen=True, slots=True)
class Policy:
    """How a plan is to be made.

    ``services``: only these (and what they need unless ``no_deps``); None: all. ``healing``: the controller's plan, in which what ended by
    itself stays ended. ``create`` False: only what exists is started. ``timeout``: seconds to stop, None: the container's own.
    """

    services: frozenset[str] | None = None
    no_deps: bool = False
    force_recreate: bool = False
    no_recreate: bool = False
    always_recreate_deps: bool = False
    renew_anon_volumes: bool = False
    remove_orphans: bool = False
    scale: Mapping[str, int] = field(default_factory=dict)
    timeout: int | None = None
    create: bool = True
    start: bool = True
    wait: bool = False
    healing: bool = False
    known: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Action:
    """One step. ``after``: keys of the steps that must be done before; ``softly``: that must have ended, well or not.

    ``id``: the live object it acts on; "" when another action of the plan makes it. ``old``: the container that a new one replaces.
    Of a `roll`: ``numbers`` of the replicas that it brings up to date, ``stale``: ids of the containers that go, ``volumes``: their
    anonymous volumes go on to the new ones. ``optional``: a wait that may fail, as nobody insists on what is waited for.
    """

    verb: str
    ref: Ref
    cause: str
    after: tuple[str, ...] = ()
    softly: tuple[str, ...] = ()
    id: str = ""
    old: str = ""
    service: str = ""
    number: int = 0
    condition: str = ""
    timeout: int | None = None
    signal: str = ""
    anonymous: Mapping[str, str] = field(default_factory=dict)
    force: bool = False
    volumes: bool = False
    numbers: tuple[int, ...] = ()
    stale: tuple[str, ...] = ()
    optional: bool = False

    @property
    def key(self) -> str:
        """Unique in its plan."""
        return f"{self.verb} {self.ref}" + (f" {self.condition}" if self.condition else "")

    def __str__(self) -> str:
        return f"{self.key}: {self.cause}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions in an order in which each comes behind all that it waits for. ``notes``: what the user should know (orphans)."""

    actions: tuple[Action, ...] = ()
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.actions)

    def __str__(self) -> str:
        return "\n".join(str(action) for action in self.actions)

    def to_json(self) -> list[dict[str, object]]:
        """The actions as JSON values: verb, kind, name, cause, after."""
        return [
            {
                "verb": action.verb,
                "kind": action.ref.kind,
                "name": action.ref.name,
                "cause": action.cause,
                "after": [*action.after, *action.softly],
                **({"service": action.service} if action.service else {}),
                **({"condition": action.condition} if action.condition else {}),
            }
            for action in self.actions
        ]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an action: done, failed (with its ``error``), or skipped ``because`` of the action with that key."""

    action: Action
    result: str
    error: Exception | None = None
    because: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """A line of progress in docker compose's words: "Container p-web-1", "Starting". ``detail``: an error's text."""

    id: str
    status: str
    done: bool = False
    error: bool = False
    detail: str = ""
