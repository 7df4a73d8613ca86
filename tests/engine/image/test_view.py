"""How images are shown."""

from __future__ import annotations

from composer.engine.local.image import digest, view
from composer.engine.local.image.record import ImageRecord

DIFF = [f"sha256:{n:064x}" for n in (1, 2)]
CONFIG = {
    "created": "2023-11-14T22:13:20.123456789Z",
    "author": "me",
    "architecture": "amd64",
    "os": "linux",
    "config": {"Cmd": ["sh"], "Labels": {"a": "b"}},
    "rootfs": {"type": "layers", "diff_ids": DIFF},
    "history": [{"created_by": "one"}, {"created_by": "env", "empty_layer": True}, {"created_by": "two", "comment": "last"}],
}
RECORD = ImageRecord("sha256:" + "f" * 64, CONFIG, tags=("docker.io/library/a:1",), size=30)


def test_inspect() -> None:
    shown = view.inspected(RECORD, [])
    assert (shown.repo_tags, shown.author, shown.comment, shown.size, shown.config.cmd) == (("a:1",), "me", "last", 30, ("sh",))
    assert shown.root_fs.layers == tuple(DIFF)


def test_history_has_sizes_where_layers_are() -> None:
    chain = digest.chain(DIFF)
    rows = view.history(RECORD, {chain[0]: 10, chain[1]: 20})
    assert [(row.created_by, row.size) for row in rows] == [("two", 20), ("env", 0), ("one", 10)]
    assert (rows[0].id, rows[0].tags, rows[1].id) == (RECORD.id, ("a:1",), "<missing>")


def test_times() -> None:
    assert view.seconds("2023-11-14T22:13:20.123456789Z") == 1700000000
    assert view.seconds("nonsense") == 0
