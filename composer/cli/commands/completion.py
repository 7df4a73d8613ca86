"""``composer completion``: the completion script of a shell."""

from __future__ import annotations

import sys

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:  composer completion bash > /etc/bash_completion.d/composer
    zsh:   composer completion zsh > "${fpath[1]}/_composer"
    fish:  composer completion fish > ~/.config/fish/completions/composer.fish
    """
    from click.shell_completion import get_completion_class

    from composer.cli.root import cli

    found = get_completion_class(shell)
    assert found is not None, "click has these three"
    sys.stdout.write(found(cli, {}, "composer", "_COMPOSER_COMPLETE").source() + "\n")
