"""A plan in its reader's words: one change for each thing."""

from __future__ import annotations

from composer.reconcile.model import Action, Plan, Ref
from composer.reconcile.summary import changes, counts

WEB, DB = Ref("container", "p-web-1"), Ref("container", "p-db-1")


def test_steps_are_one_change() -> None:
    plan = Plan(
        (
            Action("pull", Ref("image", "bb"), "it is not here", service="db"),
            Action("create", Ref("network", "p_default"), "it does not exist"),
            Action("create", DB, "it does not exist", service="db"),
            Action("start", DB, "it does not exist", service="db"),
            Action("wait", DB, "others depend on it: service_healthy", condition="service_healthy"),
            Action("create", WEB, "environment changed", service="web", old="x"),
            Action("stop", WEB, "environment changed"),
            Action("remove", WEB, "environment changed"),
            Action("rename", WEB, "environment changed"),
            Action("start", WEB, "environment changed", ("wait container p-db-1 service_healthy",)),
            Action("stop", Ref("container", "s"), "it shares with p-web-1"),
            Action("start", Ref("container", "s"), "it shares with p-web-1"),
            Action("unpause", Ref("container", "u"), "it is paused"),
            Action("update", Ref("container", "l"), "memory changed by hand"),
            Action("roll", Ref("service", "w"), "image changed: 3 containers, 1 at a time, start-first", service="w"),
            Action("remove", Ref("container", "old"), "its service is not in the stack"),
        )
    )
    found = changes(plan)
    assert [str(change) for change in found] == [
        "pull image bb: it is not here",
        "create network p_default: it does not exist",
        "create container p-db-1: it does not exist",
        "replace container p-web-1: environment changed (starts when p-db-1 is healthy)",
        "restart container s: it shares with p-web-1",
        "start container u: it is paused",
        "update container l: memory changed by hand",
        "replace service w: image changed: 3 containers, 1 at a time, start-first",
        "remove container old: its service is not in the stack",
    ]
    assert list(counts(found).items()) == [
        ("pull", 1),
        ("create", 2),
        ("replace", 2),
        ("update", 1),
        ("start", 1),
        ("restart", 1),
        ("remove", 1),
    ]
    assert found[3].to_json()["when"] == "p-db-1 is healthy"


def test_nothing_and_waiting() -> None:
    assert changes(Plan()) == []
    assert changes(Plan((Action("wait", DB, "it is waited for"),))) == []
