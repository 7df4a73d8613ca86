"""Sync windows: when they are open, across midnight, months and clock changes; and what is no window."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from composer.engine.errors import InvalidArgument
from composer.gitops.window import is_open, opens, window


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("texts", "moment", "wanted"),
    [
        ([], "2026-03-02T12:00", True),
        (["0 22 * * * 4h"], "2026-03-02T21:59", False),
        (["0 22 * * * 4h"], "2026-03-02T22:00", True),
        (["0 22 * * * 4h"], "2026-03-03T01:59", True),
        (["0 22 * * * 4h"], "2026-03-03T02:00", False),
        (["0 22 * * 1-5 2h"], "2026-03-07T22:30", False),  # a Saturday
        (["0 22 * * 1-5 2h Europe/Berlin"], "2026-03-02T21:30", True),  # 22:30 there
        (["deny 0 8 * * 1-5 10h"], "2026-03-02T12:00", False),
        (["deny 0 8 * * 1-5 10h"], "2026-03-02T19:00", True),
        (["0 0 * * * 1d", "deny 0 12 * * * 1h30m"], "2026-03-02T13:29", False),
        (["0 0 * * * 1d", "deny 0 12 * * * 1h30m"], "2026-03-02T13:30", True),
        (["0 2 * * * 1h", "0 14 * * * 1h"], "2026-03-02T14:30", True),
    ],
)
def test_open(texts: list[str], moment: str, wanted: bool) -> None:
    assert is_open([window(text) for text in texts], at(moment)) is wanted


def test_when_it_opens_next() -> None:
    nightly = [window("0 22 * * * 2h Europe/Berlin")]
    assert opens(nightly, at("2026-03-02T12:00")) == at("2026-03-02T22:00", "Europe/Berlin")
    assert opens(nightly, at("2026-03-28T23:30", "Europe/Berlin")) == at("2026-03-28T23:30", "Europe/Berlin")
    assert opens(nightly, at("2026-03-29T12:00", "Europe/Berlin")) == at("2026-03-29T22:00", "Europe/Berlin")  # summer time by then
    assert opens([window("deny 0 8 * * * 10h")], at("2026-03-02T12:00")) == at("2026-03-02T18:00")
    assert opens([window("0 0 29 2 * 1h")], at("2026-03-02T12:00")) == at("2028-02-29T00:00")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "* * * * *",
        "0 22 * * * 2x",
        "61 * * * * 1h",
        "0 22 * * * 0s",
        "0 22 * * * 15d",
        "0 22 * * * 2h Mars/Base",
        "0 22 * * * 2h ../etc",
    ],
)
def test_what_is_no_window(text: str) -> None:
    with pytest.raises(InvalidArgument):
        window(text)
