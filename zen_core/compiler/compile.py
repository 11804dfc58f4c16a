"""The one driver: validate, check features, let the adapter emit, and put manifest and code beside its files."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import zen_core
from zen_core.adapter.features import Feature
from zen_core.adapter.options import AdapterOptions
from zen_core.adapter.protocol import Adapter, EmissionRequest, EmittedFile, EmittingAdapter
from zen_core.adapter.registry import adapter_names, load_adapter
from zen_core.codegen.bundle import CodeBundle, LeftOut, LocalCode, build_bundle, find_local_code
from zen_core.codegen.import_roots import ImportRoots
from zen_core.codegen.output import check_files, write_files
from zen_core.compiler.code.index_memo import index_memo_in
from zen_core.compiler.feature_check import check_features
from zen_core.compiler.manifest import build_manifest
from zen_core.contract.manifest import CODE_FILE, MANIFEST_FILE, Unfollowed
from zen_core.contract.settings import Settings
from zen_core.diagnostics import Diagnostic
from zen_core.errors import AdapterError, CompilationError, ConfigError, DefinitionError
from zen_core.ir.specs import PipelineSpec
from zen_core.ir.validation import validate

Functions = Mapping[str, Callable[..., Any]]
"""The step functions by entry point."""


@dataclass(frozen=True)
class CompiledPipeline:
    """What a pipeline compiles to.

    Attributes:
        files: every file, its path relative to the output folder.
        waived: features that the pipeline uses and the target leaves out, because the project says so.
        summary: what was made, in one line for people.
        left_out: files of the project that the code bundle lacks by rule.
        unfollowed: where code reaches further than can be read, so that all of its module counts for the cache.
    """

    files: tuple[EmittedFile, ...]
    waived: tuple[Feature, ...]
    summary: str
    left_out: tuple[LeftOut, ...] = ()
    unfollowed: tuple[Unfollowed, ...] = ()

    def write(self, folder: Path) -> tuple[str, ...]:
        """Write the files, all or none, and return the paths of those that changed. Raises CompilationError."""
        return write_files(folder, self._content_by_path())

    def check(self, folder: Path) -> None:
        """Compare with the files on disk. Raises OutOfDateError, which names each that is missing or differs."""
        check_files(folder, self._content_by_path())

    def _content_by_path(self) -> dict[str, bytes]:
        return {file.path: file.content for file in self.files}


def compile_pipeline(
    spec: PipelineSpec,
    functions: Functions,
    settings: Settings,
    *,
    adapter: EmittingAdapter,
    installed_code: bool = False,
) -> CompiledPipeline:
    """Compile a pipeline for one target. Needs no orchestrator, no network and no store.

    Args:
        installed_code: the worker's image holds the code; no bundle is made.

    Raises:
        DefinitionError: the pipeline is no valid graph, or its steps cannot be imported by a task.
        ConfigError: the adapter's options are wrong.
        UnsupportedFeatureError: the target cannot express what the pipeline uses; names every use.
        BundleError: the code cannot be bundled.
    """
    _refuse_invalid(spec)
    options, waived = check_target(spec, adapter, settings)
    roots = ImportRoots.of(settings)
    _refuse_unimportable(functions, roots)
    emitted = adapter.emit(EmissionRequest(spec, zen_core.__version__, options, waived))
    bundle = None if installed_code else build_bundle(settings, roots, _modules(spec, functions, settings, roots))
    manifest = build_manifest(spec, functions, settings, code=bundle, installed_code=installed_code)
    index_memo_in(settings.state_folder).save()  # where the project has that folder; it gets none by this
    folder = adapter.sidecar_folder(spec)
    beside = [EmittedFile(f"{folder}/{MANIFEST_FILE}", manifest.to_text().encode())]
    if bundle is not None:
        beside.append(EmittedFile(f"{folder}/{CODE_FILE}", bundle.content))
    summary = f"{spec.name} for {adapter.name}: {_count(len(spec.steps), 'step')}, {_describe(bundle)}"
    left_out = bundle.left_out if bundle is not None else ()
    unfollowed = {place for fingerprint in manifest.fingerprints.values() for place in fingerprint.unfollowed}
    ordered = sorted(unfollowed, key=lambda place: (place.file, place.line, place.what))
    return CompiledPipeline((*emitted, *beside), waived, summary, left_out, tuple(ordered))


def compile_ir(spec: PipelineSpec) -> CompiledPipeline:
    """The IR itself, as one indented JSON file (`zen compile --for ir`). Raises DefinitionError."""
    _refuse_invalid(spec)
    text = json.dumps(spec.to_json(), sort_keys=True, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
    file = EmittedFile(f"{spec.name}.ir.json", text.encode())
    return CompiledPipeline((file,), (), f"{spec.name} as IR: {_count(len(spec.steps), 'step')}, {spec.digest}")


def find_code(spec: PipelineSpec, functions: Functions, settings: Settings) -> LocalCode | None:
    """The code of a run on this machine, for the record; None where no file holds it, as in a notebook.

    Never fails: what cannot be read or must not be kept is left out.
    """
    roots = ImportRoots.of(settings)
    modules = _modules(spec, functions, settings, roots)
    if settings.root is None or "__main__" in modules:
        return None
    try:
        return find_local_code(settings, modules, index_memo_in(settings.state_folder))
    except OSError:
        return None  # a file went away while it was read


def check_target(
    spec: PipelineSpec, adapter: Adapter, settings: Settings
) -> tuple[AdapterOptions, tuple[Feature, ...]]:
    """The adapter's options, and the features that it lacks and the project waives.

    Raises:
        ConfigError: the adapter's options are wrong.
        UnsupportedFeatureError: the target cannot express what the pipeline uses; names every use.
    """
    options = read_options(adapter, settings)
    waived = check_features(
        spec,
        adapter=adapter.name,
        support=adapter.support(options),
        options=options,
        able=lambda feature: _targets_with(feature, settings),
    )
    return options, waived


def read_options(adapter: Adapter, settings: Settings) -> AdapterOptions:
    """The adapter's options from `[adapters.NAME]`. Raises ConfigError with every problem."""
    _refuse_unknown_adapters(settings, {*adapter_names(), adapter.name})
    table = settings.adapters.get(adapter.name, {})
    try:
        return adapter.options_model.model_validate(table)
    except ValidationError as error:
        fields = adapter.options_model.model_fields
        raise ConfigError(
            diagnostics=[_option_problem(adapter.name, dict(problem), fields) for problem in error.errors()]
        ) from None


def _refuse_unknown_adapters(settings: Settings, known: set[str]) -> None:
    problems = []
    for name in sorted(set(settings.adapters) - known):
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"installed: {', '.join(sorted(known))}"
        problems.append(Diagnostic("ZEN-U201", f"there is no adapter {name!r}", f"[adapters.{name}]", hint=hint))
    if problems:
        raise ConfigError(diagnostics=problems)


def _option_problem(adapter: str, problem: Mapping[str, Any], fields: Mapping[str, Any]) -> Diagnostic:
    path = [str(part) for part in problem["loc"]]
    where = " ".join((f"[{'.'.join(('adapters', adapter, *path[:-1]))}]", *path[-1:]))
    if problem["type"] == "extra_forbidden":
        known = fields if len(path) == 1 else ()
        close = difflib.get_close_matches(path[-1], known, n=1)
        hint = (
            f"did you mean {close[0]!r}?" if close else f"known settings: {', '.join(sorted(known))}" if known else ""
        )
        return Diagnostic("ZEN-U201", f"unknown setting {path[-1]!r}", where, hint=hint)
    message = str(problem["msg"]).removeprefix("Value error, ")
    # A problem of the options together has all of them as its input: that says nothing, and may hold a secret.
    value = f" (it is {problem['input']!r:.80})" if path else ""
    return Diagnostic("ZEN-U202", f"{message}{value}", where)


def _targets_with(feature: Feature, settings: Settings) -> tuple[str, ...]:
    """The adapters that can express a feature, for the hint of a refusal."""
    found = []
    for name in adapter_names():
        try:
            adapter = load_adapter(name)
            table = adapter.support(read_options(adapter, settings))
        except (AdapterError, ConfigError):
            continue  # another adapter's trouble is told by `zen adapters`, not by this refusal
        if feature in table and table[feature].level != "unsupported":
            found.append(name)
    return tuple(found)


def _refuse_invalid(spec: PipelineSpec) -> None:
    if problems := validate(spec):
        raise DefinitionError(diagnostics=problems)


def _refuse_unimportable(functions: Functions, roots: ImportRoots) -> None:
    problems = [
        Diagnostic(
            CompilationError.code,
            f"the step function {function.__qualname__!r} cannot be imported by a task",
            why=why,
            hint="define it at the top level of a module below the project's root",
            context={"entry_point": entry_point},
        )
        for entry_point, function in sorted(functions.items())
        if (why := _why_unimportable(entry_point, function, roots))
    ]
    if problems:
        raise CompilationError(diagnostics=problems)


def _why_unimportable(entry_point: str, function: Callable[..., Any], roots: ImportRoots) -> str:
    if "<" in function.__qualname__:
        return "it is defined inside another function"
    module = entry_point.partition(":")[0]
    if roots.find_module(module) is not None:
        return ""
    if module == "__main__":
        return "it is defined in a notebook or an interactive session"
    loaded = sys.modules.get(module)
    try:
        installed = loaded.__spec__ if loaded is not None else find_spec(module)
    except (ImportError, ValueError):
        installed = None
    return "" if installed is not None else f"its module {module} lies in no import root of the project"


def _modules(spec: PipelineSpec, functions: Functions, settings: Settings, roots: ImportRoots) -> set[str]:
    """The modules that the steps lie in, and the pipeline's own, so that a run can be made again from the bundle."""
    modules = {entry_point.partition(":")[0] for entry_point in functions}
    if spec.source and settings.root is not None:
        file = settings.root.resolve() / spec.source.rpartition(":")[0]
        own = roots.module_of(file) if file.is_file() else None
        modules |= {own} if own else set()
    return modules


def _describe(bundle: CodeBundle | None) -> str:
    if bundle is None:
        return "code as installed"
    return f"code bundle of {_count(len(bundle.names), 'file')}, {len(bundle.content):,} bytes"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
