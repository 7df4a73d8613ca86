"""Containers as Docker's API lists them (``GET /containers/json``), found by compose's labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from composer.cli.client import Client

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
NUMBER = "com.docker.compose.container-number"
ONEOFF = "com.docker.compose.oneoff"
Summary = dict[str, Any]


def of_project(client: Client, project: str, *, all: bool = False, oneoff: bool = False, services: Iterable[str] = ()) -> list[Summary]:
    """The project's containers by name and number; ``all``: stopped ones too; ``oneoff``: those of `run` too."""
    labels = [f"{PROJECT}={project}"]
    if not oneoff:
        labels.append(f"{ONEOFF}=False")
    wanted = set(services)
    found = client.get("/containers/json", {"all": all, "filters": {"label": labels}})
    rows = [row for row in found if not wanted or label(row, SERVICE) in wanted]
    return sorted(rows, key=lambda row: (label(row, SERVICE), label(row, ONEOFF) == "True", int(label(row, NUMBER) or 0), name(row)))


def label(row: Summary, key: str) -> str:
    return str((row.get("Labels") or {}).get(key, ""))


def name(row: Summary) -> str:
    names = row.get("Names") or [row.get("Name", "")]
    return str(min(names, key=lambda text: text.count("/"))).removeprefix("/")


def short_name(row: Summary) -> str:
    """The name without the project's when it is the default one: ``web-1``."""
    full, project = name(row), label(row, PROJECT)
    default = f"{project}-{label(row, SERVICE)}-{label(row, NUMBER)}"
    return full[len(project) + 1 :] if full in (default, default.replace("-", "_")) else full


def exit_code(row: Summary) -> int:
    """Out of the status: ``Exited (3) 2 minutes ago``."""
    status = str(row.get("Status", ""))
    head, opened, rest = status.partition("(")
    number = rest.partition(")")[0]
    return int(number) if opened and head.strip() in ("Exited", "Restarting") and number.lstrip("-").isdigit() else 0


def health(row: Summary) -> str:
    said = (row.get("Health") or {}).get("Status") if isinstance(row.get("Health"), dict) else None
    if said is not None:
        return "" if said == "none" else str(said)
    status = str(row.get("Status", ""))
    if "(health: starting)" in status:
        return "starting"
    return next((word for word in ("unhealthy", "healthy") if f"({word})" in status), "")


def ports(row: Summary) -> str:
    """``0.0.0.0:8080->80/tcp, 9000/tcp``; consecutive ports of one kind as a range."""
    rows = sorted(
        {(p.get("IP") or "", p.get("Type") or "tcp", p.get("PublicPort") or 0, p["PrivatePort"]) for p in row.get("Ports") or ()},
        key=lambda p: (p[3], p[1], ":" in p[0], p[0]),
    )
    return ", ".join(_port(*span) for span in _spans(rows))


def _spans(rows: list[tuple[str, str, int, int]]) -> list[tuple[str, str, int, int, int]]:
    """(ip, protocol, public, private, how many)."""
    spans: list[tuple[str, str, int, int, int]] = []
    left = list(rows)
    while left:
        ip, protocol, public, private = left.pop(0)
        count = 1
        while (more := (ip, protocol, public + count if public else 0, private + count)) in left:
            left.remove(more)
            count += 1
        spans.append((ip, protocol, public, private, count))
    return spans


def _port(ip: str, protocol: str, public: int, private: int, count: int) -> str:
    inside = f"{private}-{private + count - 1}" if count > 1 else str(private)
    if not public:
        return f"{inside}/{protocol}"
    outside = f"{public}-{public + count - 1}" if count > 1 else str(public)
    return f"{f'[{ip}]' if ':' in ip else ip}:{outside}->{inside}/{protocol}"
