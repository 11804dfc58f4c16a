"""A pytest plug-in that fails each test after which a package of the project came from the source tree.

The tests of the wheel run in the checkout: without this, a stray entry on sys.path would let them pass on
modules that the wheel lacks.
"""

import sys
from pathlib import Path

import pytest

ROOTS = {"zen_core", "zen_metadata", "zen_local", "zen_airflow", "zen_prefect", "zen_kfp", "zen_dagster"}


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Look at where each of the project's modules came from."""
    ours = {name: module for name, module in list(sys.modules.items()) if name.partition(".")[0] in ROOTS}
    files = {name: getattr(module, "__file__", None) for name, module in ours.items()}
    strays = sorted(f"{name} ({file})" for name, file in files.items() if file and not is_installed(file))
    if strays:
        pytest.fail(f"from the source tree, not from the wheel: {', '.join(strays[:5])}", pytrace=False)


def is_installed(file: str) -> bool:
    """Whether a module lies in the environment."""
    return Path(file).is_relative_to(sys.prefix)
