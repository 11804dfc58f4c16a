"""What a pipeline reads by a name that was rolled back."""

from __future__ import annotations

from typing import Any

from zen_metadata.query import Client

SOURCE = """
from zen_core import Artifact

@step
def make(number: int) -> Annotated[int, "made"]:
    return number

@step
def read(value: int) -> int:
    return value

@pipeline
def making(number: int = 1) -> None:
    make(number)

@pipeline
def reading() -> None:
    read(Artifact("made"))
"""


def test_a_run_reads_the_version_that_its_name_stands_for_when_it_begins(bench: Any) -> None:
    bench.write(SOURCE)

    def value() -> Any:
        return bench.run("reading")["steps"]["read"]["outputs"]["result"]["value"]

    bench.run("making", number=10)
    bench.run("making", number=20)
    assert value() == 20
    with Client(bench.settings) as client:
        client.roll_back("made", 1, reason="20 is too much")
    assert value() == 10
    assert bench.statuses("reading") == {"read": "cached"}, "what the name stood for before is known by its content"
    bench.run("making", number=30)
    assert value() == 30
