"""Times and sizes in docker's words: ``3 minutes ago``, ``12.5MB``, ``1.5GiB``."""

from __future__ import annotations

import time

from composer.errors import UsageError


def ago(seconds: float) -> str:
    """How long that is (go-units HumanDuration), e.g. ``About a minute``."""
    if seconds < 1:
        return "Less than a second"
    minutes, hours = int(seconds // 60), round(seconds / 3600)
    if seconds < 60:
        return "1 second" if int(seconds) == 1 else f"{int(seconds)} seconds"
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    if hours < 24 * 7 * 2:
        return f"{hours // 24} days"
    if hours < 24 * 30 * 2:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{int(seconds / 3600) // 24 // 365} years"


def since(created: float) -> str:
    return ago(time.time() - created) + " ago"


def stamp(seconds: float) -> str:
    """``2026-11-24 14:30:00 +0000 UTC``, as Go prints a time."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(seconds))


def unix(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 time; 0 for Go's zero time and for none."""
    if not text or text.startswith("0001-"):
        return 0.0
    from datetime import datetime

    head, dot, tail = text.partition(".")
    if dot:
        digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
        text = f"{head}.{digits[:6].ljust(6, '0')}{tail[len(digits) :]}"
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def decimal(size: float) -> str:
    """``12.5MB``: powers of 1000, three significant digits (go-units HumanSize)."""
    return _scaled(size, 1000.0, ("B", "kB", "MB", "GB", "TB", "PB"), 4 if size else 3)


def image(size: float) -> str:
    """Sizes in lists: three significant digits."""
    return _scaled(size, 1000.0, ("B", "kB", "MB", "GB", "TB", "PB"), 3)


def binary(size: float) -> str:
    """``1.5GiB``: powers of 1024, four significant digits (go-units BytesSize)."""
    return _scaled(size, 1024.0, ("B", "KiB", "MiB", "GiB", "TiB", "PiB"), 4)


def _scaled(size: float, base: float, units: tuple[str, ...], digits: int) -> str:
    step = 0
    while size >= base and step < len(units) - 1:
        size /= base
        step += 1
    return f"{size:.{digits}g}{units[step]}"


def parse_size(text: str) -> int:
    """Bytes of ``512m``, ``1.5GiB``, ``100`` (powers of 1024). Raises ValueError."""
    lower = text.strip().lower().removesuffix("ib").removesuffix("b")
    factor = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}.get(lower[-1:], 1)
    return int(float(lower[:-1] if factor > 1 else lower) * factor)


def parse_duration(text: str) -> float:
    """Seconds of Go's ``1h30m``, ``1.5s``, ``200ms``. Raises ValueError."""
    import re

    units = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"'{text}' is no duration")
    return sum(float(number) * units[unit] for number, unit in parts)


def parse_time(text: str) -> str:
    """--since and --until: a duration means so long ago; the answer is in seconds since 1970, as the API takes it."""
    try:
        return repr(time.time() - parse_duration(text))
    except ValueError:
        pass
    try:
        return repr(float(text))
    except ValueError:
        pass
    try:
        return repr(unix(text if "T" in text else text + "T00:00:00"))
    except ValueError:
        raise UsageError(
            f"failed to parse value as time or duration: {text!r}", hint="as in 10m, 2024-01-02, 2024-01-02T13:23:37Z or 1704202017"
        ) from None
