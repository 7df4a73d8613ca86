"""The judges of the API: the docker CLI and docker-py, against the engine in memory."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from composer.daemon import docker_api
from composer.daemon.server import Server
from composer.engine.memory import MemoryEngine
from tests.contract.backends import NoLog, load
from tests.contract.shell import shell
from tests.fixtures.patience import patient

Docker = Callable[..., subprocess.CompletedProcess[str]]
LIMIT = 20.0  # seconds for one command


class Served:
    """A memory engine behind the API, in a thread with a loop of its own."""

    def __init__(self, directory: Path) -> None:
        import threading

        self.path = directory / "api.sock"
        self._directory = directory
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))
        self._thread.start()
        assert self._ready.wait(10)

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        engine = MemoryEngine(clock=time.time, program=shell, images=())
        await load(engine)
        engine.publish_image("redis:7")
        server = Server(docker_api.routes(engine, spool=self._directory, version="test"), log=NoLog(), headers=docker_api.HEADERS)
        await server.listen(self.path)
        self._ready.set()
        await self._stop.wait()
        await server.close(grace=2.0)
        await engine.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="ct-") as directory:
        found = Served(Path(directory))
        try:
            yield found
        finally:
            found.close()


@pytest.fixture
def docker(served: Served) -> Docker:
    """The docker CLI; returns what it wrote and its exit code."""
    if shutil.which("docker") is None:
        pytest.skip("needs the docker CLI (Debian package docker-cli or docker.io)")

    def call(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "DOCKER_HOST": f"unix://{served.path}", **environment}
        return subprocess.run(
            ["docker", *arguments], input=stdin, capture_output=True, text=True, timeout=patient(LIMIT), env=environment, check=False
        )

    return call


def said(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_cli_runs_containers(docker: Docker) -> None:
    assert said(docker("run", "--rm", "ctbb", "echo", "hello")) == "hello\n"
    assert docker("run", "--rm", "ctbb", "sh", "-c", "exit 9").returncode == 9
    assert said(docker("run", "-i", "--rm", "ctbb", "cat", stdin="piped\n")) == "piped\n"
    both = docker("run", "--name", "both", "ctbb", "sh", "-c", "echo out; echo err >&2")
    assert (both.stdout, both.stderr) == ("out\n", "err\n")
    again = docker("logs", "both")
    assert (again.stdout, again.stderr) == ("out\n", "err\n")
    assert "2" in said(docker("logs", "-t", "both"))[:4]
    said(docker("run", "-d", "--name", "web", "-p", "8080:80", "-l", "a=b", "ctbb"))
    assert said(docker("ps", "--format", "{{.Names}} {{.Image}} {{.Ports}} {{.State}}")) == "web ctbb 0.0.0.0:8080->80/tcp running\n"
    assert said(docker("exec", "-i", "web", "cat", stdin="in")) == "in"
    assert docker("exec", "web", "sh", "-c", "exit 5").returncode == 5
    assert said(docker("inspect", "-f", "{{.State.Status}} {{.HostConfig.PortBindings}}", "web")) == "running map[80/tcp:[{ 8080}]]\n"
    assert "web" in said(docker("stats", "--no-stream", "web"))
    for verb in ("pause", "unpause", "restart", "stop", "start", "kill"):
        assert said(docker(verb, "web")) == "web\n"
    assert said(docker("wait", "web")) == "137\n"
    refused = docker("rm", "nosuch")
    assert refused.returncode == 1
    assert "No such container: nosuch" in refused.stderr
    assert set(said(docker("container", "prune", "-f", "--filter", "label=a=b")).split()) >= {"Deleted", "Containers:"}


def test_cli_images(docker: Docker, tmp_path: Path) -> None:
    assert "Downloaded newer image for redis:7" in said(docker("pull", "redis:7"))
    assert "pull access denied" in docker("pull", "nosuch:1").stderr
    said(docker("save", "-o", str(tmp_path / "x.tar"), "redis:7", "ctbb"))
    assert said(docker("load", "-i", str(tmp_path / "x.tar"))).count("Loaded image: ") == 2
    (tmp_path / "Dockerfile").write_text('FROM ctbb\nCMD ["echo", "built"]\n')
    assert "Successfully tagged made:1" in said(docker("build", "-t", "made:1", str(tmp_path), DOCKER_BUILDKIT="0"))
    assert said(docker("run", "--rm", "made:1")) == "built\n"
    failed = docker("build", "-f", "nosuch", str(tmp_path), DOCKER_BUILDKIT="0")
    assert failed.returncode == 1
    assert "made" in said(docker("images"))
    said(docker("rmi", "made:1"))


def test_cli_networks_volumes_files_events(docker: Docker, tmp_path: Path) -> None:
    said(docker("network", "create", "n1"))
    said(docker("run", "-d", "--name", "one", "--network", "n1", "-v", "data:/data", "ctbb"))
    assert "n1" in said(docker("network", "ls", "--filter", "type=custom"))
    assert "has active endpoints" in docker("network", "rm", "n1").stderr
    assert "volume is in use" in docker("volume", "rm", "data").stderr
    (tmp_path / "f").write_text("content")
    said(docker("cp", str(tmp_path / "f"), "one:/tmp/f"))
    said(docker("cp", "one:/tmp/f", str(tmp_path / "g")))
    assert (tmp_path / "g").read_text() == "content"
    assert said(docker("diff", "one")) == "A /tmp/f\n"
    assert "container start" in said(docker("events", "--since", "1h", "--until", str(int(time.time()) + 1), "--filter", "container=one"))
    said(docker("rm", "-f", "one"))
    said(docker("network", "rm", "n1"))
    said(docker("volume", "rm", "data"))
    assert "TYPE" in said(docker("system", "df"))
    assert "Server Version" in said(docker("info"))
    assert "swarm mode: not supported" in docker("swarm", "init").stderr


@pytest.mark.filterwarnings("ignore")
def test_docker_py(served: Served) -> None:
    docker_py: Any = pytest.importorskip("docker")
    client = docker_py.DockerClient(base_url=f"unix://{served.path}", timeout=patient(LIMIT))
    try:
        assert client.ping()
        assert client.containers.run("ctbb", "echo hi", remove=True) == b"hi\n"
        one = client.containers.run("ctbb", ["idle"], detach=True, name="py", ports={"80/tcp": None}, labels={"a": "b"})
        one.reload()
        assert one.ports["80/tcp"][0]["HostPort"]
        assert one.exec_run("sh -c 'echo out; echo err >&2; exit 2'", demux=True) == (2, (b"out\n", b"err\n"))
        assert [found.name for found in client.containers.list(filters={"label": "a=b"})] == ["py"]
        network = client.networks.create("net")
        network.connect(one)
        network.reload()
        assert [member.name for member in network.containers] == ["py"]
        network.disconnect(one)
        network.remove()
        assert one.stats(stream=False)["name"] == "/py"
        one.stop(timeout=2)
        assert one.wait()["StatusCode"] == 0
        one.remove()
        with pytest.raises(docker_py.errors.NotFound):
            client.containers.get("py")
        image, _ = client.images.build(fileobj=io.BytesIO(b'FROM ctbb\nCMD ["true"]\n'), tag="py:1")
        assert image.tags == ["py:1"]
        assert [event["status"] for event in client.events(since=0, until=int(time.time()) + 1, filters={"event": "die"}, decode=True)]
    finally:
        client.close()
