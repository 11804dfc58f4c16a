import pytest

from zen_core.codegen.import_roots import ImportRoots


@pytest.fixture
def roots(tmp_path):
    for name, text in {
        "a.py": "import os, b.c\n",
        "b/__init__.py": "",
        "b/c.py": "from ..b import d\nfrom .e import f\n\ndef late():\n    import g\n",
        "b/d.py": "",
        "b/e.py": "f = 1\n",
        "src/g.py": "import a\n",
        "broken.py": "def (\n",
        "space/inner/m.py": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return ImportRoots((tmp_path, tmp_path / "src"))


def test_imports_are_followed_through_packages_functions_and_circles(roots):
    assert list(roots.follow_imports(["a"])) == ["a", "b", "b.c", "b.d", "b.e", "g"]


@pytest.mark.parametrize(
    "text",
    [
        "if True:\n    pass\nelse:\n    import {}",
        "for _ in ():\n    pass\nelse:\n    import {}",
        "while False:\n    import {}",
        "try:\n    import {}\nexcept ImportError:\n    pass",
        "try:\n    pass\nexcept ImportError:\n    import {}",
        "try:\n    pass\nexcept* ImportError:\n    import {}",
        "try:\n    pass\nfinally:\n    import {}",
        "try:\n    pass\nexcept ImportError:\n    pass\nelse:\n    from {} import f",
        "with open('x') as file:\n    import {}",
        "match 1:\n    case 1:\n        import {}",
        "class C:\n    async def f(self):\n        async with self:\n            from {} import *",
        "import importlib\nmodule = [importlib.import_module('{}')]",
        "def f():\n    return lambda: __import__('{}')",
        "from importlib import \uff49mport_module\n\uff49mport_module('{}')",
    ],
)
def test_imports_are_found_wherever_they_stand(roots, text):
    (roots.folders[0] / "a.py").write_text(text.format("b.e"), encoding="utf-8")
    assert list(roots.follow_imports(["a"])) == ["a", "b", "b.e"]


@pytest.mark.parametrize("text", ["def (\n", "\0", "-" * 7000 + "1", "a" + ".b" * 5000])
def test_a_module_that_does_not_parse_is_left_to_python(roots, text):
    (roots.folders[0] / "broken.py").write_text(text)
    assert list(roots.follow_imports(["broken"])) == ["broken"]


def test_modules_and_namespace_packages_are_found(roots):
    assert roots.find_module("g").name == "g.py"
    assert roots.find_module("b").name == "__init__.py"
    assert roots.find_module("space").is_dir()
    assert roots.find_module("numpy") is None


def test_the_innermost_folder_names_a_file(roots):
    root = roots.folders[0]
    assert roots.module_of(root / "src" / "g.py") == "g"
    assert roots.module_of(root / "b" / "__init__.py") == "b"
    assert roots.module_of(root / "not-a-name" / "x.py") is None
    assert roots.module_of(root.parent / "x.py") is None
