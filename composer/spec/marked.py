"""A stack's files as one tree in long form, each value with its mark: for findings that are made after the load, from the model.

The same steps as `load`, up to the models; so a path of the model ("services", "web", "ports", 0) leads to the characters it came from.
It is made anew when something is to be told: a stack that is fine needs none.
"""

from __future__ import annotations

from composer.spec.gather import Gathering, Place
from composer.spec.load import name_from
from composer.spec.merge import unique
from composer.spec.problems import Problems
from composer.spec.project import frame
from composer.spec.read import Request
from composer.spec.shelf import Shelf
from composer.spec.short import lengthen
from composer.spec.tree import Node


def marked(request: Request) -> Node | None:
    """The tree of a request that `load` made a stack of; None when contents are lacking. SpecError when it is wrong."""
    problems, shelf = Problems(), Shelf(request)
    found = frame(request, shelf, problems)
    if found is None:
        return None
    gathering = Gathering(shelf, problems)
    place = Place(found.base, found.environment)
    found.environment["COMPOSE_PROJECT_NAME"] = found.name or name_from(gathering, found, place, problems)
    tree = gathering.stack(found.files, place)
    return None if tree is None or shelf.wanted else unique(lengthen(tree, problems))
