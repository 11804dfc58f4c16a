import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zen_airflow import AirflowAdapter
from zen_airflow.options import AirflowOptions
from zen_core.adapter.features import Feature
from zen_core.adapter.protocol import EmissionRequest
from zen_core.ir.specs import PipelineSpec, ResourceSpec
from zen_core.testing.cases import all_cases, case_using, find_case
from zen_core.testing.cases.build import make_step, read
from zen_core.testing.conformance.emitted import supports

ADAPTER = AirflowAdapter()
GOLDEN = Path(__file__).parents[3] / "adapters" / "zen_airflow" / "tests" / "golden"
SUFFIX = ".golden.py"  # no module name: type checkers leave these files alone
ON_KUBERNETES = PipelineSpec(
    name="on_kubernetes",
    description="Two steps that ask for a machine of their own.",
    steps=(
        make_step("load", "load", resources=ResourceSpec(cpu=0.5, memory_bytes=2**30)),
        make_step("train", "increase", {"value": read("load")}, resources=ResourceSpec(gpu=1, gpu_type="a100")),
    ),
)
KUBERNETES = AirflowOptions(
    executor="kubernetes",
    owner="ml-team",
    gpu_type_label="cloud.google.com/gke-accelerator",
    steps={"on_kubernetes": {"train": {"pool": "gpu", "pool_slots": 2, "priority_weight": 10}}},
)


def emit(spec, options=None, waived=()):
    dag, ignore = ADAPTER.emit(EmissionRequest(spec, "0.1.0", options or AirflowOptions(), waived))
    assert ignore.path == f"{spec.name}.zen/.airflowignore"
    assert ignore.content == b"code.zip\n"
    return dag.content.decode()


GOLDENS = {
    **{
        name: find_case(name).spec
        for name in ("diamond", "two_outputs", "ordering_only", "parameters", "hostile", "awkward_names", "many_leaves")
    },
    "maps_and_branches": find_case("maps_and_branches").spec,
    **{
        case_using(feature).name: case_using(feature).spec
        for feature in (
            Feature.MAP_CHAIN,
            Feature.NESTED_CONDITION,
            Feature.RETRY_BACKOFF,
            Feature.TIMEOUT,
            Feature.SCHEDULE_CATCH_UP,
            Feature.TAGS,
        )
    },
    "on_kubernetes": ON_KUBERNETES,
}


@pytest.mark.parametrize("name", GOLDENS)
def test_text_is_the_golden_one(name):
    text = emit(GOLDENS[name], KUBERNETES if name == "on_kubernetes" else None)
    golden = GOLDEN / f"{name}{SUFFIX}"
    if os.environ.get("ZEN_UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    found = golden.read_text(encoding="utf-8") if golden.exists() else ""
    assert text == found, f"read the difference; if it is meant: ZEN_UPDATE_GOLDEN=1 pytest {Path(__file__).name}"


def test_there_is_no_golden_of_the_past():
    assert {path.name.removesuffix(SUFFIX) for path in GOLDEN.iterdir()} == set(GOLDENS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Every case's file, and the pods'."""
    made = tmp_path_factory.mktemp("dags")
    texts = {case.name: emit(case.spec) for case in all_cases() if supports(ADAPTER, case)}
    for name, text in {**texts, "on_kubernetes": emit(ON_KUBERNETES, KUBERNETES)}.items():
        (made / f"{name}.py").write_text(text, encoding="utf-8")
    return made


RUFF = shutil.which("ruff", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
RULES = ["check", "--select", "E,F,I,B,UP,AIR"]


@pytest.mark.skipif(RUFF is None, reason="ruff is not installed")
@pytest.mark.parametrize("command", [RULES, ["format", "--check", "--diff"]], ids=["check", "format"])
def test_files_are_as_linter_and_formatter_want_them(folder, command):
    options = ["--isolated", "--no-cache", "--line-length", "110", "--target-version", "py311"]
    done = subprocess.run([str(RUFF), *command, *options, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_waived_features_are_named_in_the_header():
    text = emit(case_using(Feature.GPU).spec, waived=(Feature.GPU, Feature.RESOURCES))
    assert "Waived: gpu, resources" in (ast.get_docstring(ast.parse(text)) or "")


def test_kubernetes_is_imported_only_where_a_step_asks_for_resources():
    assert "kubernetes" not in emit(find_case("diamond").spec, AirflowOptions(executor="kubernetes"))
    assert "kubernetes" in emit(ON_KUBERNETES, KUBERNETES)


@pytest.mark.parametrize("text", ['"""', "a.md", "{{ ds }}\nsecond line", "\\"])
def test_a_description_stays_data(text):
    spec = find_case("single").spec.model_copy(update={"description": text})
    found = [
        ast.literal_eval(item.value)
        for node in ast.walk(ast.parse(emit(spec)))
        if isinstance(node, ast.Call)
        for item in node.keywords
        if item.arg == "description"
    ]
    assert found == [text.splitlines()[0]]
