"""What every command gets: the flags that stand before the command, the client, the console, and the project's request."""

from __future__ import annotations

import os

import click

from composer.cli.address import NoDaemon, address
from composer.cli.client import Client
from composer.cli.console import Console


class App:
    """One run of the command line. The flags are docker compose's; ``files`` grows by a command's own -f."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.name = ""
        self.profiles: list[str] = []
        self.env_files: list[str] = []
        self.directory = ""
        self.isolated: str | None = None  # --isolated: the name, "" for the checkout's own; None: not given
        self.isolates = False  # the command makes it when it is not there
        self.dry_run = False
        self.parallel: int | None = None
        self.host: str | None = None
        self.console = Console()
        self._client: Client | None = None

    @property
    def address(self) -> str:
        return address(self.host, os.environ)

    @property
    def client(self) -> Client:
        """The engine's client; the first call that finds nobody there starts the daemon."""
        if self._client is None:
            self._client = Client(self.address, self._start)
        return self._client

    @property
    def quiet_client(self) -> Client:
        """A client that starts nothing: for what makes no sense without a running engine, or works without."""
        return self._client or Client(self.address)

    def _start(self) -> None:
        where = self.address
        if not where.startswith("unix://"):
            raise NoDaemon(where, "it is not running", "start it there: composer engine serve")
        from composer.daemon.options import options
        from composer.daemon.start import ensure

        ensure(options(os.environ, host=where))

    @property
    def cwd(self) -> str:
        """The working directory as the user calls it: $PWD when that is the same place (a symbolic link stays as typed)."""
        real, said = os.getcwd(), os.environ.get("PWD", "")
        try:
            return said if os.path.isabs(said) and os.path.samefile(said, real) else real
        except OSError:
            return real

    @property
    def named(self) -> str:
        """The project's name when it is given and no file is: then commands that only look need no file."""
        if self.files or os.environ.get("COMPOSE_FILE"):
            return ""
        return self.name or os.environ.get("COMPOSE_PROJECT_NAME", "")

    def close(self) -> None:
        """At the end of the run."""
        if self._client is not None:
            self._client.close()

    def warn(self, text: str) -> None:
        click.echo(text, err=True)


def app() -> App:
    """The App of the command that runs now."""
    found = click.get_current_context().find_object(App)
    assert found is not None, "the group makes it"
    return found
