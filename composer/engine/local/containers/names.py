"""Names of containers: the rule, and generated ones (adjective_noun). Pure: the choice comes in as numbers."""

from __future__ import annotations

import re
from collections.abc import Callable

from composer.engine.errors import InvalidArgument

_RULE = "[a-zA-Z0-9][a-zA-Z0-9_.-]"
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_LEFT = """
able amber bold brave bright brisk calm clear clever cool crisp deft eager early easy fair fast fine firm fond frank free fresh
gentle glad golden good grand great happy hardy honest humble keen kind lively loyal lucid lucky merry mild neat nice nimble noble
patient plain polite proud prime pure quick quiet ready serene sharp silent silver simple sleek smart snug sober solid sound
steady still stout sunny sure sweet swift tender thrifty tidy tough true trusty upbeat vivid warm wise witty young zealous zesty
"""
_RIGHT = """
acorn alder anchor aspen badger beacon beaver birch bison brook canyon cedar cliff clover comet coral crane creek cricket dolphin
dune eagle ember falcon fern finch fjord forest fox garnet glacier grove harbor hawk hazel heron hill island ivy jade juniper
kestrel lagoon lake lark lily linden lion lynx maple marten meadow mesa moss oak ocean olive opal orchid osprey otter owl panda
pebble pine plover poplar prairie quartz raven reef ridge river robin rose sage sequoia shore sparrow spruce star stone summit
swan thistle tide trout tulip valley walnut willow wolf wren yarrow
"""


def check(name: str) -> str:
    """The name without Docker's leading slash. InvalidArgument when it breaks the rule."""
    plain = name.removeprefix("/")
    if not _NAME.fullmatch(plain):
        raise InvalidArgument(f"Invalid container name ({name}), only {_RULE} are allowed")
    return plain


def generate(choose: Callable[[int], int], taken: Callable[[str], bool]) -> str:
    """A free name. ``choose(n)``: a number below n."""
    left, right = _LEFT.split(), _RIGHT.split()
    for attempt in range(1000):
        name = f"{left[choose(len(left))]}_{right[choose(len(right))]}"
        if attempt > 8:
            name += str(choose(10 ** min(attempt // 8, 6)))
        if not taken(name):
            return name
    raise InvalidArgument("no generated name is free", hint="give the container a name")
