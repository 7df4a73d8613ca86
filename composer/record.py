"""`@record`: a frozen class of named values, as `@dataclass(frozen=True, slots=True)` makes it, for what is imported at each start.

`dataclasses` costs 12 ms of a start of 60 (it imports `inspect`, and compiles a function for each method); `composer config` must not
be slower than docker compose, so the modules that it needs use this. Elsewhere dataclasses are right.

Defaults must not be changed by anybody: they are shared. `__hidden__`: the names that `repr` leaves out.
"""

from __future__ import annotations

TYPE_CHECKING = False  # what mypy knows, without importing `typing` (5 ms)
if TYPE_CHECKING:
    from typing import Any, TypeVar, dataclass_transform

    T = TypeVar("T")
else:

    def dataclass_transform(**_):
        return lambda function: function


_MISSING = object()


@dataclass_transform(frozen_default=True)
def record(cls: type[T]) -> type[T]:
    """The class of the values that the body of `cls` annotates."""
    body = dict(vars(cls))
    names = tuple(name for name, text in body.get("__annotations__", {}).items() if not text.startswith("ClassVar"))
    defaults = tuple(body.pop(name, _MISSING) for name in names)
    hidden = body.pop("__hidden__", ())
    for name in ("__dict__", "__weakref__"):
        body.pop(name, None)
    made: Any = type(cls.__name__, cls.__bases__, {**body, "__slots__": names, "__match_args__": names})
    setters = tuple(vars(made)[name].__set__ for name in names)
    _add(made, "__init__", _init(names, defaults, setters))
    for name, method in _METHODS.items():
        if name not in body:
            _add(made, name, method)
    made.__hidden__ = hidden
    return made  # type: ignore[no-any-return]


def _add(cls: type, name: str, method: Any) -> None:
    setattr(cls, name, method)


def _init(names: tuple[str, ...], defaults: tuple[Any, ...], setters: tuple[Any, ...]) -> Any:
    def __init__(self: Any, *given: Any, **named: Any) -> None:
        for setter, value in zip(setters, given, strict=False):
            setter(self, value)
        for at in range(len(given), len(names)):
            value = named.pop(names[at], defaults[at]) if named else defaults[at]
            if value is _MISSING:
                raise TypeError(f"{type(self).__name__} lacks '{names[at]}'")
            setters[at](self, value)
        if named or len(given) > len(names):
            raise TypeError(f"{type(self).__name__} does not take {', '.join(named) or 'so many values'}")

    return __init__


def changed(one: T, **values: Any) -> T:
    """This record with other values."""
    return type(one)(**{**{name: getattr(one, name) for name in names_of(type(one))}, **values})


def names_of(cls: type) -> tuple[str, ...]:
    """The names of a record's values, in order."""
    return cls.__match_args__  # type: ignore[attr-defined, no-any-return]


def _values(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, name) for name in self.__match_args__)


def _setattr(self: Any, name: str, value: Any) -> None:
    raise AttributeError(f"{type(self).__name__} is not to be changed")


def _repr(self: Any) -> str:
    shown = (f"{name}={getattr(self, name)!r}" for name in self.__match_args__ if name not in self.__hidden__)
    return f"{type(self).__name__}({', '.join(shown)})"


_METHODS: dict[str, Any] = {
    "__setattr__": _setattr,
    "__delattr__": lambda self, name: _setattr(self, name, None),
    "__repr__": _repr,
    "__eq__": lambda self, other: _values(self) == _values(other) if type(self) is type(other) else NotImplemented,
    "__hash__": lambda self: hash(_values(self)),
    "__reduce__": lambda self: (type(self), _values(self)),
}
