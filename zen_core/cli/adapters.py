"""`zen adapters`: which adapters are installed, and what each target can express."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import TYPE_CHECKING, Any

import click

from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import print_heading, print_json, print_line, print_table
from zen_core.errors import AdapterError

if TYPE_CHECKING:
    from zen_core.adapter.features import SupportTable
    from zen_core.adapter.protocol import Adapter
    from zen_core.contract.settings import Settings


@dataclass(frozen=True)
class InstalledAdapter:
    """One adapter as it is found here; `adapter` is None and `problem` set when it cannot be loaded.

    `packages` are the orchestrator's distributions with their version on this machine, None where one is
    missing; an adapter that needs none has an engine of its own.
    """

    name: str
    adapter: Adapter | None
    problem: AdapterError | None
    packages: Mapping[str, str | None]

    def to_json(self) -> dict[str, Any]:
        """The entry of `zen adapters --json`."""
        return {
            "name": self.name,
            "versions": self.adapter.versions if self.adapter else "",
            "runs": self.runs,
            "emits": self.emits,
            "packages": dict(self.packages),
            "error": self.problem.diagnostics[0].to_json() if self.problem else None,
        }

    @property
    def runs(self) -> bool:
        """Whether it is an engine itself."""
        return hasattr(self.adapter, "run")

    @property
    def emits(self) -> bool:
        """Whether it writes native code."""
        return hasattr(self.adapter, "emit")

    @property
    def presence(self) -> str:
        """Whether the orchestrator is installed on this machine, for people."""
        if not self.packages:
            return "built in"
        found = [f"{package} {number}" for package, number in self.packages.items() if number]
        text = ", ".join(found) or "not installed"
        return f"{text} (untested)" if self.is_untested else text

    @property
    def is_untested(self) -> bool:
        """Whether the orchestrator that is installed here is of a version that the adapter was not tested with."""
        from zen_core.adapter.versions import is_tested

        numbers = [number for package, number in self.packages.items() if package in self._own and number]
        return self.adapter is not None and any(not is_tested(self.adapter.versions, number) for number in numbers)

    @property
    def _own(self) -> tuple[str, ...]:
        return getattr(self.adapter, "packages", ())


@click.command()
@click.option("--features", is_flag=True, help="How each target stands to each feature.")
@json_option
@click.pass_obj
def adapters(context: CliContext, features: bool, as_json: bool) -> None:
    """Which orchestrators there are, and what each supports.

    An orchestrator need not be installed to compile for it. With --features, the support of each feature
    under the options in zen.toml.
    """
    found = find_installed()
    if features:
        _show_features(found, context.settings(), as_json)
    elif as_json:
        print_json([item.to_json() for item in found])
    else:
        rows = [
            (
                item.name,
                item.adapter.versions if item.adapter else "cannot be loaded",
                " and ".join(word for word, holds in (("runs", item.runs), ("compiles", item.emits)) if holds),
                item.presence,
            )
            for item in found
        ]
        print_table(("adapter", "tested with", "does", "on this machine"), rows)
        for item in found:
            if item.problem:
                click.echo(f"\n{item.problem}", err=True)


def find_installed() -> list[InstalledAdapter]:
    """All adapters, sorted by name; one that is broken does not hide the others."""
    from zen_core.adapter.registry import ENTRY_POINT_GROUP, load_adapter

    found = []
    for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda item: item.name):
        try:
            adapter, problem = load_adapter(entry_point.name), None
        except AdapterError as error:
            adapter, problem = None, error
        found.append(InstalledAdapter(entry_point.name, adapter, problem, _find_packages(entry_point)))
    return found


def _find_packages(entry_point: EntryPoint) -> dict[str, str | None]:
    """What the extra of the adapter's name asks for, with the versions that are installed."""
    requirements = (entry_point.dist.requires if entry_point.dist else None) or []
    marker = re.compile(rf"""extra\s*==\s*["']{re.escape(entry_point.name)}["']""")
    names = [re.match(r"[A-Za-z0-9._-]+", text) for text in requirements if marker.search(text)]
    return {match.group(): _installed_version(match.group()) for match in names if match}


def _installed_version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _show_features(found: list[InstalledAdapter], settings: Settings, as_json: bool) -> None:
    from zen_core.adapter.features import Feature
    from zen_core.compiler.compile import read_options

    for item in found:
        if item.problem:
            raise item.problem
    tables = {item.name: item.adapter.support(read_options(item.adapter, settings)) for item in found if item.adapter}
    if as_json:
        print_json(
            {
                name: {
                    feature.value: {"support": table[feature].level, "reason": table[feature].reason}
                    for feature in Feature
                }
                for name, table in tables.items()
            }
        )
        return
    print_table(
        ("feature", *tables),
        [(feature.value, *(table[feature].level for table in tables.values())) for feature in Feature],
    )
    for level, title in (("lowered", "How it is lowered"), ("unsupported", "Why it cannot be had")):
        _print_reasons(tables, level, title)


def _print_reasons(tables: Mapping[str, SupportTable], level: str, title: str) -> None:
    features: dict[tuple[str, str], list[str]] = {}
    for name, table in tables.items():
        for feature, support in table.items():
            if support.level == level:
                features.setdefault((name, support.reason), []).append(feature.value)
    if features:
        print_heading(title)
    for (name, reason), names in features.items():
        print_line((f"{name} {', '.join(names)}: ", "dim"), (reason, ""))
