import pytest

from zen_core.adapter.features import NATIVE, WAIVABLE, Feature, Support, lowered, unsupported
from zen_core.adapter.options import AdapterOptions
from zen_core.adapter.protocol import Adapter
from zen_core.adapter.registry import adapter_names, load_adapter
from zen_core.errors import AdapterNotFoundError


@pytest.mark.parametrize("feature", Feature)
def test_every_feature_has_a_meaning(feature):
    assert feature.meaning.endswith(".")


def test_a_reason_is_given_exactly_where_it_is_needed():
    assert NATIVE.reason == ""
    assert lowered("by the shim").level == "lowered"
    for level, reason in (("native", "why"), ("lowered", ""), ("unsupported", "")):
        with pytest.raises(ValueError, match="a reason is given"):
            Support(level, reason)
    assert unsupported("no").level == "unsupported"


def test_only_what_places_or_sizes_a_step_can_be_waived():
    assert {Feature.RESOURCES, Feature.GPU, Feature.IMAGE} == WAIVABLE


@pytest.mark.parametrize("name", adapter_names())
def test_every_installed_adapter_declares_every_feature(name):
    adapter = load_adapter(name)
    assert isinstance(adapter, Adapter)
    assert issubclass(adapter.options_model, AdapterOptions)
    assert set(adapter.support(adapter.options_model())) == set(Feature)


def test_an_unknown_adapter_is_refused_with_the_nearest():
    with pytest.raises(AdapterNotFoundError, match=r"did you mean 'airflow'\? \(installed: .*airflow"):
        load_adapter("airlfow")
