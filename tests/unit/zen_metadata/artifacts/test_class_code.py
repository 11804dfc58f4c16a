"""The code of the project's own classes counts in the digests of values that carry them."""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zen_metadata.artifacts import serializers
from zen_metadata.artifacts.class_code import code_digest
from zen_metadata.artifacts.digests import digest_object
from zen_metadata.artifacts.store import ArtifactStore

MODELS = '''"""Models."""

import dataclasses
import enum
import functools

from goods import rates, tools
from goods.tools import scale


class Model:
    def __init__(self, factor):
        self.factor = factor

    def predict(self, value):
        return scale(value) * self.factor * rates.RATE


@dataclasses.dataclass
class Price:
    amount: int

    def gross(self):
        return self.amount * 2


class Kind(enum.Enum):
    SMALL = 1

    def label(self):
        return "small"


class Plain:
    def shown(self):
        return "plainly"


def unrelated():
    return 1


def make():
    return {"model": Model(2), "function": functools.partial(scale, 1), "price": Price(1), "kind": [Kind.SMALL],
            "plain": Plain(), "inner": lambda value: tools.scale(value)}
'''
FILES = {
    "goods/__init__.py": "",
    "goods/models.py": MODELS,
    "goods/tools.py": "def scale(value):\n    return value + 1\n",
    "goods/rates.py": "RATE = 2\n",
}

Digests = Callable[..., dict[str, str]]


class PlainSerializer:
    name, version, extension = "plain", 1, ".txt"

    def handles(self, value: object) -> bool:
        return type(value).__name__ == "Plain"

    def dump(self, value: object, path: Path) -> dict[str, object]:
        path.write_text("plain")
        return {}

    def load(self, path: Path, metadata: object, into: object) -> object:
        return path.read_text()

    def digest(self, value: object, stored_digest: str, metadata: object) -> str:
        return stored_digest


@pytest.fixture(autouse=True)
def own_serializer() -> Iterator[None]:
    serializer = PlainSerializer()
    serializers.register(serializer)
    yield
    serializers.unregister(serializer)


@pytest.fixture
def digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Digests:
    """Imports the project anew, with other texts in its files, and gives the digests of what it makes."""
    store = ArtifactStore(str(tmp_path / "store"))

    def take(edits: dict[str, str] | None = None, *, place: str = "here") -> dict[str, str]:
        root = tmp_path / f"{place}-{len(list(tmp_path.iterdir()))}"
        for name, text in FILES.items():
            for old, new in (edits or {}).items():
                text = text.replace(old, new)
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(root))
            try:
                values = importlib.import_module("goods.models").make()
                found = {name: store.save(value, scratch=tmp_path / "scratch").digest for name, value in values.items()}
                again = pickle.loads(pickle.dumps(values["model"]))
                assert digest_object(again) == digest_object(values["model"])
                return found
            finally:
                for name in [name for name in sys.modules if name.partition(".")[0] == "goods"]:
                    del sys.modules[name]

    return take


@pytest.mark.parametrize(
    ("edits", "changed"),
    [
        ({"* self.factor": "/ self.factor"}, {"model"}),
        ({"value + 1": "value + 2"}, {"model", "function", "inner"}),
        ({"RATE = 2": "RATE = 3"}, {"model"}),
        ({"self.amount * 2": "self.amount * 3"}, {"price"}),
        ({'"small"': '"tiny"'}, {"kind"}),
        ({'"plainly"': '"openly"'}, {"plain"}),
        ({"SMALL = 1": "SMALL = 2"}, {"kind"}),
        ({"    return 1": "    return 2"}, set()),
        ({"Models.": "The models."}, set()),
        ({"class Model:": "# a comment\n\nclass Model:"}, set()),
    ],
)
def test_an_edit_changes_the_values_that_reach_it(digests: Digests, edits: dict[str, str], changed: set[str]) -> None:
    before, after = digests(), digests(edits, place="elsewhere")

    assert {name for name in before if before[name] != after[name]} == changed


def test_code_from_another_folder_of_the_path_counts(tmp_path: Path) -> None:
    """What lies in two folders here lies in one where a code bundle is unpacked."""
    model = "import factors\n\n\nclass Model:\n    def predict(self, value):\n        return value * factors.FACTOR\n"
    program = (
        "import models; from zen_metadata.artifacts.class_code import code_digest as d; print(d('models', 'Model'))"
    )

    def take(factor: int, *folders: str) -> str:
        (tmp_path / folders[0]).mkdir(exist_ok=True)
        (tmp_path / folders[-1]).mkdir(exist_ok=True)
        (tmp_path / folders[0] / "models.py").write_text(model)
        (tmp_path / folders[-1] / "factors.py").write_text(f"FACTOR = {factor}\n")
        places = os.pathsep.join([*(str(tmp_path / folder) for folder in folders), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, "-c", program]
        return subprocess.check_output(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": places}, text=True)

    one = take(1, "bundle")
    assert one.startswith("sha256:")
    assert take(1, "source", "shared") == one
    assert take(2, "source", "shared") != one


def test_a_script_and_the_module_that_it_is_have_one_digest(tmp_path: Path) -> None:
    (tmp_path / "shapes.py").write_text(
        "from zen_metadata.artifacts.class_code import code_digest\n\n\nclass Box:\n    pass\n\n\n"
        "print(code_digest(Box.__module__, 'Box.inner'))\n"
    )
    programs = (["shapes.py"], ["-m", "shapes"], ["-c", "import shapes"])
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    said = {
        subprocess.run(
            [sys.executable, *program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        ).stdout
        for program in programs
    }

    assert len(said) == 1
    assert said.pop().startswith("sha256:")


@pytest.mark.parametrize(
    "path", ["builtins:int", "pathlib:Path", "numpy:ndarray", "zen_core:File", "nowhere:Thing", "zen_metadata:x"]
)
def test_what_packages_bring_counts_by_its_name(path: str) -> None:
    importlib.import_module("numpy")

    assert code_digest(*path.split(":")) == ""
