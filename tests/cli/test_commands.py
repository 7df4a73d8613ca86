"""The command line itself: what is there, what is refused, what it costs to start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from composer.cli.lazy import LazyGroup
from composer.cli.root import cli, run
from tests.fixtures.patience import patient

# What docker compose has, without its experiments; `composer` has them all.
COMPOSE = [
    *("attach", "build", "commit", "config", "cp", "create", "down", "events", "exec", "export", "images", "kill", "logs", "ls", "pause"),
    *(
        "port",
        "ps",
        "pull",
        "push",
        "restart",
        "rm",
        "run",
        "scale",
        "start",
        "stats",
        "stop",
        "top",
        "unpause",
        "up",
        "version",
        "volumes",
    ),
    "wait",
]


def every(group: click.Group, path: str = "") -> list[tuple[str, click.Command]]:
    found = []
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None, f"{path} {name}"
        found.append((f"{path} {name}".strip(), command))
        if isinstance(command, click.Group):
            found.extend(every(command, f"{path} {name}".strip()))
    return found


def test_every_command_of_the_tables_is_there_and_has_help(capfd: pytest.CaptureFixture[str]) -> None:
    names = [name for name, _ in every(cli)]
    assert set(COMPOSE) <= set(names)
    assert len(names) > 90
    for name in names:
        assert run([*name.split(), "--help"]) == 0
    assert "Traceback" not in "".join(capfd.readouterr())


def test_options_have_help_and_do_not_collide() -> None:
    for name, command in every(cli):
        seen: set[str] = set()
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                names = {*parameter.opts, *parameter.secondary_opts}
                assert not names & seen, f"{name}: {names & seen}"
                seen |= names
                assert parameter.help or parameter.hidden, f"{name} {parameter.opts}"


def test_help_of_a_group_imports_none_of_its_commands() -> None:
    script = (
        "import sys; from composer.cli.root import run; run(['container', '--help']); run(['--help'])\n"
        "print([m for m in sys.modules if m.startswith('composer.cli.commands.') and m.count('.') > 3 and not m.endswith('group')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=patient(60), check=True)
    assert done.stdout.splitlines()[-1] == "[]"


EXPENSIVE = {
    *(
        "asyncio",
        "pydantic",
        "structlog",
        "http",
        "urllib",
        "subprocess",
        "logging",
        "ssl",
        "yaml",
        "tarfile",
        "shutil",
        "pathlib",
        "tempfile",
    ),
    *(
        "concurrent",
        "email",
        "hashlib",
        "random",
        "ipaddress",
        "decimal",
        "importlib.metadata",
        "importlib.resources",
        "rich",
        "composer.spec",
    ),
    *("composer.engine", "composer.daemon", "composer.reconcile"),
}


def test_the_import_budget_of_ps(tmp_path: Path) -> None:
    """Whatever `composer ps` imports is paid by each call (FACTS: click alone is half of it)."""
    script = (
        "import sys; before = set(sys.modules); from composer.cli.root import run\n"
        "code = run(['-H', 'tcp://127.0.0.1:1', 'ps']); print(code, *sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=patient(60), check=True, cwd=tmp_path)
    code, *names = done.stdout.splitlines()[-1].split()
    assert code == "1"
    dear = [name for name in names if any(name == one or name.startswith(one + ".") for one in EXPENSIVE)]
    assert [name for name in dear if name not in ("composer.daemon", "composer.daemon.options", "composer.daemon.start")] == []
    ours = {name for name in names if name.startswith("composer.")}
    assert ours - {name for name in ours if name.startswith(("composer.daemon", "composer.engine"))} == {
        *("composer.cli", "composer.cli.root", "composer.cli.app", "composer.cli.address", "composer.cli.http", "composer.cli.client"),
        *("composer.cli.console", "composer.cli.lazy", "composer.cli.flags", "composer.cli.table", "composer.cli.options"),
        *("composer.cli.commands", "composer.cli.commands.ps", "composer.cli.containers", "composer.cli.listing", "composer.cli.resolve"),
        *("composer.cli.units", "composer.cli.stack", "composer.cli.project", "composer.errors"),
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nosuch"], "No such command 'nosuch'"),
        (["up", "--build", "--no-build"], "--build and --no-build are incompatible"),
        (["up", "-d", "--abort-on-container-exit"], "cannot be combined with --detach"),
        (["up", "-d", "--scale", "web"], "invalid --scale option"),
        (["--dry-run", "down"], "--dry-run is not supported with 'down'"),
        (["ps", "--filter", "colour=red"], "unknown filter colour"),
        (["ps", "--status", "blue"], "is not one of"),
        (["build", "--ssh"], "--ssh is not supported"),
        (["-H", "ftp://x", "ps"], "is no address of an engine"),
        (["container", "run", "-p", "x:y", "img"], "invalid containerPort"),
    ],
)
def test_wrong_usage_is_2_and_says_what(arguments: list[str], words: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert words in capfd.readouterr().err


def test_no_engine_is_one_clear_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["-H", "tcp://127.0.0.1:1", "container", "ls"]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "Error: cannot reach the composer engine at tcp://127.0.0.1:1: it is not running"
    assert "hint:" in err


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["version", "--short"]) == 0
    assert run(["version", "--format", "json"]) == 0
    short, form = capfd.readouterr().out.splitlines()
    assert json.loads(form) == {"version": f"v{short}"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_COMPOSER_COMPLETE" in capfd.readouterr().out


def test_config_without_a_daemon(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stack.yml").write_text("services:\n  web: {image: nginx}\n  db: {image: postgres}\n")
    nobody = ["-H", f"unix://{tmp_path}/nobody.sock"]
    assert run([*nobody, "config", "--services"]) == 0
    assert capfd.readouterr().out == "db\nweb\n"
    (tmp_path / "wrong.yml").write_text("services:\n  web: {imge: nginx}\n")
    assert run([*nobody, "config", "-q", "-f", "wrong.yml"]) == 2
    assert "wrong.yml:2:" in capfd.readouterr().err
    assert run([*nobody, "-f", "absent.yml", "config"]) == 2


def test_the_console_script_ends_quietly_when_its_reader_goes(tmp_path: Path) -> None:
    script = "from composer.cli.main import main; import sys; sys.argv = ['composer', 'schema']; main()"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", script], stdout=writer, stderr=subprocess.PIPE, timeout=patient(60), check=False)
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr == b""


def test_lazy_groups_know_their_aliases() -> None:
    container = cli.get_command(click.Context(cli), "container")
    assert isinstance(container, LazyGroup)
    assert container.get_command(click.Context(container), "ps") is container.get_command(click.Context(container), "ls")
