import builtins
import importlib.util
import itertools
import os
import sys

import pytest

from zen_core.codegen.import_roots import ImportRoots
from zen_core.compiler.fingerprint import fingerprint_step

NUMBERS = itertools.count()


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Import a text as the one module of a project of its own; answer with the plain function `f`, and its project."""

    def load_text(text, name="f"):
        folder = tmp_path / str(next(NUMBERS))
        folder.mkdir()
        path = folder / "fingerprint_case.py"
        path.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location("fingerprint_case", path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "fingerprint_case", module)
        spec.loader.exec_module(module)
        found = getattr(module, name)
        return getattr(found, "function", found), ImportRoots((folder,))

    return load_text


@pytest.fixture
def fingerprint(load):
    def of(text):
        function, roots = load(text)
        return fingerprint_step(function, roots=roots)

    return of


BASE = "def f(x: int, y=2):\n    z = [x, y]\n    return {'a': z, **{}}\n"
SAME = {
    "formatting": "def f( x:int,y = 2 ):\n\n    z = [ x,\n  y, ]\n    return {\n 'a': (z), **{} }\n",
    "comments": "# one\ndef f(x: int, y=2):  # two\n    z = [x, y]\n    # three\n    return {'a': z, **{}}\n",
    "docstring": 'def f(x: int, y=2):\n    """Words."""\n    z = [x, y]\n    return {"a": z, **{}}\n',
    "place": "import os\n\n\nclass Other:\n    pass\n\n\n" + BASE,
    "step decorator": "from zen_core import step\n\n@step\n" + BASE,
    "step decorator with options": "from zen_core import step as task\n\n@task(retry=None, cache=False)\n" + BASE,
    "step decorator by module": "import zen_core as zen\n\n@zen.step(tags=['a'])\n" + BASE,
}
OTHER = {
    "body": BASE.replace("[x, y]", "[y, x]"),
    "constant": BASE.replace("'a'", "'b'"),
    "type of a constant": BASE.replace("y=2", "y=2.0"),
    "default": BASE.replace("y=2", "y=3"),
    "annotation": BASE.replace("x: int", "x: float"),
    "return annotation": BASE.replace("):", ") -> dict:", 1),
    "name of a variable": BASE.replace("z", "w"),
    "another decorator": "import functools\n\n@functools.cache\n" + BASE,
    "decorator called step that is not Zen's": "def step(f):\n    return f\n\n@step\n" + BASE,
    "async": "async " + BASE,
    "inner docstring": "def f(x: int, y=2):\n    def g():\n        'p'\n    z = [x, y]\n    return {'a': z, **{}}\n",
    "dict order of stars": BASE.replace("{'a': z, **{}}", "{**{}, 'a': z}"),
}


@pytest.mark.parametrize("change", SAME)
def test_what_does_not_change_the_work_does_not_count(fingerprint, change):
    assert fingerprint(SAME[change]).digest == fingerprint(BASE).digest


@pytest.mark.parametrize("change", OTHER)
def test_what_may_change_the_work_counts(fingerprint, change):
    assert fingerprint(OTHER[change]).digest != fingerprint(BASE).digest


def test_all_other_texts_differ_from_one_another(fingerprint):
    assert len({fingerprint(text).digest for text in OTHER.values()}) == len(OTHER)


def test_structure_and_text_are_told_apart(fingerprint):
    assert fingerprint("def f():\n    return ')'\n").digest != fingerprint("def f():\n    return (')',)\n").digest
    assert (
        fingerprint("def f():\n    return 'ab', 'c'\n").digest != fingerprint("def f():\n    return 'a', 'bc'\n").digest
    )


def test_the_digest_is_pinned(fingerprint):
    """The same on every Python version, machine and release: a change here makes every user's cache miss."""
    text = (
        "def f(a, /, b: list[int], *c, d=None, **e) -> str:\n"
        "    with open(a) as g, g:\n"
        "        match b:\n"
        "            case [1, *_] if d is not ...:\n"
        "                return f'{a!r:>{d}} {b=} ' 'x' rf'\\{c}'\n"
        "            case {'k': v, **rest}:\n"
        "                return lambda x=-1: (y := x)\n"
        "    try:\n"
        "        return [i for i in c], {*b}, 1j, b'\\xff', 10**30, a[1:, ::2]\n"
        "    except* ValueError as error:\n"
        "        raise\n"
    )
    found = fingerprint(text)
    assert (found.scope, found.digest) == (
        "project",
        "sha256:8ec56c4645a16329862322cd44784b64878e6dad7757018dc2fc0ab5f74d668a",
    )


@pytest.mark.parametrize(
    "text",
    [
        "def f(x):\n    return " + " + ".join(["x"] * 2_000) + "\n",
        "Y = " + " + ".join(["1"] * 2_000) + "\ndef f(x):\n    return x + Y\n",
        "X = 5\nif X == 0:\n    Y = 0\n"
        + "".join(f"elif X == {number}:\n    Y = {number}\n" for number in range(1, 900))
        + "def f(x):\n    return x + Y\n",
    ],
    ids=["in a function", "a constant", "a chain of elif"],
)
def test_what_is_nested_deeper_than_python_recurses_is_no_problem(fingerprint, text):
    before, after = fingerprint(text), fingerprint(text.replace(" + 1\n", " + 2\n").replace("Y = 899", "Y = 9"))
    assert before.scope == "project"
    assert (before.digest != after.digest) == ("Y" in text)


def test_a_decorator_that_hides_the_function_does_not_hide_its_code(fingerprint):
    """Two functions under one careless decorator must not share a cache entry."""
    text = "def hide(g):\n    return lambda x: g(x)\n\n@hide\ndef f(x):\n    return x + {}\n"
    assert fingerprint(text.format(1)).digest != fingerprint(text.format(2)).digest


def test_a_decorator_that_wraps_properly_is_looked_through(fingerprint):
    text = (
        "import functools\n\ndef hide(g):\n    @functools.wraps(g)\n    def wrapper(x):\n        return g(x)\n"
        "    return wrapper\n\n@hide\ndef f(x):\n    return x + {}\n"
    )
    first, second = fingerprint(text.format(1)), fingerprint(text.format(2))
    assert first.scope == "project"
    assert first.digest != second.digest


def test_closed_over_values_count(fingerprint):
    text = "def make(k):\n    def f(x):\n        return x * k\n    return f\n\nf = make({})\n"
    assert len({fingerprint(text.format(value)).digest for value in ("1", "'1'", "object()")}) == 3


@pytest.mark.parametrize(
    "text",
    [
        "    def g(x, by=k): return x * by\n",
        "    def g(x, *, by=k): return x * by\n",
        "    g = lambda x, by=k: x * by\n",
        "    def g(x): return x * g.by\n    g.by = k\n",
        "    class B:\n        by = k\n    def g(x): return x * B.by\n",
        "    class B:\n        def __init__(self, by=k): self.by = by\n    def g(x): return x * B().by\n",
        "    class B:\n        @property\n        def by(self): return k\n    def g(x): return x * B().by\n",
        "    class B:\n        @staticmethod\n        def by(): return k\n    def g(x): return x * B.by()\n",
        "    class B:\n        by = k\n    class C(B): pass\n    def g(x): return x * C.by\n",
    ],
    ids=[
        *("a default", "a keyword's default", "a lambda's default", "an attribute"),
        *("a class's", "a method's default", "a property", "a static method", "a base's"),
    ],
)
def test_values_within_what_is_closed_over_count(load, text):
    """They are looked at as they are in this process; and no more of the module counts than is reached."""
    text = f"def unused(): pass\ndef make(k):\n{text}    return lambda x: g(x)\n\nf = make({{}})\n"
    loaded = [load(text.format(value)) for value in (1, 2, 1)]
    assert [function(3) for function, _ in loaded] == [3, 6, 3]
    one, two, again = (fingerprint_step(function, roots=roots) for function, roots in loaded)
    assert one.digest != two.digest
    assert one.digest == again.digest
    assert "fingerprint_case:unused" not in {item.name for item in one.definitions}


def test_functions_that_close_over_one_another_end(fingerprint):
    text = (
        "def make():\n    def f():\n        return g()\n    def g():\n        return f()\n    return f\n\nf = make()\n"
    )
    assert fingerprint(text).digest


def test_a_function_without_source_is_known_by_its_bytecode():
    spaces = [{}, {}, {}]
    for space, text in zip(spaces, ("x + 1", "x + 1", "x + 2"), strict=True):
        exec(f"import json\ndef f(x):\n    return json.dumps({text})\n", space)
    roots = ImportRoots(())
    first, same, other = (fingerprint_step(space["f"], roots=roots) for space in spaces)
    assert first.scope == "bytecode"
    assert first.digest == same.digest != other.digest


def test_third_party_packages_that_the_code_uses_are_found(fingerprint):
    text = (
        "import json, os.path\nimport click\nfrom pydantic import BaseModel as Model\nimport jinja2 as unused\n"
        "from zen_core import step\n\n"
        "@step\ndef f(x: Model, y: 'rich.Table' = None, z=click.Path):\n"
        "    import sqlalchemy.sql\n    from alembic import op\n    import fingerprint_case\n"
        "    return json, x.unused\n"
    )
    assert fingerprint(text).imports == ("alembic", "click", "pydantic", "sqlalchemy")


def test_a_package_that_is_not_installed_here_counts_too(fingerprint):
    found = fingerprint("def f():\n    import mlflow_of_the_worker, mlflow\n")
    assert found.imports == ("mlflow", "mlflow_of_the_worker")
    assert found.imports_mlflow


def test_a_file_that_changed_after_it_was_imported_is_nobody_elses_result(tmp_path, monkeypatch):
    """The process goes on with the old code: what it makes must not be kept as the new code's."""
    path, name = tmp_path / "edited_case.py", "edited_case"
    path.write_text("def f(x):\n    return x + 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module(name)
    roots = ImportRoots((tmp_path,))
    before = fingerprint_step(module.f, roots=roots)
    path.write_text("def f(x):\n    return x + 2\n")
    stale = [fingerprint_step(module.f, roots=roots) for _ in range(2)]
    assert len({before.digest, *(item.digest for item in stale)}) == 3
    assert "changed since it was imported" in stale[0].unfollowed[0].what
    importlib.invalidate_caches()
    (tmp_path / "__pycache__").exists() and [item.unlink() for item in (tmp_path / "__pycache__").iterdir()]
    after = fingerprint_step(importlib.reload(module).f, roots=roots)
    assert not after.unfollowed
    assert after.digest not in {before.digest, *(item.digest for item in stale)}
    sys.modules.pop(name)


@pytest.mark.parametrize(
    "line",
    [
        "import pack.fast",
        "from pack.fast import g",
        "from pack import fast",
        "from pack import fast as f; f.g(x)",
        "import pack; pack.fast.g(x)",
        "from pack import both; both.g(x)",
    ],
)
def test_what_is_compiled_counts_as_a_package_without_a_version(load, line):
    function, roots = load(f"def f(x):\n    {line}\n    return x\n")
    pack = roots.folders[0] / "pack"
    pack.mkdir()
    for file in ("__init__.py", "fast.cpython-39-darwin.so", "both.py", "both.pyd"):
        pack.joinpath(file).touch()
    found = fingerprint_step(function, roots=roots)
    assert found.imports == ("pack",)
    assert "fingerprint_case:f" in {definition.name for definition in found.definitions}


def test_another_encoding_and_line_endings_are_read_as_python_reads_them(load, tmp_path, monkeypatch):
    digests = set()
    for number, data in enumerate(
        (
            "# coding: utf-8\nNAME = 'größe'\n\n\ndef f():\n    return NAME\n".encode(),
            "# coding: latin-1\r\nNAME = 'größe'\r\n\r\n\r\ndef f():\r\n    return NAME\r\n".encode("latin-1"),
        )
    ):
        folder = tmp_path / f"encoded_{number}"
        folder.mkdir()
        (folder / "encoded_case.py").write_bytes(data)
        spec = importlib.util.spec_from_file_location("encoded_case", folder / "encoded_case.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        digests.add(fingerprint_step(module.f, roots=ImportRoots((folder,))).digest)
    assert len(digests) == 1


@pytest.mark.parametrize("line", ["os.environ['A'] = '{}'", "builtins.cut = {}", "random.seed({})", "os.a, x = {}, 1"])
def test_what_a_module_sets_up_for_the_whole_process_counts(fingerprint, line):
    text = f"import builtins, os, random\n{line}\n\ndef f():\n    return 1\n"
    try:
        assert fingerprint(text.format(1)).digest != fingerprint(text.format(2)).digest
    finally:
        for owner, name in ((builtins, "cut"), (os, "a")):
            vars(owner).pop(name, None)
        os.environ.pop("A", None)


def test_distributions_below_one_namespace_are_told_apart(fingerprint):
    text = "def f():\n    from google.cloud import storage\n    import google.auth\n    storage.Client(google.auth.x)\n"
    assert fingerprint(text).imports == ("google.auth.x", "google.cloud.storage")
