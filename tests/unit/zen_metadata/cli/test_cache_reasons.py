"""Why a step ran although its key is known, or how its key is made: the words of `zen why` and `zen show`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# -- reasons that the key does not tell ------------------------------------------------------------------------------


def test_what_was_told_to_execute_says_so(flow):
    flow.ran()
    assert flow.reasons("--refresh", "scaled")["scaled"] == "refresh"
    assert flow.why("scaled")["cache_reason"] == "refresh"
    assert "--refresh or --no-cache" in flow.why("scaled")["summary"]
    assert set(filter(None, flow.reasons("--no-cache").values())) == {"refresh"}
    unknown = flow.zen("run", flow.ref, "--refresh", "scalde", "--refresh", "lod")
    assert unknown.exit_code == 2
    assert "did you mean 'scaled'?" in unknown.stderr
    assert "did you mean 'load'?" in unknown.stderr


def test_what_a_run_of_a_part_left_out_is_no_hit_of_its_key(flow):
    first = flow.ran()
    flow.edit("features", "FACTOR = 2", "FACTOR = 3")
    found = flow.reasons("--from", "total")
    assert (found["scaled"], found["total"]) == ("not run again", "nothing changed")
    answer = flow.why("scaled")
    assert (answer["result"], answer["cache_reason"]) == ("hit", "taken")
    assert answer["reused"]["run_id"] == first["run_id"]
    assert "whatever its key" in answer["summary"]


def test_an_artifact_that_is_gone_or_damaged_is_a_miss_that_is_made_good(flow):
    document = flow.ran()
    uri = Path(document["steps"]["scaled"]["outputs"]["result"]["uri"])
    uri.unlink()
    assert flow.reasons()["scaled"] == "artifact is gone"
    assert "not in the artifact store any more" in flow.why("scaled")["summary"]
    assert flow.reasons()["scaled"] == "nothing changed"
    os.chmod(uri, 0o600)
    uri.write_bytes(b"[")
    found = flow.reasons()
    assert found["scaled"] == "artifact was damaged"
    assert found["total"] == "nothing changed"
    assert flow.reasons()["scaled"] == "nothing changed"


def test_what_was_deleted_or_invalidated_on_purpose_is_made_again(flow):
    flow.ran()
    assert flow.zen("forget", "scaled", "--yes", "--reason", "asked by Ada").exit_code == 0
    assert flow.reasons()["scaled"] == "artifact was deleted"
    answer = flow.why("scaled")
    assert answer["cache_reason"] == "deleted"
    (note,) = answer["notes"]
    assert note.startswith("scaled@1 was deleted ")
    assert note.endswith(": asked by Ada")
    assert flow.zen("cache", "invalidate", "total", "--yes").exit_code == 0
    assert flow.json("plan", flow.ref)["steps"][-1]["reason"] == "invalidated"
    assert flow.reasons()["total"] == "invalidated"
    assert "had been invalidated" in flow.why("total")["summary"]


def test_a_result_that_is_too_old_says_how_old_it_may_be(project):
    project.ref = "aging.py:aging"
    project.write(
        aging="""
        from zen_core import Cache, pipeline, step

        @step(cache=Cache(ttl=0.001))
        def ask(n: int) -> int:
            return n

        @pipeline
        def aging(n: int = 1):
            ask(n)
        """
    )
    project.ran()
    assert project.reasons()["ask"] == "expired (0.001s)"
    assert "older than 0.001s" in project.why("ask")["summary"]


def test_what_is_not_cached_says_why(project):
    project.ref = "off.py:off"
    project.write(
        off="""
        from zen_core import pipeline, step, when

        @step
        def start() -> int:
            return 1

        @step
        def tell(n: int) -> None:
            pass

        @step(cache=False)
        def ask(n: int) -> int:
            return n

        @step
        def page(n: int) -> int:
            return n

        @step
        def bye() -> None:
            pass

        @pipeline(on_success=bye)
        def off():
            n = start()
            tell(n)
            with when(ask(n) > 0):
                page(n)
        """
    )
    found = project.reasons()
    assert (found["start"], found["tell"], found["ask"]) == ("cache off",) * 3
    told = {name: project.why(name) for name in ("start", "tell", "ask", "when", "bye")}
    assert {answer["result"] for answer in told.values()} == {"disabled"}
    assert "has no inputs" in told["start"]["summary"]
    assert "has no outputs" in told["tell"]["summary"]
    assert "cache=False, on the step or on its pipeline" in told["ask"]["summary"]
    assert "a condition is asked anew" in told["when"]["summary"]
    assert "a hook runs each time" in told["bye"]["summary"]


def test_a_step_that_did_not_run_has_no_why(project):
    project.ref = "branch.py:branch"
    project.write(
        branch="""
        from zen_core import pipeline, step, when

        @step
        def ask(n: int) -> int:
            return n

        @pipeline
        def branch(n: int = 1):
            with when(ask(n) > 5):
                ask.with_options(name="again")(n)
        """
    )
    project.ran()
    result = project.zen("why", "latest", "again")
    assert result.exit_code != 0
    assert "step 'again' did not begin: it is skipped" in result.stderr
    assert "did you mean 'again'?" in project.zen("why", "latest", "agian").stderr


def test_work_that_gives_other_results_is_marked_and_stays_a_hit(project):
    project.ref = "chance.py:chance"
    project.write(
        chance="""
        import uuid
        from zen_core import pipeline, step

        @step
        def draw(n: int) -> str:
            return uuid.uuid4().hex

        @pipeline
        def chance(n: int = 1):
            draw(n)
        """
    )
    first = project.ran()
    refreshed = project.ran("--refresh", "draw")
    assert project.why("draw")["nondeterministic"]
    last = project.ran()
    value = [document["steps"]["draw"]["outputs"]["result"]["value"] for document in (first, refreshed, last)]
    assert value[0] != value[1] == value[2], "what was asked for anew is what is reused from then on"
    answer = project.why("draw")
    assert (answer["result"], answer["nondeterministic"]) == ("hit", True)
    assert "not deterministic; it stays a hit" in answer["notes"][0]
    assert "not deterministic" in project.zen("why", "latest", "draw").stdout


# -- packages, and code that cannot be followed ----------------------------------------------------------------------


PACKAGES = """
    import toolbox
    from zen_core import Cache, pipeline, step

    @step(cache=Cache(packages="imported"))
    def imported(n: int) -> str:
        return toolbox.style(n)

    @step(cache=Cache(packages="all"))
    def every(n: int) -> str:
        return toolbox.style(n)

    @step(cache=Cache(packages="none"))
    def none(n: int) -> str:
        return toolbox.style(n)

    @pipeline
    def versions(n: int = 1):
        imported(n)
        every(n)
        none(n)
"""


@pytest.fixture
def environment(project, tmp_path):
    """Runs the pipeline in a process whose environment has these packages besides."""
    site = tmp_path / "site"

    def run_with(**versions):
        for name, version in versions.items():
            for other in site.glob(f"{name}-*.dist-info"):
                shutil.rmtree(other)
            folder = site / f"{name}-{version}.dist-info"
            folder.mkdir(parents=True)
            (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            (folder / "RECORD").write_text(f"{folder.name}/METADATA,,\n{name}.py,,\n")
            (site / f"{name}.py").write_text("def style(n):\n    return str(n)\n")
        command = [sys.executable, "-m", "zen_core.cli", "run", project.ref, "--json"]
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return {step["name"]: step["cache_reason"] for step in json.loads(done.stdout)["steps"]}

    return run_with


def test_packages_count_by_policy(project, environment):
    project.ref = "versions.py:versions"
    project.write(versions=PACKAGES)
    environment(toolbox="9.0")
    assert environment(unrelated="1.0") == {
        "imported": "nothing changed",
        "every": "packages changed",
        "none": "nothing changed",
    }
    (change,) = project.why("every")["changed"]
    assert (change["part"], change["what"]) == ("package:unrelated", "unrelated 1.0 counts now")
    assert environment(toolbox="9.1") == {
        "imported": "toolbox 9.0 -> 9.1",
        "every": "packages changed",
        "none": "nothing changed",
    }
    for step in ("imported", "every"):
        (change,) = project.why(step)["changed"]
        assert change == {"part": "package:toolbox", "what": "toolbox 9.0 -> 9.1", "before": "9.0", "after": "9.1"}
    assert "package:toolbox" in project.why("imported")["parts"]
    assert "packages" in project.why("every")["parts"]
    assert not [part for part in project.why("none")["parts"] if part.startswith("package")]


def test_code_that_cannot_be_followed_is_told(project):
    project.ref = "dynamic.py:dynamic"
    project.write(
        dynamic="""
        from zen_core import pipeline, step

        @step
        def ask(n: int) -> int:
            return eval("n + 1")

        @pipeline
        def dynamic(n: int = 1):
            ask(n)
        """
    )
    project.ran()
    (place,) = project.why("ask")["unfollowed"]
    assert (place["file"], place["line"]) == ("dynamic.py", 6)
    assert "not followed: " in project.zen("why", "latest", "ask").stdout
