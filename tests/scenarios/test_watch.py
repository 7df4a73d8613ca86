"""Dev mode with the real CLI, daemon and kernel: each action of `develop.watch`, and a stack that follows its own files."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.scenarios.terminal import COMPOSER, Terminal, until

pytestmark = [pytest.mark.root, pytest.mark.slow]


class Watch:
    """A `composer watch` that runs; what it has said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []
        self._threads = [threading.Thread(target=self._read, args=(stream,), daemon=True) for stream in (process.stdout, process.stderr)]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: Iterator[str]) -> None:
        for line in stream:
            self.said.append(line.rstrip())

    def says(self, *words: str, after: int = 0) -> int:
        """Wait for a line with all of these words; how many lines there were then."""

        def found() -> int:
            return next((at for at, line in enumerate(self.said[after:], after + 1) if all(word in line for word in words)), 0)

        try:
            return until(found, 30)
        except AssertionError:
            raise AssertionError(f"no line with {words} after line {after} of:\n" + "\n".join(self.said)) from None

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(20)
        for thread in self._threads:
            thread.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code


@contextmanager
def watching(terminal: Terminal, *words: str) -> Iterator[Watch]:
    found = Watch(terminal.begin("watch", *words))
    try:
        found.says("Watch enabled")
        yield found
    finally:
        found.end()


def write(terminal: Terminal, path: str, text: str, mode: int = 0o644) -> Path:
    file = terminal.directory / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return file


def inside(terminal: Terminal, command: str, service: str = "web", index: int = 1) -> str:
    process = terminal.begin("exec", "-T", "--index", str(index), service, "sh", "-c", command)
    out, _ = process.communicate(timeout=60)
    return out


def comes(terminal: Terminal, command: str, wanted: str, **where: object) -> None:
    found = ""

    def same() -> bool:
        nonlocal found
        found = inside(terminal, command, **where)  # type: ignore[arg-type]
        return found == wanted

    try:
        until(same, 20, pause=0.1)
    except AssertionError:
        raise AssertionError(f"{command}: {found!r} did not become {wanted!r}") from None


SYNC = """
name: w
services:
  web:
    image: bb
    command: sleep 1000
    stop_signal: SIGKILL
    scale: 2
    user: "1000:1001"
    read_only: true
    tmpfs: [/cache]
    volumes: [data:/data]
    develop:
      watch:
        - {action: sync, path: ./src, target: /data/src, ignore: ["*.log", node_modules/], initial_sync: true}
        - {action: sync, path: ./one.conf, target: /cache/etc/one.conf, initial_sync: true}
volumes: {data: {}}
"""


def test_sync_follows_every_kind_of_edit(terminal: Terminal) -> None:
    terminal.stack(SYNC)
    write(terminal, "src/a", "1")
    write(terminal, "src/run.sh", "#!/bin/sh\n", 0o755)
    write(terminal, "src/x.log", "no")
    write(terminal, "one.conf", "first")
    with watching(terminal) as watch:
        listing = "cd /data/src && find . | sort && cat a"
        for index in (1, 2):
            comes(terminal, listing, ".\n./a\n./run.sh\n1", index=index)
            comes(terminal, "cat /cache/etc/one.conf", "first", index=index)
        assert inside(terminal, "stat -c '%u:%g %a' /data/src/run.sh /data/src /cache/etc").split("\n")[:3] == [
            *("1000:1001 755", "1000:1001 755", "1000:1001 755")
        ]
        source = terminal.directory / "src"
        write(terminal, "src/.a.swp", "editor")  # as Vim saves: a backup, a new file in its place
        (source / "a").rename(source / "a~")
        write(terminal, "src/a", "2")
        (source / "a~").unlink()
        beside = write(terminal, "beside", "second")  # as others do: written beside, renamed over
        beside.rename(terminal.directory / "one.conf")
        comes(terminal, "cat /data/src/a /cache/etc/one.conf", "2second", index=2)
        write(terminal, "src/new/deep/er/file", "3")
        write(terminal, "src/node_modules/x/index.js", "no")
        (source / "link").symlink_to("new/deep")
        (source / "a").chmod(0o600)
        comes(terminal, "cat /data/src/link/er/file; stat -c %a /data/src/a; ls /data/src", "3600\na\nlink\nnew\nrun.sh\n")
        (source / "new" / "deep").rename(source / "moved")
        (source / "run.sh").unlink()
        (source / "link").unlink()
        comes(terminal, "cd /data/src; find . | sort", ".\n./a\n./moved\n./moved/er\n./moved/er/file\n./new\n", index=2)
        watch.says("-> web (2 replicas) in ")
        assert not any("problem" in line or "Traceback" in line for line in watch.said), watch.said
        watch.end()
    assert watch.process.returncode == 130
    assert set(terminal.states().values()) == {"running"}


def test_nothing_is_written_through_a_link(terminal: Terminal) -> None:
    terminal.stack(SYNC.replace("scale: 2", "scale: 1").replace('user: "1000:1001"', ""))
    write(terminal, "src/sub/a", "1")
    write(terminal, "one.conf", "x")
    with watching(terminal) as watch:
        comes(terminal, "cat /data/src/sub/a", "1")
        inside(terminal, "mkdir /data/safe; echo keep > /data/safe/a; cd /data/src && rm -r sub && ln -s ../safe sub")
        write(terminal, "src/sub/a", "2")
        comes(terminal, "cat /data/src/sub/a /data/safe/a; stat -c %F /data/src/sub", "2keep\ndirectory\n")
        inside(terminal, "cd /data/src && rm -r sub && ln -s ../safe sub")
        (terminal.directory / "src/sub/a").unlink()
        watch.says("1 file -> web in")
        comes(terminal, "cat /data/safe/a", "keep\n")


def test_a_read_only_place_is_told(terminal: Terminal) -> None:
    terminal.stack(SYNC.replace("target: /data/src", "target: /usr/src"))
    with watching(terminal) as watch:
        write(terminal, "src/a", "1")
        watch.says("web-1", "/src/a: read-only file system")
        watch.says("web-2", "/src/a: read-only file system")


AFTER = """
name: w
services:
  web:
    image: bb
    command: sh -c 'cat /conf/x 2>/dev/null; sleep 1000'
    stop_signal: SIGKILL
    develop:
      watch:
        - {action: sync+restart, path: ./conf, target: /conf}
        - action: sync+exec
          path: ./hooks
          target: /hooks
          exec: {command: [sh, -c, 'echo "got $$(cat /hooks/h)" as $$WHO; exit 3'], environment: [WHO=me]}
        - {action: restart, path: ./trigger}
        - {action: sync, path: ./py, target: /py, include: ["**/*.py"]}
"""


def test_what_follows_a_sync(terminal: Terminal) -> None:
    terminal.stack(AFTER)
    with watching(terminal) as watch:
        begun = terminal.inspect("w-web-1")["State"]["StartedAt"]
        write(terminal, "conf/x", "hello\n")
        at = watch.says("1 file -> web in", "restarted")
        assert terminal.inspect("w-web-1")["State"]["StartedAt"] != begun
        until(lambda: "hello" in terminal.out("logs", "web"))
        write(terminal, "hooks/h", "it")
        watch.says("web-1", "got it as me", after=at)
        at = watch.says("1 file -> web in", "ran sh (exit 3)", after=at)
        begun = terminal.inspect("w-web-1")["State"]["StartedAt"]
        write(terminal, "trigger/now", "1")
        at = watch.says("restarted", after=at)
        assert terminal.inspect("w-web-1")["State"]["StartedAt"] != begun
        write(terminal, "py/a.txt", "no")
        write(terminal, "py/b/c.py", "yes")
        comes(terminal, "cd /py; find . | sort", ".\n./b\n./b/c.py\n")
        os.utime(terminal.directory / "conf/x")
        write(terminal, "py/d.py", "yes")
        watch.says("1 file -> web in", after=at)
        assert not any("restarted" in line for line in watch.said[at:])


def test_a_new_container_has_what_was_synced(terminal: Terminal) -> None:
    terminal.stack(AFTER)
    with watching(terminal) as watch:
        write(terminal, "py/a.py", "1")
        write(terminal, "py/b.py", "2")
        comes(terminal, "cat /py/a.py /py/b.py", "12")
        (terminal.directory / "py/b.py").unlink()
        comes(terminal, "ls /py", "a.py\n")
        terminal.run("up", "-d", "--force-recreate")
        comes(terminal, "ls /py", "a.py\n")
        inside(terminal, "echo other > /py/a.py")
        terminal.run("restart", "web", "-t", "0")
        comes(terminal, "cat /py/a.py", "1")
        terminal.kill_daemon()
        terminal.run("ps")
        watch.says("waiting for it")
        write(terminal, "py/c.py", "3")
        comes(terminal, "cat /py/c.py", "3")


REBUILT = """
name: w
services:
  web:
    build: .
    command: sleep 1000
    stop_signal: SIGKILL
    develop:
      watch:
        - {action: rebuild, path: ./deps}
        - {action: sync, path: ., target: /app}
  other: {image: bb, command: sleep 1000, stop_signal: SIGKILL}
"""


def test_rebuild_and_the_dockerfile(terminal: Terminal) -> None:
    terminal.stack(REBUILT)
    write(terminal, "Dockerfile", "FROM bb\nCOPY deps /deps\n")
    write(terminal, "Dockerfile.dockerignore", "secret\nstack.yml\n")
    write(terminal, ".dockerignore", "readme\n")
    write(terminal, "deps/list", "1")
    with watching(terminal) as watch:
        assert inside(terminal, "cat /deps/list") == "1"
        first, other = (terminal.inspect(name)["Id"] for name in ("w-web-1", "w-other-1"))
        write(terminal, "deps/list", "2")
        at = watch.says("-> web", "rebuilt: web-1 re-created")
        assert inside(terminal, "cat /deps/list") == "2"
        assert terminal.inspect("w-web-1")["Id"] != first
        write(terminal, "secret", "no")
        write(terminal, "readme", "yes")
        comes(terminal, "ls /app | grep -v '[Dd]ock'", "deps\nreadme\n")
        write(terminal, "Dockerfile", "FROM bb\nCOPY deps /elsewhere\n")
        watch.says("Dockerfile -> web-1 re-created", after=at)
        assert inside(terminal, "cat /elsewhere/list") == "2"
        assert terminal.inspect("w-other-1")["Id"] == other
    terminal.run("down", "--rmi", "local")
    terminal.run("system", "prune", "-f")  # what the builds have kept


SPEC = """
name: w
services:
  web: {image: bb, command: sleep 1000, stop_signal: SIGKILL, env_file: web.env, secrets: [key]}
  db: {image: bb, command: sleep 1000, stop_signal: SIGKILL}
secrets: {key: {file: key.txt}}
"""


def test_the_stack_follows_its_files(terminal: Terminal) -> None:
    terminal.stack(SPEC)
    write(terminal, "web.env", "A=1\n")
    write(terminal, "key.txt", "k1")
    with watching(terminal) as watch:
        ids = {name: terminal.inspect(name)["Id"] for name in ("w-web-1", "w-db-1")}
        write(terminal, "web.env", "A=2\n")
        at = watch.says("web.env -> web-1 re-created")
        assert "A=2" in inside(terminal, "env")
        write(terminal, "key.txt", "k2")
        at = watch.says("key.txt -> web-1 re-created", after=at)
        assert inside(terminal, "cat /run/secrets/key") == "k2"
        assert terminal.inspect("w-db-1")["Id"] == ids["w-db-1"]
        terminal.stack(SPEC.replace("  db:", "  db: ["))
        at = watch.says("stack.yml is not valid", after=at)
        assert any("error:" in line and "stack.yml:" in line for line in watch.said)
        assert set(terminal.states().values()) == {"running"}
        terminal.stack(SPEC.replace("  db:", "  cache: {image: bb, command: sleep 1000, stop_signal: SIGKILL}\n  #"))
        at = watch.says("stack.yml -> ", "cache-1 started", "db-1 removed", after=at)
        terminal.become({"w-web-1": "running", "w-cache-1": "running"})
        terminal.stack("services: {web: {environment: {B: '1'}}}\n", "stack.override.yml")
        watch.says("stack.override.yml -> web-1 re-created", after=at)


SLOW = """
name: w
services:
  db:
    image: bb
    command: sleep 1000
    stop_signal: SIGKILL
    environment: {REVISION: "1"}
    healthcheck: {test: "%s", interval: 300ms, retries: 1000, start_period: 100s}
  web: {image: bb, command: sleep 1000, stop_signal: SIGKILL, depends_on: {db: {condition: service_healthy}}}
"""


def test_the_newest_revision_cuts_a_wait(terminal: Terminal) -> None:
    terminal.stack(SLOW % "true")
    with watching(terminal) as watch:
        terminal.stack(SLOW.replace('"1"', '"2"') % "false")
        until(lambda: "REVISION=2" in inside(terminal, "env", "db"), 20)
        terminal.stack(SLOW.replace('"1"', '"3"') % "true")
        watch.says("stack.yml -> ", "db-1 re-created")
        until(lambda: "REVISION=3" in inside(terminal, "env", "db"), 20)
        terminal.become({"w-web-1": "running", "w-db-1": "running"})


def test_up_watch(terminal: Terminal) -> None:
    terminal.stack(AFTER)
    watch = Watch(terminal.begin("up", "--watch"))
    try:
        at = watch.says("Watch enabled")
        write(terminal, "conf/x", "hello\n")
        watch.says("web-1", "hello", after=at)
        terminal.stack(AFTER.replace("sleep 1000", "echo anew; sleep 1000"))
        watch.says("web-1", "anew", after=at)
    finally:
        code = watch.end()
    assert code == 130
    assert terminal.states() == {"w-web-1": "exited"}


@pytest.mark.parametrize(("limit", "sysctl"), [("watches", "fs.inotify.max_user_watches"), ("instances", "fs.inotify.max_user_instances")])
def test_limits_of_inotify_are_told_and_files_are_polled(terminal: Terminal, limit: str, sysctl: str) -> None:
    """In a user namespace, which has limits of its own."""
    terminal.stack(AFTER)
    write(terminal, "py/a.py", "0")
    write(terminal, "conf/x", "0")
    terminal.run("up", "-d")
    script = f'echo 1 > /proc/sys/user/max_inotify_{limit}; exec "$0" watch --no-up'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", script, str(COMPOSER)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=terminal.directory, env=terminal.environment, text=True, stdout=pipe, stderr=pipe)
    watch = Watch(process)
    try:
        watch.says(sysctl, "polled")
        watch.says("Watch enabled")
        write(terminal, "py/a.py", "1")
        comes(terminal, "cat /py/a.py", "1")
    finally:
        watch.end()
