"""Something that happened in the engine."""

from __future__ import annotations

from pydantic import Field

from composer.engine.model.wire import Wire


class Actor(Wire):
    id: str = Field(default="", alias="ID")
    attributes: dict[str, str] = Field(default_factory=dict)  # name, image, the labels; exitCode, signal, ...


class Event(Wire):
    """As `GET /events` streams it. ``type``: container, image, network, volume. ``action``: create, die, health_status: healthy ..."""

    type: str = ""
    action: str = ""
    actor: Actor = Field(default_factory=Actor)
    scope: str = Field(default="local", alias="scope")
    time: int = Field(default=0, alias="time")  # seconds since 1970
    time_nano: int = Field(default=0, alias="timeNano")
