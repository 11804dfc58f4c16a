"""A pipeline's parameters as an orchestrator's form shows them: a JSON schema, and defaults that a person can edit.

The values are read back by the declared type when a task runs, so that a default may be written in plain JSON (a
date as ISO text, a file as its path) only where that type leads back to the same value; else it stays tagged.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zen_core.contract.values import TAG
from zen_core.ir.specs import ParameterSpec

NO_DEFAULT: Any = object()
"""Stands for "a run must give this parameter", since None is a default."""


@dataclass(frozen=True)
class FormField:
    """One field: its default in plain JSON (or NO_DEFAULT), and the JSON schema of what may be entered."""

    name: str
    default: Any
    schema: Mapping[str, Any]


def form_field(parameter: ParameterSpec) -> FormField:
    """The form field of a parameter."""
    node = _type_node(parameter.type)
    if parameter.scheduled_time:
        return FormField(parameter.name, None, {"type": ["null", "string"], "format": "date-time"})
    if parameter.required:
        return FormField(parameter.name, NO_DEFAULT, _schema(node))
    default = _plain_top(parameter.default, node)
    return FormField(parameter.name, default, _admit(_schema(node), default))


# -- defaults ---------------------------------------------------------------------------------------------------

# The kinds of tagged values whose text alone leads back to the value, by the last name of their declared type.
_TEXT_KINDS = {"datetime": "datetime", "date": "date", "File": "file", "Path": "path"}
_LISTS = {"list": None, "List": None, "Sequence": None, "set": "set", "frozenset": "frozenset"}


def _plain_top(value: Any, node: ast.expr | None) -> Any:
    if isinstance(value, dict) and value.get(TAG) in ("model", "dataclass") and isinstance(value["value"], dict):
        return value if TAG in value["value"] else value["value"]
    return _plain(value, node)


def _plain(value: Any, node: ast.expr | None) -> Any:
    """The plain form where the declared type leads back from it, else the value as it is."""
    node = _sole_member(node)
    name = _last_name(node)
    if isinstance(node, ast.Subscript):
        return _plain_generic(value, name, _arguments(node))
    if isinstance(value, dict) and value.get(TAG) == _TEXT_KINDS.get(name, ""):
        return value["value"]
    return value


def _plain_generic(value: Any, name: str, arguments: list[ast.expr]) -> Any:
    if name in _LISTS:
        items = _items(value, _LISTS[name])
        return value if items is None else [_plain(item, arguments[0]) for item in items]
    if name in ("tuple", "Tuple"):
        items = _items(value, "tuple")
        return (
            value if items is None else [_plain(item, _tuple_argument(arguments, at)) for at, item in enumerate(items)]
        )
    if name in ("dict", "Dict", "Mapping") and isinstance(value, dict) and TAG not in value and len(arguments) == 2:
        return {key: _plain(item, arguments[1]) for key, item in value.items()}
    return value


def _items(value: Any, tag: str | None) -> list[Any] | None:
    if tag is None:
        return value if isinstance(value, list) else None
    return value["value"] if isinstance(value, dict) and value.get(TAG) == tag else None


def _tuple_argument(arguments: list[ast.expr], index: int) -> ast.expr | None:
    if len(arguments) == 2 and isinstance(arguments[1], ast.Constant) and arguments[1].value is Ellipsis:
        return arguments[0]
    return arguments[index] if index < len(arguments) else None


# -- schemas ----------------------------------------------------------------------------------------------------

_SCALARS: dict[str, dict[str, Any]] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "str": {"type": "string"},
    "datetime": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "File": {"type": "string"},
    "Path": {"type": "string"},
    "list": {"type": "array"},
    "tuple": {"type": "array"},
    "dict": {"type": "object"},
}
_GENERICS = {
    **dict.fromkeys(("list", "List", "Sequence", "set", "frozenset", "tuple", "Tuple"), "array"),
    **dict.fromkeys(("dict", "Dict", "Mapping"), "object"),
}


def _schema(node: ast.expr | None) -> dict[str, Any]:
    members = _members(node)
    if len(members) > 1:
        return _union([_schema(member) for member in members])
    node = members[0]
    if isinstance(node, ast.Constant) and node.value is None:
        return {"type": "null"}
    if isinstance(node, ast.Subscript):
        return _generic_schema(_last_name(node), _arguments(node))
    return dict(_SCALARS.get(_last_name(node), {}))


def _generic_schema(name: str, arguments: list[ast.expr]) -> dict[str, Any]:
    if name == "Literal":
        return {"enum": [argument.value for argument in arguments if isinstance(argument, ast.Constant)]}
    if _GENERICS.get(name) != "array":
        return {"type": _GENERICS[name]} if name in _GENERICS else {}
    item = _schema(arguments[0]) if name not in ("tuple", "Tuple") else {}
    # Without `items` a form can offer one text a line, as Airflow's does; with it, JSON.
    return {"type": "array", "items": item} if item and item != {"type": "string"} else {"type": "array"}


def _union(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    """One schema for all members: their types together; what only some of them have cannot be asked for."""
    if not all(schemas):
        return {}
    known = [schema for schema in schemas if schema != {"type": "null"}]
    nullable = len(known) < len(schemas)
    if len(known) == 1:
        return _nullable(known[0]) if nullable else known[0]
    if any("enum" in schema for schema in known):
        return {}
    types = dict.fromkeys(name for schema in schemas for name in _types(schema))
    return {"type": list(types)}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    return {**schema, "type": ["null", *_types(schema)]}


def _types(schema: Mapping[str, Any]) -> list[str]:
    found = schema.get("type", [])
    return [found] if isinstance(found, str) else list(found)


def _admit(schema: dict[str, Any], default: Any) -> dict[str, Any]:
    """The schema, widened where the default would not pass it: orchestrators refuse defaults that are not valid."""
    if "enum" in schema:
        known = any(type(choice) is type(default) and choice == default for choice in schema["enum"])
        return schema if known else {**schema, "enum": [*schema["enum"], default]}
    if schema.get("format") == "date-time" and isinstance(default, str) and not _is_aware(default):
        schema = {key: value for key, value in schema.items() if key != "format"}
    if not schema or _json_type(default) in _types(schema):
        return _without_strict_items(schema, default)
    if _json_type(default) == "integer" and "number" in _types(schema):
        return schema
    if default is None:
        return _nullable(schema)
    return {**schema, "type": [*_types(schema), _json_type(default)]}


def _without_strict_items(schema: dict[str, Any], default: Any) -> dict[str, Any]:
    """Without `items` where an element of the default is tagged, or otherwise not what the schema asks for."""
    if "items" not in schema or not isinstance(default, list):
        return schema
    items = schema["items"]
    if all(_admit(dict(items), item) == items for item in default):
        return schema
    return {key: value for key, value in schema.items() if key != "items"}


def _is_aware(text: str) -> bool:
    return datetime.fromisoformat(text).tzinfo is not None


def _json_type(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return kinds.get(type(value), "object")


# -- type texts -------------------------------------------------------------------------------------------------


def _type_node(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None


def _members(node: ast.expr | None) -> list[ast.expr | None]:
    """The members of a union however it is written, else the type alone."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return [*_members(node.left), *_members(node.right)]
    if isinstance(node, ast.Subscript):
        name, arguments = _last_name(node), _arguments(node)
        if name == "Annotated":
            return _members(arguments[0])
        if name == "Union":
            return [member for argument in arguments for member in _members(argument)]
        if name == "Optional":
            return [*_members(arguments[0]), ast.Constant(value=None)]
    return [node]


def _sole_member(node: ast.expr | None) -> ast.expr | None:
    """The one member besides None; for a union of several there is no single way back, so none."""
    members = [item for item in _members(node) if not (isinstance(item, ast.Constant) and item.value is None)]
    return members[0] if len(members) == 1 else None


def _arguments(node: ast.Subscript) -> list[ast.expr]:
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def _last_name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Subscript):
        return _last_name(node.value)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
