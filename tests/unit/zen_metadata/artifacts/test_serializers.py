from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
from sklearn.linear_model import LinearRegression

from zen_core.errors import OutputError, StoreError
from zen_metadata.artifacts import digest_object, register
from zen_metadata.artifacts.class_code import digest_with_class
from zen_metadata.artifacts.serializers import DeclinedError, unregister
from zen_metadata.artifacts.store import ArtifactStore


class Tensor:
    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tensor) and other.numbers == self.numbers

    def __hash__(self) -> int:
        return 0


class TensorSerializer:
    name = "tensor"
    version = 2
    extension = ".tensor"
    reads = (1,)

    def handles(self, value):
        return isinstance(value, Tensor)

    def dump(self, value, path):
        if not value.numbers:
            raise DeclinedError("an empty tensor has no form")
        assert path.suffix == ".tensor"
        path.write_text(" ".join(map(str, value.numbers)))
        return {"length": len(value.numbers)}

    def load(self, path, metadata, into):
        assert path.suffix == ".tensor"
        return Tensor([int(number) for number in path.read_text().split()])

    def digest(self, value, stored_digest, metadata):
        return stored_digest


@pytest.fixture
def tensor_serializer() -> Iterator[TensorSerializer]:
    serializer = TensorSerializer()
    register(serializer)
    yield serializer
    unregister(serializer)


def test_a_users_own_serializer(store: ArtifactStore, scratch: Path, tensor_serializer: TensorSerializer) -> None:
    stored = store.save(Tensor([1, 2]), scratch=scratch)

    assert (stored.serializer, stored.serializer_version) == ("tensor", 2)
    assert stored.location.endswith(".tensor")
    assert stored.digest == digest_with_class(stored.stored_digest, Tensor) != stored.stored_digest
    assert stored.metadata["length"] == 2
    assert store.load(stored, scratch=scratch) == Tensor([1, 2])


def test_versions_that_a_serializer_reads(
    local_store: ArtifactStore, scratch: Path, tensor_serializer: TensorSerializer
) -> None:
    stored = local_store.save(Tensor([1]), scratch=scratch)

    assert local_store.load(replace(stored, serializer_version=1), scratch=scratch) == Tensor([1])
    with pytest.raises(StoreError, match="stored by version 3 of the serializer 'tensor', here is version 2"):
        local_store.load(replace(stored, serializer_version=3), scratch=scratch)


def test_a_serializer_that_is_not_known_here(local_store: ArtifactStore, scratch: Path) -> None:
    serializer = TensorSerializer()
    register(serializer)
    stored = local_store.save(Tensor([1]), scratch=scratch)
    unregister(serializer)

    with pytest.raises(StoreError, match="the serializer 'tensor' version 2, which is not known here") as caught:
        local_store.load(stored, scratch=scratch)
    assert f"install the package that has {__name__}.TensorSerializer" in str(caught.value)


def test_a_value_that_a_serializer_declines_goes_to_the_next(
    local_store: ArtifactStore,
    scratch: Path,
    tensor_serializer: TensorSerializer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert local_store.save(Tensor([]), scratch=scratch).serializer == "pickle"
    assert "an empty tensor has no form" in caplog.text


def test_the_one_registered_last_comes_first(
    local_store: ArtifactStore, scratch: Path, tensor_serializer: TensorSerializer
) -> None:
    class Other(TensorSerializer):
        name = "other"

    other = Other()
    register(other)
    try:
        assert local_store.save(Tensor([1]), scratch=scratch).serializer == "other"
    finally:
        unregister(other)


def test_a_name_that_is_taken(local_store: ArtifactStore, scratch: Path, tensor_serializer: TensorSerializer) -> None:
    with pytest.raises(StoreError, match="there is a serializer named 'tensor' already") as caught:
        register(TensorSerializer())
    assert "replace=True" in str(caught.value)

    class Json(TensorSerializer):
        name, version, reads = "json", 7, ()

    with pytest.raises(StoreError, match="named 'json' already"):
        register(Json())

    before = local_store.save({"a": 1}, scratch=scratch)
    replacing = Json()
    register(replacing, replace=True)
    try:
        assert local_store.save(Tensor([1]), scratch=scratch).serializer_version == 7
        assert local_store.load(before, scratch=scratch) == {"a": 1}
    finally:
        unregister(replacing)


def test_a_serializer_that_writes_a_folder(local_store: ArtifactStore, scratch: Path) -> None:
    class Folder(TensorSerializer):
        def dump(self, value, path):
            path.mkdir()
            (path / "one").write_text("1")
            return {}

    serializer = Folder()
    register(serializer)
    try:
        with pytest.raises(OutputError, match="the serializer 'tensor' wrote no file"):
            local_store.save(Tensor([1]), scratch=scratch, where="step 'train'")
    finally:
        unregister(serializer)
    assert local_store.list() == []


def test_the_last_resort_is_announced_once(
    local_store: ArtifactStore, scratch: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stored = [local_store.save(Tensor([number]), scratch=scratch, where="step 'train'") for number in (1, 2)]

    assert [each.serializer for each in stored] == ["pickle", "pickle"]
    assert stored[0].metadata["pickled"] is True
    assert local_store.load(stored[1], scratch=scratch) == Tensor([2])
    [record] = caplog.records
    assert (record.name, record.levelno) == ("zen", logging.WARNING)
    assert "step 'train': a" in record.message
    assert "Tensor is stored as a pickle" in record.message
    assert "register a serializer" in record.message


def test_an_estimator_is_not_announced(
    local_store: ArtifactStore, scratch: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stored = local_store.save(LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0]), scratch=scratch)

    assert (stored.serializer, stored.type) == ("sklearn", "sklearn.linear_model.LinearRegression")
    assert "scikit-learn" in stored.metadata["packages"]
    assert local_store.load(stored, scratch=scratch).predict([[3.0]]) == pytest.approx([3.0])
    assert not caplog.records


@pytest.mark.parametrize("value", [LinearRegression(), Tensor([1]), numpy.array([{}], dtype=object)])
def test_pickles_can_be_forbidden(tmp_path: Path, scratch: Path, value: object) -> None:
    strict = ArtifactStore(str(tmp_path / "store"), allow_pickle=False)
    with pytest.raises(OutputError, match="only as a pickle, and pickles are not allowed") as caught:
        strict.save(value, scratch=scratch, where="step 'train'")
    assert "allow_pickle = false" in str(caught.value)
    assert "step 'train'" in str(caught.value)

    stored = ArtifactStore(str(tmp_path / "store")).save(value, scratch=scratch)
    with pytest.raises(StoreError, match="is a pickle, and pickles are not allowed here"):
        strict.load(stored, scratch=scratch)
    assert strict.load(strict.save([1], scratch=scratch), scratch=scratch) == [1]


@pytest.mark.parametrize("value", [threading.Lock(), {"lock": threading.Lock()}, (number for number in "12")])
def test_what_cannot_be_stored(local_store: ArtifactStore, scratch: Path, value: object) -> None:
    with pytest.raises(OutputError, match="cannot be stored") as caught:
        local_store.save(value, scratch=scratch, where="output 'result' of step 'train'")

    assert "cannot pickle" in str(caught.value)
    assert "output 'result' of step 'train'" in str(caught.value)
    assert local_store.list("tmp") == []


def test_a_pickle_that_cannot_be_read_here(local_store: ArtifactStore, scratch: Path) -> None:
    program = """
import sys, types
from pathlib import Path
module = types.ModuleType("far_away")
exec("class Thing: pass", module.__dict__)
sys.modules["far_away"] = module
from zen_metadata.artifacts.store import ArtifactStore
stored = ArtifactStore(sys.argv[1]).save(module.Thing(), scratch=Path(sys.argv[1]))
print(stored.digest, stored.stored_digest, stored.location, stored.size_bytes)
"""
    done = subprocess.run([sys.executable, "-c", program, local_store.url], check=True, capture_output=True, text=True)
    digest, stored_digest, location, size = done.stdout.split()
    template = local_store.save(Tensor([1]), scratch=scratch)
    stored = replace(template, digest=digest, stored_digest=stored_digest, location=location, size_bytes=int(size))

    with pytest.raises(StoreError, match="cannot be read here") as caught:
        local_store.load(stored, scratch=scratch)
    assert "No module named 'far_away'" in str(caught.value)


def test_digest_object_is_public() -> None:
    assert digest_object({"a"}) == digest_object({"a"})


PLUGIN = """
class Money:
    def __init__(self, cents): self.cents = cents

class MoneySerializer:
    name, version, extension = "{name}", 1, ".money"
    def handles(self, value): return isinstance(value, Money)
    def dump(self, value, path): path.write_text(str(value.cents)); return {{}}
    def load(self, path, metadata, into): return Money(int(path.read_text()))
    def digest(self, value, stored_digest, metadata): return stored_digest
"""
PLUGIN_USER = """
import sys
from pathlib import Path
from money_plugin import Money
from zen_core.errors import ZenError
from zen_metadata.artifacts.store import ArtifactStore
store, scratch = ArtifactStore(sys.argv[1]), Path(sys.argv[1])
try:
    stored = store.save(Money(5), scratch=scratch)
    print(stored.serializer, store.load(stored, scratch=scratch).cents)
except ZenError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("name", "entry", "said"),
    [
        ("money", "money_plugin:MoneySerializer", "money 5"),
        ("json", "money_plugin:MoneySerializer", "an installed serializer is named 'json', as a built-in one is"),
        ("money", "money_plugin:Absent", "the serializer 'money' cannot be loaded: AttributeError"),
    ],
)
def test_a_serializer_that_an_installed_package_brings(tmp_path: Path, name: str, entry: str, said: str) -> None:
    (tmp_path / "money_plugin.py").write_text(PLUGIN.format(name=name))
    about = tmp_path / "money_plugin-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: money-plugin\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[zen.serializers]\nmoney = {entry}\n")

    done = subprocess.run(
        [sys.executable, "-c", PLUGIN_USER, str(tmp_path / "store")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        check=True,
    )

    assert said in done.stdout
