"""Writes docs/reference/features.md from the adapters' own tables: `python docs/generate.py`."""

from __future__ import annotations

from pathlib import Path

from zen_core.adapter.features import WAIVABLE, Feature, SupportTable
from zen_core.adapter.registry import adapter_names, load_adapter

TARGET = Path(__file__).parent / "reference" / "features.md"
_INTRODUCTION = """\
# Features of each target

Written by `python docs/generate.py` from the adapters' tables; a test compares. `zen adapters --features` shows it
under the options of your `zen.toml`.

- **native**: the target has it.
- **lowered**: the compiler or the shim makes it so; below it is said how.
- **unsupported**: a pipeline that uses it does not compile for this target.

Only what places or sizes a step can be waived, in `[adapters.NAME] waive`: {waivable}.
"""
_SYMBOL = {"native": "native", "lowered": "lowered", "unsupported": "**unsupported**"}


def features_text() -> str:
    """The whole page, under each adapter's default options."""
    tables: dict[str, SupportTable] = {}
    versions: dict[str, str] = {}
    for name in adapter_names():
        adapter = load_adapter(name)
        tables[name] = adapter.support(adapter.options_model())
        versions[name] = adapter.versions
    waivable = ", ".join(f"`{feature.value}`" for feature in Feature if feature in WAIVABLE)
    parts = [_INTRODUCTION.format(waivable=waivable), _matrix(tables, versions)]
    parts += [_reasons(name, table) for name, table in tables.items()]
    return "\n".join(parts)


def _matrix(tables: dict[str, SupportTable], versions: dict[str, str]) -> str:
    lines = [
        "| feature | " + " | ".join(f"{name} ({versions[name]})" for name in tables) + " |",
        "|---|" + "---|" * len(tables),
    ]
    for feature in Feature:
        cells = " | ".join(_SYMBOL[table[feature].level] for table in tables.values())
        lines.append(f"| `{feature.value}`: {feature.meaning.rstrip('.')} | {cells} |")
    return "\n".join(lines) + "\n"


def _reasons(name: str, table: SupportTable) -> str:
    lines = [f"## {name}", ""]
    features_by_reason: dict[tuple[str, str], list[str]] = {}
    for feature in Feature:
        support = table[feature]
        if support.reason:
            features_by_reason.setdefault((support.level, support.reason), []).append(f"`{feature.value}`")
    lines += [
        f"- {_SYMBOL[level]}: {', '.join(features)}: {reason}."
        for (level, reason), features in features_by_reason.items()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(features_text(), encoding="utf-8")
    print(f"wrote {TARGET}")
