import pytest

from zen_core.adapter.registry import load_adapter
from zen_core.adapter.versions import find_untested, is_tested


@pytest.mark.parametrize(
    ("tested", "found", "expected"),
    [
        ("2.11, 3.3", "3.3.2", True),
        ("2.11, 3.3", "2.11", True),
        ("2.11, 3.3", "3.30.1", False),
        ("3.8", "3.9.1", False),
        ("3.8", "3.80", False),
    ],
)
def test_a_patch_is_within_its_version(tested, found, expected):
    assert is_tested(tested, found) is expected


def test_the_warning_names_both_versions():
    adapter = load_adapter("prefect")
    assert find_untested(adapter, "the Prefect server", "3.8.1") is None
    warning = find_untested(adapter, "the Prefect server", "4.0.0")
    assert warning.message == (
        "the Prefect server 4.0.0 is outside the versions that this adapter is tested with (3.8)"
    )
    assert warning.code == "ZEN-A108"
