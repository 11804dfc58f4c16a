"""Wherever code names a definition, and however that came about, a change of it is a change of the fingerprint.

Each case is a step's body, what stands before the step, and modules beside it. One text is changed such that the step
gives something else (which is found out by running it); its fingerprint must then be another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Ask = Callable[[Path, dict[str, bytes]], dict[str, Any]]
STEP = """
from zen_core import pipeline, step

@step
def s(n: int) -> object:
    {body}

@pipeline
def everything(n: int = 1):
    s(n)
"""
CONSTANT = "X = 1\nclass E(Exception): pass\ndef g(n, *more): return n + 1\n"
PLUS = "def g(n): return n + 1\n"


@dataclass(frozen=True)
class Case:
    """`modules` by file; the last of them that has `old` in it is changed. Without modules there is h.py."""

    what: str
    body: str
    before: str = "import h\nfrom h import X, g\n"
    modules: tuple[tuple[str, str | bytes], ...] = (("h.py", CONSTANT),)
    old: str = "X = 1"
    new: str = "X = 2"

    def files(self) -> dict[str, bytes]:
        texts = {"zen.toml": 'project = "places"\n', "flow.py": self.before + STEP.format(body=self.body)}
        return {
            file: text if isinstance(text, bytes) else text.encode() for file, text in (*texts.items(), *self.modules)
        }

    def changed(self) -> dict[str, bytes]:
        files = self.files()
        changed = [file for file, text in files.items() if self.old.encode() in text][-1]
        return {**files, changed: files[changed].replace(self.old.encode(), self.new.encode())}


def beside(
    what: str, body: str, module: str | bytes, *, before: str = "import h\n", old: str = "n + 1", new: str = "n + 2"
) -> Case:
    """A case with a module h.py of its own."""
    return Case(what, body, before, (("h.py", module),), old, new)


def spread(what: str, body: str, before: str, *modules: tuple[str, str | bytes]) -> Case:
    """A case with several modules."""
    return Case(what, body, before, modules, "n + 1", "n + 2")


def put(what: str, body: str, before: str, module: str = CONSTANT, old: str = "X = 1", new: str = "X = 2") -> Case:
    """A case with code before the step."""
    return Case(what, body, before, (("h.py", module),), old, new)


EXPRESSIONS = [
    Case("an f-string's field", 'return f"{g(n)}"', old="n + 1", new="n + 2"),
    Case("an f-string's format", 'return f"{n:{X}}"'),
    Case("a default of a lambda", "return (lambda a=X: a)()"),
    Case("a default of an inner function", "def q(a=X): return a\n    return q()"),
    Case("a condition of a comprehension", "return [i for i in range(9) if i > X]"),
    Case("what a comprehension goes through", "return [i for i in range(X)]"),
    Case("a comprehension that reuses the name", "return [X for X in range(X)]"),
    Case("a pattern", "match n:\n        case h.X: return 1\n        case _: return 0", new="X = 3"),
    Case("an assignment in an expression", "return (y := X) + y"),
    Case("an assertion", "assert n != h.X\n    return 1", new="X = 3"),
    Case("a slice", "return [1, 2, 3][X:]"),
    Case("an index that is assigned to", "d = {}\n    d[X] = 1\n    return d"),
    Case("a starred argument", "return max(*[X, 0])"),
    Case("a dict in a dict", 'return {**{"a": X}}'),
    Case("an augmented assignment", "n += X\n    return n"),
    Case("a choice", "return 1 if X == 1 else 2"),
    Case("a chained comparison", "return 0 < X < 2"),
    Case("a global statement", "global X\n    return X"),
    Case("a generator", "def q(): yield X\n    return list(q())"),
    Case("an inner class", "class Q:\n        a = X\n    return Q.a"),
    Case("an import in the function", "import h as z\n    return z.X", before=""),
    Case("a name imported in the function", "from h import X as z\n    return z", before=""),
    Case("import_module", 'import importlib\n    return importlib.import_module("h").X', before=""),
]
CLASSES = [
    beside(
        "a base of an inner class",
        "class Q(h.B): pass\n    return Q.a",
        "class B:\n    a = 1\n",
        old="a = 1",
        new="a = 2",
    ),
    beside(
        "the class of an exception",
        "try:\n        raise h.F()\n    except h.E: return 1\n    except Exception: return 2",
        "class E(Exception): pass\nclass F(E): pass\n",
        old="F(E)",
        new="F(Exception)",
    ),
    beside(
        "a class in a pattern",
        "match n:\n        case h.Odd(): return 1\n        case _: return 0",
        "class M(type):\n    def __instancecheck__(cls, n): return n == 3\nclass Odd(metaclass=M): pass\n",
        old="n == 3",
        new="n == 0",
    ),
    beside(
        "a method found by name",
        "return h.K().go(n)",
        "def t(n): return n + 1\nclass K:\n    def go(self, n): return getattr(self, 'do_' + 'it')(n)\n"
        "    def do_it(self, n): return t(n)\n",
    ),
    beside(
        "functools.partialmethod",
        "return h.K().p()",
        "import functools\ndef t(n): return n + 1\nclass K:\n    def a(self, n): return t(n)\n"
        "    p = functools.partialmethod(a, 1)\n",
    ),
    beside(
        "operator.methodcaller",
        'import operator\n    return operator.methodcaller("of", n)(h.K())',
        "class K:\n    def of(self, n): return n + 1\n",
    ),
    beside("an attribute of an object", "return h.o.g(n)", "def t(n): return n + 1\nclass O: pass\no = O()\no.g = t\n"),
    beside(
        "a namespace object",
        "return h.ns.g(n)",
        "import types\ndef t(n): return n + 1\nns = types.SimpleNamespace(g=t)\n",
    ),
    beside(
        "the order of members",
        "return [k for k in vars(h.K) if k in 'ab']",
        "class K:\n    a = 1\n    b = 2\n",
        old="a = 1\n    b = 2",
        new="b = 2\n    a = 1",
    ),
    beside(
        "a descriptor",
        "class K:\n        a = h.D()\n    return K().a",
        "class D:\n    def __get__(self, i, c): return 1\n",
        old="return 1",
        new="return 2",
    ),
    put(
        "an argument of a class",
        "return Q.a",
        "import h\nclass B:\n    def __init_subclass__(c, k): c.a = k\nclass Q(B, k=h.X): pass\n",
    ),
    put("__class_getitem__", "return K[h.X]", "import h\nclass K:\n    def __class_getitem__(c, x): return x\n"),
    put("a private name", "return K().a()", "import h\nclass K:\n    __b = h.X\n    def a(self): return self.__b\n"),
    put(
        "a validator in a type",
        "return M(a=n).a",
        "from __future__ import annotations\nfrom pydantic import BaseModel\nfrom h import T\n"
        "class M(BaseModel):\n    a: T\n",
        "from typing import Annotated\nfrom pydantic import AfterValidator\n"
        "T = Annotated[int, AfterValidator(lambda n: n + 1)]\n",
        "n + 1",
        "n + 2",
    ),
    put(
        "a type in quotes",
        "return M(a=n).a",
        "from pydantic import BaseModel\nfrom h import T\nclass M(BaseModel):\n    a: 'list[T] | T'\n",
        "from typing import Annotated\nfrom pydantic import AfterValidator\n"
        "T = Annotated[int, AfterValidator(lambda n: n + 1)]\n",
        "n + 1",
        "n + 2",
    ),
    put(
        "a class that a registry knows",
        "return isinstance(n, h.A)",
        "import h\nh.A.register(h.I)\n",
        "import abc\nclass A(abc.ABC): pass\nI = int\n",
        "I = int",
        "I = str",
    ),
]
FUNCTIONS = [
    beside("an attribute of a function", "return h.g.by", "def g(): pass\ng.by = 1\n", old="by = 1", new="by = 2"),
    beside(
        "defaults that are replaced",
        "return h.g(n)",
        "def g(n, by=0): return n + by\ng.__defaults__ = (1,)\n",
        old="(1,)",
        new="(2,)",
    ),
    beside(
        "code that is replaced",
        "return h.g(n)",
        "def k(n): return n + 1\ndef g(n): return n\ng.__code__ = k.__code__\n",
    ),
    beside("a docstring", "return h.g.__doc__", "def g(n):\n    'one'\n", old="'one'", new="'two'"),
    beside("a module's docstring", "return h.__doc__", "'one'\n", old="'one'", new="'two'"),
    beside("annotations", "return str(h.g.__annotations__)", "def g(n: int): pass\n", old="n: int", new="n: str"),
    beside(
        "a context manager",
        "with h.c() as v: return v",
        "import contextlib\n@contextlib.contextmanager\ndef c(): yield 1\n",
        old="yield 1",
        new="yield 2",
    ),
    beside("the order of a dict", "return list(h.d)", "d = dict(a=1, b=2)\n", old="a=1, b=2", new="b=2, a=1"),
    beside(
        "a context variable",
        "return h.v.get()",
        "import contextvars\nv = contextvars.ContextVar('v', default=1)\n",
        old="t=1",
        new="t=2",
    ),
    beside("globals().get", "return h.get()(n)", "def t(n): return n + 1\ndef get():\n    return globals().get('t')\n"),
    put("a decorator of an inner function", "@g\n    def q(): pass\n    return q", "import h\ndef g(f): return h.X\n"),
    put(
        "a decorator's factory",
        "return q(n)",
        "import h\ndef deco(*a): return lambda f: lambda n: f(n) + a[0]\n@deco(h.X)\ndef q(n): return n\n",
    ),
]
NAMES = [
    put("a name that is bound again", "return g(n)", "from h import g as k\ng = k\ndel k\n", PLUS, "n + 1", "n + 2"),
    put("names in a tuple", "return p(n)", "from h import g\n(p, q), *r = (g, 1), 2\n", PLUS, "n + 1", "n + 2"),
    put("a list that grows", "return L[0](n)", "from h import g\nL = []\nL += [g]\n", PLUS, "n + 1", "n + 2"),
    put(
        "an import that fails",
        "return g(n)",
        "try:\n    from not_there import g\nexcept ImportError:\n    from h import g\n",
        PLUS,
        "n + 1",
        "n + 2",
    ),
    put(
        "an import for all but type checkers",
        "return g(n)",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from k import g\nelse:\n    from h import g\n",
        PLUS,
        "n + 1",
        "n + 2",
    ),
    put(
        "import * over a builtin", "return abs(n)", "from h import *\n", "def abs(n): return n + 1\n", "n + 1", "n + 2"
    ),
    put(
        "an import over a builtin",
        "return abs(n)",
        "from h import abs\n",
        "def abs(n): return n + 1\n",
        "n + 1",
        "n + 2",
    ),
    put(
        "a dict that a function fills",
        'return h.o["g"](n)',
        "import h\nh.fill()\n",
        "o = {}\ndef t(n): return n + 1\ndef fill(): o['g'] = t\n",
        "n + 1",
        "n + 2",
    ),
    put(
        "an object that a method fills",
        "return h.o.get(n)",
        "import h\nh.o.put(lambda n: n + h.X)\n",
        "X = 1\nclass O:\n    def put(self, f): self.f = f\n    def get(self, n): return self.f(n)\no = O()\n",
    ),
    put(
        "a list that a function is given",
        "return h.o[0](n)",
        "import h\nh.push(h.o, h.t)\n",
        "o = []\ndef push(l, v): l.append(v)\ndef t(n): return n + 1\n",
        "n + 1",
        "n + 2",
    ),
    put(
        "what is put into such a list",
        "return h.o[0](n)",
        "import h\nh.push(h.o, lambda n: n + 1)\n",
        "o = []\ndef push(l, v): l.append(v)\n",
        "n + 1",
        "n + 2",
    ),
    beside("globals() in a loop", "return h.g(n)", "ns = globals()\nfor k in 'g':\n    ns[k] = lambda n: n + 1\n"),
    beside("exec", "return h.g(n)", "exec('def g(n): return n + 1')\n"),
    beside(
        "setattr of its own module",
        "return h.g(n)",
        "import sys\nsetattr(sys.modules[__name__], 'g', lambda n: n + 1)\n",
    ),
    beside(
        "an object in a module's place",
        "return h.g(n)",
        "import sys\nclass M:\n    def g(self, n): return n + 1\nsys.modules[__name__] = M()\n",
    ),
]
MODULES = [
    spread(
        "modules that import each other",
        "return h.g(n)",
        "import h\n",
        ("h.py", "import k\ndef g(n): return k.f(n)\ndef t(n): return n + 1\n"),
        ("k.py", "import h\ndef f(n): return h.t(n)\n"),
    ),
    spread("a namespace package", "return ns.sub.g(n)", "import ns.sub\n", ("ns/sub.py", PLUS)),
    spread(
        "two import *",
        "return g(n)",
        "from a import *\nfrom h import *\n",
        ("a.py", "def g(n): return 0\n"),
        ("h.py", PLUS),
    ),
    spread(
        "__all__ of another module",
        "return g(n)",
        "from pk import *\n",
        ("pk/__init__.py", "from . import h\nfrom .h import *\n__all__ = h.__all__\n"),
        ("pk/h.py", f"__all__ = ['g']\n{PLUS}"),
    ),
    spread(
        "a package above",
        "return pk.s.g(n)",
        "import pk.s\n",
        ("pk/__init__.py", ""),
        ("pk/s/__init__.py", "from ..h import g\n"),
        ("pk/h.py", PLUS),
    ),
    spread(
        "a function in a submodule's place",
        "return pk.h(n)",
        "import pk\n",
        ("pk/__init__.py", "from .k import h\n"),
        ("pk/h.py", ""),
        ("pk/k.py", "def h(n): return n + 1\n"),
    ),
    spread(
        "a submodule that a package imports",
        "return pk.h.g(n)",
        "import pk\n",
        ("pk/__init__.py", "from . import h\n"),
        ("pk/h.py", PLUS),
    ),
    spread(
        "a submodule that another module imports",
        "return pk.h.g(n)",
        "import pk\nimport z\n",
        ("pk/__init__.py", ""),
        ("pk/h.py", PLUS),
        ("z.py", "import pk.h\n"),
    ),
    spread(
        "an import within try within a function",
        "return g(n)",
        "def g(n):\n    try:\n        import h\n    except ImportError:\n        return 0\n    return h.g(n)\n",
        ("h.py", PLUS),
    ),
    spread(
        "a file in latin-1",
        "return h.g(n)",
        "import h\n",
        ("h.py", b"# -*- coding: latin-1 -*-\n# \xe9\ndef g(n): return n + 1\n"),
    ),
    spread(
        "a file with a mark at its start",
        "return h.g(n)",
        "import h\n",
        ("h.py", b"\xef\xbb\xbfdef g(n): return n + 1\n"),
    ),
    spread("other ends of lines", "return h.g(n)", "import h\n", ("h.py", b"\x0c\ndef g(n):\r\n\treturn n + 1\r")),
    spread(
        "a long expression",
        "return h.g(n)",
        "import h\n",
        ("h.py", f"def g(n): return n + 1 + {' + '.join(['0'] * 900)}\n"),
    ),
]

BOTH = "import h\nimport k\n"
APP = """
class App:
    def __init__(self): self.known = []
    def route(self, path):
        def add(function):
            self.known.append(function)
            return function
        return add
    def run(self, n): return [function(n) for function in self.known]
app = App()
"""
SETS = "import os\nos.environ['H_OF_THESE'] = str(1 + 1)\n"
PACKAGE = (("pk/__init__.py", ""), ("pk/h.py", SETS))
READ = "import os\n    return os.environ['H_OF_THESE']"
ELSEWHERE = [
    put("a module that is imported for what it does", READ, "import h  # h sets H_OF_THESE\n", SETS, "+ 1", "+ 2"),
    put("a name that is imported for what that does", READ, "from h import os as o  # o\n", SETS, "+ 1", "+ 2"),
    *(
        Case(f"a module of a package that {who} imports for what it does", body, before, PACKAGE, "+ 1", "+ 2")
        for who, body, before in (
            ("another one", READ, "from pk import h\n"),
            ("the step", f"from pk import h\n    {READ}", ""),
            ("the step by another name", f"from pk import h as o\n    {READ}", ""),
        )
    ),
    spread(
        "a function that is registered with an object",
        "return h.app.run(n)",
        BOTH,
        ("h.py", APP),
        ("k.py", 'import h\n@h.app.route("/")\ndef q(n): return n + 1\n'),
    ),
    spread(
        "a function that is registered for a type",
        "return h.f(n)",
        BOTH,
        ("h.py", "import functools\n@functools.singledispatch\ndef f(n): return 0\n"),
        ("k.py", "import h\n@h.f.register(int)\ndef _(n): return n + 1\n"),
    ),
    spread(
        "a class that its base knows",
        "return [cls().of(n) for cls in h.B.__subclasses__()]",
        BOTH,
        ("h.py", "class B: pass\n"),
        ("k.py", "from h import B\nclass Q(B):\n    def of(self, n): return n + 1\n"),
    ),
    spread(
        "a class that a dict knows",
        "return h.KNOWN['q']().of(n)",
        BOTH,
        ("h.py", "KNOWN = {}\n"),
        ("k.py", "import h\nclass Q:\n    def of(self, n): return n + 1\nh.KNOWN.update(q=Q)\n"),
    ),
    spread(
        "an object of a class that is not named",
        "return h.run(k.make(), n)",
        BOTH,
        ("h.py", "def run(o, n): return o.of(n)\n"),
        ("k.py", "class Q:\n    def of(self, n): return n + 1\ndef make(): return Q()\n"),
    ),
    spread(
        "an attribute that a function sets",
        "return h.K.of(n)",
        BOTH,
        ("h.py", "class K: pass\n"),
        ("k.py", "import h\ndef patch(cls, f): setattr(cls, 'of', f)\npatch(h.K, staticmethod(lambda n: n + 1))\n"),
    ),
    spread(
        "unittest.mock",
        "return h.g(n)",
        BOTH,
        ("h.py", "def g(n): return n\n"),
        ("k.py", "from unittest import mock\nmock.patch('h.g', lambda n: n + 1).start()\n"),
    ),
    spread(
        "what a package does when it is imported",
        "return h.g(n)",
        "import pk.k\nimport h\n",
        ("h.py", "def g(n): return n\n"),
        ("pk/k.py", ""),
        ("pk/__init__.py", "import h\nh.g = lambda n: n + 1\n"),
    ),
    spread(
        "what the step itself imports and calls",
        "from k import change\n    change()\n    return h.g(n)",
        "import h\n",
        ("h.py", "def g(n): return n\n"),
        ("k.py", "import h\ndef change(): h.g = lambda n: n + 1\n"),
    ),
    spread(
        "a list in a dict",
        "return h.L['a'][0](n)",
        BOTH,
        ("h.py", "L = {'a': []}\n"),
        ("k.py", "from h import L\nL['a'].append(lambda n: n + 1)\n"),
    ),
    spread("a name of the standard library", "return this.g(n)", "import this\n", ("this.py", PLUS)),
    spread("a name of an installed package", "return joblib.g(n)", "import joblib\n", ("joblib.py", PLUS)),
    spread("another step", "return t(n)", "import h\nfrom zen_core import step\nt = step(h.g)\n", ("h.py", PLUS)),
]


@pytest.mark.parametrize(
    "case", [*EXPRESSIONS, *CLASSES, *FUNCTIONS, *NAMES, *MODULES, *ELSEWHERE], ids=lambda case: case.what
)
def test_what_changes_the_result_changes_the_fingerprint(fingerprints: Ask, tmp_path: Path, case: Case) -> None:
    before = fingerprints(tmp_path / "before", case.files())
    after = fingerprints(tmp_path / "after", case.changed())
    assert before["answers"] != after["answers"], "the case itself is wrong"
    assert before["digests"] != after["digests"]
