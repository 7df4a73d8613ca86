"""Dockerfile instructions of `import --change`."""

from __future__ import annotations

import pytest

from composer.engine.errors import InvalidArgument
from composer.engine.local.image.changes import apply
from composer.engine.model import HealthConfig, ProcessConfig


def test_each_instruction() -> None:
    made = apply(
        ProcessConfig(env=("A=0", "Z=1")),
        [
            'CMD ["sh", "-c", "x"]',
            "entrypoint run this",
            'ENV A=1 B="two words"',
            "ENV OLD the old form",
            "EXPOSE 80 53/udp 8000-8002",
            'LABEL a=b "c d"=e',
            "USER app:app",
            'VOLUME ["/data", "/x"]',
            "VOLUME /y /z",
            "WORKDIR /srv",
            "WORKDIR app",
            "STOPSIGNAL SIGINT",
            "ONBUILD RUN x",
            "HEALTHCHECK --interval=1m30s --retries=4 CMD test -e /x",
        ],
    )
    assert made.cmd == ("sh", "-c", "x")
    assert made.entrypoint == ("/bin/sh", "-c", "run this")
    assert made.env == ("A=1", "Z=1", "B=two words", "OLD=the old form")
    assert sorted(made.exposed_ports) == ["53/udp", "80/tcp", "8000/tcp", "8001/tcp", "8002/tcp"]
    assert made.labels == {"a": "b", "c d": "e"}
    assert (made.user, made.working_dir, made.stop_signal, made.on_build) == ("app:app", "/srv/app", "SIGINT", ("RUN x",))
    assert sorted(made.volumes) == ["/data", "/x", "/y", "/z"]
    assert made.healthcheck == HealthConfig(test=("CMD-SHELL", "test -e /x"), interval=90 * 10**9, retries=4)


def test_health_checks() -> None:
    assert apply(ProcessConfig(), ["HEALTHCHECK NONE"]).healthcheck == HealthConfig(test=("NONE",))
    assert apply(ProcessConfig(), ['HEALTHCHECK CMD ["a", "b"]']).healthcheck == HealthConfig(test=("CMD", "a", "b"))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("RUN x", "'RUN' is not a valid change command"),
        ("CMD", "CMD requires an argument"),
        ("EXPOSE many", "invalid port"),
        ("ENV A", "NAME=VALUE is expected"),
        ('ENV A="x', "cannot read the change"),
        ("HEALTHCHECK --interval=x CMD y", "invalid duration"),
    ],
)
def test_what_is_wrong(line: str, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        apply(ProcessConfig(), [line])
