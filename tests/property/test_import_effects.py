"""Whatever a module does to what another one defines, when it is imported, changes the fingerprint of who reads it.

A step gives back TABLE of q.py. last.py, which is imported before, alters it: under some name, by some operation, from
some place in the code. The number that it puts in is then changed. What the step gives is found out by running it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Ask = Callable[[Path, dict[str, bytes]], dict[str, Any]]
SAMPLE = 60 if os.environ.get("ZEN_HYPOTHESIS") == "large" else 8
FLOW = """
import last
import q
from zen_core import pipeline, step

@step
def s(n: int) -> object:
    return repr(q.TABLE)

@pipeline
def everything(n: int = 1):
    s(n)
"""
OBJECT = """
class Registry:
    def __init__(self):
        self.items = {}
        self.rate = 0
    def put(self, n):
        self.items["a"] = n
    def __repr__(self):
        return repr([self.items, self.rate])
"""
CLASS = """
class Meta(type):
    def __repr__(cls):
        return repr([cls.known, cls.rate])
class TABLE(metaclass=Meta):
    known = {}
    rate = 0
    @classmethod
    def put(cls, n):
        cls.known["a"] = n
"""
# What TABLE is, and the operations that alter it: VALUE is what is altered, NUMBER what is put in.
SUBJECTS = {
    "a dict": ("TABLE = {'b': 1}\n", ["VALUE['a'] = NUMBER", "VALUE.update(a=NUMBER)", "VALUE['b'] += NUMBER"]),
    "a list": ("TABLE = []\n", ["VALUE.append(NUMBER)", "VALUE[:] = [NUMBER]", "VALUE.sort(key=[].append(NUMBER))"]),
    "list()": ("TABLE = list()\n", ["VALUE.insert(0, NUMBER)", "VALUE.__init__([NUMBER])"]),
    "a set": ("TABLE = set()\n", ["VALUE.add(NUMBER)"]),
    "a defaultdict": ("import collections\nTABLE = collections.defaultdict(list)\n", ["VALUE['a'].append(NUMBER)"]),
    "a dict of dicts": (
        "TABLE = {'a': {'b': []}}\n",
        ["VALUE['a']['b'].append(NUMBER)", "VALUE.get('a')['c'] = NUMBER"],
    ),
    "a comprehension": ("TABLE = {key: [] for key in 'ab'}\n", ["list(VALUE.values())[0].append(NUMBER)"]),
    "a namespace": ("import types\nTABLE = types.SimpleNamespace(rate=0)\n", ["VALUE.rate = NUMBER"]),
    "an object": (
        OBJECT + "TABLE = Registry()\n",
        ["VALUE.put(NUMBER)", "VALUE.rate = NUMBER", "VALUE.items['a'] = NUMBER"],
    ),
    "what a function makes": (
        OBJECT + "def make():\n    return Registry()\nTABLE = make()\n",
        ["VALUE.put(NUMBER)", "setattr(VALUE, 'ra' + 'te', NUMBER)"],
    ),
    "a class": (CLASS, ["VALUE.put(NUMBER)", "VALUE.rate = NUMBER", "VALUE.known['a'] = NUMBER"]),
}
# How TABLE is found: modules beside it, what is imported, and its name there.
ACCESS = {
    "by its module": ({}, "import q\n", "q.TABLE"),
    "by its module, renamed": ({}, "import q as r\n", "r.TABLE"),
    "by its name": ({}, "from q import TABLE\n", "TABLE"),
    "by its name, renamed": ({}, "from q import TABLE as T\n", "T"),
    "by its name in brackets": ({}, "from q import (  # (it)\n    TABLE as T,\n)\n", "T"),
    "by its name, renamed in another line": ({}, "from q import (\n    TABLE  # it\n    as T,\n)\n", "T"),
    "behind a backslash": ({}, "from q \\\n    import TABLE \\\n    as T\n", "T"),
    "in one line with something else": ({}, "a = 1; from q import TABLE as T\n", "T"),
    "in one line with another import": ({}, "import sys; import q\n", "q.TABLE"),
    "without a space": ({}, "from q import(TABLE)\n", "TABLE"),
    "in a loop": ({}, "for _ in 'a':\n    import q as r\n", "r.TABLE"),
    "from one of two modules": (
        {"mid": "TABLE = {}\n"},
        "def get():\n    if 1: from q import TABLE\n    else: from mid import TABLE\n    return TABLE\n",
        "get()",
    ),
    "by another name": ({}, "import q\nT = q.TABLE\n", "T"),
    "by another name of another name": ({}, "import q\nU = q.TABLE\nT = U\n", "T"),
    "by one of two names": ({}, "import q\nT, U = q.TABLE, 1\n", "T"),
    "by a typed name": ({}, "import q\nif True:\n    T: object = q.TABLE\n", "T"),
    "by another module's name": ({"mid": "import q\nT = q.TABLE\n"}, "import mid\n", "mid.T"),
    "by another module's name, renamed": ({"mid": "from q import TABLE as T\n"}, "from mid import T as U\n", "U"),
    "by import *": ({}, "from q import *\n", "TABLE"),
    "by import * of another name": ({"mid": "from q import TABLE as T\n"}, "from mid import *\n", "T"),
    "by getattr": ({}, "import q\n", 'getattr(q, "TABLE")'),
    "by import_module": ({}, "import importlib\n", 'importlib.import_module("q").TABLE'),
    "by vars": ({}, "import q\n", "vars(q)['TABLE']"),
    "by __dict__": ({}, "import q\n", "q.__dict__['TABLE']"),
    "by a choice": ({}, "import q\nT = q.TABLE if q else None\n", "T"),
    "by or": ({}, "import q\nT = None or q.TABLE\n", "T"),
    "by :=": ({}, "import q\nprint if (T := q.TABLE) else 1\n", "T"),
    "by := in a condition": ({}, "import q\ndef get():\n    if (t := q.TABLE) != 1:\n        return t\n", "get()"),
    "by a loop": ({}, "import q\nfor T in (q.TABLE,):\n    pass\n", "T"),
    "by with": ({}, "import q, contextlib\nwith contextlib.nullcontext(q.TABLE) as T:\n    pass\n", "T"),
    "in a dict": ({}, "import q\nALL = {'t': q.TABLE}\n", "ALL['t']"),
    "in a namespace": ({}, "import q, types\nALL = types.SimpleNamespace(t=q.TABLE)\n", "ALL.t"),
    "in a class": ({}, "import q\nclass Box:\n    t = q.TABLE\n", "Box.t"),
    "from a function": ({}, "import q\ndef get():\n    return q.TABLE\n", "get()"),
    "from a function beside it": ({"q": "def get():\n    return TABLE\n"}, "from q import get as g\n", "g()"),
    "from a lambda": ({}, "import q\nget = lambda: q.TABLE\n", "get()"),
}
# From where it is altered: in last.py, or in fill.py and then what last.py does with that. OWN is the operation there;
# GIVEN is one on a local `t`, and PUT one that puts in the local `n`.
PLACES: dict[str, str | tuple[str, str]] = {
    "a statement": "OWN\n",
    "a loop": "for i in range(1):\n    OWN\n",
    "a branch": "if True:\n    OWN\n",
    "a try": "try:\n    OWN\nexcept KeyError:\n    pass\n",
    "a with": "import contextlib\nwith contextlib.suppress(KeyError):\n    OWN\n",
    "the body of a class": "class X:\n    OWN\n",
    "the body of a class in a class": "class X:\n    class Y:\n        OWN\n",
    "a function": "def fill(n):\n    PUT\nfill(NUMBER)\n",
    "a function with a result": "def fill(n):\n    PUT\nx = fill(NUMBER)\n",
    "a function of a function": "def fill(n):\n    PUT\ndef more(n):\n    fill(n)\nmore(NUMBER)\n",
    "a function within a function": "def fill(n):\n    def inner():\n        PUT\n    inner()\nfill(NUMBER)\n",
    "an assertion": "def fill(n):\n    PUT\n    return 1\nassert fill(NUMBER)\n",
    "a condition": "def fill(n):\n    PUT\nif fill(NUMBER):\n    pass\n",
    "a default value": "def fill(n):\n    PUT\ndef g(x=fill(NUMBER)): pass\n",
    "a default value of a method": "def fill(n):\n    PUT\nclass X:\n    def g(self, *, x=fill(NUMBER)): pass\n",
    "a default value of a lambda": "def fill(n):\n    PUT\ng = lambda x=fill(NUMBER): x\n",
    "an annotation": "def fill(n):\n    PUT\ndef g(x: fill(NUMBER)): pass\n",
    "an annotation of a result": "def fill(n):\n    PUT\ndef g() -> fill(NUMBER): pass\n",
    "an annotation of a name": "def fill(n):\n    PUT\nx: fill(NUMBER)\n",
    "an annotation in a class": "def fill(n):\n    PUT\nclass X:\n    x: fill(NUMBER)\n",
    "a base": "def fill(n):\n    PUT\n    return object\nclass X(fill(NUMBER)): pass\n",
    "an argument of a class": "def fill(n):\n    PUT\n    return type\nclass X(metaclass=fill(NUMBER)): pass\n",
    "a caught exception": "def fill(n):\n    PUT\n    return KeyError\n"
    "try:\n    {}[1]\nexcept fill(NUMBER):\n    pass\n",
    "a target": "def fill(n):\n    PUT\nx = {}\nx[fill(NUMBER)] = 1\n",
    "a text": "def fill(n):\n    PUT\nf'{fill(NUMBER)}'\n",
    "a pattern's guard": "def fill(n):\n    PUT\nmatch 1:\n    case _ if fill(NUMBER): pass\n",
    "a generator": "def fill(n):\n    PUT\n    yield 1\nlist(fill(NUMBER))\n",
    "a comprehension": "def fill(n):\n    PUT\nx = [fill(i) for i in (NUMBER,)]\n",
    "a thread": "import threading\ndef fill(n):\n    PUT\nT_ = threading.Thread(target=fill, args=(NUMBER,))\n"
    "T_.start()\nT_.join()\n",
    "a list of functions": "def fill(n):\n    PUT\nJOBS = [fill]\nfor job in JOBS:\n    job(NUMBER)\n",
    "a partial": "import functools\ndef fill(n):\n    PUT\nput = functools.partial(fill, NUMBER)\nput()\n",
    "an argument": "def fill(t, n):\n    GIVEN\nfill(VALUE, NUMBER)\n",
    "an argument, with a result": "def fill(t, n):\n    GIVEN\nx = fill(VALUE, NUMBER)\n",
    "an argument within a function": "def fill(t, n):\n    GIVEN\ndef more(n):\n    fill(VALUE, n)\nmore(NUMBER)\n",
    "an argument of a function with a name of Python's": "def sum(t, n):\n    GIVEN\nsum(VALUE, NUMBER)\n",
    "a local name": "def fill(n):\n    t = VALUE\n    GIVEN\nfill(NUMBER)\n",
    "a := in a condition": "def fill(n):\n    if (t := VALUE) != 1:\n        GIVEN\nx = fill(NUMBER)\n",
    "a default": "def fill(n, t=VALUE):\n    GIVEN\nfill(NUMBER)\n",
    "a loop over it": "for t in (VALUE,):\n    n = NUMBER\n    GIVEN\n",
    "a class that is called": "class X:\n    def __init__(self, n):\n        PUT\nX(NUMBER)\n",
    "a method": "class X:\n    def go(self, n):\n        PUT\nx = X()\nx.go(NUMBER)\n",
    "a static method": "class X:\n    @staticmethod\n    def go(n):\n        PUT\nX.go(NUMBER)\n",
    "an operator": "class X:\n    def __add__(self, n):\n        PUT\nX() + NUMBER\n",
    "a property": "class X:\n    @property\n    def go(self):\n        n = NUMBER\n        PUT\nX().go\n",
    "a descriptor": "class D:\n    def __set_name__(self, owner, name):\n        n = NUMBER\n        PUT\n"
    "class X:\n    y = D()\n",
    "a decorator": "def add(f):\n    n = f()\n    PUT\n    return f\n@add\ndef f():\n    return NUMBER\n",
    "a decorator with an argument": "def add(n):\n    def inner(f):\n        PUT\n        return f\n    return inner\n"
    "@add(NUMBER)\ndef f():\n    pass\n",
    "another module's function": ("def fill(n):\n    PUT\n", "import fill as f\nf.fill(NUMBER)\n"),
    "another module's function, renamed": (
        "def fill(n):\n    PUT\n",
        "from fill import fill as put\nx = put(NUMBER)\n",
    ),
    "another module's function by a name": ("def fill(n):\n    PUT\nput = fill\n", "import fill\nfill.put(NUMBER)\n"),
    "another module's class": (
        "class Put:\n    def __init__(self, n):\n        PUT\n",
        "from fill import Put\nPut(NUMBER)\n",
    ),
    "another module's object": (
        "class Put:\n    def go(self, n):\n        PUT\nput = Put()\n",
        "from fill import put\nput.go(NUMBER)\n",
    ),
    "another module's decorator": (
        "def add(f):\n    n = f()\n    PUT\n    return f\n",
        "from fill import add as put\n@put\ndef f():\n    return NUMBER\n",
    ),
    "another module's base class": (
        "class Put:\n    def __init_subclass__(cls):\n        n = cls.N\n        PUT\n",
        "from fill import Put\nclass X(Put):\n    N = NUMBER\n",
    ),
    "another module's metaclass": (
        "class Put(type):\n    def __init__(cls, *more):\n        n = cls.N\n        PUT\n",
        "from fill import Put\nclass X(metaclass=Put):\n    N = NUMBER\n",
    ),
    "another module's context": (
        "import contextlib\n@contextlib.contextmanager\ndef put(n):\n    PUT\n    yield\n",
        "from fill import put\nwith put(NUMBER):\n    pass\n",
    ),
}


def project(place: str, access: str, subject: str, operation: str, number: int) -> dict[str, bytes]:
    """The files of a project in which this number is put into TABLE."""
    beside, imports, value = ACCESS[access]
    own = operation.replace("VALUE", value)
    given = operation.replace("VALUE", "t").replace("NUMBER", "n")

    def filled(text: str) -> str:
        text = text.replace("PUT", own.replace("NUMBER", "n")).replace("GIVEN", given).replace("OWN", own)
        return text.replace("VALUE", value).replace("NUMBER", str(number))

    texts = PLACES[place]
    first, last = texts if isinstance(texts, tuple) else ("", texts)
    files = {"zen.toml": 'project = "effects"\n', "flow.py": FLOW, "q.py": SUBJECTS[subject][0] + beside.get("q", "")}
    files |= {f"{name}.py": text for name, text in beside.items() if name != "q"}
    files |= {"fill.py": imports + filled(first)} if first else {}
    files["last.py"] = filled(last) if first else imports + filled(last)
    return {name: text.encode() for name, text in files.items()}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_altered_by_an_import_counts(fingerprints: Ask, tmp_path: Path, place: str) -> None:
    ways = [
        (access, subject, operation)
        for access in ACCESS
        for subject, (_, operations) in SUBJECTS.items()
        for operation in operations
    ]
    altered = 0
    for number, way in enumerate(random.Random(place).sample(ways, SAMPLE)):
        found = []
        for value in (1, 5):
            try:
                found.append(fingerprints(tmp_path / f"{number}-{value}", project(place, *way, value)))
            except AssertionError as error:  # no Python: an assignment to what a function gives, say
                if "compiler" in str(error):
                    raise
                break
        if len(found) == 2 and found[0]["answers"] != found[1]["answers"]:
            altered += 1
            assert found[0]["digests"] != found[1]["digests"], way
    assert altered > SAMPLE // 2


# What q.py has, what the step gives, and what last.py does: state in other places than a variable that is altered.
STATE = {
    "two names": ("A = B = {}\n", 'q.A["a"]', "q.B['a'] = NUMBER"),
    "two names for parts of one": ("A, B = [{}] * 2\n", 'q.A["a"]', "q.B['a'] = NUMBER"),
    "a context variable": (
        "from contextvars import ContextVar\nV = ContextVar('v')\n",
        "q.V.get()",
        "t = q.V.set(NUMBER)",
    ),
    "a class that knows its objects": (
        "class P:\n    known = []\n    def __init__(self, n):\n        P.known.append(n)\n",
        "q.P.known[0]",
        "x = q.P(NUMBER)",
    ),
    "a class that knows its objects, by self": (
        "class P:\n    known = []\n    def __init__(self, n):\n        self.known.append(n)\n",
        "q.P.known[0]",
        "x = q.P(NUMBER)",
    ),
    "a class that counts its objects": (
        "class P:\n    n = 0\n    def __init__(self, n):\n        type(self).n = n\n",
        "q.P.n",
        "x = q.P(NUMBER)",
    ),
    "a class method": (
        "class P:\n    n = 0\n    @classmethod\n    def put(cls, n):\n        cls.n = n\n",
        "q.P.n",
        "x = q.P.put(NUMBER)",
    ),
    "a default": (
        "def f(n, seen=[]):\n    seen.append(n)\n    return seen[0]\n",
        "q.f(1)",
        "x = q.f(NUMBER)",
    ),
    "an attribute of a function": ("def f(n):\n    f.n = n\nf.n = 0\n", "q.f.n", "x = q.f(NUMBER)"),
    "a closure": (
        "def make():\n    seen = []\n    return lambda n: seen.append(n) or seen[0]\nadd = make()\n",
        "q.add(1)",
        "x = q.add(NUMBER)",
    ),
    "sys.modules": ("T = {}\n", 'q.T["a"]', "import sys\nsys.modules['q'].T['a'] = NUMBER"),
    "sys.modules, in a function": (
        "T = {}\n",
        'q.T["a"]',
        "from sys import modules\ndef put(n):\n    modules['q'].T['a'] = n\nx = put(NUMBER)",
    ),
    "a module's own name": (
        "import sys\nRATE = 0\ndef put(n):\n    sys.modules[__name__].RATE = n\n",
        "q.RATE",
        "x = q.put(NUMBER)",
    ),
    "a module's own name, in its globals": (
        "RATE = 0\ndef put(n):\n    globals()['RATE'] = n\n",
        "q.RATE",
        "x = q.put(NUMBER)",
    ),
    "a module's own name, by exec": (
        "RATE = 0\ndef put(n):\n    exec(f'global RATE; RATE = {n}', None)\n",
        "q.RATE",
        "x = q.put(NUMBER)",
    ),
    "a name beside a type": ("T = {}\n", 'q.T["a"]', "T, U = q.T, list[int]\nT['a'] = NUMBER"),
}


# A function that replaces one of q.py, or a number, when it is called.
FAST = "def fast(n=NUMBER):\n    return n\n"
STATE |= {
    f"a function that is replaced by {how}": ("def f():\n    return 0\n", "q.f()", FAST + text)
    for how, text in {
        "a function": "def patch():\n    q.f = fast\npatch()",
        "a class": "class P:\n    def __init__(self):\n        q.f = fast\nx = P()",
        "setattr": "def patch():\n    setattr(q, 'f', fast)\nx = patch()",
        "setattr with an argument": "def patch(name):\n    setattr(q, name, fast)\nx = patch('f')",
        "its defaults": "def patch():\n    q.f.__code__ = fast.__code__\n    q.f.__defaults__ = (NUMBER,)\nx = patch()",
        "its code, by its name": "from q import f\ndef patch():\n    f  .__kwdefaults__ = {}\n"
        "    f.__code__ = (lambda: NUMBER).__code__\nx = patch()",
    }.items()
}
STATE |= {
    f"a number that is set by {how}": ("RATE = 0\ndef put(k, n):\n    globals()[k] = n\n", "q.RATE", text)
    for how, text in {
        "an argument": "def patch(k, n):\n    setattr(q, k, n)\nx = patch('RATE', NUMBER)",
        "vars": "def patch(**more):\n    vars(q).update(more)\nx = patch(RATE=NUMBER)",
        "__dict__": "def patch(**more):\n    q.__dict__.update(more)\nx = patch(RATE=NUMBER)",
        "__dict__ that is handed on": "def patch(d):\n    d.update(RATE=NUMBER)\nx = patch(q.__dict__)",
        "sys.modules and an argument": "import sys\ndef patch(k, n):\n    setattr(sys.modules['q'], k, n)\n"
        "x = patch('RATE', NUMBER)",
        "exec with it in a namespace": "x = exec('m.RATE = NUMBER', {'m': q})",
        "__setattr__": "q.__setattr__('RATE', NUMBER)",
        "__setattr__ in a function": "def patch(n):\n    q.__setattr__('RATE', n)\nx = patch(NUMBER)",
        "__setattr__ of object": "def patch(n):\n    object.__setattr__(q, 'RATE', n)\nx = patch(NUMBER)",
        "its own module's function": "x = q.put('RATE', NUMBER)",
        "a class": "class X:\n    q.RATE = NUMBER",
        "a class within a class": "class X:\n    class Y:\n        if True:\n            q.RATE = NUMBER",
        "setattr in a class": "class X:\n    setattr(q, 'RATE', NUMBER)",
        "a loop in a class": "class X:\n    for q.RATE in [NUMBER]: pass",
        "a default": "def f(x=setattr(q, 'RATE', NUMBER)): pass",
        "a default, by its name": "def f(x=q.put('RATE', NUMBER)): pass",
        "a decorator": "@(lambda f: setattr(q, 'RATE', NUMBER))\ndef f(): pass",
        "a branch": "if True:\n    q.RATE = NUMBER",
        "a loop": "for q.RATE in [NUMBER]: pass",
        "a comprehension": "x = [0 for q.RATE in [NUMBER]]",
        "a lambda": "x = (lambda n: setattr(q, 'RATE', n))(NUMBER)",
        "two statements in a line": "x = 1; q.RATE = NUMBER",
        "a pattern": "match NUMBER:\n    case n: q.RATE = n",
        "with": "import contextlib\nwith contextlib.nullcontext(NUMBER) as q.RATE: pass",
        "a line that goes on": "q \\\n    .RATE = NUMBER",
        "brackets": "(\nq.RATE) = NUMBER",
        "several names": "q.RATE, x = NUMBER, 1",
        "a starred name": "x, *[q.RATE] = 1, NUMBER",
        "del and a new one": "del q.RATE\nq.RATE = NUMBER",
        "an addition": "q.RATE += NUMBER",
    }.items()
}
STATE |= {
    f"{what}, where nothing else binds it": (module.removeprefix("RATE = 0\n"), value, last)
    for what, (module, value, last) in STATE.items()
    if module.startswith("RATE = 0\n") and "del " not in last and "+=" not in last
}


# A function that assigns a number of q.py, however it is laid out.
LAID_OUT = {
    "plainly": "q.RATE = n",
    "with a type": "q.RATE: int = n",
    "in brackets": "(\n        q.RATE\n    ) = n",
    "in a list": "[\n        q.RATE,\n        x\n    ] = n, 1",
    "behind a backslash": "q.\\\n    RATE \\\n    = n",
    "below a comment": "(q.  # it\n    # and more\n    RATE) = n",
    "by a loop": "for (\n        q.RATE\n    ) in [n]: pass",
    "by a comprehension": "[0 for\n        q.RATE\n    in [n]]",
    "by with": "with contextlib.nullcontext(n) as (\n        q.RATE\n    ): pass",
    "of an argument": "m = q; (\n        m.RATE,\n        x\n    ) = n, 1",
}
STATE |= {
    f"a number that is assigned {how}": (
        "RATE = 0\n",
        "q.RATE",
        f"import contextlib\ndef put(n):\n    {text}\nx = put(NUMBER)",
    )
    for how, text in LAID_OUT.items()
}


@pytest.mark.parametrize("way", STATE)
def test_state_of_any_kind_counts(fingerprints: Ask, tmp_path: Path, way: str) -> None:
    module, value, last = STATE[way]
    found = [
        fingerprints(
            tmp_path / str(number),
            {
                "zen.toml": b'project = "effects"\n',
                "flow.py": FLOW.replace("repr(q.TABLE)", value).encode(),
                "q.py": module.encode(),
                "last.py": f"import q\n{last}\n".replace("NUMBER", str(number)).encode(),
            },
        )
        for number in (1, 5)
    ]
    assert found[0]["answers"] != found[1]["answers"]
    assert found[0]["digests"] != found[1]["digests"]


# What last.py does that alters nothing of q.py: TABLE is a dict there, KINDS a class, RATE a number.
HARMLESS = {
    "an entry": "import q\nx = q.TABLE['b'] + NUMBER\n",
    "an entry, by get": "from q import TABLE as T\nx = T.get('b', NUMBER)\n",
    "a copy that is altered": "import q\nx = dict(q.TABLE)\nx['b'] = NUMBER\n",
    "its length": "from q import TABLE\nx = max(len(TABLE), len(sorted(TABLE)), NUMBER)\n",
    "a function that looks": "import q\ndef f(n):\n    return q.TABLE['b'] + n\nx = f(NUMBER)\n",
    "a function that is not called": "import q\ndef fill():\n    q.TABLE['a'] = NUMBER\n",
    "a constant": "import q\ndef f(n):\n    return print if q.RATE else n\nx = f(NUMBER)\n",
    "an annotation": "import q\ndef f(t: q.TABLE) -> int:\n    return NUMBER\nx = f(1)\n",
    "a type": "import q\nfrom typing import Union\nEither = Union[q.Kind, int]\nx = dict(a=NUMBER)\n",
    "an object of a class": "from q import Kind\nx = Kind()\nx.n = NUMBER\n",
    "its own TABLE": "TABLE = {}\nTABLE['a'] = NUMBER\n",
    "its own TABLE, by a function": "TABLE = {}\ndef fill(n):\n    TABLE['a'] = n\nx = fill(NUMBER)\n",
    "an argument of that name": "import q\ndef fill(TABLE, n):\n    TABLE['a'] = n\nx = fill({}, NUMBER)\n",
}
BESIDE = "TABLE = {'b': 1}\nRATE = 3\nclass Kind:\n    pass\n"


@pytest.mark.parametrize("way", HARMLESS)
def test_what_alters_nothing_does_not_count(fingerprints: Ask, tmp_path: Path, way: str) -> None:
    found = [
        fingerprints(
            tmp_path / str(number),
            {
                "zen.toml": b'project = "effects"\n',
                "flow.py": FLOW.replace("repr(q.TABLE)", "repr([q.TABLE, q.RATE, q.Kind])").encode(),
                "q.py": BESIDE.encode(),
                "last.py": HARMLESS[way].replace("NUMBER", str(number)).encode(),
            },
        )
        for number in (1, 5)
    ]
    assert found[0] == found[1]
