"""Whether this Python, and the packages in it, are those that Zen is made for."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, metadata, version

from zen_core.adapter.protocol import Check
from zen_core.adapter.versions import UNTESTED
from zen_core.diagnostics import Diagnostic

DISTRIBUTION = "zen-core"
_PYTHON = "Programming Language :: Python :: "
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")
_BOUND = re.compile(r"(>=|<)\s*([0-9][0-9.]*)")


def examine_installation() -> Iterator[Check]:
    """Python's version, and those of the packages that Zen asks for; of an extra's, where all of them are here."""
    try:
        facts = metadata(DISTRIBUTION)
    except PackageNotFoundError:
        yield Check("packages", f"{DISTRIBUTION} can be imported, but is not installed: what it needs is not known")
        return
    tested = [line.removeprefix(_PYTHON) for line in facts.get_all("Classifier") or () if line.startswith(_PYTHON)]
    yield _check("Python", sys.version.split()[0], list(_find_untested_python(tested)))
    found = f"{DISTRIBUTION} {facts['Version']} and what it needs"
    yield _check("packages", found, list(find_outside(facts.get_all("Requires-Dist") or ())))


def find_outside(requirements: Iterable[str]) -> Iterator[str]:
    """What is said of each installed package whose version is outside the bounds of these requirements."""
    by_extra: dict[str, list[str]] = defaultdict(list)
    for requirement in requirements:
        bounds, _, marker = requirement.partition(";")
        match = _EXTRA.search(marker)
        by_extra[match[1] if match else ""].append(bounds.strip())
    for extra, asked in by_extra.items():
        installed = [(bounds, _installed_version(bounds)) for bounds in asked]
        if extra and not all(found for _, found in installed):
            continue  # an extra that was not asked for
        for bounds, found in installed:
            if found is not None and not _is_within(found, bounds):
                yield f"{_name(bounds)} {found} is installed, and Zen is made for {bounds.removeprefix(_name(bounds))}"


def _find_untested_python(tested: list[str]) -> Iterator[str]:
    found = f"{sys.version_info.major}.{sys.version_info.minor}"
    if found not in tested:
        yield f"Python {found} runs here, and Zen is tested with {', '.join(tested)}"


def _check(component: str, detail: str, outside: list[str]) -> Check:
    if not outside:
        return Check(component, detail)
    hint = "install a version that is within these bounds; it may work all the same"
    return Check(component, detail, Diagnostic(UNTESTED, "; ".join(outside), sys.prefix, hint=hint), is_warning=True)


def _name(bounds: str) -> str:
    found = _NAME.match(bounds)
    return found[0] if found else bounds


def _installed_version(bounds: str) -> str | None:
    try:
        return version(_name(bounds))
    except PackageNotFoundError:
        return None


def _is_within(found: str, bounds: str) -> bool:
    number = _number(found)
    return all(
        number >= _number(bound) if sign == ">=" else number < _number(bound) for sign, bound in _BOUND.findall(bounds)
    )


def _number(text: str) -> tuple[int, ...]:
    """The release as numbers without zeros at the end, so that 2 and 2.0 are the same."""
    release = re.match(r"[0-9]+(\.[0-9]+)*", text)
    numbers = [int(part) for part in release[0].split(".")] if release else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
