"""What scripts written for docker compose rely on: exit codes, streams and words, each as docker compose 2.40.3 was seen to do it."""

from __future__ import annotations

import json

import pytest

from tests.scenarios.terminal import Terminal, free_ports, until

pytestmark = [pytest.mark.root, pytest.mark.slow]


def test_an_optional_dependency_that_fails_holds_nobody_up(terminal: Terminal) -> None:
    terminal.stack(
        """
services:
  a:
    image: bb
    depends_on: {c: {condition: service_healthy, required: false}, d: {condition: service_completed_successfully, required: false}}
  c: {image: bb, healthcheck: {test: exit 1, interval: 200ms, retries: 1}}
  d: {image: bb, command: "false"}
"""
    )
    done = terminal.run("-p", "opt", "up", "-d")
    assert 'optional dependency "c" failed to start: container opt-c-1 is unhealthy' in done.stderr
    assert 'optional dependency "d" failed to start' in done.stderr
    assert terminal.states()["opt-a-1"] == "running"


def test_wait_sees_what_ends_at_once(terminal: Terminal) -> None:
    terminal.stack('services: {a: {image: bb}, b: {image: bb, command: "true"}}')
    assert "container w-b-1 exited (0)" in terminal.run("-p", "w", "up", "-d", "--wait", exit=1).stderr
    terminal.run("-p", "w", "up", "-d", "--wait", "a")


def test_one_off_containers(terminal: Terminal) -> None:
    with free_ports(1) as (port,):
        terminal.stack(f'services: {{a: {{image: bb, ports: ["{port}:80"], expose: ["81"]}}, b: {{image: bb}}}}')
    terminal.run("-p", "one", "up", "-d", "b")
    terminal.stack('services: {a: {image: bb, ports: ["80"], expose: ["81"]}}')
    assert terminal.run("-p", "one", "run", "--remove-orphans", "--rm", "a", "echo", "done").stdout == "done\n"
    assert terminal.states() == {}
    with free_ports(1) as (port,):
        name = terminal.run("-p", "one", "run", "-d", "-p", f"{port}:90", "a", "idle").stdout.strip()
        assert terminal.inspect(name)["HostConfig"]["PortBindings"] == {"90/tcp": [{"HostIp": "", "HostPort": str(port)}]}
    assert sorted(terminal.inspect(name)["Config"]["ExposedPorts"]) == ["81/tcp", "90/tcp"]
    assert "incompatible" in terminal.run("-p", "one", "run", "-P", "-p", "1:2", "a", exit=1).stderr


def test_names_that_allow_one_container_only(terminal: Terminal) -> None:
    terminal.stack("services: {a: {image: bb, container_name: only}, b: {image: bb}}")
    done = terminal.run("-p", "sc", "up", "-d", "--scale", "a=2", "--scale", "b=2", exit=1)
    assert 'uses the custom container name "only"' in done.stderr
    assert terminal.states() == {}


def test_rm_asks_and_kill_says_that_there_is_nothing(terminal: Terminal) -> None:
    terminal.stack("services: {a: {image: bb}}")
    assert terminal.run("-p", "r", "kill").stderr == "no container to kill\n"
    terminal.run("-p", "r", "create")
    for answer, left in (("n\n", {"r-a-1": "created"}), ("", {"r-a-1": "created"}), ("y\n", {})):
        (terminal.directory / "answer").write_text(answer)
        with (terminal.directory / "answer").open() as stdin:
            process = terminal.begin("-p", "r", "rm", stdin=stdin)
            assert process.communicate(timeout=30)[0].startswith("Going to remove r-a-1\n")
        assert terminal.states() == left
    terminal.run("-p", "r", "create")
    assert terminal.run("-p", "r", "rm", "-f").stdout == "Going to remove r-a-1\n"
    assert terminal.run("-p", "r", "rm", "-f").stderr == "No stopped containers\n"


def test_logs(terminal: Terminal) -> None:
    terminal.stack(
        """
services:
  a: {image: bb, command: "sh -c 'echo out; echo err >&2'"}
  b: {image: bb, command: "echo unseen", logging: {driver: none}}
"""
    )
    terminal.run("-p", "lg", "up", "-d")
    until(lambda: set(terminal.states().values()) == {"exited"})
    done = terminal.run("-p", "lg", "logs", "--no-log-prefix")
    assert sorted(done.stdout.split()) == ["err", "out"]  # both streams on stdout
    assert done.stderr == 'Can\'t retrieve logs for "lg-b-1": configured logging driver does not support reading\n'
    assert 'service "a" is not running container #7' in terminal.run("-p", "lg", "logs", "--index", "7", "a", exit=1).stderr
    refused = terminal.run("-p", "lg", "logs", "--since", "nonsense", exit=2).stderr
    assert refused.startswith("Error: failed to parse value as time or duration: 'nonsense'")


def test_up_in_the_foreground_says_to_whom_it_listens(terminal: Terminal) -> None:
    terminal.stack('services: {a: {image: bb, command: "echo hi"}, b: {image: bb, command: "echo ho"}}')
    lines = terminal.run("-p", "fg", "up").stdout.splitlines()
    assert lines[0] == "Attaching to a-1, b-1"
    assert sorted(lines[1:]) == ["a-1  | hi", "a-1 exited with code 0", "b-1  | ho", "b-1 exited with code 0"]
    assert "cannot be combined" in terminal.run("-p", "fg", "up", "-d", "--attach", "a", exit=2).stderr


def test_what_one_service_asks_in_vain_is_told_when_it_is_meant(terminal: Terminal) -> None:
    terminal.stack(
        """
services:
  good: {image: bb, userns_mode: private}
  windows: {image: bb, isolation: process}
  clever: {image: bb, models: [llm]}
  secret: {image: bb, secrets: [s]}
  logger: {image: bb, logging: {options: {nope: "1"}}}
models: {llm: {model: x}}
secrets: {s: {external: true}}
"""
    )
    terminal.run("-p", "vain", "up", "-d", "good")
    done = terminal.run("-p", "vain", "up", "-d", "windows", "clever", "logger", exit=1)
    assert "invalid isolation 'process' on linux" in done.stderr
    assert "models need a model runner" in done.stderr
    assert "unsupported external secret s" in terminal.run("-p", "vain", "up", "-d", "secret", exit=1).stderr
    assert "unknown log opt 'nope' for json-file log driver" in terminal.run("-p", "vain", "up", "-d", "logger", exit=1).stderr
    assert terminal.states() == {"vain-good-1": "running"}
    assert "orphan" not in terminal.run("-p", "vain", "up", "-d", "good").stderr


def test_the_api_socket_is_the_engines(terminal: Terminal) -> None:
    terminal.stack("services: {a: {image: bb, use_api_socket: true}}")
    terminal.run("-p", "sock", "up", "-d")
    ask = "printf 'GET /version HTTP/1.0\\r\\n\\r\\n' | nc local:/var/run/docker.sock 2>/dev/null; stat -c %F /var/run/docker.sock"
    assert "socket" in terminal.out("-p", "sock", "exec", "-T", "a", "sh", "-c", ask)


def test_events_tell_nothing_of_ours(terminal: Terminal) -> None:
    terminal.stack("services: {a: {image: bb, labels: {mine: kept}}}")
    events = terminal.begin("-p", "ev", "events", "--json")
    try:
        terminal.run("-p", "ev", "create")
        terminal.run("-p", "ev", "create", "--force-recreate")
        line = events.stdout.readline() if events.stdout else ""
    finally:
        events.terminate()
        events.communicate(timeout=20)
    assert sorted(json.loads(line)["attributes"]) == ["image", "mine", "name"]


def test_what_is_left_as_it_is_stays_so(terminal: Terminal) -> None:
    """`--no-recreate`, and `up` of other services: the controller does not make up for it."""
    text = 'services: {a: {image: bb, environment: {X: "1"}}, b: {image: bb}}'
    terminal.stack(text)
    terminal.run("-p", "left", "up", "-d")
    before = terminal.containers()["left-a-1"]
    terminal.stack(text.replace("1", "2"))
    terminal.run("-p", "left", "up", "-d", "--no-recreate")
    terminal.run("-p", "left", "up", "-d", "b")
    terminal.run("container", "rm", "-f", "left-b-1")  # the controller is at work: it makes b again
    until(lambda: terminal.states().get("left-b-1") == "running", 20)
    assert terminal.containers()["left-a-1"] == before
    terminal.run("-p", "left", "up", "-d")
    assert terminal.containers()["left-a-1"] != before
