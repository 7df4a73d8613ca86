"""Paths of the host, and images."""

from __future__ import annotations

import pytest

from composer.engine.model import Image
from composer.engine.model.facts import Facts, ImageFact, PathFact
from tests.reconcile.precheck.cases import Case, judge


def at(path: str, kind: str, detail: str = "") -> Facts:
    return Facts(paths={path: PathFact(kind, detail)})


BIND = "services: {a: {image: bb, volumes: ['%s:/v']}}"
STRICT = "services: {a: {image: bb, volumes: [{type: bind, source: ./x, target: /v, bind: {create_host_path: false}}]}}"
DEVICE = "services: {a: {image: bb, devices: ['/dev/x']}}"
SECRET = "services: {a: {image: bb, secrets: [t]}}\nsecrets: {t: {file: ./t}}"

PATHS = [
    Case("made by the engine", BIND % "./data", [], at("/d/data", "missing")),
    Case(
        "made, though it looks like a file",
        BIND % "./app.conf",
        ["2:37 warning plan.bind-made: a directory of that name will be made | make the file first"],
        at("/d/app.conf", "missing"),
    ),
    Case("made, and looks like a directory", BIND % "./conf.d", [], at("/d/conf.d", "missing")),
    Case("there", BIND % "./app.conf", [], at("/d/app.conf", "file")),
    Case(
        "not to be made",
        STRICT,
        ['2:58 error plan.bind-missing: invalid mount config for type "bind": bind source path does not exist: /d/x | mkdir -p /d/x'],
        at("/d/x", "missing"),
    ),
    Case("beneath a file", BIND % "./f/x", ["not a directory: /d/f is a file"], at("/d/f/x", "beneath-file", "/d/f")),
    Case("a link to nothing", BIND % "./l", ["/d/l is a link to /gone, which does not exist"], at("/d/l", "dangling", "/gone")),
    Case("unreadable", BIND % "./l", ["/d/l cannot be mounted: permission denied"], at("/d/l", "unreadable", "permission denied")),
    Case(
        "a device", DEVICE, ['2:37 error plan.device: custom device "/dev/x": no such file or directory | ls /dev'], at("/dev/x", "missing")
    ),
    Case("no device", DEVICE, ['custom device "/dev/x": not a device node'], at("/dev/x", "file")),
    Case("a device that is there", DEVICE, [], at("/dev/x", "device")),
    Case(
        "a volume that binds",
        "services: {a: {image: bb, volumes: ['vol:/v']}}\nvolumes: {vol: {driver_opts: {type: none, o: bind, device: /gone}}}",
        ["failed to mount local volume: mount /gone: no such file or directory: volume 'vol' binds it | mkdir -p /gone"],
        at("/gone", "missing"),
    ),
]

PULL = "services: {a: {image: 'reg/x:1'}}"


def answer(kind: str, reason: str = "") -> Facts:
    return Facts(images={"reg/x:1": ImageFact(kind, reason)})


IMAGES = [
    Case(
        "no registry has it",
        PULL,
        ["2:23 error plan.image-absent: manifest for reg/x:1 not found | check its name"],
        answer("absent", "manifest for reg/x:1 not found"),
        images={"reg/x:1": None},
    ),
    Case(
        "one of a similar name is here",
        "services: {a: {image: regx}}",
        ["manifest for regx:latest not found | did you mean 'reg-x'? or check its name"],
        Facts(images={"regx": ImageFact("absent", "manifest for regx:latest not found")}),
        images={"regx": None},
        tags=("reg-x:latest", "bb:latest"),
    ),
    Case(
        "login",
        PULL,
        ["error plan.image-denied: pull access denied | log in"],
        answer("denied", "pull access denied for reg/x"),
        images={"reg/x:1": None},
    ),
    Case(
        "nobody answers",
        PULL,
        ["error plan.image-unreachable: connection refused"],
        answer("unreachable", "connection refused"),
        images={"reg/x:1": None},
    ),
    Case("slow", PULL, ["warning plan.image-slow: no answer"], answer("slow", "no answer within 6 seconds"), images={"reg/x:1": None}),
    Case("found", PULL, [], answer("found"), images={"reg/x:1": None}),
    Case("here", PULL, [], answer("absent"), images={"reg/x:1": Image(id="sha256:2")}),
    Case("never pulled", PULL, ["error plan.image-missing: No such image: reg/x:1"], images={"reg/x:1": None}, pull="never"),
]


@pytest.mark.parametrize("case", PATHS, ids=lambda case: case.name)
def test_paths(case: Case) -> None:
    judge(case)


@pytest.mark.parametrize("case", IMAGES, ids=lambda case: case.name)
def test_images(case: Case) -> None:
    judge(case)
