"""Docker's multiplexed stream: each piece of output behind a header of 8 bytes (stream number, three zeros, length big-endian).

Source: moby api/types/container/attach (API docs, "Stream format"), pkg/stdcopy.
"""

from __future__ import annotations

import struct

from composer.engine.model import LogFrame

_HEADER = struct.Struct(">BxxxL")


def multiplexed(frame: LogFrame) -> bytes:
    return _HEADER.pack(frame.stream, len(frame.data)) + frame.data


def raw(frame: LogFrame) -> bytes:
    return frame.data
