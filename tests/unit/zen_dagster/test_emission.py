"""The emitted definitions modules: their text, and what each option changes in it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from zen_core.adapter.features import Feature
from zen_core.adapter.protocol import EmissionRequest
from zen_core.compiler.compile import compile_pipeline
from zen_core.contract.settings import Settings
from zen_core.errors import NameCollisionError, UnsupportedFeatureError
from zen_core.testing.cases import all_cases, case_using, find_case
from zen_core.testing.conformance.emitted import supports
from zen_dagster import DagsterAdapter
from zen_dagster.options import DagsterOptions

ADAPTER = DagsterAdapter()
GOLDEN = Path(__file__).parents[3] / "adapters" / "zen_dagster" / "tests" / "golden"
KUBERNETES = DagsterOptions(executor="kubernetes", gpu_type_label="gpu.example/type")


def emit(spec, options=None, waived=()):
    (module,) = ADAPTER.emit(EmissionRequest(spec, "0.1.0", options or DagsterOptions(), waived))
    assert module.path == f"{spec.name}.py"
    return module.content.decode()


GOLDENS = {
    **{
        name: (find_case(name).spec, None)
        for name in ("diamond", "parameters", "hostile", "awkward_names", "maps_and_branches", "one_branch")
    },
    **{
        case_using(feature).name: (case_using(feature).spec, None)
        for feature in (
            Feature.RETRY_BACKOFF,
            Feature.MAP_CHAIN,
            Feature.MAP_MAX_PARALLEL,
            Feature.NESTED_CONDITION,
            Feature.SCHEDULE_OVERLAP_SKIP,
            Feature.SCHEDULE_OVERLAP_ALLOW,
            Feature.TAGS,
        )
    },
    "on_kubernetes": (case_using(Feature.RESOURCES).spec, KUBERNETES),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_text_is_the_golden_one(name):
    path = GOLDEN / f"{name}.golden.py"
    text = emit(*GOLDENS[name])
    if os.environ.get("ZEN_UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def test_each_golden_file_is_of_a_case():
    assert {path.name.split(".")[0] for path in GOLDEN.iterdir()} == set(GOLDENS)


def test_emitted_code_looks_as_a_formatter_leaves_it(tmp_path):
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent))
    if not ruff:
        pytest.skip("ruff is not in this environment")
    for case in all_cases():
        if supports(ADAPTER, case):
            (tmp_path / f"{case.name}.py").write_text(emit(case.spec))
    (tmp_path / "ruff.toml").write_text(
        'line-length = 110\ntarget-version = "py310"\nlint.select = ["E", "F", "W", "I", "UP"]\n'
    )
    for command in (["format", "--diff"], ["check"]):
        done = subprocess.run(
            [ruff, *command, "--no-cache", str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_pods_are_asked_for_what_the_step_needs():
    text = emit(case_using(Feature.GPU).spec, KUBERNETES)
    assert '"limits": {"nvidia.com/gpu": "2"}' in text
    assert '"dagster-k8s/config"' in text
    text = emit(case_using(Feature.IMAGE).spec, KUBERNETES)
    assert '"image": "registry.example/train:1.2"' in text


def test_a_pool_is_the_ops():
    options = DagsterOptions(steps={"diamond": {"left": {"pool": "gpu"}}})
    assert '@op(ins=after("load"), out=dg.Out(dg.Nothing), pool="gpu")\ndef left(' in emit(
        find_case("diamond").spec, options
    )


def test_a_queue_of_runs_is_the_instances():
    case = case_using(Feature.SCHEDULE_OVERLAP_QUEUE)
    with pytest.raises(UnsupportedFeatureError, match="schedule_overlap_queue") as caught:
        compile_pipeline(case.spec, case.functions, Settings(project="p"), adapter=ADAPTER)
    assert "tag_concurrency_limits" in caught.value.diagnostics[0].why
    limited = Settings(project="p", adapters={"dagster": {"queue_limited": True}})
    compiled = compile_pipeline(case.spec, case.functions, limited, adapter=ADAPTER)
    assert b'"zen/pipeline": "uses_schedule_overlap_queue"' in compiled.files[0].content


def test_a_schedule_has_no_start_and_needs_defaults():
    spec = case_using(Feature.SCHEDULE_OVERLAP_ALLOW).spec
    schedule = spec.schedule.model_copy(update={"start": "2026-01-31"})
    with pytest.raises(UnsupportedFeatureError, match="cannot express this schedule") as caught:
        emit(spec.model_copy(update={"schedule": schedule, "parameters": find_case("parameters").spec.parameters}))
    assert [problem.why.partition(";")[0] for problem in caught.value.diagnostics] == [
        "a scheduled run can only use defaults",
        "a Dagster schedule has no start: it runs from when it is turned on",
    ]


@pytest.mark.parametrize("name", ["config", "output", "type", "input", "class"])
def test_a_name_that_dagster_keeps_is_refused(name):
    with pytest.raises(NameCollisionError, match=f"a pipeline cannot be called '{name}' here") as caught:
        emit(find_case("single").spec.model_copy(update={"name": name}))
    assert "does not load a job that has it" in caught.value.diagnostics[0].why


def test_definitions_of_ops_are_named_after_the_job():
    text = emit(find_case("diamond").spec)
    assert 'JOB = "diamond"' in text
    assert 'dg.op(name=f"{JOB}__{function.__name__}"' in text


def test_a_gpu_type_needs_the_label():
    spec = case_using(Feature.GPU).spec
    step = spec.steps[0]
    typed = step.model_copy(update={"resources": step.resources.model_copy(update={"gpu_type": "a100"})})
    spec = spec.model_copy(update={"steps": (typed,)})
    with pytest.raises(UnsupportedFeatureError, match="cannot express this gpu"):
        emit(spec, DagsterOptions(executor="kubernetes"))
    assert '"node_selector": {"gpu.example/type": "a100"}' in emit(spec, KUBERNETES)


@pytest.mark.parametrize(
    "options",
    [
        {"gpu_type_label": "x"},
        {"webserver": "http://127.0.0.1:3000"},
        {"webserver": "http://user:pw@host"},
        {"what": 1},
    ],
)
def test_options_without_effect_are_refused(options):
    with pytest.raises(ValidationError):
        DagsterOptions(**options)
