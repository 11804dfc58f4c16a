from importlib.util import find_spec

import pytest

from zen_core.adapter.protocol import DeployRequest
from zen_core.contract.settings import Settings
from zen_core.ir.specs import EnvironmentSpec, PipelineSpec, ResourceSpec
from zen_core.testing.cases.build import make_step
from zen_kfp import KfpAdapter
from zen_kfp.options import KfpOptions

ADAPTER = KfpAdapter()
without_sdk = pytest.mark.skipif(find_spec("kfp") is not None, reason="tells what is said where the SDK is missing")


def problems(*steps, settings=None, **options):
    spec = PipelineSpec(name="churn", steps=steps or (make_step("load", "load"),))
    settings = settings or Settings(project="demo", artifact_url="s3://zen/artifacts")
    return {
        problem.message: problem
        for problem in ADAPTER.find_deployment_problems(DeployRequest(spec, (), settings, KfpOptions(**options)))
    }


@without_sdk
def test_all_that_is_missing_is_told_at_once():
    found = problems(settings=Settings(project="demo"))
    assert list(found) == [
        "which image the containers run is not known",
        "a container would not know the address of the artifact store, which holds its manifest and code",
        "where manifest and code are to be put is not known here",
        "the KFP SDK is not installed here, and it is what compiles and uploads",
    ]
    assert {problem.code for problem in found.values()} == {"ZEN-A104"}
    assert all(problem.hint for problem in found.values())


@without_sdk
@pytest.mark.parametrize(
    "options",
    [
        {"env": {"ZEN_ARTIFACT_URL": "s3://zen/artifacts"}},
        {"credentials": {"ZEN_ARTIFACT_URL": "secret:zen/artifacts"}},
    ],
)
def test_with_image_and_address_only_the_sdk_is_missing(options):
    assert list(problems(image="example.com/x:1", **options)) == [
        "the KFP SDK is not installed here, and it is what compiles and uploads"
    ]


def test_an_image_of_each_step_is_not_enough_for_the_closing_container():
    step = make_step("load", "load", environment=EnvironmentSpec(image="example.com/x:1"))
    assert "which image the containers run is not known" in problems(step)


def test_what_is_waived_is_no_problem_when_deploying():
    step = make_step("load", "load", resources=ResourceSpec(gpu=1, gpu_type="a100"))
    assert "which image the containers run is not known" in problems(step, waive=("gpu",))


def test_the_doctor_says_that_the_sdk_is_missing_or_which_it_is():
    first, *_ = ADAPTER.examine(KfpOptions(), Settings(project="demo"))
    assert first.component == "kfp"
    assert first.problem is None or first.is_warning
