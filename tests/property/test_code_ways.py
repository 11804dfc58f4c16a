"""In how many ways a function can come to another: all that can be read are followed, all others are reported.

`tidy` of shop/cleaning.py, which a step calls, finds `trim` of shop/text/words.py, which is then changed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Ask = Callable[[Path, dict[str, bytes]], dict[str, Any]]
FLOW = """
from shop.cleaning import tidy
from zen_core import pipeline, step

@step
def s(n: int) -> str:
    return tidy(f" {n} ")

@pipeline
def everything(n: int = 1):
    s(n)
"""
WORDS = """
def trim(text): return text.strip()
def shout(text): return text.upper()
"""
LAZY = """
def __getattr__(name):
    from .text import words
    return getattr(words, name)
"""
# shop/cleaning.py, by how it finds `trim`.
FOLLOWED = {
    "an attribute of a module": """
from .text import words
def tidy(text): return words.trim(text)
""",
    "an import in a function": """
def find():
    from .text.words import trim
    return trim
def tidy(text): return find()(text)
""",
    "an import in one of two branches": """
def tidy(text):
    if text:
        from .text.words import trim as cut
    else:
        from .text.words import shout as cut
    return cut(text)
""",
    "an import in a loop": """
for _ in range(1):
    from .text import words
def tidy(text): return words.trim(text)
""",
    "two imports in a line": """
import sys; import shop.text.words; from .text import words
def tidy(text): return words.trim(text)
""",
    "an import that may fail": """
try:
    from .text.words import trim
except ImportError:
    trim = str
def tidy(text): return trim(text)
""",
    "import *": """
from .text.words import *
def tidy(text): return trim(text)
""",
    "a default": """
from .text.words import trim
def use(text, how=trim): return how(text)
def tidy(text): return use(text)
""",
    "a keyword's default": """
from .text.words import trim
def use(text, *, how=trim): return how(text)
def tidy(text): return use(text)
""",
    "a class attribute": """
from .text.words import trim
class Cutter:
    cut = staticmethod(trim)
def tidy(text): return Cutter.cut(text)
""",
    "an object's method": """
from .text.words import trim
class Cutter:
    def __call__(self, text): return trim(text)
CUTTER = Cutter()
def tidy(text): return CUTTER(text)
""",
    "a bound method": """
from .text.words import trim
class Cutter:
    def cut(self, text): return trim(text)
cut = Cutter().cut
def tidy(text): return cut(text)
""",
    "an inherited method": """
from .text.words import trim
class Cutter:
    def cut(self, text): return trim(text)
class Finer(Cutter):
    def fine(self, text): return self.cut(text)
def tidy(text): return Finer().fine(text)
""",
    "super()": """
from .text.words import trim
class Cutter:
    def cut(self, text): return trim(text)
class Finer(Cutter):
    def cut(self, text): return super().cut(text)
def tidy(text): return Finer().cut(text)
""",
    "a metaclass": """
from .text.words import trim
class Meta(type):
    def cut(cls, text): return trim(text)
class Cutter(metaclass=Meta): pass
def tidy(text): return Cutter.cut(text)
""",
    "a class decorator": """
from .text.words import trim
def add(cls):
    cls.cut = staticmethod(trim)
    return cls
@add
class Cutter: pass
def tidy(text): return Cutter.cut(text)
""",
    "a subclass that registers itself": """
from .text.words import trim
class Cutter:
    known = []
    def __init_subclass__(cls): Cutter.known.append(cls)
class Finer(Cutter):
    def cut(self, text): return trim(text)
def tidy(text): return Cutter.known[0]().cut(text)
""",
    "a generator": """
from .text.words import trim
def cuts(text): yield trim(text)
def tidy(text): return next(cuts(text))
""",
    "a nested function": """
from .text.words import trim
def tidy(text):
    def inner(): return trim(text)
    return inner()
""",
    "a comprehension": """
from .text.words import trim
def tidy(text): return [trim(part) for part in [text]][0]
""",
    "a choice": """
from .text.words import shout, trim
cut = shout if len("a") > 1 else trim
def tidy(text): return cut(text)
""",
    "a definition in a branch": """
import sys
if sys.maxsize:
    from .text.words import trim
    def cut(text): return trim(text)
else:
    def cut(text): return text
def tidy(text): return cut(text)
""",
    "several names at once": """
from .text import words
cut, other = words.trim, words.shout
def tidy(text): return cut(text)
""",
    "functools.cache": """
import functools
from .text.words import trim
cut = functools.cache(trim)
def tidy(text): return cut(text)
""",
    "functools.cache above it": """
import functools
from .text.words import trim
@functools.cache
def cut(text): return trim(text)
def tidy(text): return cut(text)
""",
    "functools.singledispatch": """
import functools
from .text.words import trim
@functools.singledispatch
def cut(text): return text
@cut.register
def _(text: str): return trim(text)
def tidy(text): return cut(text)
""",
    "a partial of a partial": """
from functools import partial
from .text.words import trim
cut = partial(partial(trim))
def tidy(text): return cut(text)
""",
    "a lambda": """
from .text.words import trim
cut = lambda text: trim(text)
def tidy(text): return cut(text)
""",
    "a list of functions": """
from .text.words import trim
CUTS = [str, trim]
def tidy(text):
    for cut in CUTS: text = cut(text)
    return text
""",
    "two functions that call each other": """
from .text.words import trim
def odd(text, n): return even(text, n - 1) if n else trim(text)
def even(text, n): return odd(text, n - 1) if n else trim(text)
def tidy(text): return odd(text, 3)
""",
    "a module handed on": """
from .text import words
def use(module, text): return module.trim(text)
def tidy(text): return use(words, text)
""",
    "a module under two names": """
from . import text as package
from .text import words
alias = package.words
def tidy(text): return alias.trim(text)
""",
    "a module named in full": """
import shop.text.words
def tidy(text): return shop.text.words.trim(text)
""",
    "a name set in a package": """
from . import text as package
from .text import words
package.cut = words.trim
def tidy(text): return package.cut(text)
""",
    "a property": """
from .text.words import trim
class Cutter:
    def __init__(self, text): self.text = text
    @property
    def cut(self): return trim(self.text)
def tidy(text): return Cutter(text).cut
""",
    "a context manager": """
import contextlib
from .text.words import trim
@contextlib.contextmanager
def cutting(text): yield trim(text)
def tidy(text):
    with cutting(text) as cut: return cut
""",
    "match": """
from .text.words import trim
def tidy(text):
    match text:
        case str(): return trim(text)
""",
    "an operator of a class": """
from .text.words import trim
class Cutter:
    def __matmul__(self, text): return trim(text)
def tidy(text): return Cutter() @ text
""",
    "a named tuple": """
from typing import NamedTuple
from .text.words import trim
class Cutter(NamedTuple):
    text: str
    def cut(self): return trim(self.text)
def tidy(text): return Cutter(text).cut()
""",
    "a dataclass's default factory": """
from dataclasses import dataclass, field
from .text.words import trim
def make(): return trim
@dataclass
class Cutter:
    cut: object = field(default_factory=make)
def tidy(text): return Cutter().cut(text)
""",
    "an enum of functions": """
import enum
from .text.words import trim
class Cut(enum.Enum):
    TRIM = (trim,)
def tidy(text): return Cut.TRIM.value[0](text)
""",
    "a try's else": """
from .text.words import trim
def tidy(text):
    try: pass
    except ValueError: return text
    else: return trim(text)
""",
    "async": """
import asyncio
from .text.words import trim
async def cut(text): return trim(text)
def tidy(text): return asyncio.run(cut(text))
""",
    "a thread": """
from concurrent.futures import ThreadPoolExecutor
from .text.words import trim
def tidy(text):
    with ThreadPoolExecutor(1) as pool: return pool.submit(trim, text).result()
""",
}
COMPUTED = {
    "getattr of a name": """
from .text import words
def tidy(text): return getattr(words, "trim")(text)
""",
    "getattr of a computed name": """
from .text import words
def tidy(text): return getattr(words, "tr" + "im")(text)
""",
    "__dict__": """
from .text import words
def tidy(text): return words.__dict__["trim"](text)
""",
    "vars()": """
from .text import words
def tidy(text): return vars(words)["trim"](text)
""",
    "attrgetter": """
from operator import attrgetter
from .text import words
def tidy(text): return attrgetter("trim")(words)(text)
""",
    "globals()": """
from .text.words import trim
def tidy(text): return globals()["trim"](text)
""",
    "eval": """
from .text.words import trim
def tidy(text): return eval("trim(text)")
""",
    "exec": """
from .text.words import trim
def tidy(text):
    found = {}
    exec("cut = trim(text)", {"trim": globals()["trim"], "text": text}, found)
    return found["cut"]
""",
    "import_module": """
from importlib import import_module
def tidy(text): return import_module("shop.text.words").trim(text)
""",
    "import_module of a computed name": """
from importlib import import_module
def tidy(text): return import_module("shop.text." + "words").trim(text)
""",
    "__import__": """
def tidy(text): return __import__("shop.text.words").text.words.trim(text)
""",
    "sys.modules": """
import sys
import shop.text.words
def tidy(text): return sys.modules["shop.text.words"].trim(text)
""",
    "a module's __getattr__": """
from . import lazy
def tidy(text): return lazy.trim(text)
""",
    "pickle": """
import pickle
from .text.words import trim
def tidy(text): return pickle.loads(pickle.dumps(trim))(text)
""",
    "pkgutil": """
import pkgutil
def tidy(text): return pkgutil.resolve_name("shop.text.words:trim")(text)
""",
}


def files(cleaning: str, words: str = WORDS) -> dict[str, bytes]:
    texts = {
        "zen.toml": 'project = "ways"',
        "flow.py": FLOW,
        "shop/__init__.py": "",
        "shop/cleaning.py": cleaning,
        "shop/lazy.py": LAZY,
        "shop/text/__init__.py": "",
        "shop/text/words.py": words,
    }
    return {file: text.encode() for file, text in texts.items()}


def asked(fingerprints: Ask, folder: Path, cleaning: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The project as it is, and with another `trim`."""
    before = fingerprints(folder / "before", files(cleaning))
    after = fingerprints(folder / "after", files(cleaning, WORDS.replace("text.strip()", "text.strip() + '.'")))
    assert before["answers"] != after["answers"], "the case itself is wrong"
    return before, after


@pytest.mark.parametrize("way", FOLLOWED)
def test_what_is_reached_in_any_way_counts(fingerprints: Ask, tmp_path: Path, way: str) -> None:
    before, after = asked(fingerprints, tmp_path, FOLLOWED[way])
    assert before["digests"] != after["digests"]


# A module that is handed on as a value counts as a whole: what will be asked of it is not known.
@pytest.mark.parametrize("way", sorted(FOLLOWED.keys() - {"a module handed on", "a module under two names"}))
def test_what_is_beside_it_does_not_count(fingerprints: Ask, tmp_path: Path, way: str) -> None:
    before = fingerprints(tmp_path / "before", files(FOLLOWED[way]))
    words = WORDS.replace("text.upper()", "text.upper() + '.'") if "shout" not in FOLLOWED[way] else WORDS
    beside = f"# words\n\ndef unused(text): return text\n{words}\n\nclass Unused: pass\n"
    assert fingerprints(tmp_path / "after", files(FOLLOWED[way], beside))["digests"] == before["digests"]


@pytest.mark.parametrize("way", COMPUTED)
def test_what_is_reached_by_a_computed_name_counts_or_is_reported(fingerprints: Ask, tmp_path: Path, way: str) -> None:
    before, after = asked(fingerprints, tmp_path, COMPUTED[way])
    assert before["digests"] != after["digests"] or before["unfollowed"]["s"]
