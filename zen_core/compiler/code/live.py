"""Functions and values as they stand in this process: what a function closes over, and code of notebooks."""

from __future__ import annotations

import ast
import functools
import linecache
import re
import sys
import typing
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GenericAlias,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    UnionType,
)
from typing import Any

from zen_core.codegen.import_roots import is_installed
from zen_core.compiler.code.forms import digest_tokens, tokens_of_code
from zen_core.compiler.code.modules import Definition, Module
from zen_core.compiler.code.names import READS
from zen_core.compiler.code.project import WHOLE, Place, Project
from zen_core.compiler.code.reading import read_code
from zen_core.compiler.code.statements import decorator_path, lines_of, with_parts
from zen_core.compiler.code.walk import Walk
from zen_core.contract.canonical import digest_bytes, digest_json
from zen_core.contract.values import UnserializableError, to_json

_TOLD_BY_REPR = (range, complex, slice, type(...), type(NotImplemented))
_BUILT_IN = (BuiltinFunctionType, MethodWrapperType, type(str.lower), type(str.__add__))
_GENERIC = (GenericAlias, UnionType, type(typing.List[int]), type(typing.Optional[int]))  # noqa: UP006, UP045
_PLAIN = (type(None), bool, int, float, str, bytes, list, tuple, dict)
_DEEPEST = 20


def own_function(project: Project, function: Any) -> Any:
    """The step's function below its decorators.

    That is the first of those that wrap one another which its module defines at the top level; else the innermost.
    """
    chain = [*_unwrapped(function)]
    return next((item for item in chain if place_of(project, item) is not None), chain[-1])


def place_of(project: Project, function: Any) -> Place | None:
    """Where the function is defined, if that is the top level of a module of the project."""
    code = getattr(function, "__code__", None)
    module = project.module_of(code.co_filename) if code is not None else None
    if code is None or module is None:
        return None
    bound = module.index.bound.get(code.co_qualname)
    if not bound or bound[-1].kind != "function" or bound[-1].lines[0] != code.co_firstlineno:
        return None
    return Place(module.name, code.co_qualname)


def _unwrapped(function: Any) -> Iterator[Any]:
    seen: set[int] = set()
    while function is not None and id(function) not in seen:
        seen.add(id(function))
        yield function
        function = getattr(function, "__wrapped__", None)


class LiveCode:
    """Reaches functions and values from the objects that they are.

    Attributes:
        scope: `bytecode` where the step's own function has no source.
    """

    def __init__(self, walk: Walk) -> None:
        self.scope = "project"
        self._walk = walk
        self._names: dict[int, str] = {}
        self._classes: set[type] = set()
        self._depth = 0

    def add_step(self, own: Any) -> None:
        """Reach a step's own function."""
        self._function(own, as_step=True)

    # -- functions ---------------------------------------------------------------------------------------------------

    def _function(self, function: FunctionType, *, as_step: bool = False) -> str:
        """Reach a function; answer with what stands for it."""
        known = self._names.get(id(function))
        if known is not None:
            return known
        place = place_of(self._walk.project, function)
        if place is not None:
            self._names[id(function)] = str(place)
            self._walk.add_step(place) if as_step else self._walk.add(place)
            return str(place)
        module = self._walk.project.module_of(function.__code__.co_filename)
        shown = f"{function.__module__ if module is None else module.name}:{function.__code__.co_qualname}"
        self._names[id(function)] = shown  # for those that close over one another
        name = self._names[id(function)] = self._inner(function, module, shown, as_step)
        return name

    def _inner(self, function: FunctionType, module: Module | None, shown: str, as_step: bool) -> str:
        """A function within another one, of a notebook, or without source."""
        code = function.__code__
        source = module or _module_of_lines(function)
        nodes = source.functions.get((code.co_name, code.co_firstlineno), []) if source is not None else []
        if not nodes:
            self.scope = "bytecode" if as_step else self.scope
            self._globals(function, _names_of_code(code))
            return self._walk.record(shown, [digest_tokens([*tokens_of_code(code)]), self._state(function)], "closure")
        first = nodes[0]
        parts: dict[str, Any] = {}
        if as_step and not isinstance(first, ast.Lambda):
            parts = {
                "decorator_list": [item for item in first.decorator_list if not self._is_step(item, module, function)]
            }
            if ast.get_docstring(first, clean=False) is not None:
                parts["body"] = first.body[1:]
        lines = (lines_of(nodes[0])[0], lines_of(nodes[-1])[1])
        # Which of several lambdas in one line it is, only its bytecode tells, which differs between Python versions.
        which = [*tokens_of_code(code)] if len(nodes) > 1 else []
        read = read_code([with_parts(first, **parts), *nodes[1:]])  # several lambdas in one line
        tokens = digest_tokens([*read.form, *which])
        definition = Definition(tokens, read.names, "closure", lines)
        if module is None:
            free = [path for path in definition.names.of(READS) if path.partition(".")[0] not in code.co_freevars]
            self._globals(function, free)
            self._walk.externals.update(name.partition(":")[0] for _, name in definition.names.imported)
            return self._walk.record(shown, [tokens, self._state(function)], "closure")
        self._walk.enter(module)
        reached = self._walk.project.link(module, shown, definition, around={*code.co_freevars})
        content = [reached.record.digest, self._state(function)]
        self._walk.take(reached._replace(record=replace(reached.record, name="")))  # counted with what it closes over
        return self._walk.record(shown, content, "closure", module.file, lines)

    def _is_step(self, decorator: ast.expr, module: Module | None, function: FunctionType) -> bool:
        if module is not None:
            return self._walk.project.is_of_zen(module, decorator_path(decorator))
        target: Any = decorator.func if isinstance(decorator, ast.Call) else decorator
        path: list[str] = []
        while isinstance(target, ast.Attribute):
            path.insert(0, target.attr)
            target = target.value
        found = function.__globals__.get(target.id) if isinstance(target, ast.Name) else None
        for name in path:
            found = getattr(found, name, None)
        return str(getattr(found, "__module__", "")).startswith("zen_core.")

    def _state(self, function: FunctionType) -> list[Any]:
        """What a function closes over, its defaults and its attributes."""
        tokens: list[Any] = []
        code = function.__code__
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                value = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            tokens.append([name, self._value(value)])
        keywords = sorted((function.__kwdefaults__ or {}).items())
        attributes = sorted((name, value) for name, value in vars(function).items() if not name.startswith("__"))
        tokens += (["=", self._value(default)] for default in function.__defaults__ or ())
        tokens += ([f"{name}=", self._value(default)] for name, default in keywords)
        tokens += ([f".{name}", self._value(value)] for name, value in attributes)
        return tokens

    def _globals(self, function: FunctionType, paths: Iterable[str]) -> None:
        """What a function reads whose module is no file of the project."""
        values: list[Any] = []
        for path in sorted(paths):
            name, *rest = path.split(".")
            if path.startswith("@") or name not in function.__globals__:
                continue
            value = function.__globals__[name]
            while rest and isinstance(value, ModuleType):
                self._walk.externals.add(value.__name__)
                value = getattr(value, rest.pop(0), None)
            values.append([path, self._value(value)])
        if values:
            name = f"{function.__module__}:{function.__code__.co_qualname} (globals)"
            self._walk.record(name, values, "variable")

    # -- values ------------------------------------------------------------------------------------------------------

    def _value(self, value: Any) -> Any:
        """What stands for a value in a digest; functions and classes in it are reached."""
        self._depth += 1
        try:
            return self._told(value) if self._depth < _DEEPEST else ["deep", type(value).__qualname__]
        finally:
            self._depth -= 1

    def _told(self, value: Any) -> Any:
        try:
            told = ["value", digest_json("value", to_json(value))]
        except UnserializableError:
            pass
        else:
            if type(value) not in _PLAIN:
                self._class(type(value))
            return [*told, type(value).__qualname__]
        if isinstance(value, type) and not isinstance(value, GenericAlias):
            return ["class", *self._class(value)]
        if isinstance(value, ModuleType):
            return ["module", self._module(value.__name__)]
        if callable(value) and (told := self._callable(value)):
            return told
        if isinstance(value, (list, tuple)):
            return [type(value).__qualname__, *map(self._value, value)]
        if isinstance(value, dict):
            return ["dict", *([self._value(key), self._value(item)] for key, item in value.items())]
        if isinstance(value, (set, frozenset)):
            return ["set", *sorted((self._value(item) for item in value), key=lambda item: digest_json("item", item))]
        if isinstance(value, re.Pattern):
            return ["pattern", value.pattern if isinstance(value.pattern, str) else value.pattern.hex(), value.flags]
        if isinstance(value, _TOLD_BY_REPR) or type(value).__module__ == "fractions":
            return ["repr", repr(value)]
        if isinstance(value, _GENERIC):
            origin = typing.get_origin(value)
            return ["type", self._value(origin), *map(self._value, typing.get_args(value))]
        return self._instance(value)

    def _callable(self, value: Any) -> Any:
        if isinstance(value, functools.partial):
            return ["partial", self._value(value.func), self._value(value.args), self._value(value.keywords)]
        if isinstance(value, MethodType):
            return ["method", value.__func__.__qualname__, self._value(value.__self__)]
        if isinstance(value, _BUILT_IN):
            return ["builtin", value.__qualname__, self._value(getattr(value, "__self__", None))]
        function = getattr(value, "function", value)  # of a step
        function = own_function(self._walk.project, function)
        if not isinstance(function, FunctionType):
            return None
        if is_installed(Path(function.__code__.co_filename)) or function.__module__ in sys.stdlib_module_names:
            self._walk.externals.add(function.__module__ or "")
            return ["function", f"{function.__module__}:{function.__qualname__}"]
        return ["function", self._function(function)]

    def _module(self, name: str) -> str:
        if self._walk.project.module(name) is None:
            self._walk.externals.add(name)
        else:
            self._walk.add(Place(name, WHOLE))
        return name

    def _members(self, cls: type) -> list[Any]:
        """What a class holds that a function has made, by what that function was given."""
        if "<locals>" not in cls.__qualname__ or cls in self._classes:
            return []
        self._classes.add(cls)
        members = ((name, getattr(value, "__func__", value)) for name, value in vars(cls).items())
        found = [
            [name, self._value([value.fget, value.fset, value.fdel] if isinstance(value, property) else value)]
            for name, value in members
            if not name.startswith(("__", "_abc_")) or _is_written(value)
            if not isinstance(value, (MemberDescriptorType, GetSetDescriptorType))
        ]
        return [*map(self._class, cls.__bases__), *found]

    def _class(self, cls: type) -> list[Any]:
        home = self._walk.project.module(self._public(cls.__module__))
        name = cls.__qualname__.partition(".")[0]
        if home is not None and name in home.index.bound:
            self._walk.add(Place(home.name, name))
            return [home.name, cls.__qualname__, *self._members(cls)]
        top = cls.__module__.partition(".")[0]
        file = getattr(sys.modules.get(cls.__module__), "__file__", None)
        if file is None and top not in sys.builtin_module_names and top not in sys.stdlib_module_names:
            import inspect

            try:  # of a notebook
                text = inspect.getsource(cls)
                return [cls.__qualname__, digest_tokens(read_code([ast.parse(inspect.cleandoc(text))]).form)]
            except (OSError, TypeError, SyntaxError):
                return [cls.__qualname__]
        self._walk.externals.add(cls.__module__)
        return [cls.__module__, cls.__qualname__]

    def _instance(self, value: Any) -> Any:
        import pickle

        kind = self._class(type(value))
        state = getattr(value, "__dict__", None)
        if "__reduce__" not in _defined(type(value)) and isinstance(state, dict):
            return ["instance", *kind, self._value(state)]
        try:
            return ["pickle", *kind, digest_bytes(pickle.dumps(value, protocol=4))]
        except Exception:  # a lock, an open file: whatever its class raises
            # Never a result of another one: what cannot be told apart is never reused.
            self._walk.note(f"a closed-over {'.'.join(kind)} whose value cannot be read")
            return ["unknown", *kind, uuid.uuid4().hex]

    def _public(self, name: str) -> str:
        if name != "__main__":
            return name
        file = getattr(sys.modules.get(name), "__file__", None)
        module = self._walk.project.module_of(file) if file else None
        return module.name if module is not None else name


def _is_written(value: Any) -> bool:
    """Whether a value is a function with a file, and not one that was made of a text, such as a dataclass's."""
    return isinstance(value, FunctionType) and not value.__code__.co_filename.startswith("<")


def _defined(cls: type) -> set[str]:
    """The names that a class and its bases define, apart from `object`."""
    return {name for base in cls.__mro__[:-1] for name in vars(base)}


def _module_of_lines(function: FunctionType) -> Module | None:
    """The source that a function was made from, where that is no file of the project."""
    file = function.__code__.co_filename
    linecache.checkcache(file)
    text = "".join(linecache.getlines(file, function.__globals__))
    return Module(function.__module__ or "", "", text, is_package=False) if text else None


def _names_of_code(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names_of_code(constant)
    return names
