"""What is wrong with containers that are made as they should be: unhealthy, ended, in a crash loop, without their image or a mount. Pure.

A plan knows none of it: the containers are what the file says, and restart policies are the engine's job. Here it is found, put into
words, and decided what is done: a container that does not work is restarted, where it is meant to be, within a **budget**: so many times in
so long a time, at first at once, then after 10, 20, 40 ... seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from composer.reconcile.model import Action, Live, Ref, Resource

UNHEALTHY, LOOP, ENDED, IMAGE, MOUNT = "unhealthy", "crash-loop", "ended", "image", "mount"
LOOPING = 3  # restarts from which on it is a loop
STEADY = 10.0  # seconds: a run of this long ends it
_FIRST_PAUSE, _LAST_PAUSE = 10.0, 300.0  # seconds between two restarts


@dataclass(frozen=True, slots=True)
class Ailment:
    """``live``: the container that has it; None: the service as a whole. ``what``: in words. ``curable``: a restart may help."""

    kind: str
    service: str
    ref: Ref
    what: str
    live: Live | None = None
    curable: bool = False


@dataclass(frozen=True, slots=True)
class Budget:
    """``restarts`` in ``window`` seconds."""

    restarts: int
    window: float

    def wait(self, before: Sequence[float], now: float) -> float:
        """Seconds until the next restart may be: 0 is now. ``before``: the moments of earlier ones, in order."""
        recent = [moment for moment in before if now - self.window < moment <= now]
        if len(recent) >= self.restarts:
            return recent[len(recent) - self.restarts] + self.window - now if self.restarts else self.window
        if not recent:
            return 0.0
        pause = min(_FIRST_PAUSE * float(2 ** (len(recent) - 1)), _LAST_PAUSE)
        return max(0.0, recent[-1] + pause - now)

    def spent(self, before: Sequence[float], now: float) -> bool:
        """Whether no restart is left in this window."""
        return sum(now - self.window < moment <= now for moment in before) >= self.restarts


def ailments(
    lives: Iterable[Live],
    services: Mapping[str, Resource],
    *,
    steady: Callable[[Live], bool],
    lost_mounts: Mapping[str, str],
    images: Mapping[str, str],
) -> list[Ailment]:
    """Of these containers, by name. ``steady``: whether it has run for a while. ``lost_mounts``: container's id -> the paths that are not
    mounted in it any more. ``images``: of services whose image is not here, its name."""
    found = []
    mine = sorted((live for live in lives if live.service in services and not live.oneoff), key=lambda live: live.ref)
    for live in mine:
        found += _of(live, lost_mounts.get(live.id, ""))
        if live.state in ("running", "restarting", "created") and live.restarts >= LOOPING and not steady(live):
            how = f"{ending(live)}, " if live.state == "restarting" else ""
            what = f"it does not stay up: {how}{live.restarts} restarts so far"
            found.append(Ailment(LOOP, live.service, live.ref, what, live))
    running = {live.service for live in mine if live.running}
    for service, image in sorted(images.items()):
        if service in running:
            what = f"its image {image} was removed; the containers run on, the next one cannot be made without it"
            found.append(Ailment(IMAGE, service, Ref("service", service), what))
    return found


def _of(live: Live, lost: str) -> list[Ailment]:
    found = []
    if live.state == "running" and live.health == "unhealthy":
        words = f"it is unhealthy: {live.probe}" if live.probe else "it is unhealthy"
        found.append(Ailment(UNHEALTHY, live.service, live.ref, words, live, curable=True))
    if live.state == "running" and lost:
        found.append(Ailment(MOUNT, live.service, live.ref, f"nothing is mounted at {lost} any more", live, curable=True))
    if live.state == "exited" and not live.by_request and (live.exit_code or live.oom):
        found.append(Ailment(ENDED, live.service, live.ref, f"its process has ended: {ending(live)}; {_stays(live)}", live))
    return found


def ending(live: Live) -> str:
    """How its process ended: "exit 137 (SIGKILL), out of memory"."""
    number = live.exit_code - 128
    signal = f" ({_SIGNALS[number]})" if number in _SIGNALS else ""
    return f"exit {live.exit_code}{signal}" + (", out of memory" if live.oom else "")


def _stays(live: Live) -> str:
    policy, _, most = str(live.limits.get("restart", "")).partition(":")
    if policy == "on-failure" and most not in ("", "0"):
        return f"restart policy on-failure gave up after {most} attempts"
    return "it has no restart policy" if policy in ("", "no") else f"its restart policy is {policy}"


_SIGNALS = {
    1: "SIGHUP",
    2: "SIGINT",
    3: "SIGQUIT",
    6: "SIGABRT",
    7: "SIGBUS",
    8: "SIGFPE",
    9: "SIGKILL",
    11: "SIGSEGV",
    13: "SIGPIPE",
    15: "SIGTERM",
}


def has_policy(live: Live) -> bool:
    """Whether its restart policy wants it to be started again."""
    return str(live.limits.get("restart", "")).partition(":")[0] not in ("", "no")


def cure(ailment: Ailment) -> Action:
    """The restart that may help."""
    live = ailment.live
    assert live is not None
    return Action("restart", live.ref, ailment.what, id=live.id, service=live.service, number=live.number)
