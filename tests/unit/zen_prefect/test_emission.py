import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from zen_core.adapter.features import Feature
from zen_core.adapter.protocol import EmissionRequest
from zen_core.ir.specs import CacheSpec, EnvironmentSpec, MapSpec, PipelineSpec
from zen_core.testing.cases import all_cases, case_using, find_case
from zen_core.testing.cases.build import collect, element, make_expander, make_step, mapped_by, read
from zen_core.testing.cases.random_pipelines import random_pipeline
from zen_core.testing.conformance.emitted import supports
from zen_prefect import PrefectAdapter
from zen_prefect.options import PrefectOptions

ADAPTER = PrefectAdapter()
GOLDEN = Path(__file__).parents[3] / "adapters" / "zen_prefect" / "tests" / "golden"
OPTIONS = PrefectOptions(
    deployment_name="prod",
    work_pool="ml-pool",
    work_pool_type="kubernetes",
    work_queue="default",
    job_variables={"env": {"ZEN_DEPLOYMENT": "prefect-prod"}, "stream_output": True},
    pull=({"prefect.deployments.steps.git_clone": {"repository": "https://example.com/flows.git"}},),
    max_workers=3,
    flow_retries=2,
    flow_retry_delay_seconds=60,
    credentials={"ZEN_LINEAGE_URL": "zen-lineage-url"},
    steps={"diamond": {"left": {"tags": ["gpu"]}}},
)


def emit(spec, options=None, waived=()):
    module, deployment = ADAPTER.emit(EmissionRequest(spec, "0.1.0", options or PrefectOptions(), waived))
    assert (module.path, deployment.path) == (f"{spec.name}.py", "prefect.yaml")
    return module.content.decode(), deployment.content.decode()


def increase_each(source, **options):
    """A list, a map over it, and what collects it."""
    expander = f"expand_{source}"
    return (
        make_step(source, "numbers", type="list[int]"),
        make_expander(expander, {"value": read(source)}),
        make_step(
            f"{source}_more",
            "increase",
            {"value": element(expander, "value")},
            map=MapSpec(expander=expander, **options),
        ),
        make_step(f"{source}_sum", "total", {"values": read(f"{source}_more")}, type="list[int]"),
    )


TWO_MAPS = PipelineSpec(
    name="two_maps",
    steps=(
        *increase_each("left"),
        *increase_each("right", max_parallel=2, chunk=3),
        make_step("right_most", "double", {"value": element("right_more")}, map=mapped_by("expand_right", chunk=3)),
        make_step("join", "total", {"values": collect(read("left_sum"), read("right_sum"))}),
    ),
)
"""Two maps whose lists come at different times, one of them limited, in parts, with a second step."""

GOLDENS = {
    **{
        name: (find_case(name).spec, None)
        for name in (
            *("diamond", "two_outputs", "ordering_only", "parameters", "hostile", "awkward_names", "many_leaves"),
            *("branches", "maps_and_branches"),
        )
    },
    **{
        case_using(feature).name: (case_using(feature).spec, None)
        for feature in (
            *(Feature.RETRY_BACKOFF_FACTOR, Feature.TIMEOUT, Feature.SCHEDULE_OVERLAP_SKIP, Feature.TAGS),
            *(Feature.MAP, Feature.MAP_CHAIN, Feature.NESTED_CONDITION, Feature.MAX_PARALLEL),
        )
    },
    "two_maps": (TWO_MAPS, None),
    "all_options": (find_case("diamond").spec, OPTIONS),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_text_is_the_golden_one(name):
    for text, suffix in zip(emit(*GOLDENS[name]), (".golden.py", ".golden.yaml"), strict=True):
        path = GOLDEN / f"{name}{suffix}"
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
    for spec in (*specs, TWO_MAPS, *map(random_pipeline, range(20))):
        (tmp_path / f"{spec.name}.py").write_text(emit(spec)[0])
    (tmp_path / "ruff.toml").write_text(
        'line-length = 110\ntarget-version = "py310"\nlint.select = ["E", "F", "W", "I", "UP"]\n'
    )
    for command in (["format", "--diff"], ["check"]):
        done = subprocess.run(
            [ruff, *command, "--no-cache", str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", [case for case in all_cases() if supports(ADAPTER, case)], ids=lambda case: case.name)
def test_prefect_yaml_says_the_same_to_a_yaml_reader(case):
    document = yaml.safe_load(emit(case.spec)[1])
    (deployment,) = document["deployments"]
    assert deployment["entrypoint"].startswith(f"{case.name}.py:")
    assert deployment["parameters"] == {}
    assert not any("{{" in tag for tag in deployment["tags"])
    schedule = case.spec.schedule
    assert [item["cron"] for item in deployment["schedules"]] == ([schedule.cron] if schedule else [])
    functions = [node.name for node in ast.parse(emit(case.spec)[0]).body if isinstance(node, ast.FunctionDef)]
    assert functions[-1] == deployment["entrypoint"].partition(":")[2]


def test_every_option_reaches_the_files():
    module, text = emit(find_case("diamond").spec, OPTIONS)
    (deployment,) = yaml.safe_load(text)["deployments"]
    assert deployment["name"] == "prod"
    assert deployment["work_pool"] == {
        "name": "ml-pool",
        "work_queue_name": "default",
        "job_variables": {"env": {"ZEN_DEPLOYMENT": "prefect-prod"}, "stream_output": True},
    }
    assert yaml.safe_load(text)["pull"] == [
        {"prefect.deployments.steps.git_clone": {"repository": "https://example.com/flows.git"}}
    ]
    for expected in (
        "max_workers=4",  # a thread for each task, since one that waits for another holds it
        "    retries=2,",
        "retry_delay_seconds=60",
        'tags=["gpu"]',
        'CREDENTIALS = {"ZEN_LINEAGE_URL": "zen-lineage-url"}',
        "end_run(__file__, IR, flow_run, state, CREDENTIALS)",
        "run_step(__file__, IR, step, upstream, CREDENTIALS, at_once=3)",
    ):
        assert expected in module


@pytest.mark.parametrize(
    "text", ["\U0001f680 größe \u2028 \x7f", 'it\'s "quoted"\\n', "\\ud83d\\ude80", "0123", "null", "#no"]
)
def test_texts_and_keys_are_read_back_by_yaml_as_they_are(text):
    variables = {"env": {text: text, "NO": "1", "on": "x", "A.b": "y"}}
    options = PrefectOptions(work_pool="p", work_queue=text, job_variables=variables)
    spec = find_case("single").spec.model_copy(update={"description": text})
    (deployment,) = yaml.safe_load(emit(spec, options)[1])["deployments"]
    assert deployment["work_pool"] == {"name": "p", "work_queue_name": text, "job_variables": variables}
    assert deployment["description"] == text.splitlines()[0].strip()


@pytest.mark.parametrize("text", ["{{ ds }}", "{{{ prefect.blocks.secret.x }}}", "{{{{a}}}}"])
def test_braces_of_a_description_are_no_template_of_prefects(text):
    spec = find_case("single").spec.model_copy(update={"description": text})
    (deployment,) = yaml.safe_load(emit(spec)[1])["deployments"]
    assert "{{" not in deployment["description"]
    assert deployment["description"].replace(" ", "") == text.replace(" ", "")


def test_waived_features_are_named_in_the_header():
    module, _ = emit(find_case("diamond").spec, waived=(Feature.GPU, Feature.RESOURCES))
    assert "\nWaived: gpu, resources\n" in module


def test_the_module_names_the_ir_that_its_manifest_must_be_of():
    spec = find_case("diamond").spec
    assert f'\nIR = "{spec.digest}"\n' in emit(spec)[0]


def test_the_image_that_all_steps_agree_on_is_a_job_variable():
    image = EnvironmentSpec(image="example.com/train:1")
    steps = (
        make_step("load", "load", environment=image),
        make_step("other", "load"),  # says nothing of an image, and so agrees with any
        make_step("tell", "notify", outputs=(), kind="hook", on="failure", cache=CacheSpec(enabled=False)),
    )
    spec = PipelineSpec(name="churn", steps=steps[:2], hooks=steps[2:])
    (deployment,) = yaml.safe_load(emit(spec, OPTIONS.model_copy(update={"steps": {}}))[1])["deployments"]
    assert deployment["work_pool"]["job_variables"] == {**OPTIONS.job_variables, "image": "example.com/train:1"}
    waived = emit(spec, PrefectOptions(work_pool="p"), waived=(Feature.IMAGE,))[1]
    assert "example.com" not in waived
