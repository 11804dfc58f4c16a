import os

import pytest

from zen_core.contract.settings import Settings
from zen_core.errors import ShimError
from zen_metadata.shim.credentials import MissingCredentialError, apply_credentials
from zen_metadata.shim.masking import secret_masker

KEPT = {"url": "postgresql://zen:p%40ssw0rd@db/zen", "token": "t0ken-of-ours"}


def read(name):
    if name not in KEPT:
        raise MissingCredentialError(f"there is no {name!r}")
    return KEPT[name]


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for variable in ("ZEN_TEST_URL", "ZEN_TEST_TOKEN"):
        monkeypatch.setenv(variable, "before")


def test_values_go_into_the_environment_and_are_masked():
    apply_credentials({"ZEN_TEST_URL": "url", "ZEN_TEST_TOKEN": "token"}, read)
    assert os.environ["ZEN_TEST_URL"] == KEPT["url"]
    assert os.environ["ZEN_TEST_TOKEN"] == KEPT["token"]
    mask = secret_masker(Settings())
    told = mask(f"connecting to {KEPT['url']} (p@ssw0rd) with {KEPT['token']}")
    assert told == "connecting to postgresql://zen:***@db/zen (***) with ***"


def test_names_that_the_orchestrator_lacks_are_said_together_and_nothing_is_set():
    with pytest.raises(ShimError) as caught:
        apply_credentials({"ZEN_TEST_URL": "url", "ZEN_TEST_TOKEN": "tokn", "ZEN_TEST_OTHER": "othr"}, read)
    assert [item.message for item in caught.value.diagnostics] == [
        "the value of ZEN_TEST_OTHER is not there: there is no 'othr'",
        "the value of ZEN_TEST_TOKEN is not there: there is no 'tokn'",
    ]
    assert caught.value.diagnostics[0].where == "credentials ZEN_TEST_OTHER = 'othr'"
    assert os.environ["ZEN_TEST_URL"] == "before"
