"""Python values as JSON and back, without losing their type.

JSON has no tuple, no date and no NaN. What it lacks is written as `{"$zen": KIND, "value": ...}`; a mapping that
holds the key "$zen" itself, or keys that are not text, is written as a list of pairs. The digest of a value is the
digest of this form, the same whether the value is a constant, a parameter or a stored artifact.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import math
import pathlib
import sys
import uuid
from collections.abc import Callable
from importlib import import_module
from typing import Any

from zen_core.contract.canonical import canonical_json, digest_json
from zen_core.contract.files import File

TAG = "$zen"
_ADDRESSES = {
    "ipaddress._IPAddressBase",
    "pydantic.networks._BaseMultiHostUrl",
    "pydantic.networks._BaseUrl",
    "pydantic_core._pydantic_core.MultiHostUrl",
    "pydantic_core._pydantic_core.Url",
}
"""Ancestors of hosts, networks and URLs, which are made of their own text."""


class UnserializableError(TypeError):
    """The value has no JSON form. `path` says which part of it, such as `value['a'][0]`."""

    def __init__(self, value: object, path: str) -> None:
        self.path = path
        self.type_name = f"{type(value).__module__}.{type(value).__qualname__}"
        super().__init__(f"{path} is a {self.type_name}, which has no JSON form")


def to_json(value: Any, *, path: str = "value") -> Any:
    """The JSON form of a plain value. Raises UnserializableError, naming the part that has none."""
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else _tagged("float", repr(value))
    if type(value) is list:
        return [to_json(item, path=f"{path}[{index}]") for index, item in enumerate(value)]
    if type(value) is dict:
        return _mapping_to_json(value, path)
    return _object_to_json(value, path)


def from_json(value: Any) -> Any:
    """The value that `to_json` was given. Raises ValueError for an unknown kind."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if TAG not in value:
        return {key: from_json(item) for key, item in value.items()}
    decode = _DECODERS.get(value[TAG])
    if decode is None:
        raise ValueError(f"unknown kind of value {value[TAG]!r}")
    return decode(value)


def digest_value(value: Any) -> str:
    """The digest of a plain value: of its JSON form."""
    return digest_json("value", to_json(value))


def digest_value_json(value: Any) -> str:
    """The digest of a value that is in JSON form already."""
    return digest_json("value", value)


def iter_files(value: Any) -> list[str]:
    """The references of all files in a value in JSON form, sorted."""
    if isinstance(value, list):
        return sorted({reference for item in value for reference in iter_files(item)})
    if isinstance(value, dict):
        if value.get(TAG) == "file":
            return [value["value"]]
        return sorted({reference for item in value.values() for reference in iter_files(item)})
    return []


def _tagged(kind: str, value: Any, **extra: str) -> dict[str, Any]:
    return {TAG: kind, "value": value, **extra}


def _mapping_to_json(value: dict[Any, Any], path: str) -> Any:
    if all(type(key) is str for key in value) and TAG not in value:
        return {key: to_json(item, path=f"{path}[{key!r}]") for key, item in value.items()}
    pairs = [
        [to_json(key, path=f"a key of {path}"), to_json(item, path=f"{path}[{key!r}]")] for key, item in value.items()
    ]
    return _tagged("dict", sorted(pairs, key=lambda pair: canonical_json(pair[0])))


def _object_to_json(value: Any, path: str) -> Any:
    if isinstance(value, File):
        return _tagged("file", value.reference)
    library = type(value).__module__.partition(".")[0]
    if library == "numpy" and isinstance(value, sys.modules["numpy"].generic):
        plain = value.item()
        if type(plain) in (bool, int, float) and value.dtype.kind in "biuf":  # not a time, whose item() drops the unit
            return _tagged("numpy", to_json(plain, path=path), dtype=str(value.dtype))
    if library == "pandas":
        # A Timestamp and NaT are datetimes, but a datetime has neither nanoseconds nor NaT.
        raise UnserializableError(value, path)
    if isinstance(value, enum.Flag):  # a combination of flags has no name of its own
        return _tagged("flag", value.value, **{"class": _class_path(value, path)})
    if isinstance(value, enum.Enum):
        return _tagged("enum", value.name, **{"class": _class_path(value, path)})
    if type(value) is tuple:
        return _tagged("tuple", [to_json(item, path=f"{path}[{index}]") for index, item in enumerate(value)])
    if type(value) in (set, frozenset):
        items = [to_json(item, path=f"an item of {path}") for item in value]
        return _tagged(type(value).__name__, sorted(items, key=canonical_json))
    if type(value) is bytes:
        return _tagged("bytes", base64.b64encode(value).decode("ascii"))
    if isinstance(value, datetime.datetime):
        return _tagged("datetime", value.isoformat())
    if isinstance(value, datetime.date):
        return _tagged("date", value.isoformat())
    if isinstance(value, datetime.time):
        return _tagged("time", value.isoformat())
    if isinstance(value, datetime.timedelta):
        return _tagged("timedelta", [value.days, value.seconds, value.microseconds])
    if isinstance(value, decimal.Decimal):
        return _tagged("decimal", str(value))
    if isinstance(value, uuid.UUID):
        return _tagged("uuid", str(value))
    if isinstance(value, pathlib.PurePath):
        return _tagged("path", value.as_posix())
    if hasattr(type(value), "model_validate") and hasattr(value, "model_dump"):
        return _tagged("model", _fields_to_json(_model_fields(value), path), **{"class": _class_path(value, path)})
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            field.name: getattr(value, field.name) for field in dataclasses.fields(value) if hasattr(value, field.name)
        }
        return _tagged("dataclass", _fields_to_json(fields, path), **{"class": _class_path(value, path)})
    if any(f"{ancestor.__module__}.{ancestor.__name__}" in _ADDRESSES for ancestor in type(value).__mro__):
        return _tagged("address", str(value), **{"class": _class_path(value, path)})
    raise UnserializableError(value, path)


def _fields_to_json(fields: dict[str, Any], path: str) -> dict[str, Any]:
    return {name: to_json(item, path=f"{path}[{name!r}]") for name, item in fields.items()}


def _model_fields(value: Any) -> dict[str, Any]:
    """Fields and extras of a pydantic model, as they are: what pydantic makes of them for JSON tells less apart."""
    names = type(value).model_fields
    own = {name: item for name, item in vars(value).items() if name in names}
    return {**own, **(getattr(value, "__pydantic_extra__", None) or {})}


def make_model(kind: Any, document: Any) -> Any:
    """The model with these fields, in JSON form. Also where they are known to the outside by an alias."""
    if not isinstance(document, dict) or TAG in document:
        return kind.model_validate(from_json(document))
    aliases = {name: alias for name, field in kind.model_fields.items() if (alias := _alias_of(field))}
    return kind.model_validate({aliases.get(name, name): from_json(item) for name, item in document.items()})


def _alias_of(field: Any) -> str | None:
    alias = field.validation_alias if field.validation_alias is not None else field.alias
    choices = getattr(alias, "choices", None) or (alias,)  # of an AliasChoices
    return next((choice for choice in choices if isinstance(choice, str)), None)


def make_dataclass(kind: Any, document: dict[str, Any]) -> Any:
    """The dataclass with these fields, in JSON form; those that its `__init__` does not take are set afterwards."""
    values = {name: from_json(item) for name, item in document.items()}
    later = {field.name for field in dataclasses.fields(kind) if not field.init} & values.keys()
    made = kind(**{name: item for name, item in values.items() if name not in later})
    for name in later:
        object.__setattr__(made, name, values[name])
    return made


def _numpy_scalar(document: dict[str, Any]) -> Any:
    return import_module("numpy").dtype(document["dtype"]).type(from_json(document["value"]))


def _class_path(value: object, path: str) -> str:
    kind = type(value)
    if "<locals>" in kind.__qualname__:
        raise UnserializableError(value, path)
    return f"{kind.__module__}:{kind.__qualname__}"


def _load_class(document: dict[str, Any]) -> Any:
    module, _, qualname = document["class"].partition(":")
    found: Any = import_module(module)
    for name in qualname.split("."):
        found = getattr(found, name)
    return found


_DECODERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "float": lambda document: float(document["value"]),
    "tuple": lambda document: tuple(from_json(document["value"])),
    "set": lambda document: set(from_json(document["value"])),
    "frozenset": lambda document: frozenset(from_json(document["value"])),
    "dict": lambda document: {from_json(key): from_json(item) for key, item in document["value"]},
    "bytes": lambda document: base64.b64decode(document["value"]),
    "datetime": lambda document: datetime.datetime.fromisoformat(document["value"]),
    "date": lambda document: datetime.date.fromisoformat(document["value"]),
    "time": lambda document: datetime.time.fromisoformat(document["value"]),
    "timedelta": lambda document: datetime.timedelta(*document["value"]),
    "decimal": lambda document: decimal.Decimal(document["value"]),
    "uuid": lambda document: uuid.UUID(document["value"]),
    "path": lambda document: pathlib.Path(document["value"]),
    "file": lambda document: File(document["value"]),
    "numpy": _numpy_scalar,
    "enum": lambda document: _load_class(document)[document["value"]],
    "flag": lambda document: _load_class(document)(document["value"]),
    "address": lambda document: _load_class(document)(document["value"]),
    "model": lambda document: make_model(_load_class(document), document["value"]),
    "dataclass": lambda document: make_dataclass(_load_class(document), document["value"]),
}
