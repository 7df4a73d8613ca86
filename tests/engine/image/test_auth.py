"""How registries ask, and where they are."""

from __future__ import annotations

import pytest

from composer.engine.errors import Unauthorized
from composer.engine.local.image.auth import Challenge, challenges, credentials
from composer.engine.local.image.endpoint import host_of, is_loopback
from composer.engine.model import RegistryAuth


def test_challenges() -> None:
    header = 'Bearer realm="https://auth.x/token",service="registry.x",scope="repository:a/b:pull,push"'
    assert challenges(header) == [Challenge("bearer", "https://auth.x/token", "registry.x", "repository:a/b:pull,push")]
    assert challenges('Basic realm="x", Bearer realm="y"') == [Challenge("basic", "x"), Challenge("bearer", "y")]
    assert challenges("Negotiate") == []
    assert challenges("") == []


def test_credentials() -> None:
    assert credentials(None) is None
    assert credentials(RegistryAuth()) is None
    assert credentials(RegistryAuth(username="u", password="p")) == ("u", "p")
    assert credentials(RegistryAuth(auth="dTpw")) == ("u", "p")
    with pytest.raises(Unauthorized):
        credentials(RegistryAuth(auth="%"))


@pytest.mark.parametrize("host", ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000"])
def test_loopback_may_speak_plain_http(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.example.com", "127.0.0.1.example.com", "128.0.0.1:5000", "registry:5000", "127.0.0.1@x"])
def test_others_may_not(host: str) -> None:
    assert not is_loopback(host)


def test_the_hub() -> None:
    assert host_of("docker.io") == "registry-1.docker.io"
    assert host_of("x:5000") == "x:5000"
