"""What a removal comes to, by Docker's rules."""

from __future__ import annotations

import pytest

from composer.engine.errors import Conflict, NotFound
from composer.engine.local.image.record import ImageRecord
from composer.engine.local.image.remove import Removal, decide

ID = "sha256:" + "abcdef0123456789" * 4
DIGEST = "docker.io/library/a@sha256:" + "1" * 64
A1, A2, B1 = "docker.io/library/a:1", "docker.io/library/a:2", "docker.io/library/b:1"


def image(*names: str) -> ImageRecord:
    return ImageRecord(ID, {}, tags=tuple(n for n in names if "@" not in n), digests=tuple(n for n in names if "@" in n))


@pytest.mark.parametrize(
    ("names", "ref", "force", "gone", "whole"),
    [
        ([A1], "a:1", False, [A1], True),
        ([A1, A2], "a:1", False, [A1], False),
        ([A1, B1], "a:1", False, [A1], False),
        ([A1, DIGEST], "a:1", False, [A1, DIGEST], True),
        ([A1, A2, DIGEST], "a:1", False, [A1], False),
        ([A1, B1, DIGEST], "a:1", False, [A1, DIGEST], False),
        ([A1, DIGEST], "a@sha256:" + "1" * 64, False, [DIGEST], False),
        ([A1], ID, False, [A1], True),
        ([A1, DIGEST], "abcdef", False, [A1, DIGEST], True),
        ([], "abcdef", False, [], True),
        ([A1, B1], "abcdef", True, [A1, B1], True),
    ],
)
def test_removals(names: list[str], ref: str, force: bool, gone: list[str], whole: bool) -> None:
    assert decide(image(*names), ref, force=force, users=()) == Removal(tuple(gone), whole)


def test_conflicts() -> None:
    with pytest.raises(Conflict, match=r"unable to delete abcdef012345 \(must be forced\) - image is referenced in multiple repositories"):
        decide(image(A1, B1), ID, force=False, users=())
    with pytest.raises(
        Conflict, match=r'unable to remove repository reference "a:1" \(must force\) - container web is using its referenced'
    ):
        decide(image(A1), "a:1", force=False, users=["web"])
    with pytest.raises(Conflict, match=r"unable to delete abcdef012345 \(must be forced\) - image is being used by container web"):
        decide(image(A1), ID, force=False, users=["web"])
    assert decide(image(A1, A2), "a:1", force=False, users=["web"]) == Removal((A1,), False)
    assert decide(image(A1), "a:1", force=True, users=["web"]) == Removal((A1,), True)
    with pytest.raises(NotFound):
        decide(image(A1), "a:3", force=False, users=())
