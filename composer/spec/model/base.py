"""The ground of the models: one class, `Spec`, whose annotations say what each attribute may hold and how it is printed.

Why not pydantic here: a file of twenty services is read in 6 ms, and building pydantic's validators for these models takes 150. A class
is compiled when the first object of it is read; the tree that is read has passed the schema, so what is left to do is small.

Annotations are `X`, `X | None`, `list[X]`, `dict[str, X]`, `tuple[X, ...]`, where X is a model, `str`, `bool`, a `Literal`, or a `Kind`
(values.py); anything else is not looked at.
A field's *default* says how docker compose prints it: a field that may be None is printed whenever it was set; any other is printed
only when it differs from Go's zero value (False, 0, "", empty). The order of the fields is that of docker compose's own types, because
its config hash depends on it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Self, dataclass_transform

    Loc = tuple[Any, ...]
    _Check = Callable[[Any, Loc, list["Fault"]], Any]
else:

    def dataclass_transform(**_):
        return lambda cls: cls


HIDDEN = "hidden"  # fields that are ours, not the file's: never printed
IN_JSON = "json"  # printed in JSON even when unset
ALWAYS = "both"  # printed even when unset


class Fault:
    """One thing that is wrong with the data of a model. `loc`: where in it; `kind`: value, unknown or missing."""

    __slots__ = ("hint", "kind", "loc", "message")

    def __init__(self, loc: Loc, kind: str, message: str = "", hint: str = "") -> None:
        self.loc, self.kind, self.message, self.hint = loc, kind, message, hint


class Wrong(ValueError):
    """A value that its kind does not take: what is wrong in a user's words, and what would be right."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Unfit(ValueError):
    """The data is no such model; `faults` says why."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, fault.loc))}: {fault.message or fault.kind}" for fault in faults))
        self.faults = faults


class Kind:
    """A sort of value. `read`: from what the file has (Wrong: it cannot be); `render`: to what is printed, None: as it is."""

    __slots__ = ("exact", "read", "render")

    def __init__(self, read: Callable[[Any], Any], render: Callable[[Any], Any] | None = None, exact: type | None = None) -> None:
        self.read = read
        self.render = render
        self.exact = exact  # values of this very type need no reading


class FieldInfo:
    """What is known of a field. `default`: `...` when it must be given. `show`: "", or one of the words above."""

    __slots__ = ("default", "factory", "in_repr", "render", "show")

    def __init__(self, default: Any, factory: Callable[[], Any] | None, show: str, in_repr: bool) -> None:
        self.default, self.factory, self.show, self.in_repr = default, factory, show, in_repr
        self.render: Callable[[Any], Any] | None = None

    @property
    def is_nullable(self) -> bool:
        return self.default is None and self.factory is None


def Field(*, default: Any = ..., default_factory: Callable[[], Any] | None = None, show: str = "", repr: bool = True) -> Any:
    """The value of a field in a model's class body."""
    return FieldInfo(default, default_factory, show, repr)


def _annotations(cls: type) -> dict[str, str]:
    found: dict[str, str] = vars(cls).get("__annotations__", {})  # as text, those of bases not among them; `inspect` is slow to import
    return {name: text for name, text in found.items() if not text.startswith("ClassVar")}


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(Field,))
class Spec:
    """One object of a stack file in long form, not to be changed. `extensions`: its `x-` attributes."""

    extensions: dict[str, Any] = Field(default_factory=dict, show=HIDDEN)

    model_fields: ClassVar[dict[str, FieldInfo]] = {}
    _checks: ClassVar[dict[str, tuple[_Check, type | None]] | None] = None
    _required: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        fields = dict(cls.model_fields)
        for name in _annotations(cls):
            given = cls.__dict__.get(name, ...)
            info = given if isinstance(given, FieldInfo) else FieldInfo(given, None, "", True)
            fields[name] = info
            if info.factory is None and info.default is not ...:
                setattr(cls, name, info.default)
            elif name in cls.__dict__:
                delattr(cls, name)  # __getattr__ makes it
        cls.model_fields = fields
        cls._required = tuple(name for name, info in fields.items() if info.default is ... and info.factory is None)
        cls._checks = None

    def __init__(self, **values: Any) -> None:
        faults: list[Fault] = []
        self.__dict__.update(_values(type(self), values, (), faults))
        if faults:
            raise Unfit(faults)

    @classmethod
    def model_validate(cls, data: Mapping[str, Any]) -> Self:
        """`data` as this model. Unfit: with all that is wrong."""
        faults: list[Fault] = []
        made = _read(cls, data, (), faults)
        if faults:
            raise Unfit(faults)
        return made  # type: ignore[no-any-return]

    @classmethod
    def model_construct(cls, **values: Any) -> Self:
        """The model of values that are known to be right."""
        made = object.__new__(cls)
        made.__dict__.update(values)
        return made

    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Self:
        """This one with other values, which are known to be right."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        made.__dict__.update(update or {})
        return made

    def model_dump(
        self, *, include: Iterable[str] | None = None, exclude: Iterable[str] = (), exclude_defaults: bool = False
    ) -> dict[str, Any]:
        """The values as plain data, models in them, too."""
        out: dict[str, Any] = {}
        for name, info in self.model_fields.items():
            if name in exclude or (include is not None and name not in include):
                continue
            value = getattr(self, name)
            if exclude_defaults and value == (info.factory() if info.factory is not None else info.default):
                continue
            out[name] = _dumped(value, exclude_defaults)
        return out

    def __getattr__(self, name: str) -> Any:
        info = None if name.startswith("_") else type(self).model_fields.get(name)
        if info is None or info.factory is None:
            raise AttributeError(f"{type(self).__name__} has no attribute '{name}'")
        value = self.__dict__[name] = info.factory()
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is not to be changed: use model_copy(update=...)")

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.model_fields)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = [f"{n}={self.__dict__[n]!r}" for n, info in self.model_fields.items() if info.in_repr and n in self.__dict__]
        return f"{type(self).__name__}({', '.join(shown)})"


Spec.model_fields = {"extensions": vars(Spec)["extensions"]}
del Spec.extensions


def _dumped(value: Any, exclude_defaults: bool) -> Any:
    if isinstance(value, Spec):
        return value.model_dump(exclude_defaults=exclude_defaults)
    if isinstance(value, dict):
        return {key: _dumped(item, exclude_defaults) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_dumped(item, exclude_defaults) for item in value]
    return value


def _read(cls: type[Spec], data: Any, loc: Loc, faults: list[Fault]) -> Any:
    if isinstance(data, cls):
        return data
    if not isinstance(data, dict):
        faults.append(Fault(loc, "value", "must be a mapping"))
        return None
    made = object.__new__(cls)
    made.__dict__.update(_values(cls, data, loc, faults))
    return made


def _values(cls: type[Spec], data: Mapping[str, Any], loc: Loc, faults: list[Fault]) -> dict[str, Any]:
    checks = cls._checks if cls._checks is not None else _compile(cls)
    values: dict[str, Any] = {}
    notes: dict[str, Any] = {}
    for key, value in data.items():
        entry = checks.get(key)
        if entry is None:
            if key[:2] == "x-":
                notes[key] = value
            else:
                faults.append(Fault((*loc, key), "unknown"))
        elif type(value) is entry[1]:
            values[key] = value
        else:
            values[key] = entry[0](value, (*loc, key), faults)
    if notes:
        values["extensions"] = notes
    for name in cls._required:
        if name not in values:
            faults.append(Fault((*loc, name), "missing"))
    return values


def _compile(cls: type[Spec]) -> dict[str, tuple[_Check, type | None]]:
    checks: dict[str, tuple[_Check, type | None]] = {}
    for one in reversed(cls.__mro__):
        scope = vars(sys.modules[one.__module__])
        for name, annotation in _annotations(one).items():
            info = cls.model_fields.get(name)
            if info is not None:
                check, exact, info.render = _check(annotation, scope)
                checks[name] = (check, exact)
    cls._checks = checks
    return checks


def compiled(cls: type[Spec]) -> dict[str, FieldInfo]:
    """The fields of a model, what their annotations say about printing filled in."""
    if cls._checks is None:
        _compile(cls)
    return cls.model_fields


def _check(annotation: str, scope: Mapping[str, Any]) -> tuple[_Check, type | None, Callable[[Any], Any] | None]:
    """How a value is read, the type that needs no reading, and how it is printed."""
    if annotation.endswith(" | None"):
        check, exact, render = _check(annotation.removesuffix(" | None"), scope)
        return (lambda value, loc, faults: None if value is None else check(value, loc, faults)), exact, render
    outer, bracket, inner = annotation.removesuffix("]").partition("[")
    if bracket and outer in _MANY:
        return _MANY[outer](_check(inner.removeprefix("str, ").removesuffix(", ..."), scope)[0]), None, None
    found: Any = _literal(inner) if outer == "Literal" else scope.get(annotation) or _PLAIN.get(annotation)
    if not isinstance(found, type) and hasattr(found, "__args__"):
        found = one_of(*found.__args__)  # the name of a Literal
    if isinstance(found, Kind):
        return _of_kind(found), found.exact, found.render
    if isinstance(found, type) and issubclass(found, Spec):
        return (lambda value, loc, faults: _read(found, value, loc, faults)), None, None
    return (lambda value, loc, faults: value), None, None  # Any, and what only our own code puts there


def _of_kind(kind: Kind) -> _Check:
    read = kind.read

    def check(value: Any, loc: Loc, faults: list[Fault]) -> Any:
        try:
            return read(value)
        except Wrong as wrong:
            faults.append(Fault(loc, "value", str(wrong), wrong.hint))
            return None

    return check


def _literal(inner: str) -> Kind:
    return one_of(*(word.strip().strip("\"'") for word in inner.split(",")))


def one_of(*words: str) -> Kind:
    """A kind of which there are these values."""

    def read(value: Any) -> Any:
        if value not in words:
            raise Wrong(f"'{value}' cannot be", f"one of {', '.join(word or 'nothing' for word in words)}")
        return value

    return Kind(read)


def _list(inner: _Check) -> _Check:
    def check(value: Any, loc: Loc, faults: list[Fault]) -> Any:
        if not isinstance(value, list | tuple):
            faults.append(Fault(loc, "value", "must be a list"))
            return []
        return [inner(item, (*loc, index), faults) for index, item in enumerate(value)]

    return check


def _dict(inner: _Check) -> _Check:
    def check(value: Any, loc: Loc, faults: list[Fault]) -> Any:
        if not isinstance(value, Mapping):
            faults.append(Fault(loc, "value", "must be a mapping"))
            return {}
        return {key: inner(item, (*loc, key), faults) for key, item in value.items()}

    return check


def _tuple(inner: _Check) -> _Check:
    return lambda value, loc, faults: tuple(inner(item, (*loc, index), faults) for index, item in enumerate(value))


_MANY: dict[str, Callable[[_Check], _Check]] = {"list": _list, "dict": _dict, "Mapping": _dict, "tuple": _tuple}


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise Wrong(f"'{value}' must be a string" if not isinstance(value, dict | list) else "this must be a string", "quote it")
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Wrong(f"invalid boolean: '{value}'", "true or false")
    return value


_PLAIN: dict[str, Kind] = {"str": Kind(_str, exact=str), "bool": Kind(_bool, exact=bool)}
