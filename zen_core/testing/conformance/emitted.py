"""Compiles cases for the suite. `python -m zen_core.testing.conformance.emitted` prints the digest of every file."""

from __future__ import annotations

from zen_core.adapter.options import AdapterOptions
from zen_core.adapter.protocol import EmittedFile, EmittingAdapter
from zen_core.adapter.registry import adapter_names, load_adapter
from zen_core.compiler.compile import CompiledPipeline, compile_pipeline
from zen_core.contract.canonical import digest_bytes
from zen_core.contract.settings import Settings
from zen_core.testing.cases import Case, all_cases

_compiled: dict[tuple[str, str], CompiledPipeline] = {}


def emitting_adapters() -> tuple[EmittingAdapter, ...]:
    """All installed adapters that write code."""
    found = (load_adapter(name) for name in adapter_names())
    return tuple(adapter for adapter in found if isinstance(adapter, EmittingAdapter))


def supports(adapter: EmittingAdapter, case: Case, options: AdapterOptions | None = None) -> bool:
    """Whether the adapter can express the case, under its default options."""
    table = adapter.support(options or adapter.options_model())
    return all(table[feature].level != "unsupported" for feature in case.features)


def compile_case(adapter: EmittingAdapter, case: Case) -> CompiledPipeline:
    """Compile a case in a project without settings; once for each adapter and case."""
    key = (adapter.name, case.name)
    if key not in _compiled:
        _compiled[key] = _compile(adapter, case)
    return _compiled[key]


def _compile(adapter: EmittingAdapter, case: Case) -> CompiledPipeline:
    return compile_pipeline(case.spec, case.functions, Settings(project="conformance"), adapter=adapter)


def python_files(compiled: CompiledPipeline) -> tuple[EmittedFile, ...]:
    """The emitted Python files."""
    return tuple(file for file in compiled.files if file.path.endswith(".py"))


def emitted_digests() -> list[str]:
    """A line for each file of each adapter and case that it can express."""
    return [
        f"{adapter.name} {case.name} {file.path} {digest_bytes(file.content)}"
        for adapter in emitting_adapters()
        for case in all_cases()
        if supports(adapter, case)
        for file in compile_case(adapter, case).files
    ]


if __name__ == "__main__":
    print("\n".join(emitted_digests()))
