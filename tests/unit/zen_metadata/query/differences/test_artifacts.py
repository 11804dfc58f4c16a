"""What differs in what two runs made, and in what they read."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy
import pandas
import pyarrow
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sqlalchemy import update

from zen_core.ir.specs import CacheSpec, OutputSpec, PipelineSpec, StepSpec
from zen_metadata.lineage.records import ArtifactRecord
from zen_metadata.lineage.sql.engine import make_engine
from zen_metadata.lineage.sql.tables import artifacts
from zen_metadata.query import Client

SPEC = PipelineSpec(
    name="churn",
    steps=(
        StepSpec(
            name="make",
            entry_point="demo:make",
            outputs=(OutputSpec(name="thing", type="Any"),),
            cache=CacheSpec(enabled=True),
        ),
    ),
)


class Things:
    """Runs that each made one thing."""

    def __init__(self, history):
        self.history = history
        self.client = history.client
        self.count = 0

    def make(self, value, **end):
        """A run that made a value: its id."""
        return self.make_elements({None: value}, **end)

    def make_elements(self, values, **end):
        self.count += 1
        run = self.history.run(str(self.count), spec=SPEC)
        for index, value in values.items():
            begun = self.history.begin(run, "make", index)
            self.history.end(run, begun, outputs=[("thing", value)], **end)
        return run.run_id

    def compare(self, before, after):
        """The entry of the thing, for two values."""
        return self.diff(self.make(before), self.make(after))

    def diff(self, first, second):
        changes = self.client.diff(first, second).artifacts
        assert not changes.added
        assert not changes.removed
        return changes.changed.get("make.thing")

    def change(self, **values):
        """Alter what is recorded of the first thing."""
        engine = make_engine(self.history.settings.lineage_url)
        with engine.begin() as connection:
            connection.execute(update(artifacts).where(artifacts.c.version == 1).values(**values))
        engine.dispose()


@pytest.fixture
def things(history):
    return Things(history)


# -- plain values ----------------------------------------------------------------------------------------------------


def test_equal_things_do_not_differ(things):
    assert things.compare({"a": [1, 2.5]}, {"a": [1, 2.5]}) is None


def test_numbers_have_a_difference(things):
    entry = things.compare(0.5, 0.75)
    assert entry["kind"] == "value"
    assert entry["value"] == {"before": 0.5, "after": 0.75, "difference": 0.25}
    assert (entry["before"]["version"], entry["after"]["version"]) == (1, 2)
    assert (entry["before"]["value"], entry["before"]["type"]) == (0.5, "float")


def test_numbers_beyond_what_a_float_holds(things):
    assert things.compare(10**400, 10**400 + 1)["value"]["difference"] == 1
    assert things.compare(10**400, 0.5)["value"]["difference"] is None
    assert "difference" not in things.compare(True, 2)["value"]


def test_values_are_told_before_and_after(things):
    assert things.compare("a", "b")["value"] == {"before": "a", "after": "b"}
    assert things.compare(True, False)["value"] == {"before": True, "after": False}
    assert things.compare(1, None)["value"] == {"before": 1, "after": None}


def test_dicts_and_lists_tell_their_entries(things):
    entry = things.compare({"a": 1, "b": [1], "c": 0}, {"b": [2], "c": 0, "d": 4})
    assert entry["entries"] == {"added": ["d"], "removed": ["a"], "changed": ["b"]}
    entry = things.compare([1, 2, 3], [1, 5])
    assert (entry["length"], entry["items_changed"]) == ({"before": 3, "after": 2}, 1)


def test_a_large_value_is_told_by_its_entries_alone(things):
    before = {f"key {number}": number for number in range(2000)}
    entry = things.compare(before, {**before, "key 7": 0})
    assert "value" not in entry
    assert entry["entries"]["changed"] == ["key 7"]


def test_classes_of_the_user_are_not_needed(things):
    """A value is compared in its JSON form: a dataclass of a project that is not importable here."""
    form = {"$zen": "dataclass", "class": "not_here:Point", "value": {"x": 1}}
    first, second = things.make({"x": 1}), things.make({"x": 2})
    things.change(inline_value=form, has_inline_value=True)
    assert things.diff(first, second)["value"]["before"] == form


def test_long_texts_tell_their_lines(things):
    text = "".join(f"line {number}\n" for number in range(20_000))
    entry = things.compare(text, text.replace("line 7\n", "line x\nline y\n"))
    assert entry["kind"] == "text"
    assert entry["lines"] == {"before": 20_000, "after": 20_001, "added": 2, "removed": 1}


# -- tables ----------------------------------------------------------------------------------------------------------

PRICES = pandas.DataFrame({"price": [1.0, 2.0, 3.0, 4.0], "name": ["a", "b", "c", "d"]})


def rows(entry):
    changes = entry["table"]["row_changes"]
    counts = {word: changes[word] for word in ("added", "removed", "changed", "moved") if changes[word]}
    return counts, changes["matched"]


def test_a_table_that_changed_in_place(things):
    entry = things.compare(PRICES, PRICES.assign(price=[1.0, 2.5, 3.0, 8.0]))
    assert entry["kind"] == "table"
    assert entry["table"]["rows"] == {"before": 4, "after": 4}
    assert rows(entry) == ({"changed": 2}, "position")
    assert entry["table"]["statistics"] == {
        "price": {"mean": {"before": 2.5, "after": 3.625}, "max": {"before": 4.0, "after": 8.0}}
    }


def test_rows_that_came_and_went(things):
    more = pandas.concat([PRICES, PRICES.assign(name="x")], ignore_index=True)
    assert rows(things.compare(PRICES, more)) == ({"added": 4}, "position")
    assert rows(things.compare(PRICES, PRICES.iloc[1:].reset_index(drop=True))) == ({"removed": 1}, "content")
    turned = PRICES.iloc[::-1].reset_index(drop=True)
    assert rows(things.compare(PRICES, turned)) == ({"moved": 4}, "content")
    first_gone = pandas.concat([PRICES.iloc[1:], PRICES.iloc[:1].assign(name="z")], ignore_index=True)
    assert rows(things.compare(PRICES, first_gone)) == ({"added": 1, "removed": 1}, "content")


def test_rows_with_labels_are_matched_by_them(things):
    before = PRICES.set_index("name")
    after = pandas.DataFrame({"price": [9.0, 3.0, 5.0]}, index=pandas.Index(["b", "c", "e"], name="name"))
    assert rows(things.compare(before, after)) == ({"added": 1, "removed": 2, "changed": 1}, "index")
    swapped = before.loc[["b", "a", "c", "d"]]
    assert rows(things.compare(before, swapped)) == ({"moved": 1}, "index")
    assert rows(things.compare(before, before.set_axis(["k", "l", "m", "n"]))) == ({}, "position")


def test_columns_are_told_with_their_types(things):
    after = PRICES.assign(price=PRICES.price.astype("float32"), extra=1).drop(columns="name")
    entry = things.compare(PRICES, after)
    columns = entry["table"]["columns"]
    assert columns["added"] == {"extra": "int64"}
    assert list(columns["removed"]) == ["name"]
    assert columns["changed"] == {"price": {"before": "float64", "after": "float32"}}
    assert rows(entry) == ({}, "position")
    assert entry["table"]["statistics"] == {}


def test_nulls_times_and_objects(things):
    before = pandas.DataFrame(
        {
            "when": pandas.to_datetime(["2025-01-01", "2025-01-02"]),
            "maybe": [1.0, 2.0],
            "flag": [True, False],
            "tags": [["a"], ["b", "c"]],
            "kind": pandas.Categorical(["x", "y"]),
        }
    )
    after = before.assign(
        when=pandas.to_datetime(["2025-01-01", "2025-02-02"]), maybe=[1.0, None], tags=[["a"], ["b", "d"]]
    )
    entry = things.compare(before, after)
    assert rows(entry) == ({"changed": 1}, "position")
    statistics = entry["table"]["statistics"]
    assert statistics["when"] == {"max": {"before": "2025-01-02T00:00:00", "after": "2025-02-02T00:00:00"}}
    assert statistics["maybe"]["nulls"] == {"before": 0, "after": 1}
    assert set(statistics) == {"when", "maybe"}
    assert rows(things.compare(before, before.assign(tags=[["a"], ["b", "d"]]))) == ({"changed": 1}, "position")


def test_an_empty_table_a_series_an_index_and_an_arrow_table(things):
    assert rows(things.compare(PRICES, PRICES.iloc[:0])) == ({"removed": 4}, "position")
    assert rows(things.compare(PRICES.price, PRICES.price.replace(4.0, 5.0))) == ({"changed": 1}, "position")
    assert rows(things.compare(pandas.Index(["a", "b"]), pandas.Index(["a", "c"]))) == ({"changed": 1}, "position")
    entry = things.compare(pyarrow.table({"n": [1, 2]}), pyarrow.table({"n": [1, 2, 3]}))
    assert rows(entry) == ({"added": 1}, "position")


def test_a_column_of_another_type_is_compared_by_its_values(things):
    numbers = pandas.DataFrame({"n": [1, 2, 3]})
    assert rows(things.compare(numbers, numbers.astype("float64"))) == ({}, "position")
    assert rows(things.compare(numbers, numbers.astype("Int64").replace(3, 4))) == ({"changed": 1}, "position")
    assert rows(things.compare(numbers, numbers.astype("complex128"))) == ({"changed": 3}, "position")
    texts = pandas.DataFrame({"n": ["a", "b"]})
    assert rows(things.compare(texts, texts.astype("category"))) == ({}, "position")


def test_two_columns_of_one_name_are_compared_by_their_schema(things):
    before = pandas.DataFrame([[1, 2]], columns=["a", "a"])
    entry = things.compare(before, before + 1)
    assert set(entry["table"]) == {"rows", "columns"}


@pytest.mark.parametrize(
    ("limit", "most", "reason"),
    [
        ("MOST_BYTES", 100, "larger than 0 MiB"),
        ("MOST_CELLS", 5, "more than 5 cells"),
        ("MOST_BYTES_IN_ALL", 10, "0 MiB of other artifacts were read before"),
    ],
)
def test_a_table_that_is_not_cheap_is_told_by_what_is_recorded(things, monkeypatch, limit, most, reason):
    monkeypatch.setattr(f"zen_metadata.query.differences.artifacts.{limit}", most)
    entry = things.compare(PRICES, PRICES.iloc[:2].assign(extra=1))
    assert entry["not_read"] == reason
    assert entry["table"] == {
        "rows": {"before": 4, "after": 2},
        "columns": {"added": {"extra": "int64"}, "removed": {}, "changed": {}},
    }


# -- other things ----------------------------------------------------------------------------------------------------


def test_arrays(things):
    entry = things.compare(numpy.array([1.0, numpy.nan, 3.0]), numpy.array([1.0, numpy.nan, 4.0]))
    assert entry["kind"] == "array"
    assert entry["array"]["shape"] == {"before": [3], "after": [3]}
    assert entry["array"]["elements"] == {"total": 3, "changed": 1}
    entry = things.compare(numpy.zeros(3), numpy.ones((2, 2)))
    assert "elements" not in entry["array"]
    assert entry["array"]["statistics"]["mean"] == {"before": 0.0, "after": 1.0}


def test_models_tell_their_parameters(things):
    data = PRICES[["price"]]
    before = make_pipeline(StandardScaler(), Ridge(alpha=1.0)).fit(data, data.price)
    after = make_pipeline(StandardScaler(with_std=False), Ridge(alpha=2.0)).fit(data, data.price)
    entry = things.compare(before, after)
    assert entry["kind"] == "model"
    assert entry["model"] == {
        "type": {"before": "sklearn.pipeline.Pipeline", "after": "sklearn.pipeline.Pipeline"},
        "parameters": {
            "added": {},
            "removed": {},
            "changed": {
                "ridge__alpha": {"before": 1.0, "after": 2.0},
                "standardscaler__with_std": {"before": True, "after": False},
            },
        },
    }
    other = things.compare(before, Ridge())["model"]
    assert other["type"]["after"] == "sklearn.linear_model.Ridge"
    assert "alpha" in other["parameters"]["added"]


class Grumpy(Ridge):
    def get_params(self, deep=True):
        if deep:
            raise RuntimeError("not today")
        return super().get_params(deep)


def test_a_class_of_the_user_that_fails_does_not_end_the_comparison(things):
    entry = things.compare(Grumpy().fit([[1.0]], [1.0]), Grumpy().fit([[2.0]], [3.0]))
    assert entry["not_read"] == "comparing them fails: RuntimeError: not today"


def test_files_and_folders(things, tmp_path):
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("longer")
    entry = things.compare(tmp_path / "a.txt", tmp_path / "b.txt")
    assert entry["kind"] == "file"
    assert (entry["before"]["size_bytes"], entry["after"]["size_bytes"]) == (1, 6)
    assert entry["file"] == {"name": {"before": "a.txt", "after": "b.txt"}}
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, names in ((one, "xy"), (two, "yz")):
        folder.mkdir()
        for name in names:
            (folder / name).write_text(name)
    entry = things.compare(one, two)
    assert entry["file"]["files"] == {"before": 2, "after": 2}
    assert (entry["file"]["added"], entry["file"]["removed"]) == (["z"], ["x"])


def test_things_of_unlike_kinds_tell_their_types_alone(things):
    entry = things.compare(PRICES, 5)
    assert entry["kind"] == "other"
    assert (entry["before"]["type"], entry["after"]["type"]) == ("pandas.DataFrame", "int")
    entry = things.compare(b"a", b"b")
    assert (entry["kind"], entry["before"]["type"]) == ("other", "bytes")


def test_what_was_deleted_is_told(things):
    first, second = things.make(PRICES), things.make(PRICES + PRICES)
    things.change(deleted_at=datetime(2025, 3, 1, tzinfo=UTC), deleted_by="anna", deleted_reason="request 17")
    entry = things.diff(first, second)
    assert entry["before"]["deleted"] == {
        "at": "2025-03-01T00:00:00+00:00",
        "by": "anna",
        "reason": "request 17",
    }
    assert entry["not_read"] == "the artifact 'thing' version 1 was deleted on 2025-03-01 by anna: request 17"
    assert entry["table"]["rows"] == {"before": 4, "after": 4}


def test_what_is_gone_or_damaged_is_told(things):
    first, second = things.make(PRICES), things.make(PRICES.iloc[:2])
    record = things.client.artifact("thing", 1).record
    path = things.history.artifacts.local_path(record.location)
    path.rename(path.with_name("kept"))
    assert things.diff(first, second)["not_read"] == "the bytes of the artifact 'thing' version 1 are gone"
    path.write_bytes(b"x" * record.size_bytes)
    assert "are not those that were stored" in things.diff(first, second)["not_read"]


def test_no_pickle_is_read_where_pickles_are_not_allowed(things):
    first, second = things.make(Ridge(alpha=1)), things.make(Ridge(alpha=2))
    with Client(replace(things.history.settings, allow_pickle=False)) as client:
        entry = client.diff(first, second).artifacts.changed["make.thing"]
    assert "pickles are not allowed here" in entry["not_read"]
    assert entry["model"] == {"type": {"before": "sklearn.linear_model.Ridge", "after": "sklearn.linear_model.Ridge"}}


# -- maps, and what was read -----------------------------------------------------------------------------------------


def test_the_elements_of_a_map_are_told_together(things):
    first = things.make_elements({0: "a", 1: "b", 2: "c"})
    second = things.make_elements({0: "a", 1: "x", 2: "y", 3: "d"})
    assert things.diff(first, second) == {
        "elements": {"before": 3, "after": 4, "added": [3], "removed": [], "changed": [1, 2]}
    }
    assert things.diff(first, first) is None


def test_files_that_were_read_and_artifacts_of_other_runs_count(things):
    made = things.make(7)
    model = things.client.run(made).step("make").output("thing").record

    def read(digest, *, also=()):
        source = ArtifactRecord(
            artifact_id=f"source {digest}",
            project="demo",
            pipeline="",
            name="data/churn.csv",
            digest=digest,
            stored_digest=digest,
            type="File",
            serializer="",
            serializer_version=0,
            location="data/churn.csv",
            size_bytes=3,
            kind="source",
        )
        inputs = [("data", source), *(("model", item) for item in also)]
        return things.make(1, inputs=inputs, sources=(source,))

    changes = things.client.diff(read("sha256:a"), read("sha256:b", also=[model])).artifacts
    assert set(changes.changed) == {"read:data/churn.csv"}
    assert changes.changed["read:data/churn.csv"]["after"]["digest"] == "sha256:b"
    assert changes.added["read:demo/churn/thing"]["value"] == 7
