"""The effective parameters of a run: declared defaults, overridden, read by the declared type, all problems at once.

A value may come as a Python value (`pipeline.run(depth=5)`), as text (`--param depth=5`) or as the JSON that an
orchestrator's form produced; all three give the same value, and so the same cache key.
"""

from __future__ import annotations

import ast
import datetime
import difflib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from zen_core.contract.files import File
from zen_core.contract.manifest import ParameterManifest
from zen_core.contract.values import TAG, UnserializableError, from_json, to_json
from zen_core.diagnostics import Diagnostic
from zen_core.errors import ParameterError


def resolve_parameters(
    declared: Mapping[str, ParameterManifest],
    overrides: Mapping[str, Any],
    *,
    texts: frozenset[str] = frozenset(),
    tick: datetime.datetime,
) -> dict[str, Any]:
    """The effective parameters in JSON form.

    Args:
        declared: the pipeline's parameters.
        overrides: values by name, as Python values or as JSON.
        texts: names in `overrides` whose value is text that is still to be read.
        tick: the time that the run stands for, aware; the default of a ScheduledTime parameter.

    Raises:
        ParameterError: unknown names, missing values, values that do not fit: all of them.
    """
    problems = [_unknown(name, declared) for name in overrides if name not in declared]
    effective: dict[str, Any] = {}
    for name, parameter in declared.items():
        try:
            effective[name] = to_json(_resolve(parameter, overrides, name in texts, tick), path=name)
        except _MissingValue:
            problems.append(
                Diagnostic("ZEN-S103", f"parameter {name!r} has no value", hint=f"give one: --param {name}=…")
            )
        except (ValueError, TypeError, UnserializableError) as error:
            problems.append(
                Diagnostic(
                    "ZEN-S103",
                    f"parameter {name!r} does not take {overrides.get(name)!r:.80}",
                    why=str(error),
                    hint=f"it is declared as {parameter.type}",
                )
            )
    if problems:
        raise ParameterError(diagnostics=problems)
    return effective


class _MissingValue(Exception):
    """A required parameter was not given."""


def _resolve(parameter: ParameterManifest, overrides: Mapping[str, Any], is_text: bool, tick: datetime.datetime) -> Any:
    zone = ZoneInfo(parameter.timezone)
    if parameter.name not in overrides or (parameter.scheduled_time and overrides[parameter.name] is None):
        if parameter.scheduled_time:
            return tick.astimezone(zone)
        if parameter.required:
            raise _MissingValue
        return _read(parameter.default, parameter.type, zone)
    value = overrides[parameter.name]
    if is_text:
        return _read_text(value, parameter, zone)
    if isinstance(value, dict) and TAG not in value and isinstance(parameter.default, dict):
        value = _retag(value, parameter.default)
    return _read(value, parameter.type, zone)


def _retag(value: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    """A form shows a model as a plain object: it is the kind of thing that the default is."""
    if default.get(TAG) in ("model", "dataclass"):
        return {TAG: default[TAG], "class": default["class"], "value": value}
    return value


def _read(value: Any, type_text: str, zone: ZoneInfo) -> Any:
    if isinstance(value, (list, dict)):
        value = from_json(value)
    return _convert(value, ast.parse(type_text, mode="eval").body if _is_expression(type_text) else None, zone)


def _read_text(text: str, parameter: ParameterManifest, zone: ZoneInfo) -> Any:
    node = ast.parse(parameter.type, mode="eval").body if _is_expression(parameter.type) else None
    try:
        value = json.loads(text)
    except ValueError:
        return _convert(text, node, zone)
    try:
        if isinstance(value, dict) and isinstance(parameter.default, dict) and TAG not in value:
            return _read(_retag(value, parameter.default), parameter.type, zone)
        return _convert(value, node, zone)
    except (ValueError, TypeError):
        return _convert(text, node, zone)  # `--param name=1` for a text


def _is_expression(text: str) -> bool:
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    return True


def _convert(value: Any, node: ast.expr | None, zone: ZoneInfo) -> Any:
    """Read a value by a type expression. What the expression does not tell is taken as it is."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _convert_union(value, _members(node), zone)
    if isinstance(node, ast.Subscript):
        return _convert_generic(value, _last_name(node.value), _arguments(node), zone)
    if isinstance(node, ast.Constant) and node.value is None:
        if value is not None:
            raise ValueError(f"{value!r} is not None")
        return None
    converter = _CONVERTERS.get(_last_name(node)) if node is not None else None
    return converter(value, zone) if converter else value


def _convert_union(value: Any, members: list[ast.expr], zone: ZoneInfo) -> Any:
    problems: list[str] = []
    for exact in (True, False):  # a value that is of a member's type already stays as it is
        for member in members:
            try:
                converted = _convert(value, member, zone)
            except (ValueError, TypeError) as error:
                problems.append(str(error))
                continue
            if not exact or (type(converted) is type(value) and converted == value):
                return converted
    raise ValueError("; ".join(dict.fromkeys(problems)))


def _convert_generic(value: Any, name: str, arguments: list[ast.expr], zone: ZoneInfo) -> Any:
    if name == "Literal":
        choices = [argument.value for argument in arguments if isinstance(argument, ast.Constant)]
        for choice in choices:
            if type(choice) is type(value) and choice == value:
                return value
        raise ValueError(f"{value!r} is not one of {', '.join(map(repr, choices))}")
    if name == "Optional":
        return None if value is None else _convert(value, arguments[0], zone)
    if name == "Union":
        return _convert_union(value, arguments, zone)
    if name == "Annotated":
        return _convert(value, arguments[0], zone)
    if name in ("list", "List", "set", "frozenset", "Sequence"):
        items = [_convert(item, arguments[0], zone) for item in _expect(value, (list, tuple, set, frozenset), "a list")]
        return {"set": set, "frozenset": frozenset}.get(name, list)(items)
    if name in ("tuple", "Tuple"):
        items = list(_expect(value, (list, tuple), "a list"))
        if len(arguments) == 2 and isinstance(arguments[1], ast.Constant) and arguments[1].value is Ellipsis:
            return tuple(_convert(item, arguments[0], zone) for item in items)
        if len(items) != len(arguments):
            raise ValueError(f"it has {len(items)} items, not {len(arguments)}")
        return tuple(_convert(item, argument, zone) for item, argument in zip(items, arguments, strict=True))
    if name in ("dict", "Dict", "Mapping"):
        entries = _expect(value, (dict,), "an object").items()
        return {_convert(key, arguments[0], zone): _convert(item, arguments[1], zone) for key, item in entries}
    return value


def _members(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp):
        return [*_members(node.left), *_members(node.right)]
    return [node]


def _arguments(node: ast.Subscript) -> list[ast.expr]:
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def _last_name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _expect(value: Any, kinds: tuple[type, ...], what: str) -> Any:
    if not isinstance(value, kinds):
        raise TypeError(f"{value!r} is not {what}")
    return value


def _to_int(value: Any, _: ZoneInfo) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise TypeError(f"{value!r} is not a whole number")
    return int(value)


def _to_float(value: Any, _: ZoneInfo) -> float:
    if isinstance(value, bool):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def _to_bool(value: Any, _: ZoneInfo) -> bool:
    if isinstance(value, bool):
        return value
    word = {
        "true": True,
        "yes": True,
        "on": True,
        "1": True,
        "false": False,
        "no": False,
        "off": False,
        "0": False,
    }
    found = word.get(str(value).lower())
    if found is None:
        raise ValueError(f"{value!r} is neither true nor false")
    return found


def _to_datetime(value: Any, zone: ZoneInfo) -> datetime.datetime:
    """Aware: a time without an offset is one in the schedule's zone."""
    moment = value if isinstance(value, datetime.datetime) else datetime.datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _to_date(value: Any, _: ZoneInfo) -> datetime.date:
    return value if isinstance(value, datetime.date) else datetime.date.fromisoformat(value)


def _to_text(value: Any, _: ZoneInfo) -> str:
    return str(_expect(value, (str,), "text"))


def _to_file(value: Any, _: ZoneInfo) -> File:
    return value if isinstance(value, File) else File(_expect(value, (str, Path), "a path"))


def _to_path(value: Any, _: ZoneInfo) -> Path:
    return Path(_expect(value, (str, Path), "a path"))


_CONVERTERS: dict[str, Callable[[Any, ZoneInfo], Any]] = {
    "int": _to_int,
    "float": _to_float,
    "bool": _to_bool,
    "str": _to_text,
    "datetime": _to_datetime,
    "date": _to_date,
    "File": _to_file,
    "Path": _to_path,
}


def _unknown(name: str, declared: Mapping[str, ParameterManifest]) -> Diagnostic:
    close = difflib.get_close_matches(name, declared, n=1)
    known = ", ".join(declared) or "it has none"
    return Diagnostic(
        "ZEN-S103",
        f"the pipeline has no parameter {name!r}",
        hint=f"did you mean {close[0]!r}?" if close else f"its parameters: {known}",
    )
