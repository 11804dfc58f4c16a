import pytest

from zen_core.adapter.features import NATIVE, Feature, unsupported
from zen_core.adapter.options import AdapterOptions
from zen_core.compiler.feature_check import check_features, uses_of
from zen_core.errors import ConfigError, UnsupportedFeatureError
from zen_core.testing.cases import all_cases, case_using, find_case

ALL = dict.fromkeys(Feature, NATIVE)


def table(*lacking):
    return {**ALL, **dict.fromkeys(lacking, unsupported("the target has none"))}


def check(case, support, waive=(), targets=()):
    options = AdapterOptions(waive=waive)
    return check_features(case.spec, adapter="toy", support=support, options=options, able=lambda feature: targets)


@pytest.mark.parametrize("feature", Feature)
def test_every_feature_has_a_case_and_its_use_is_found(feature):
    uses = [use for use in uses_of(case_using(feature).spec) if use.feature is feature]
    assert uses
    with pytest.raises(UnsupportedFeatureError, match=f"cannot express {feature.value}"):
        check(case_using(feature), table(feature))


def test_a_plain_pipeline_uses_nothing():
    assert uses_of(find_case("linear").spec) == ()


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_a_target_that_has_everything_refuses_nothing(case):
    assert check(case, ALL) == ()


def test_every_use_is_told_at_once_with_place_reason_and_targets_that_can():
    case = case_using(Feature.RETRY_BACKOFF)
    with pytest.raises(UnsupportedFeatureError) as caught:
        check(case, table(Feature.RETRY, Feature.RETRY_BACKOFF), targets=("dagster", "local"))
    assert [item.context["feature"] for item in caught.value.diagnostics] == ["retry", "retry_backoff"]
    first = caught.value.diagnostics[0]
    assert first.where == "pipelines/retry.py:7, step 'load' of pipeline 'uses_retry_backoff'"
    assert first.why == "the target has none"
    assert first.hint == "compile for: dagster, local"
    assert first.context["step"] == "load"


def test_a_use_by_the_pipeline_itself_names_no_step():
    with pytest.raises(UnsupportedFeatureError) as caught:
        check(case_using(Feature.SCHEDULE_OVERLAP_SKIP), table(Feature.SCHEDULE_OVERLAP_SKIP))
    (problem,) = caught.value.diagnostics
    assert problem.where == "pipeline 'uses_schedule_overlap_skip'"
    assert problem.hint.startswith("leave it out")


def test_a_waiver_lets_the_target_leave_it_out_and_is_reported():
    case = case_using(Feature.RESOURCES)
    lacking = table(Feature.RESOURCES, Feature.GPU)
    with pytest.raises(UnsupportedFeatureError, match=r'\[adapters.toy\] waive = \["resources"\]'):
        check(case, lacking)
    assert check(case, lacking, waive=("resources", "gpu")) == (Feature.RESOURCES,)


@pytest.mark.parametrize(
    ("waive", "message"),
    [
        ("resource", "did you mean 'resources'"),
        ("retry", "'retry' cannot be waived"),
        ("gpu", "'gpu' is waived, but this target has it"),
    ],
)
def test_a_waiver_without_effect_is_refused(waive, message):
    with pytest.raises(ConfigError, match=message) as caught:
        check(find_case("single"), table(Feature.RESOURCES), waive=(waive,))
    assert caught.value.diagnostics[0].where == "[adapters.toy] waive"
