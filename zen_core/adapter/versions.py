"""The versions of an orchestrator that an adapter is tested with, against one that is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zen_core.diagnostics import Diagnostic

if TYPE_CHECKING:
    from zen_core.adapter.protocol import Adapter

UNTESTED = "ZEN-A108"


def is_tested(tested: str, found: str) -> bool:
    """Whether a version is one of those in `tested`, such as "2.11, 3.3"; "3.3.2" is within "3.3"."""
    return any(f"{found}.".startswith(f"{version.strip()}.") for version in tested.split(","))


def find_untested(adapter: Adapter, what: str, found: str) -> Diagnostic | None:
    """A warning that names both, or None.

    Args:
        what: what has the version: "Airflow", "the Prefect server".
    """
    if is_tested(adapter.versions, found):
        return None
    return Diagnostic(
        UNTESTED,
        f"{what} {found} is outside the versions that this adapter is tested with ({adapter.versions})",
        where=f"adapter {adapter.name!r}",
        hint="it may work; try it on a deployment that nobody depends on first",
        context={"adapter": adapter.name, "version": found, "tested": adapter.versions},
    )
