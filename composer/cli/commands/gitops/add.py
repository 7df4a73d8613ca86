"""``composer gitops add``: what to follow, and how."""

from __future__ import annotations

import os
from typing import Any

import click

from composer.cli.app import App, app
from composer.cli.commands.gitops.rest import seconds
from composer.cli.commands.gitops.show import ended_well, show_status

_FILES = ("token_file", "ssh_key", "known_hosts", "ca_file", "hook_secret_file", "notify_secret_file")

REPORT_URLS = {"github": "https://api.github.com", "gitlab": "https://gitlab.com/api/v4"}


@click.command()
@click.argument("name")
@click.option("--repo", required=True, metavar="URL", help="https, ssh, git or file URL, USER@HOST:PATH, or a path here.")
@click.option("--ref", default="main", metavar="REF", help="Branch, tag, full ref or commit (main).")
@click.option("--path", default=".", metavar="PATH", help="Stack file, or directory: with a stack file, or with one folder for each stack.")
@click.option("--stack", default="", metavar="NAME", help="The stack's name (else the file's own, else NAME).")
@click.option(
    "--interval", default="60s", metavar="DURATION", help="Time between two looks, give or take a fifth (60s); 0: only when told."
)
@click.option("--webhook", is_flag=True, help="Take webhooks; a secret for them is made and shown once (see: composer gitops listen).")
@click.option(
    "--webhook-secret-file", "hook_secret_file", default="", metavar="FILE", help="Take webhooks that are signed with this secret."
)
@click.option("--user", default="", metavar="NAME", help="User for https, with --token-file.")
@click.option("--token-file", default="", metavar="FILE", help="Token or password for https, read at each use.")
@click.option("--ca-file", default="", metavar="FILE", help="Certificates that an https server may have.")
@click.option("--ssh-key", default="", metavar="FILE", help="Deploy key for ssh.")
@click.option("--known-hosts", default="", metavar="FILE", help="Host keys that an ssh server may have.")
@click.option(
    "--require-signed", "signers", multiple=True, metavar="KEYS", help="File of ssh or OpenPGP keys; only what they signed is brought up."
)
@click.option("--age-key", "age_keys", multiple=True, metavar="FILE", help="age identity for SOPS and age files.")
@click.option("--after", multiple=True, metavar="STACK", help="Only when that stack is healthy.")
@click.option("--health-timeout", default="5m", metavar="DURATION", help="Time that a commit has to become healthy (5m).")
@click.option("--no-rollback", is_flag=True, help="Leave a bad commit up instead of going back to the last healthy one.")
@click.option("--no-prune", is_flag=True, help="Keep what left the file.")
@click.option("--allow-empty", is_flag=True, help="A commit may remove everything.")
@click.option("--allow-rewrite", is_flag=True, help="Follow a rewritten history.")
@click.option("--window", "windows", multiple=True, metavar="WINDOW", help="'[deny] CRON DURATION [ZONE]': when commits may be brought up.")
@click.option("--env", "-e", "env", multiple=True, metavar="KEY=VALUE", help="Variable for the stack file.")
@click.option("--env-file", "env_files", multiple=True, metavar="PATH", help="Environment file in the repository; it may be encrypted.")
@click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Enable a profile.")
@click.option("--report", "report_kind", type=click.Choice(["github", "gitlab", "gitea"]), help="Where commit statuses go.")
@click.option("--report-url", default="", metavar="URL", help="The API's base, such as https://HOST/api/v1.")
@click.option("--report-project", default="", metavar="OWNER/NAME", help="The repository there.")
@click.option("--report-token-file", default="", metavar="FILE", help="Token for it.")
@click.option("--notify", multiple=True, metavar="URL", help="Send each event there as JSON.")
@click.option("--notify-secret-file", default="", metavar="FILE", help="Secret that these are signed with.")
@click.option("--max-size", default="1g", metavar="SIZE", help="Largest repository (1g).")
@click.option("-d", "--detach", is_flag=True, help="Do not wait for the first commit to be up.")
@click.option("--replace", is_flag=True, help="Replace a source of that name; its stacks run on.")
def add(name: str, **flags: Any) -> int:
    """Follow a repository: bring its stack up, and each later commit."""
    application = app()
    body = {"source": source(application, name, flags), "replace": flags["replace"], "hook": flags["webhook"], "detach": flags["detach"]}
    one = application.client.post("/composer/v1/gitops/add", body)
    show_status(one)
    if secret := one.get("webhook_secret"):
        click.echo(f"webhook: POST to /hooks/{name} at the address of `composer gitops listen`, signed with the secret\n{secret}")
    return 0 if flags["detach"] or ended_well(one) else 1


def source(application: App, name: str, flags: dict[str, Any]) -> dict[str, Any]:
    """The flags as the daemon takes them: paths absolute, keys by their contents, durations in seconds."""
    here = application.cwd
    found = {
        "name": name,
        "repo": _repo(flags["repo"], here),
        **{key: flags[key] for key in ("ref", "path", "stack", "user", "allow_empty", "allow_rewrite")},
        "interval": seconds(flags["interval"]),
        "gate": seconds(flags["health_timeout"]),
        "rollback": not flags["no_rollback"],
        "prune": not flags["no_prune"],
        "signers": [text(here, path) for path in flags["signers"]],
        "age_keys": [_absolute(here, path) for path in flags["age_keys"]],
        **{key: list(flags[key]) for key in ("after", "windows", "env_files", "profiles")},
        "env": dict(_pair(item) for item in flags["env"]),
        "largest": size(flags["max_size"]),
        "notify": list(flags["notify"]),
    }
    if flags["report_kind"]:
        found["report"] = {
            "kind": flags["report_kind"],
            "url": flags["report_url"] or REPORT_URLS.get(flags["report_kind"], ""),
            "project": flags["report_project"],
            "token_file": _absolute(here, flags["report_token_file"]),
        }
    for key in _FILES:
        if flags.get(key):
            found[key] = _absolute(here, flags[key])
    return found


def _absolute(here: str, path: str) -> str:
    return os.path.join(here, os.path.expanduser(path)) if path else ""


def _repo(text: str, here: str) -> str:
    """A path on this machine is made a file URL."""
    if "://" not in text and (text.startswith((".", "/", "~")) or os.path.isdir(os.path.join(here, text))):
        return "file://" + os.path.normpath(os.path.join(here, os.path.expanduser(text)))
    return text


def text(here: str, path: str) -> str:
    """A file's text, read with the user's rights. UsageError."""
    try:
        with open(os.path.join(here, os.path.expanduser(path)), encoding="utf-8") as file:
            return file.read(1 << 20)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise click.UsageError(f"cannot read {path}: {reason}") from error


def _pair(item: str) -> tuple[str, str]:
    key, equals, value = item.partition("=")
    if not equals or not key:
        raise click.UsageError(f"not KEY=VALUE: {item}")
    return key, value


def size(text: str) -> int:
    """ "512m" in bytes. UsageError."""
    units = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
    number, unit = text.lower().rstrip("kmgb"), text.lower()[len(text.lower().rstrip("kmgb")) :][:1]
    if not number.isdigit():
        raise click.UsageError(f"not a size: {text!r} (such as 512m or 2g)")
    return int(number) * units[unit]
