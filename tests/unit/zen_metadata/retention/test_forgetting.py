"""`forget`: what goes with an artifact, and what stays."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from zen_core.contract.bindings import ParameterBinding
from zen_core.contract.files import File
from zen_core.errors import ArtifactMissingError, NotFoundError, UsageError
from zen_core.testing.cases.build import above, element, make_expander, make_gate, mapped_by, parameter, read, taken
from zen_metadata.retention.forgetting import Forgetting, forget, plan_forgetting

SECRET = "4711 Elm Street"


def plan(house: Any, name: str, **options: Any) -> Forgetting:
    return plan_forgetting(house.stores, house.engine.client.artifact(name), **{"down": False, **options})


def do(house: Any, name: str, **options: Any) -> int:
    return forget(house.stores, plan(house, name, **options), by="ana", reason="asked to")


def named(forgetting: Forgetting) -> dict[str, str]:
    return {f"{item.name}@{item.version}": forgetting.why[item.artifact_id] for item in forgetting.versions}


def everything_stored(house: Any) -> bytes:
    """The bytes of all that Zen keeps in this project, but for the database's free pages."""
    root = house.engine.settings.root
    with closing(sqlite3.connect(root / ".zen" / "zen.db")) as database:
        dump = "\n".join(database.iterdump()).encode()
    return dump + b"".join(path.read_bytes() for path in (root / ".zen" / "artifacts").rglob("*") if path.is_file())


def test_bytes_go_at_once_and_a_load_says_who_forgot_and_why(house: Any) -> None:
    run = house.run(1)
    size = house.engine.client.artifact("rows").size_bytes
    assert named(plan(house, "rows")) == {"rows@1": "subject"}
    assert plan(house, "rows").running == 0
    assert do(house, "rows") == size
    with pytest.raises(ArtifactMissingError, match=r"was deleted on \d{4}-\d\d-\d\d by ana") as raised:
        run.step("rows").output().load()
    assert raised.value.diagnostics[0].why == "asked to"
    assert house.engine.client.artifact("model").load() == [1275]
    assert {node["deleted"] for node in house.engine.client.lineage("model").nodes.values() if "deleted" in node} == {
        True,
        False,
    }
    assert [step.status for step in house.run(1).steps] == ["completed", "cached"]  # equal rows: an early cut-off


def test_down_forgets_everything_that_was_made_of_it(house: Any) -> None:
    house.run(1)
    house.run(2)
    assert named(plan(house, "rows@1", down=True)) == {"rows@1": "subject", "model@1": "made of it"}
    do(house, "rows@1", down=True)
    assert house.versions("rows") == house.versions("model") == {1: False, 2: True}
    with pytest.raises(NotFoundError, match=r"demo/shapes/rows@1 was deleted on .* already") as raised:
        plan(house, "rows@1")
    assert raised.value.diagnostics[0].why == "by ana: asked to"
    house.run(1)
    # From a tombstone too: whatever was made of it since.
    assert named(plan(house, "rows@1", down=True)) == {}


def test_whatever_has_the_same_content_goes_with_it(house: Any) -> None:
    steps = [
        house.code(name, lambda n: [SECRET, n], n=ParameterBinding(parameter="n")) for name in ("rows", "copy", "other")
    ]
    steps[2] = house.code("other", lambda n: ["harmless", n], n=ParameterBinding(parameter="n"))
    for _ in range(2):
        house.engine.run(*steps, parameters={"n": 1})
    found = plan(house, "copy@1")
    assert named(found) == {
        "copy@1": "subject",
        "copy@2": "same content",
        "rows@1": "same content",
        "rows@2": "same content",
    }
    assert found.to_json()["artifacts"][0]["name"] == "demo/shapes/copy"
    do(house, "copy@1")
    assert SECRET.encode() not in everything_stored(house)
    assert house.versions("other") == {1: True, 2: True}


def test_inline_values_and_what_maps_and_spools_hold_of_it_go_too(house: Any) -> None:
    people = [SECRET, "9 Oak Street"]
    house.engine.run(
        house.code("people", lambda: people),
        make_expander("spread", {"x": read("people")}),
        house.code("street", lambda x: x.partition(" ")[2], x=element("spread", "x"), _map=mapped_by("spread")),
        house.code("first", lambda x: x, x=element("spread", "x"), _map=mapped_by("spread")),
        make_expander("again", {"y": read("first")}),
        house.code("last", lambda y: len(y), y=element("again", "y"), _map=mapped_by("again")),
    )
    assert house.engine.failures == {}
    house.stores.artifacts.write_bytes(
        f"spool/artifacts/{house.engine.client.artifact('people').artifact_id}.json", SECRET.encode()
    )
    assert everything_stored(house).count(SECRET.encode()) > 4
    do(house, "people")
    # Of the list: its elements had no record of their own, and the lists of its maps go with it.
    assert house.versions("street") == {1: True, 2: True}
    do(house, "first@1")
    assert SECRET.encode() not in everything_stored(house)
    assert house.versions("first") == {1: False, 2: True}


def test_damaged_copies_go_too(house: Any) -> None:
    house.engine.run(house.code("rows", lambda: [SECRET]))
    record = house.engine.client.artifact("rows").record
    house.stores.artifacts.write_bytes(f"corrupt/{record.location.rpartition('/')[2]}/123", SECRET.encode())
    house.stores.artifacts.write_bytes("corrupt/other.json/123", b"of another")
    do(house, "rows")
    assert SECRET.encode() not in everything_stored(house)
    assert house.stores.artifacts.exists("corrupt/other.json/123")


def test_what_conditions_answered_stays(house: Any) -> None:
    run = house.engine.run(
        house.code("score", lambda: 5),
        make_gate("when", above("x", 1), {"x": read("score")}),
        house.code("page", lambda x: [x, "page"], x=read("score"), _when=taken("when")),
    )
    assert house.engine.failures == {}
    do(house, "score", down=True)
    assert house.versions("page") == {1: False}
    again = house.engine.client.run(run.run_id)
    assert again.status == "completed"
    assert again.step("when").outputs["taken"].record.inline_value is True


def test_a_source_file_is_not_zens_to_forget(house: Any, tmp_path: Path) -> None:
    data = tmp_path / "people.txt"
    data.write_text(SECRET, encoding="utf-8")
    step = house.code("rows", lambda data: [data.path.read_text()], data=parameter("data"))
    house.engine.run(step, parameters={"data": File(str(data))})
    assert house.engine.failures == {}
    with pytest.raises(UsageError, match="is a file outside the store, of which Zen keeps only the digest"):
        plan(house, str(data))
    assert named(plan(house, str(data), down=True)) == {"rows@1": "made of it"}


def test_what_an_open_run_uses_is_said(house: Any) -> None:
    house.run(1, close=False)
    assert plan(house, "rows").running == 1
    do(house, "rows")
    assert house.versions("rows") == {1: False}
