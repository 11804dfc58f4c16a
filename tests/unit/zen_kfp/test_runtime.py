"""What containers do, without containers: the commands of an emitted pipeline, one after another, on real stores."""

import hashlib
import json
from pathlib import Path

import pytest

from zen_core.compiler.manifest import build_manifest
from zen_core.contract.settings import Settings
from zen_core.ir.specs import CacheSpec, ParameterSpec, PipelineSpec
from zen_core.testing.cases import graphs
from zen_core.testing.cases.build import make_step, parameter, read
from zen_core.testing.cases.catalogue import Case
from zen_kfp.lowering import default_text
from zen_kfp.runtime import Arguments, main
from zen_metadata.artifacts.store import ArtifactStore
from zen_metadata.cli.push_command import push_manifest
from zen_metadata.query import Client

SECRET = "correct-horse-battery"


class Containers:
    """Starts the containers of one run, as KFP does."""

    def __init__(self, folder: Path, spec: PipelineSpec, **parameters: str) -> None:
        self._folder = folder
        self._spec = spec
        case = Case(spec)
        manifest = build_manifest(spec, case.functions, Settings(project="demo"), code=None, installed_code=True)
        content = manifest.to_text().encode()
        push_manifest(content, ArtifactStore(str(folder / "artifacts")))
        self.common = [f"--manifest={hashlib.sha256(content).hexdigest()}", f"--ir={spec.digest}", "--run=run-1"]
        self.parameters = {item.name: default_text(item) or "" for item in spec.parameters} | parameters

    def start(self, command: str, step: str = "", *more: str, expect: int = 0, **refs: str) -> str:
        """Run one; what it hands on."""
        output = self._folder / "outputs" / (step or command) / "value"
        words = [command, *([step] if step else []), *more]
        given = [f"--refs={name}={text}" for name, text in refs.items()]
        given += [f"--parameter={name}={text}" for name, text in self.parameters.items()]
        assert main([*words, *self.common, f"--to={output}", *given]) == expect
        return output.read_text() if output.exists() else ""

    def run(self) -> dict:
        """The run as Zen shows it."""
        settings = Settings(
            project="demo",
            lineage_url=f"sqlite:///{self._folder / 'zen.db'}",
            artifact_url=str(self._folder / "artifacts"),
            deployment="kfp",
        )
        return Client(settings).run("latest").to_json()

    def statuses(self) -> dict[str, str]:
        return {
            step["name"] if step["map_index"] is None else f"{step['name']}[{step['map_index']}]": step["status"]
            for step in self.run()["steps"]
        }


@pytest.fixture
def containers(tmp_path, monkeypatch):
    for name, value in {
        "ZEN_LINEAGE_URL": f"sqlite:///{tmp_path / 'zen.db'}",
        "ZEN_ARTIFACT_URL": str(tmp_path / "artifacts"),
        "ZEN_DEPLOYMENT": "kfp",
        "ZEN_SHARED_FILESYSTEM": "true",
        "ZEN_MLFLOW_SYNC": "off",
    }.items():
        monkeypatch.setenv(name, value)
    return lambda *steps, parameters=(), hooks=(), **given: Containers(
        tmp_path, PipelineSpec(name="shapes", steps=steps, parameters=parameters, hooks=hooks), **given
    )


def value(refs: str) -> object:
    return json.loads(refs)["result"]["value"]


def test_refs_are_handed_on(containers):
    run = containers(make_step("load", "load"), make_step("more", "increase", {"value": read("load")}))
    refs = run.start("run-step", "load")
    assert value(refs) == 3
    assert value(run.start("run-step", "more", load=refs)) == 4
    run.start("end-run")
    assert run.run()["status"] == "completed"
    assert run.run()["run_key"] == "run-1"


def test_the_taken_branch_runs_and_the_other_one_ends_quietly(containers, capsys):
    run = containers(*graphs.branches())
    refs = run.start("run-step", "load")
    assert run.start("ask", "when", load=refs) == "true"
    assert value(run.start("run-step", "yes", load=refs)) == 4
    # KFP starts no such container; should one be started all the same, it does nothing
    assert run.start("run-step", "no", load=refs) == "{}"
    assert "zen: no does not run: " in capsys.readouterr().out
    # out of a branch KFP hands nothing over
    assert value(run.start("run-step", "after")) == 5
    run.start("end-run")
    assert run.statuses() == {
        **dict.fromkeys(("load", "when", "yes", "after"), "completed"),
        "no": "skipped",
    }


def test_what_lies_deeper_in_an_untaken_branch_answers_nothing(containers):
    spec = (*graphs.nested_branches()[:1], *graphs.nested_branches()[1:])
    run = containers(*spec)
    refs = run.start("run-step", "load")
    run.start("ask", "when", load=refs)
    run.start("run-step", "inner", load=refs)
    assert run.start("ask", "when_2") == "false"
    assert run.start("run-step", "high") == "{}"


def test_a_map_that_does_not_run_has_no_parts(containers):
    steps = list(graphs.map_in_branch())
    steps[2] = steps[2].model_copy(update={"condition": graphs.above("load", 100)})
    run = containers(*steps)
    refs, numbers = run.start("run-step", "load"), run.start("run-step", "numbers")
    assert run.start("ask", "when", load=refs) == "false"
    assert run.start("expand", "expand_increase", numbers=numbers) == "[]"
    run.start("end-run")
    assert run.statuses()["increase"] == run.statuses()["total"] == "skipped"


def test_parts_are_texts_and_each_runs_its_elements(containers):
    run = containers(*graphs.mapped(chunk=2))
    numbers = run.start("run-step", "numbers")
    assert json.loads(run.start("expand", "expand_increase", numbers=numbers)) == ["0", "1", "2"]
    for part in ("0", "1", "2"):
        assert run.start("run-part", "increase", f"--part={part}") == ""
    assert value(run.start("run-step", "total")) == 20
    assert run.statuses()["increase[4]"] == "completed"


def test_what_is_done_in_this_run_is_not_done_again(containers, capsys):
    run = containers(make_step("load", "load", cache=CacheSpec(enabled=False)))
    first = run.start("run-step", "load")
    assert run.start("run-step", "load") == first
    assert "zen: load was done earlier in this run" in capsys.readouterr().out
    (step,) = run.run()["steps"]
    assert step["attempts"] == 1


def test_a_failure_is_told_with_its_traceback_and_without_secrets(containers, capsys, monkeypatch):
    monkeypatch.setenv("ZEN_LINEAGE_PASSWORD_OF_A_STORE", SECRET)
    run = containers(
        make_step("more", "increase", {"value": parameter("text")}),
        parameters=(ParameterSpec(name="text", type="Any", default=SECRET),),
    )
    run.common.append("--secrets=ZEN_LINEAGE_PASSWORD_OF_A_STORE")
    run.start("run-step", "more", expect=1)
    told = capsys.readouterr().err
    assert "TypeError: can only concatenate str" in told
    assert "return value + 1" in told
    assert SECRET not in told
    run.start("end-run")
    assert run.run()["status"] == "failed"


def test_what_waits_for_a_failure_fails_without_a_traceback(containers, capsys):
    run = containers(
        make_step("more", "increase", {"value": parameter("text")}),
        make_step("then", "double", {"value": read("more")}),
        parameters=(ParameterSpec(name="text", type="Any", default="a"),),
    )
    run.start("run-step", "more", expect=1)
    capsys.readouterr()
    run.start("run-step", "then", expect=1)
    told = capsys.readouterr().err
    assert told.startswith("error ZEN-S104: ")
    assert "Traceback" not in told


def test_hooks_run_when_the_run_is_closed(containers):
    hook = graphs.make_hook("notify", "success")
    run = containers(
        make_step("load", "load"), hooks=(hook,), parameters=(ParameterSpec(name="depth", type="int", default=4),)
    )
    run.start("run-step", "load")
    run.start("end-run")
    assert run.statuses() == {"load": "completed", "notify": "completed"}


@pytest.mark.parametrize(
    ("kind", "default", "given", "expected"),
    [
        ("int", 4, None, 4),
        ("int", 4, "5", 5),
        ("float", 1.0, "2", 2.0),
        ("str", "abc", None, "abc"),
        ("str", "abc", "plain text", "plain text"),
        ("str", "abc", "123", "123"),
        ("str", "abc", '"quoted"', "quoted"),
        ("str", "null", None, "null"),
        ("str", "{{$.x}}", None, "{{$.x}}"),
        ("str | None", None, None, None),
        ("list[int]", [1, 2], "[3]", [3]),
        ("float", {"$zen": "float", "value": "inf"}, None, {"$zen": "float", "value": "inf"}),
        ("tuple[int, str]", {"$zen": "tuple", "value": [1, "a"]}, None, {"$zen": "tuple", "value": [1, "a"]}),
        ("dict[str, list[str]]", {"a": ["}}"]}, None, {"a": ["}}"]}),
    ],
)
def test_parameters_arrive_as_they_are(containers, kind, default, given, expected):
    run = containers(
        make_step("echo", "echo", {"value": parameter("it")}, type="Any"),
        parameters=(ParameterSpec(name="it", type=kind, default=default),),
        **({"it": given} if given is not None else {}),
    )
    run.start("run-step", "echo")
    assert run.run()["parameters"]["it"] == expected


def test_a_parameter_that_does_not_fit_is_told(containers, capsys):
    run = containers(
        make_step("load", "load"), parameters=(ParameterSpec(name="depth", type="int", default=1),), depth="many"
    )
    run.start("run-step", "load", expect=1)
    assert "error ZEN-S103: parameter 'depth' does not take 'many'" in capsys.readouterr().err


def test_a_container_without_the_artifact_store_says_so(containers, capsys, monkeypatch):
    run = containers(make_step("load", "load"))
    monkeypatch.delenv("ZEN_ARTIFACT_URL")
    run.start("run-step", "load", expect=1)
    told = capsys.readouterr().err
    assert "error ZEN-S108: a container needs the address of the artifact store" in told
    assert "[adapters.kfp.env]" in told


@pytest.mark.parametrize(
    "arguments", [[], ["run-step"], ["run-step", "a", "--manifest=x"], ["run-step", "a", "--part=x"], ["a", "--b=c"]]
)
def test_arguments_of_nobody_are_refused(arguments, capsys):
    assert main(arguments) == 1
    assert "error ZEN-S100: these are not the arguments of an emitted pipeline" in capsys.readouterr().err


def test_values_may_look_like_options():
    read = Arguments.read(
        [
            "run-step",
            "a",
            "--manifest=m",
            "--ir=i",
            "--run=r",
            "--parameter=x=--y=1",
            '--refs=b={"c":"--d="}',
            "--to=/t",
        ]
    )
    assert read.parameters == {"x": "--y=1"}
    assert read.handed == {"b": {"c": "--d="}}
