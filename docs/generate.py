"""Writes the pages of docs/reference that are made from the source: `python docs/generate.py`.

features.md comes from the adapters' own tables, errors.md from the titles of the error pages.
"""

from __future__ import annotations

from pathlib import Path

from zen_core.adapter.features import WAIVABLE, Feature, SupportTable
from zen_core.adapter.registry import adapter_names, load_adapter

REFERENCE = Path(__file__).parent / "reference"
ERROR_PAGES = Path(__file__).parent.parent / "zen_core" / "error_pages"
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


_ERRORS = """\
# Errors

Written by `python docs/generate.py` from the titles of the error pages; a test compares.

Every error has a code and says what, where, why and what to do. All problems of a kind are reported at once. With
`--json` an error is [a document](json.md#an-error) on stderr. Exceptions in Python are in `zen_core.errors`; each is a
`ZenError`, and the exceptions of your own steps are none of them: they pass through unchanged.

Each code has a page: what it means, why it happens, an example, and the way out. `zen explain CODE` shows it in the
terminal.

| exit code | means |
|---|---|
| 0 | done |
| 1 | the pipeline or its definition failed |
| 2 | usage: the command, a setting, a parameter, a name that does not exist |
| 3 | an adapter |
| 4 | a store, or MLflow |
| 70 | a bug in Zen |
| 130 | interrupted |

Codes that end in 00 are those of a whole family: the message says what it is.
"""
_FAMILIES = {
    "U": ("usage and settings", "`UsageError`, and for settings `ConfigError`. Exit code 2."),
    "D": ("the pipeline's definition", "`DefinitionError`, a `ValueError`. Each names file and line. Exit code 1."),
    "C": ("compiling", "`CompilationError`. Exit code 1."),
    "A": ("adapters and deploying", "`AdapterError`. Exit code 3."),
    "S": ("a task", "`ShimError`: from inside a step's task, before or after your code. Exit code 1; ZEN-S103: 2."),
    "M": ("stores", "`StoreError`. Exit code 4; ZEN-M105: 2."),
    "T": ("MLflow", "`TrackingError`. Exit code 4."),
    "X": ("a bug", "`InternalError`. Exit code 70."),
}


def errors_text() -> str:
    """The index of the error pages, by family."""
    parts = [_ERRORS]
    for letter, (title, classes) in _FAMILIES.items():
        rows = []
        for path in sorted(ERROR_PAGES.glob(f"ZEN-{letter}*.md")):
            code, _, meaning = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ").partition(": ")
            rows.append(f"| [{code}](../../zen_core/error_pages/{path.name}) | {meaning} |")
        parts.append(
            "\n".join([f"## ZEN-{letter}: {title}\n", f"{classes}\n", "| code | means |", "|---|---|", *rows, ""])
        )
    return "\n".join(parts)


if __name__ == "__main__":
    for name, text in (("features.md", features_text()), ("errors.md", errors_text())):
        (REFERENCE / name).write_text(text, encoding="utf-8")
        print(f"wrote {REFERENCE / name}")
