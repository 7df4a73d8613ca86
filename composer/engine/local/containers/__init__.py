"""Containers: rows, and the operations on them, each a short ladder of steps with its undo.

`LocalContainers` is the door; `Parts` what the operations work with; a `Record` what was asked for, a `Run` what is, a `Held` both in
memory with the lock. The order of the layers: record < registry < parts < one module an operation < local.
"""

from composer.engine.local.containers.local import LocalContainers
from composer.engine.local.containers.parts import Parts
from composer.engine.local.containers.tasks import Tasks

__all__ = ["LocalContainers", "Parts", "Tasks"]
