"""The command line's root: docker compose's flags before the command, errors as one clear line, exit codes.

Only click is imported here; a command's module when it is called (`lazy`, `table`).
Exit codes: 0 done, 1 failed, 2 wrong usage or invalid file, 130 interrupted; `exec` and `run` give the container's own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from composer.cli.app import App
from composer.cli.lazy import LazyGroup
from composer.cli.table import ALIASES, DRY_RUN, GROUPS, REFUSED, STACK
from composer.errors import EXIT_FAILED, EXIT_INTERRUPTED, ComposerError


@click.group(
    cls=LazyGroup,
    table={**STACK, **GROUPS},
    aliases=ALIASES,
    refused=REFUSED,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    subcommand_metavar="COMMAND [ARGS]...",
)
@click.option("-f", "--file", "files", multiple=True, metavar="FILE", help="Stack file (several are merged); '-' is stdin.")
@click.option("-p", "--project-name", "name", default="", metavar="NAME", help="Project name.")
@click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Enable a profile ('*': all).")
@click.option("--env-file", "env_files", multiple=True, metavar="FILE", help="Environment file instead of .env.")
@click.option("--project-directory", "directory", default="", metavar="DIR", help="Base of relative paths (default: the first file's).")
@click.option("--ansi", type=click.Choice(["never", "always", "auto"]), default=None, help="When to print ANSI control characters.")
@click.option("--progress", type=click.Choice(["auto", "tty", "plain", "json", "quiet"]), default=None, help="Type of progress output.")
@click.option("--parallel", type=int, default=None, metavar="N", help="Highest number of operations at once; -1: no limit.")
@click.option("--compatibility", is_flag=True, hidden=True)
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--all-resources", is_flag=True, hidden=True)
@click.option("-H", "--host", default=None, metavar="ADDRESS", help="The engine: unix:///PATH or tcp://HOST:PORT (COMPOSER_HOST).")
@click.option("-v", "--version", "version", is_flag=True, is_eager=True, expose_value=False, callback=lambda c, p, v: _version(c, v))
@click.pass_context
def cli(
    ctx: click.Context,
    files: tuple[str, ...],
    name: str,
    profiles: tuple[str, ...],
    env_files: tuple[str, ...],
    directory: str,
    ansi: str | None,
    progress: str | None,
    parallel: int | None,
    compatibility: bool,
    dry_run: bool,
    all_resources: bool,
    host: str | None,
) -> None:
    """composer: bring a stack of containers up, and keep it so."""
    if dry_run and ctx.invoked_subcommand not in DRY_RUN:
        raise click.UsageError(f"--dry-run is not supported with '{ctx.invoked_subcommand}'; composer plan shows what up would do")
    if compatibility:
        raise click.UsageError("--compatibility is not supported: containers are named with hyphens, as docker compose 2 does")
    if all_resources:
        raise click.UsageError("--all-resources is not supported: networks and volumes that no service uses are left out")
    app = ctx.ensure_object(App)
    app.files, app.profiles, app.env_files = list(files), list(profiles), list(env_files)
    app.name, app.directory, app.host = name, directory, host
    app.dry_run = dry_run
    limit = os.environ.get("COMPOSE_PARALLEL_LIMIT", "")
    app.parallel = parallel if parallel is not None else int(limit) if limit.lstrip("-").isdigit() else None
    app.console.ansi = ansi or os.environ.get("COMPOSE_ANSI") or "auto"
    app.console.progress = progress or os.environ.get("COMPOSE_PROGRESS") or "auto"


def _version(ctx: click.Context, wanted: bool) -> None:
    if wanted:
        from composer.cli.commands.version import text

        click.echo(text())
        ctx.exit()


def run(arguments: Sequence[str]) -> int:
    """Do what ``arguments`` (without the program's name) say; the exit code. Errors are shown, never raised."""
    app = App()
    try:
        answer = cli.main(list(arguments), prog_name="composer", standalone_mode=False, obj=app)
        code = answer if isinstance(answer, int) else 0
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except ComposerError as error:
        from composer.cli.stack import show_error

        show_error(app, error)
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader (head, grep -q) has gone: nothing to tell it
        code = EXIT_FAILED
    finally:
        app.close()
    return code
