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


def test_a_module_that_does_not_parse_is_left_to_python(roots):
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
