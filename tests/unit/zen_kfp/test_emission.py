import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zen_core.adapter.features import Feature
from zen_core.adapter.protocol import EmissionRequest
from zen_core.contract.conditions import CompareTerm, InputTerm, ValueTerm
from zen_core.ir.specs import EnvironmentSpec, ParameterSpec, PipelineSpec, ResourceSpec
from zen_core.testing.cases import all_cases, case_using, find_case
from zen_core.testing.cases.build import make_gate, make_step, read, taken
from zen_core.testing.cases.catalogue import HOSTILE_TEXTS
from zen_core.testing.cases.random_pipelines import random_pipeline
from zen_core.testing.conformance.emitted import supports
from zen_kfp import KfpAdapter
from zen_kfp.options import KfpOptions

ADAPTER = KfpAdapter()
GOLDEN = Path(__file__).parents[3] / "adapters" / "zen_kfp" / "tests" / "golden"
OPTIONS = KfpOptions(
    image="registry.example.com/churn:1",
    ui_url="https://kubeflow.example.com/pipeline",
    env={"ZEN_DEPLOYMENT": "kfp-prod", "ZEN_ARTIFACT_URL": "s3://zen/artifacts"},
    credentials={
        "ZEN_LINEAGE_URL": "secret:zen/lineage-url",
        "AWS_ACCESS_KEY_ID": "secret:s3/id",
        "AWS_SECRET_ACCESS_KEY": "secret:s3/key",
    },
    node_selector={"pool": "ml"},
    gpu_resource="amd.com/gpu",
    gpu_type_label="cloud.google.com/gke-accelerator",
    steps={"placed": {"train": {"node_selector": {"pool": "gpu"}}}},
)
PLACED = PipelineSpec(
    name="placed",
    parameters=(ParameterSpec(name="depth", type="int", default=4),),
    steps=(
        make_step("load", "load"),
        make_step(
            "train",
            "increase",
            {"value": read("load")},
            resources=ResourceSpec(cpu=0.5, memory_bytes=2**30, gpu=2, gpu_type="a100"),
            environment=EnvironmentSpec(image="registry.example.com/train:2"),
        ),
    ),
)
HOSTILE_CONDITIONS = PipelineSpec(
    name="hostile_conditions",
    steps=tuple(
        step
        for number, text in enumerate(HOSTILE_TEXTS)
        for step in (
            make_step(f"echo_{number}", "load", type="str"),
            make_gate(
                f"when_{number}",
                CompareTerm("==", InputTerm("text"), ValueTerm(text)),
                {"text": read(f"echo_{number}")},
            ),
            make_step(f"then_{number}", "load", when=taken(f"when_{number}")),
        )
    ),
)
"""Conditions against texts that break naive emitters: they stand in the components' descriptions."""

GOLDENS = {
    **{
        name: (find_case(name).spec, None)
        for name in (
            *("diamond", "two_outputs", "ordering_only", "parameters", "hostile", "awkward_names"),
            *("branches", "maps_and_branches", "one_branch"),
        )
    },
    **{
        case_using(feature).name: (case_using(feature).spec, None)
        for feature in (
            *(Feature.RETRY_BACKOFF, Feature.TAGS, Feature.MAP_CHAIN, Feature.MAP_MAX_PARALLEL),
            *(Feature.NESTED_CONDITION, Feature.IMAGE, Feature.ON_FAILURE),
        )
    },
    "placed": (PLACED, OPTIONS),
}


def emit(spec, options=None, waived=()):
    (module,) = ADAPTER.emit(EmissionRequest(spec, "0.1.0", options or KfpOptions(), waived))
    assert module.path == f"{spec.name}.py"
    return module.content.decode()


@pytest.mark.parametrize("name", GOLDENS)
def test_text_is_the_golden_one(name):
    text, path = emit(*GOLDENS[name]), GOLDEN / f"{name}.golden.py"
    if os.environ.get("ZEN_UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def test_each_golden_file_is_of_a_case():
    assert {path.name.split(".")[0] for path in GOLDEN.iterdir()} == set(GOLDENS)


def test_emitted_code_looks_as_a_formatter_leaves_it(tmp_path):
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent))
    if not ruff:
        pytest.skip("ruff is not in this environment")
    specs = [case.spec for case in all_cases() if supports(ADAPTER, case)]
    for spec in (*specs, HOSTILE_CONDITIONS, *map(random_pipeline, range(20))):
        (tmp_path / f"{spec.name}.py").write_text(emit(spec))
    (tmp_path / "placed.py").write_text(emit(PLACED, OPTIONS))
    (tmp_path / "ruff.toml").write_text(
        'line-length = 110\ntarget-version = "py310"\nlint.select = ["E", "F", "W", "I", "UP"]\n'
    )
    for command in (["format", "--diff"], ["check"]):
        done = subprocess.run(
            [ruff, *command, "--no-cache", str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_annotations_are_objects_since_kfp_reads_them():
    assert "from __future__" not in emit(find_case("diamond").spec)


def test_every_option_reaches_the_file():
    text = emit(PLACED, OPTIONS)
    for expected in (
        'IMAGE = "registry.example.com/churn:1"',
        'task.set_env_variable("ZEN_KFP_URL", "https://kubeflow.example.com/pipeline")',
        'task.set_env_variable("ZEN_ARTIFACT_URL", "s3://zen/artifacts")',
        'kubernetes.use_secret_as_env(task, "s3", {"id": "AWS_ACCESS_KEY_ID", "key": "AWS_SECRET_ACCESS_KEY"})',
        'kubernetes.use_secret_as_env(task, "zen", {"lineage-url": "ZEN_LINEAGE_URL"})',
        '"--secrets=AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY,ZEN_LINEAGE_URL"',
        'kubernetes.add_node_selector(task, "pool", "ml")',
        'kubernetes.add_node_selector(train_task, "pool", "gpu")',
        'kubernetes.add_node_selector(train_task, "cloud.google.com/gke-accelerator", "a100")',
        'train_task.set_accelerator_type("amd.com/gpu")',
        "train_task.set_accelerator_limit(2)",
        'train_task.set_cpu_request("500m")',
        'image="registry.example.com/train:2"',
    ):
        assert expected in text


def test_kubernetes_is_imported_only_where_it_is_used():
    assert "from kfp import compiler, dsl\n" in emit(find_case("diamond").spec)


def test_kfps_cache_is_off_for_every_container():
    for case in all_cases():
        if not supports(ADAPTER, case):
            continue
        tree = ast.parse(emit(case.spec))
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        components = {
            name
            for name, node in functions.items()
            if any("container_component" in ast.unparse(item) for item in node.decorator_list)
        }
        made = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) in components]
        configured = [
            node.args[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "configured"
        ]
        assert made
        assert {id(node) for node in made} == {id(node) for node in configured}


def test_texts_of_users_hold_nothing_that_kfp_takes_for_a_placeholder():
    spec = find_case("single").spec.model_copy(
        update={
            "parameters": (
                ParameterSpec(name="a", type="str", default="{{$.pipeline_job_uuid}}"),
                ParameterSpec(name="b", type="dict", default={"{{channel:task=x;name=y;type=String;}}": ["{{$}}"]}),
            )
        }
    )
    text = emit(spec)
    assert "{{" not in text
    assert "$.pipeline_job_uuid" in text


def test_waived_features_are_named_in_the_header():
    text = emit(find_case("diamond").spec, waived=(Feature.GPU, Feature.RESOURCES))
    assert "\nWaived: gpu, resources\n" in text


def test_the_module_names_the_ir_that_its_manifest_must_be_of():
    spec = find_case("diamond").spec
    assert f'\nIR = "{spec.digest}"\n' in emit(spec)
