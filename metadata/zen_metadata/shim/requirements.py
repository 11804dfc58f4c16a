"""Whether this process is the environment that a step asks for."""

from __future__ import annotations

import platform
from functools import lru_cache

from zen_core.contract.manifest import EnvironmentManifest
from zen_core.diagnostics import Diagnostic
from zen_core.errors import StepEnvironmentError


def check_environment(wanted: EnvironmentManifest, where: str) -> None:
    """Raise StepEnvironmentError with everything that the step asks for and that is not here."""
    if not wanted.python and not wanted.requirements:
        return
    faults = _find_faults(wanted.python, wanted.requirements)
    if faults:
        raise StepEnvironmentError(
            diagnostics=[
                Diagnostic(
                    StepEnvironmentError.code,
                    fault,
                    where,
                    hint="run the step in the environment that its Environment(...) names: an image or a worker "
                    "that has it",
                )
                for fault in faults
            ]
        )


@lru_cache(maxsize=256)  # an environment does not change under a running process
def _find_faults(python: str, requirements: tuple[str, ...]) -> tuple[str, ...]:
    from packaging.specifiers import SpecifierSet

    faults = []
    running = platform.python_version()
    if python and not SpecifierSet(python).contains(running, prereleases=True):
        faults.append(f"the step needs Python {python}, this is Python {running}")
    faults += [fault for text in requirements if (fault := _fault_of(text))]
    return tuple(faults)


def _fault_of(text: str) -> str:
    """What is wrong with one requirement; "" for nothing. One whose marker does not hold here asks for nothing."""
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import Requirement

    wanted = Requirement(text)
    if wanted.marker is not None and not wanted.marker.evaluate():
        return ""
    try:
        installed = version(wanted.name)
    except PackageNotFoundError:
        return f"the step needs {text}, and {wanted.name} is not installed"
    if wanted.specifier.contains(installed, prereleases=True):
        return ""
    return f"the step needs {text}, and {wanted.name} {installed} is installed"
