"""Edits of a project, and the steps that must run again after each: these, and no others.

The project of `mutated_project/` is run once, edited, and run again, each time in a process that has not seen it
before and in another folder. Beside the steps that are named, those run whose inputs are others now. Whatever is taken
from the cache, the result must be what plain Python gives.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).with_name("mutated_project")
RUNNER = Path(__file__).with_name("project_runner.py")
PACKAGES = {
    "tariffs": """
import functools

def tax(item):
    return item * 0.25

def rounded(function):
    @functools.wraps(function)
    def inner(items):
        return [round(item, 1) for item in function(items)]
    return inner
""",
    "customs": """
def duty(item):
    return item + 10
""",
    "strangers": "",
}


@dataclass(frozen=True)
class Edit:
    """A change of one file: each `old` becomes the `new` beside it; "" stands for the file's end.

    `reruns` names the steps that reach what is changed.
    """

    what: str
    file: str
    changes: Mapping[str, str]
    reruns: str = ""

    def apply(self, folder: Path) -> None:
        path = folder / self.file
        text = path.read_bytes().decode() if path.exists() else ""
        for old, new in self.changes.items():
            assert not old or old in text, f"{self.file} has no {old!r}"
            text = text.replace(old, new, 1) if old else text + new
        path.write_bytes(text.encode())


FLOW, WORDS, PRICING, RANKING, MODELS, RULES, STARS, SETTINGS = (
    "flow.py",
    "shop/text/words.py",
    "shop/pricing.py",
    "shop/ranking.py",
    "shop/models.py",
    "shop/rules.py",
    "shop/stars.py",
    "shop/settings.py",
)
REGISTRY, WRAPPING = "shop/registry.py", "shop/wrapping.py"
BETWEEN = "class Between(Base):\n    reverse = False\n\n\nclass Ranker(Between)"
ONE_MORE_RULE = '\n\n@rule("same")\ndef same(total: int) -> int:\n    return total\n'
FOLD = "\n\ndef fold():\n    pass\n\n\ndef trim"

FUNCTIONS = [
    Edit("a helper's body two imports away", WORDS, {"text.strip()": 'text.strip(" ")'}, "clean"),
    Edit("a helper's docstring", WORDS, {"Without spaces": "With no spaces"}, "clean"),
    Edit("a helper's annotation", WORDS, {"trim(text: str) -> str": "trim(text: str) -> object"}, "clean"),
    Edit("a helper's default", PRICING, {"discount: int = 0": "discount: int = 1"}, "price"),
    Edit("a constant that is a default", PRICING, {"MARGIN = 1": "MARGIN = 2"}, "price"),
    Edit("a helper that a function imports", "shop/source.py", {"range(count)": "range(0, count)"}, "load"),
    Edit("a step's body", FLOW, {"return Basket(items)": "return Basket(list(items))"}, "pack"),
    Edit("a step's annotation", FLOW, {"star(items: list[int])": "star(items: list)"}, "star"),
    Edit("what an alias stands for", "shop/cleaning.py", {"import trim as": "import shout as"}, "clean"),
    Edit("what a package hands on", "shop/__init__.py", {"": "\n\ndef tidy(text):\n    return text\n"}, "clean"),
    Edit("a name assigned again", "shop/cleaning.py", {"": "\n\ncut = str.strip\n"}, "clean"),
]
VALUES = [
    Edit("a constant two imports away", SETTINGS, {"START = 2": "START = 3"}, "load"),
    Edit("a constant of a module by another name", SETTINGS, {"RATE = 3": "RATE = 4"}, "price"),
    Edit("an entry of a constant dict", SETTINGS, {'"base": 1': '"base": 2'}, "price"),
    Edit("a value that a function closes over", PRICING, {"make_fee(5)": "make_fee(6)"}, "price"),
    Edit("a function that closes over a value", PRICING, {"item + amount": "amount + item"}, "price"),
    Edit("a dict that a loop fills", "shop/tables.py", {"number * number": "number * number + 1"}, "table"),
    Edit("a list that a statement extends", "shop/tables.py", {'append("two")': 'extend("two")'}, "table"),
    Edit("an argument of a partial", FLOW, {"by=2": "by=3"}, "act"),
    Edit("the function of a partial", FLOW, {"item // by": "int(item // by)"}, "act"),
    Edit("a lambda in a dict", FLOW, {"-item": "0 - item"}, "act"),
    Edit("a function behind import *", STARS, {"item * POWER": "POWER * item"}, "star"),
    Edit("a constant behind import *", STARS, {"POWER = 1": "POWER = 2"}, "star"),
]
CLASSES = [
    Edit("a class attribute", RANKING, {"weight = 1": "weight = 2"}, "rank"),
    Edit("an attribute of a base class", RANKING, {"= Grade.LOW": "= Grade.HIGH"}, "rank"),
    Edit("a method of a base class", RANKING, {"item >= self.grade.value": "self.grade.value <= item"}, "rank"),
    Edit("a property", RANKING, {"return self.weight": "return self.weight * 1"}, "rank"),
    Edit("a static method", RANKING, {"return item\n": "return +item\n"}, "rank"),
    Edit("another base class", RANKING, {"class Ranker(Base)": BETWEEN}, "rank"),
    Edit("a member of an enum", SETTINGS, {"LOW = 1": "LOW = 3"}, "rank"),
    Edit("a default of a dataclass", MODELS, {'"basket"': '"cart"'}, "pack judge"),
    Edit("a method of a dataclass", MODELS, {"len(self.items)": "len(list(self.items))"}, "pack judge"),
    Edit("a field's type of a dataclass", MODELS, {"items: list[int]": "items: list[float]"}, "pack judge"),
    Edit("a description in a pydantic model", MODELS, {"the most": "at most"}, "bound judge"),
    Edit("a validator of a pydantic model", MODELS, {"min(value, 1000)": "min(value, 3)"}, "bound judge"),
    Edit("a pydantic model's docstring", MODELS, {"How much": "How many"}, "bound judge"),
]
DECORATORS = [
    Edit("a decorator's body", WRAPPING, {"[mark, *function(items)]": "[mark] + function(items)"}, "trace"),
    Edit("a decorator's argument", FLOW, {'traced("gold")': 'traced("silver")'}, "trace"),
    Edit("a function under a decorator", FLOW, {"str(item) for": "repr(item) for"}, "trace"),
    Edit("a decorator taken away", FLOW, {'@traced("gold")\n': ""}, "trace"),
    Edit("a registered function", RULES, {"2 * total": "total * 2"}, "rule"),
    Edit("what a registered function calls", WORDS, {"text.upper()": "text.upper().upper()"}, "rule"),
    Edit("the name of a registered function", RULES, {'"twice"': '"double"'}, "rule"),
    Edit("one more registered function", RULES, {"": ONE_MORE_RULE}, "rule"),
    Edit("what a registering decorator does", REGISTRY, {"= function\n": "= lambda n: function(n + 1)\n"}, "rule"),
]
DECLARED = [
    Edit("a declared file", "data/rules.txt", {"first": "second"}, "declare"),
    Edit("a salt", FLOW, {"@step\ndef clean": '@step(cache=Cache(salt="two"))\ndef clean'}, "clean"),
]
WRITING = [
    Edit("a comment in a helper", WORDS, {"# what a person sees": "# what anybody sees"}),
    Edit("a comment at a line's end", WORDS, {"text.strip()": "text.strip()  # both ends"}),
    Edit("a comment taken away", WORDS, {"    # what a person sees\n": ""}),
    Edit("blank lines", WORDS, {"\n    return": "\n\n\n    return"}),
    Edit("a call on several lines", FLOW, {'tidy_up(f" item {item} ")': 'tidy_up(\n        f" item {item} ",\n    )'}),
    Edit("parentheses", PRICING, {"return item + amount": "return (item) + (amount)"}),
    Edit("quotes", FLOW, {'ACTIONS["negate"]': "ACTIONS['negate']"}),
    Edit("how a number is written", MODELS, {"1000": "1_000"}),
    Edit("a text in two parts", FLOW, {'"rules.txt")': '"rules" ".txt")'}),
    Edit("line ends of another system", WORDS, {"text.strip()\n": "text.strip()\r\n"}),
    Edit("a step's own docstring", FLOW, {"Numbers to begin with.": "The first numbers."}),
    Edit("a docstring for a step", FLOW, {"    return Basket(": '    """All."""\n    return Basket('}),
    Edit("a module's docstring", WORDS, {"Helpers of helpers": "Little helpers"}),
]
UNRELATED = [
    Edit("an unrelated function's body", FLOW, {"item - 1": "item - 2"}),
    Edit("an unrelated function's name", FLOW, {"def unrelated": "def something_else"}),
    Edit("an unrelated function behind import *", STARS, {"return item\n": "return 2 * item\n"}),
    Edit("one more unrelated function", WORDS, {"": "\n\ndef whisper(text):\n    return text\n"}),
    Edit("an unrelated function between others", WORDS, {"\n\ndef trim": FOLD}),
    Edit("an unrelated class", MODELS, {"": "\n\nclass Other:\n    pass\n"}),
    Edit("an unrelated constant", SETTINGS, {"UNUSED = 0": "UNUSED = 1"}),
    Edit("an unrelated import", "shop/cleaning.py", {"\n\nfrom": "\n\nimport json\nfrom"}),
    Edit("an import for type checkers alone", FLOW, {"CHECKING:\n": "CHECKING:\n    from decimal import Decimal\n"}),
    Edit("__all__", "shop/__init__.py", {'["tidy"]': '["cleaning", "tidy"]'}),
    Edit("__all__ for import *", STARS, {'["shine"]': '["hidden", "shine"]'}),
    Edit("the order of definitions", SETTINGS, {"RATE = 3\n": "", "UNUSED = 0\n": "UNUSED = 0\nRATE = 3\n"}),
    Edit("one more module", "shop/more.py", {"": "import shop.settings\n"}),
    Edit("one more file", "data/other.txt", {"": "text\n"}),
    Edit("a timeout", FLOW, {"@step\ndef act": '@step(timeout="1h")\ndef act'}),
    Edit("a step's name", FLOW, {"judge(pack(": 'judge(pack.with_options(name="wrap")('}),
    Edit("one more call of a step", FLOW, {"    return gather": "    act(items)\n    return gather"}),
]
MORE_THAN_NEEDED = [
    # A class, a dict and a list count as a whole: what code uses of them is not known before it runs.
    Edit("a method that is not called", RANKING, {"return 1\n": "return 2\n"}, "rank"),
    Edit("a function of a dict that is not called", FLOW, {"2 * item": "item * 2"}, "act"),
    Edit("a member of an enum that is not used", SETTINGS, {"HIGH = 2": "HIGH = 4"}, "rank"),
    # A class can know its subclasses.
    Edit("one more subclass", MODELS, {"": "\n\nclass Other(Basket):\n    pass\n"}, "pack judge"),
    Edit("a local variable's name", "shop/source.py", {"+ index for index": "+ place for place"}, "load"),
]


def put(what: str, statements: str, reruns: str, file: str = RULES) -> Edit:
    """Statements at the end of a module that change what another module, or this one, has."""
    return Edit(what, file, {"": f"\n\n{statements}\n"}, reruns)


FROM_ELSEWHERE = [
    put("a function", "import shop.cleaning\nshop.cleaning.cut = words.shout", "clean"),
    put("a constant", "import shop.settings\nshop.settings.RATE = 9", "price"),
    put("an entry of a dict", 'import shop.settings\nshop.settings.FEES["base"] = 9', "price"),
    put("an attribute of a class", "import shop.ranking\nshop.ranking.Ranker.weight = 2", "rank"),
    put("a constant, by setattr", 'import shop.settings\nsetattr(shop.settings, "RA" + "TE", 9)', "price"),
    put("a constant, by globals()", 'globals()["POWER"] = 3', "star", STARS),
    put("a constant, by exec", 'exec("POWER = 3")', "star", STARS),
    put("a constant, by global", "def more():\n    global POWER\n    POWER = 3\n\n\nmore()", "star", STARS),
]


class Projects:
    """Runs copies of the project, each on a copy of the store that the first run filled."""

    def __init__(self, folder: Path, variables: Mapping[str, str] = {}) -> None:
        self.folder = folder
        self._made = 0
        left_out = ("ZEN_", "MLFLOW_", "SHOP_", "PYTHONSAFEPATH")
        own = {name: text for name, text in os.environ.items() if not name.startswith(left_out)}
        self._own = {**own, "ZEN_MLFLOW_SYNC": "off", **variables}
        self._process = subprocess.Popen(
            [sys.executable, str(RUNNER)],
            env=self._own,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.packages = {name: self.install(name, "1.0") for name in PACKAGES}
        self.base: dict[str, Any] = {}
        self.base = self.run(self.copy())

    def stop(self) -> None:
        self._process.communicate()

    def install(self, name: str, version: str) -> Path:
        """A folder with a package of somebody else's, and beside it what an installer leaves there."""
        site = self.folder / f"{name}-{version}" / "site-packages"
        information = site / f"{name}-{version}.dist-info"
        information.mkdir(parents=True)
        (site / f"{name}.py").write_text(PACKAGES[name])
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (information / "RECORD").write_text(f"{name}.py,,\n")
        return site

    def copy(self, *edits: Edit) -> Path:
        """The project in a folder of its own, edited."""
        self._made += 1
        folder = shutil.copytree(PROJECT, self.folder / f"checkout-{self._made}" / "project")
        for edit in edits:
            edit.apply(folder)
        return folder

    def run(
        self,
        folder: Path,
        *,
        after: Mapping[str, Any] | None = None,
        packages: Mapping[str, Path] = {},
        variables: Mapping[str, str] = {},
    ) -> dict[str, Any]:
        """Run the project in a folder, on a copy of the store as the run `after` left it; without one, the first."""
        store = self.folder / f"store-{self._made}"
        left = after or self.base
        if left:
            shutil.copytree(left["store"], store)
        else:
            store.mkdir()
        job = {
            "action": "run",
            "pipeline": "flow.py:everything",
            "parameters": {"count": 4},
            "folder": str(folder),
            "path": [str(path) for path in {**self.packages, **packages}.values()],
            "variables": {
                "ZEN_LINEAGE_URL": f"sqlite:///{store / 'zen.db'}",
                "ZEN_ARTIFACT_URL": str(self.folder / "artifacts"),
                **variables,
            },
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        result: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "error" not in result, result["error"]
        assert result["value"] == result["plain"], "what was taken from the cache is not what this code gives"
        return {**result, "store": store}

    def python(self, folder: Path, store: Path, *arguments: str) -> None:
        """Run Python in a folder, on a store in another one."""
        variables = {
            "ZEN_LINEAGE_URL": f"sqlite:///{store / 'zen.db'}",
            "ZEN_ARTIFACT_URL": str(self.folder / "artifacts"),
            "PYTHONPATH": os.pathsep.join(map(str, self.packages.values())),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=folder, env={**self._own, **variables}, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()


def executed(found: dict[str, Any]) -> set[str]:
    return {name for name, step in found["steps"].items() if step["status"] == "completed"}


def expected(base: dict[str, Any], found: dict[str, Any], reruns: str) -> set[str]:
    """The steps that must have executed: those that are named, and those whose inputs are others than in `base`."""
    known = [step["inputs"] for step in base["steps"].values()]
    return {*reruns.split(), *(name for name, step in found["steps"].items() if step["inputs"] not in known)}


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Projects]:
    projects = Projects(tmp_path_factory.mktemp("projects"))
    yield projects
    projects.stop()


@pytest.mark.parametrize(
    "edit",
    [*FUNCTIONS, *VALUES, *CLASSES, *DECORATORS, *DECLARED, *WRITING, *UNRELATED, *MORE_THAN_NEEDED],
    ids=lambda edit: edit.what,
)
def test_what_an_edit_reaches_runs_again_and_nothing_else(projects: Projects, edit: Edit) -> None:
    found = projects.run(projects.copy(edit))
    assert executed(found) == expected(projects.base, found, edit.reruns)


@pytest.mark.parametrize("edit", FROM_ELSEWHERE, ids=lambda edit: edit.what)
def test_what_other_code_puts_into_a_module_counts(projects: Projects, edit: Edit) -> None:
    """A step that reaches the code which does so may run again too."""
    found = projects.run(projects.copy(edit))
    assert executed(found) >= expected(projects.base, found, edit.reruns)


@pytest.mark.parametrize(("package", "reruns"), [("tariffs", {"tax"}), ("customs", {"levy"}), ("strangers", set())])
def test_another_version_of_a_package_runs_what_imports_it(projects: Projects, package: str, reruns: set[str]) -> None:
    other = {package: projects.install(package, "1.1")}
    found = projects.run(projects.copy(), packages=other)
    assert executed(found) == reruns


@pytest.mark.parametrize("editable", [False, True])
def test_code_outside_the_project_that_has_no_version_of_its_own_counts_by_its_files(
    projects: Projects, tmp_path: Path, editable: bool
) -> None:
    """A folder on the path that no installer knows, or one that is installed editable."""
    source = tmp_path / "somewhere" / "customs.py"
    source.parent.mkdir()
    source.write_text(PACKAGES["customs"])
    packages = {"customs": source.parent}
    if editable:
        information = tmp_path / "site-packages" / "customs-1.0.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: customs\nVersion: 1.0\n")
        (information / "RECORD").write_text("__editable__.customs.pth,,\n")
        url = {"url": source.parent.as_uri(), "dir_info": {"editable": True}}
        (information / "direct_url.json").write_text(json.dumps(url))
        packages["site"] = tmp_path / "site-packages"
    first = projects.run(projects.copy(), packages=packages)
    assert executed(first) == {"levy"}
    source.write_text(PACKAGES["customs"].replace("item + 10", "10 + item"))
    second = projects.run(projects.copy(), packages=packages, after=first)
    assert executed(second) == {"levy"}
    assert executed(projects.run(projects.copy(), packages=packages, after=second)) == set()


def test_packages_count_as_the_policy_says(projects: Projects) -> None:
    none = Edit("", FLOW, {"@step\ndef levy": '@step(cache=Cache(packages="none"))\ndef levy'})
    every = Edit("", FLOW, {"@step\ndef act": '@step(cache=Cache(packages="all"))\ndef act'})
    first = projects.run(projects.copy(none, every))
    other = {name: projects.install(name, "1.2") for name in ("customs", "strangers")}
    assert executed(projects.run(projects.copy(none, every), packages=other, after=first)) == {"act"}


def test_the_way_to_a_checkout_does_not_count(projects: Projects, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(projects.copy(), target_is_directory=True)
    assert executed(projects.run(tmp_path / "link")) == set()


def test_a_declared_variable_counts_and_others_do_not(projects: Projects) -> None:
    assert executed(projects.run(projects.copy(), variables={"SHOP_MODE": "fast"})) == {"declare", "gather"}
    assert executed(projects.run(projects.copy(), variables={"SHOP_OTHER": "fast"})) == set()


def test_edits_one_after_another_on_one_store_never_give_the_result_of_another(projects: Projects) -> None:
    """Two at a time, all of which change a value: `run` compares with plain Python."""
    edits = [*VALUES, *CLASSES]
    last = projects.base
    for first, second in zip(edits[::2], edits[1::2], strict=False):
        last = projects.run(projects.copy(first, second), after=last)
    assert executed(projects.run(projects.copy(), after=last)) == set()


def test_two_machines_make_the_same_keys(projects: Projects, tmp_path: Path) -> None:
    """Another checkout, home, user, hash seed, locale, zone and folder for temporary files."""
    (tmp_path / "home").mkdir()
    there = {"HOME": str(tmp_path / "home"), "USER": "other", "LOGNAME": "other", "TMPDIR": str(tmp_path)}
    here = {"PYTHONHASHSEED": "77", "LC_ALL": "C", "LANG": "C", "TZ": "Pacific/Chatham", "PYTHONUTF8": "0"}
    machine = Projects(tmp_path, {**there, **here})
    machine.stop()
    assert machine.base["steps"] == projects.base["steps"]


EDITS_ITSELF = """
import flow
from pathlib import Path

FIRST
path = Path("shop/pricing.py")
path.write_text(path.read_text().replace("item + amount", "item - amount"))
flow.everything.run()
"""


@pytest.mark.parametrize("first", ["flow.everything.run()", "pass"], ids=["run before", "not run before"])
def test_code_that_is_edited_after_it_was_imported_is_not_taken_for_what_its_file_says(
    projects: Projects, tmp_path: Path, first: str
) -> None:
    """As in a notebook: a run still executes what was imported. Who runs the edited project must not get that."""
    projects.python(projects.copy(), tmp_path, "-c", EDITS_ITSELF.replace("FIRST", first))
    found = projects.run(
        projects.copy(Edit("", PRICING, {"item + amount": "item - amount"})), after={"store": tmp_path}
    )
    assert {"price", "gather"} <= executed(found)


def test_however_it_is_started_its_code_is_the_same(projects: Projects, tmp_path: Path) -> None:
    """As a script, as a module, by a file's name and by a module's: the second and all later runs are cached."""
    zen = ["-m", "zen_core.cli", "run"]
    ways = [["flow.py"], [*zen, "flow.py:everything"], ["-m", "flow"], [*zen, "flow:everything"]]
    for arguments in ways:
        projects.python(projects.copy(), tmp_path, *arguments)
    with closing(sqlite3.connect(tmp_path / "zen.db")) as connection:
        counted = dict(connection.execute("SELECT status, count(*) FROM zen_attempts GROUP BY status"))
    steps = len(projects.base["steps"])
    assert counted == {"completed": steps, "cached": (len(ways) - 1) * steps}
