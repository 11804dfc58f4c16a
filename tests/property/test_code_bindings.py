"""Whatever binds a name at the top level of a module, a change of what it binds is a change of the fingerprint.

A step gives back N of h.py, which h.py binds in some way, or what a function of h.py gives back for it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Ask = Callable[[Path, dict[str, bytes]], dict[str, Any]]
FLOW = """
import h
from zen_core import pipeline, step

@step
def s(n: int) -> object:
    return {value}

@pipeline
def everything(n: int = 1):
    s(n)
"""
# What binds N at the top level of a module, in other ways than by an assignment.
BINDERS = {
    "a condition": "if (N := 5) > 3:\n    pass\n",
    "a later condition": "if not __name__:\n    pass\nelif (N := 5):\n    pass\n",
    "a caught exception": "try:\n    raise ValueError\nexcept (ValueError, (N := 5))[:1]:\n    pass\n",
    "a default": "def q(a=(N := 5)): pass\n",
    "an annotation": "def q(a: (N := 5)): pass\n",
    "a base": "class Q((N := 5) and object): pass\n",
    "a decorator": "@(N := 5) and (lambda f: f)\ndef q(): pass\n",
    "a class": "class Q:\n    global N\n    N = 5\n",
    "a class, over a value": "N = 1\nclass Q:\n    global N\n    N = 5\n",
    "a function": "def q():\n    global N\n    N = 5\nq()\n",
    "a loop over globals()": "for k in 'N':\n    globals()[k] = 5\n",
    "locals()": "locals()['N'] = 5\n",
    "locals(), over a value": "N = 1\nlocals()['N'] = 5\n",
}


@pytest.mark.parametrize("value", ["h.N", "h.g()"], ids=["by another module", "by its own"])
@pytest.mark.parametrize("binder", BINDERS)
def test_a_change_of_what_a_name_is_bound_to_counts(fingerprints: Ask, tmp_path: Path, binder: str, value: str) -> None:
    module = BINDERS[binder] + ("def g(): return N\n" if value == "h.g()" else "")
    found = [
        fingerprints(
            tmp_path / number,
            {
                "zen.toml": b'project = "bindings"\n',
                "flow.py": FLOW.format(value=value).encode(),
                "h.py": module.replace("5", number).encode(),
            },
        )
        for number in ("5", "6")
    ]
    assert found[0]["answers"] != found[1]["answers"]
    assert found[0]["digests"] != found[1]["digests"]
