"""The normal form: a Stack as docker compose's `config` prints it, for JSON and for YAML, and the hash of a service.

Which fields are printed follows from the models (`model/base.py` says how). JSON leaves out `x-` attributes but those at the top, and
shows some empty objects; YAML is the other way round.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Literal

from composer.spec.model import Config, DeviceRate, DeviceWeight, Secret, Service, ServiceModel, ServiceNetwork, Spec, Stack, Ulimit
from composer.spec.model.base import Print, printed
from composer.spec.order import natural
from composer.spec.scalars import Timestamp

Form = Literal["json", "yaml"]

SECTIONS = ("networks", "volumes", "secrets", "configs", "models")


def to_normal(stack: Stack, form: Form = "json") -> dict[str, Any]:
    """The whole stack. `name` is left out when the stack has none."""
    out: dict[str, Any] = {"name": stack.name} if stack.name else {}
    out["services"] = normal(stack.services, form)
    for section in SECTIONS:
        if section == "models" and form == "json":
            continue  # docker compose's JSON lacks them
        objects = getattr(stack, section)
        if objects:
            out[section] = {key: _resource(objects[key], form) for key in _ordered(objects, form)}
    return out | {key: _extension(stack.extensions[key], form) for key in _ordered(stack.extensions, form)}


def _resource(one: Spec, form: Form) -> dict[str, Any]:
    out: dict[str, Any] = normal(one, form)
    if isinstance(one, Secret) or (isinstance(one, Config) and one.environment):
        out.pop("content", None)
    return out


def normal(value: Any, form: Form = "json") -> Any:
    """A model, or anything made of models, in normal form."""
    if isinstance(value, Spec):
        return _model(value, form)
    if isinstance(value, dict):
        return {key: normal(value[key], form) for key in _ordered(value, form)}
    if isinstance(value, list | tuple):
        return [normal(item, form) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _model(one: Spec, form: Form) -> Any:
    if isinstance(one, Ulimit) and one.single and one.soft:
        return one.soft
    if isinstance(one, ServiceNetwork | ServiceModel) and not one.declared:
        return None
    if isinstance(one, DeviceRate):
        return _device(form, path=one.path, rate=str(one.rate))
    if isinstance(one, DeviceWeight):
        return _device(form, path=one.path, weight=one.weight)
    out: dict[str, Any] = {}
    for name, field in printed(type(one)).items():
        value = getattr(one, name)
        if _is_shown(field, value, form):
            out[name] = normal(field.render(value) if field.render and value is not None else value, form)
    if form == "yaml":
        out |= {key: _extension(one.extensions[key], form) for key in _ordered(one.extensions, form)}
    return out


def _is_shown(field: Print, value: Any, form: Form) -> bool:
    if field.show == "hidden":
        return False
    if field.show in ("both", form):
        return True
    if field.nullable:
        return value is not None
    if isinstance(value, Spec):
        return bool(_model(value, form))
    return bool(value)


def _device(form: Form, **values: Any) -> dict[str, Any]:
    """Go prints these two types with their fields' Go names in JSON."""
    return {key.capitalize() if form == "json" else key: value for key, value in values.items()}


def _ordered(keys: Iterable[str], form: Form) -> list[str]:
    return sorted(keys) if form == "json" else natural(keys)


def _extension(value: Any, form: Form) -> Any:
    if isinstance(value, Timestamp):
        return value.text if form == "json" else value
    if isinstance(value, dict):
        return {key: _extension(value[key], form) for key in _ordered(value, form)}
    if isinstance(value, list):
        return [_extension(item, form) for item in value]
    return value


def service_hash(service: Service) -> str:
    """docker compose's config hash: what would make it create the service's containers anew (files' contents apart)."""
    deploy = service.deploy.model_copy(update={"replicas": None}) if service.deploy is not None else None
    left: dict[str, Any] = {"build": None, "pull_policy": "", "scale": None, "deploy": deploy, "depends_on": {}, "profiles": []}
    data = normal(service.model_copy(update=left))
    if service.env_file:
        files = [file.path if file.required else {"path": file.path, "required": False} for file in service.env_file]
        data = _with(data, "env_file", files)
    return hashlib.sha256(go_json(data).encode()).hexdigest()


def _with(data: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """`data` with one more key, at its place among the fields."""
    return {name: value if name == key else data[name] for name in Service.model_fields if name in data or name == key}


def go_json(data: Any) -> str:
    """JSON as Go's encoder has it: compact, with `<`, `>`, `&` and the line separators escaped."""
    return go_escaped(json.dumps(data, ensure_ascii=False, separators=(",", ":")))


def go_escaped(text: str) -> str:
    """JSON text with the characters escaped that Go's encoder escapes."""
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text
