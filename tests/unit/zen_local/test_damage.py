"""Artifacts that are truncated, altered or removed, and files that change while a run reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zen_core.errors import ArtifactIntegrityError, ArtifactMissingError, MissingInputError

CHAIN = """
@step
def begin(seed: int) -> dict[str, int]:
    mark("begin")
    return {"count": seed}

@step
def count(previous: dict[str, int], by: int = 1) -> Annotated[dict[str, int], "counted"]:
    mark("count")
    return {"count": previous["count"] + by}

@pipeline
def chain(seed: int = 1, by: int = 1):
    count(begin(seed), by)
"""


def bytes_of(bench: Any, run: dict[str, Any], step: str) -> Path:
    """The file of what a step made, ready to be changed."""
    path = Path(run["steps"][step]["outputs"]["result"]["uri"].removeprefix("file://"))
    path.chmod(0o644)
    return path


def test_a_truncated_artifact_is_a_miss_and_what_hangs_on_it_stays_cached(
    bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bench.write(CHAIN)
    path = bytes_of(bench, bench.run("chain"), "begin")
    path.write_bytes(path.read_bytes()[:4])

    assert bench.statuses("chain") == {"begin": "completed", "count": "cached"}
    assert "the artifact 'begin' version 1 is damaged: it has 4 bytes and had 11 when it was stored" in caplog.text
    assert bench.statuses("chain") == {"begin": "cached", "count": "cached"}


def test_an_altered_artifact_fails_one_run_and_is_made_again_by_the_next(bench: Any) -> None:
    bench.write(CHAIN)
    path = bytes_of(bench, bench.run("chain"), "begin")
    path.write_bytes(path.read_bytes().replace(b"1", b"7"))

    assert bench.statuses("chain") == {"begin": "cached", "count": "cached"}, "nothing reads it"
    failed = bench.execute("chain", by=2)
    assert isinstance(failed.error, ArtifactIntegrityError)
    assert "the bytes of the artifact 'begin' version 1 are not those that were stored" in str(failed.error)
    assert "the next run of the pipeline will run the step that made it again" in str(failed.error)
    assert "the damaged bytes are kept as corrupt/" in str(failed.error)

    again = bench.run("chain", by=2)
    assert {name: step["status"] for name, step in again["steps"].items()} == {
        "begin": "completed",
        "count": "completed",
    }
    assert bench.marks("begin") == 2


def test_a_removed_artifact_fails_who_reads_it_and_is_made_again_by_the_next_run(bench: Any) -> None:
    bench.write("""
    @step
    def begin(seed: int) -> dict[str, int]:
        return {"count": seed}

    @step
    def remove(begun: dict[str, int]) -> None:
        if not (STAGE / "removed").exists():
            mark("removed")
            for path in (STAGE.parent / ".zen/artifacts/objects").rglob("*.json"):
                path.unlink()

    @step(cache=False)
    def read(begun: dict[str, int]) -> int:
        return begun["count"]

    @pipeline
    def removing(seed: int = 1):
        begun = begin(seed)
        read(begun).after(remove(begun))
    """)

    failed = bench.execute("removing")

    assert isinstance(failed.error, ArtifactMissingError)
    assert "the bytes of the artifact 'begin' are gone" in str(failed.error)
    assert bench.statuses("removing") == {"begin": "completed", "remove": "completed", "read": "completed"}


@pytest.mark.parametrize("content", ["two", "another length"])
def test_a_file_that_changes_while_a_step_reads_it_is_no_result(bench: Any, content: str) -> None:
    bench.write(f"""
    @step
    def read(data: File) -> str:
        mark("read")
        text = Path(data).read_text()
        if not (STAGE / "changed").exists():
            mark("changed")
            (STAGE.parent / "a.txt").write_text({content!r})
        return text

    @pipeline
    def reading(data: File = File("a.txt")):
        read(data)
    """)
    (bench.folder / "a.txt").write_text("one")

    failed = bench.execute("reading")

    assert isinstance(failed.error, MissingInputError)
    assert "the file 'a.txt' changed while it was being read" in str(failed.error)
    again = bench.run("reading")
    assert again["steps"]["read"]["outputs"]["result"]["value"] == content
    (bench.folder / "a.txt").write_text("one")
    assert bench.run("reading")["steps"]["read"]["outputs"]["result"]["value"] == "one", "nothing was kept for it"
    assert bench.marks("read") == 3


def test_a_declared_file_that_changes_while_the_step_runs_is_no_result(bench: Any) -> None:
    bench.write("""
    @step(cache=Cache(files=["rules.txt"]))
    def read(number: int) -> str:
        text = (STAGE.parent / "rules.txt").read_text()
        if not (STAGE / "changed").exists():
            mark("changed")
            (STAGE.parent / "rules.txt").write_text("two")
        return text

    @pipeline
    def reading(number: int = 1):
        read(number)
    """)
    (bench.folder / "rules.txt").write_text("one")

    failed = bench.execute("reading")

    assert isinstance(failed.error, MissingInputError)
    assert "the file 'rules.txt' changed while the step ran" in str(failed.error)
    assert bench.run("reading")["steps"]["read"]["outputs"]["result"]["value"] == "two"
    (bench.folder / "rules.txt").write_text("one")
    assert bench.run("reading")["steps"]["read"]["outputs"]["result"]["value"] == "one", "nothing was kept for it"


def test_a_step_that_gives_another_value_each_time_is_marked(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    bench.write("""
    @step
    def draw(seed: int) -> str:
        return os.urandom(8).hex()

    @pipeline
    def drawing(seed: int = 1):
        draw(seed)
    """)
    bench.run("drawing")
    assert "gave another result" not in caplog.text
    bench.run("drawing", {"refresh": frozenset({"draw"})})

    assert "step 'draw' of pipeline 'drawing' gave another result for the same inputs and code" in caplog.text
