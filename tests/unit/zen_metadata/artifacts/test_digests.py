from __future__ import annotations

import collections
import dataclasses
import functools
import os
import pickle
import re
import subprocess
import sys
import threading
import zoneinfo
from pathlib import Path
from types import SimpleNamespace

import numpy
import pandas
import pytest
from sklearn.linear_model import LinearRegression

from zen_metadata.artifacts.digests import UncertainDigest, UndigestibleError, digest_object
from zen_metadata.artifacts.store import ArtifactStore

MODELS = """
import sys, warnings
from pathlib import Path
import numpy, pandas
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from zen_metadata.artifacts.store import ArtifactStore

def models(shift=0.0):
    x = numpy.random.default_rng(0).random((120, 3)) + shift
    frame, y = pandas.DataFrame(x, columns=["a", "b", "c"]), (x[:, 0] > x[:, 1]).astype(int)
    yield RandomForestClassifier(8, random_state=0).fit(frame, y)
    yield GradientBoostingClassifier(n_estimators=5, random_state=0).fit(x, y)
    yield HistGradientBoostingRegressor(max_iter=5, random_state=0).fit(x, x[:, 0])
    yield make_pipeline(FunctionTransformer(lambda part: part * 2), StandardScaler(), LogisticRegression()).fit(x, y)
    yield ColumnTransformer([("n", StandardScaler(), ["a"]), ("o", OneHotEncoder(), ["b"])]).fit(frame.round(1))
    yield TfidfVectorizer().fit([f"word{index} and" for index in range(int(shift) + 20)])
    yield KNeighborsClassifier(algorithm="kd_tree").fit(x, y)
    yield SVC(random_state=0).fit(x, y)
    yield {"words": {"x", "y", "zz"}, "array": x, "frame": frame, "names": frozenset(["p", "q", "r"])}

store, scratch = ArtifactStore(sys.argv[1]), Path(sys.argv[1])
for model in models():
    stored = store.save(model, scratch=scratch)
    again = store.save(store.load(stored, scratch=scratch), scratch=scratch)
    print(type(model).__name__, stored.digest, again.digest == stored.digest)
for model in models(1.0):
    print(type(model).__name__, store.save(model, scratch=scratch).digest)
"""


def test_models_have_one_digest_in_all_processes_and_with_any_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = subprocess.run(
        [sys.executable, "-c", MODELS, str(tmp_path / "other")],
        env={**os.environ, "PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    monkeypatch.setattr(sys, "argv", ["models", str(tmp_path / "here")])
    exec(MODELS, {"__name__": "__main__"})
    first, second = other.stdout, capsys.readouterr().out

    assert hash("a text") != _hash_of_a_text(seed="1"), "the two processes must differ in their hash seeds"
    assert first == second
    trained = [line.split() for line in first.splitlines()]
    assert all(same == "True" for _, _, same in trained[:9])
    digests = [line[1] for line in trained]
    assert len(set(digests)) == len(digests) == 18


def _hash_of_a_text(*, seed: str) -> int:
    program = [sys.executable, "-c", "print(hash('a text'))"]
    return int(subprocess.check_output(program, env={**os.environ, "PYTHONHASHSEED": seed}))


class Node:
    def __init__(self, name: str) -> None:
        self.name = name
        self.next: object = None


class Slots:
    __slots__ = ("a", "b")

    def __init__(self, a: object, b: object) -> None:
        self.a, self.b = a, b


def ring(*names: str) -> Node:
    nodes = [Node(name) for name in names]
    for node, following in zip(nodes, nodes[1:] + nodes[:1], strict=True):
        node.next = following
    return nodes[0]


def adder(amount: int):
    def add(value: int) -> int:
        return value + amount

    return add


def local_class(default: int) -> type:
    @dataclasses.dataclass
    class Local:
        size: int = default

        @property
        def double(self) -> int:
            return self.size * 2

    return Local


SHARED = "".join(["sha", "red"])
EQUAL = {
    "one text object or two": ([SHARED, SHARED], ["shared", "".join(["shar", "ed"])]),
    "order of a dict": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    "order of attributes": (SimpleNamespace(a=1, b=2), SimpleNamespace(b=2, a=1)),
    "order of a set": ({"a", "b", "c"}, {"c", "b", "a"}),
    "shared part": ([numpy.arange(3)] * 2, [numpy.arange(3), numpy.arange(3)]),
    "ring": (ring("a", "b"), ring("a", "b")),
    "closure": (adder(1), adder(1)),
    "local class": (local_class(1)(2), local_class(1)(2)),
    "masked": (
        numpy.ma.MaskedArray([1, 2], mask=[True, False]),
        numpy.ma.MaskedArray([9, 2], mask=[True, False], fill_value=7),
    ),
    "nan": ([float("nan")] * 20, [-float("nan")] * 20),
}
DIFFERENT = [
    None,
    0,
    0.0,
    -0.0,
    False,
    "",
    b"",
    bytearray(),
    0j,
    [],
    (),
    {},
    set(),
    frozenset(),
    ...,
    [[]],
    [0],
    ["ab", "c"],
    ["a", "bc"],
    ["ab", "c"] * 10,
    ["a", "bc"] * 10,
    [1] * 20,
    [1.0] * 20,
    [True] * 20,
    (1,) * 20,
    [12, 3] * 10,
    [1, 23] * 10,
    {"a": "b"},
    {"b": "a"},
    range(3),
    int,
    len,
    str.upper,
    Node,
    adder,
    adder(1),
    adder(2),
    local_class(1),
    local_class(1)(3),
    local_class(2),
    property(len),
    property(None, len),
    staticmethod(len),
    classmethod(len),
    functools.partial(adder, 1),
    functools.partial(adder, 2),
    re.compile("a"),
    re.compile("b"),
    collections.OrderedDict(a=1, b=2),
    collections.OrderedDict(b=2, a=1),
    collections.Counter("aab"),
    collections.defaultdict(list, a=1),
    collections.defaultdict(dict, a=1),
    zoneinfo.ZoneInfo("Europe/Berlin"),
    zoneinfo.ZoneInfo("Europe/Paris"),
    collections.deque([1]),
    Slots(1, 2),
    Slots(2, 1),
    ring("a", "b"),
    ring("b", "a"),
    ring("a", "b", "c"),
    threading,
    numpy.float64(1),
    numpy.float32(1),
    numpy.array([1, None]),
    numpy.array([None, 1]),
    numpy.array([[1, None]]),
    numpy.dtype("f8"),
    numpy.random.default_rng(1),
    numpy.random.default_rng(2),
    pandas.Timestamp("2026"),
    pandas.Timestamp("2026", tz="UTC"),
    pandas.NaT,
    pandas.Series([1]),
    pandas.Index([1]),
    LinearRegression(),
    LinearRegression(fit_intercept=False),
]


@pytest.mark.parametrize("name", EQUAL)
def test_equal_objects_have_one_digest(name: str) -> None:
    left, right = EQUAL[name]

    assert digest_object(left) == digest_object(right)


def test_different_objects_have_different_digests() -> None:
    digests = [digest_object(value) for value in DIFFERENT]

    assert len(set(digests)) == len(digests)


COPIED = [value for value in DIFFERENT if type(value).__name__ != "function"]


# Numbered, since some texts hold addresses, which no two worker processes of the test runner share.
@pytest.mark.parametrize(
    "value", COPIED, ids=[f"{number}-{type(value).__name__}" for number, value in enumerate(COPIED)]
)
def test_a_copy_has_the_digest_of_the_original(value: object) -> None:
    import cloudpickle

    assert digest_object(pickle.loads(cloudpickle.dumps(value))) == digest_object(value)


def test_a_function_that_refers_to_itself() -> None:
    def make(step: int):
        def count(value: int) -> int:
            return value and count(value - step)

        return count

    assert digest_object(make(1)) == digest_object(make(1))
    assert digest_object(make(1)) != digest_object(make(2))


@pytest.mark.parametrize("value", [threading.Lock(), [threading.Lock()], SimpleNamespace(lock=threading.Lock())])
def test_what_has_no_content_cannot_be_digested(value: object) -> None:
    with pytest.raises(UndigestibleError, match="cannot pickle"):
        digest_object(value)


class Views:
    """What it keeps can be pickled, and not taken apart."""

    def __init__(self, *keys: str) -> None:
        self.keys = dict.fromkeys(keys).keys()


def test_a_digest_that_cannot_be_promised_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    digest = digest_object([Views("a")])
    assert isinstance(digest, UncertainDigest)
    assert digest.doubt == "a dict_keys in it can only be told by its pickle"
    assert digest != digest_object([Views("b")])
    assert not isinstance(digest_object([SimpleNamespace(a=1)]), UncertainDigest)

    store = ArtifactStore(str(tmp_path / "store"))
    stored = store.save(Views("a"), scratch=tmp_path, where="output 'result' of step 'train'")

    assert stored.metadata["nondeterministic"] == digest.doubt
    assert type(stored.digest) is str
    (message,) = [message for message in caplog.messages if "may differ" in message]
    assert message.startswith("output 'result' of step 'train': the digest of this ")
    assert "Views may differ between processes though the value is equal: a dict_keys in it" in message
    assert "nondeterministic" not in store.save([1], scratch=tmp_path).metadata


def test_cycles_do_not_depend_on_the_order_of_a_dict() -> None:
    first, second = Node("a"), Node("b")
    first.next, second.next = second, first

    assert digest_object({"x": first, "y": second}) == digest_object({"y": second, "x": first})


def test_too_deep() -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]

    with pytest.raises(UndigestibleError, match="nested too deeply"):
        digest_object(value)
