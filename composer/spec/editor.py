"""The JSON Schema of stack files for editors: the Compose Specification's, with composer's own extensions described.

The loader checks by the Specification's alone; extensions are read by `care`, `schedule` and the rollout, which say more than a schema can.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

_DURATION = {"type": "string", "examples": ["30s", "10m", "1h30m"]}
_HEAL = {
    "description": "How the service is looked after once it runs (docs/healing.md). A word alone is `drift`.",
    "oneOf": [
        {"type": "string", "enum": ["heal", "report", "ignore"]},
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "drift": {
                    "type": "string",
                    "enum": ["heal", "report", "ignore"],
                    "description": "What happens when its containers are not as the file says.",
                },
                "unhealthy": {
                    "type": "string",
                    "enum": ["restart", "report", "ignore"],
                    "description": "What happens to a container whose health check fails.",
                },
                "restarts": {
                    "type": ["integer", "string"],
                    "minimum": 0,
                    "maximum": 1000,
                    "description": "So many restarts in `window`, for each container.",
                },
                "window": {**_DURATION, "description": "The time in which `restarts` are counted."},
            },
        },
    ],
}
_SCHEDULE = {
    "description": "The service runs by the clock instead of all the time (docs/jobs.md). A string alone is `cron`.",
    "oneOf": [
        {"type": "string", "examples": ["30 2 * * *", "@daily"]},
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["cron"],
            "properties": {
                "cron": {
                    "type": "string",
                    "description": "Minute, hour, day of the month, month, day of the week.",
                    "examples": ["30 2 * * *", "@daily"],
                },
                "timezone": {"type": "string", "description": "Of the IANA database; UTC by default.", "examples": ["Europe/Berlin"]},
                "overlap": {
                    "type": "string",
                    "enum": ["forbid", "queue", "replace"],
                    "description": "What happens when a run is due while another one runs.",
                },
                "catch_up": {
                    "type": "string",
                    "enum": ["none", "once", "all"],
                    "description": "Runs that were missed while the daemon was down.",
                },
                "keep": {"type": ["integer", "string"], "minimum": 1, "maximum": 1000, "description": "Runs that are remembered."},
                "timeout": {**_DURATION, "description": "A run that takes longer is ended, and has failed."},
            },
        },
    ],
}
_DRAIN = {**_DURATION, "description": "How long open connections of an old container are waited for (docs/rollouts.md)."}
# definition -> its properties beyond the Specification's
EXTENSIONS: dict[str, dict[str, Any]] = {
    "service": {"x-heal": _HEAL, "x-schedule": _SCHEDULE},
    "update_config": {"x-drain": _DRAIN},
}


def editor_schema() -> dict[str, Any]:
    """What `composer schema` prints."""
    schema: dict[str, Any] = json.loads((files("composer.spec") / "compose-spec.json").read_text("utf-8"))
    schema["title"] = "Stack file of composer: the Compose Specification and composer's extensions"
    service = schema["$defs"]["service"]["properties"]
    service |= EXTENSIONS["service"]
    update = schema["$defs"]["deployment"]["properties"]["update_config"]["properties"]
    update |= EXTENSIONS["update_config"]
    return schema
