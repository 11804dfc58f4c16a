"""`zen compile`: write native code for an orchestrator, or check that what is on disk is up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from zen_core.cli.completion import complete_compile_targets, complete_pipelines
from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import print_json
from zen_core.errors import AdapterError, AdapterNotFoundError, CompilationError, ZenError

if TYPE_CHECKING:
    from zen_core.authoring.building import BuiltPipeline
    from zen_core.compiler.compile import CompiledPipeline
    from zen_core.contract.settings import Settings

T = TypeVar("T")
ALL = "all"
IR = "ir"


@click.command("compile")
@click.argument("pipeline", shell_complete=complete_pipelines)
@click.option(
    "--for",
    "target",
    required=True,
    metavar="TARGET",
    shell_complete=complete_compile_targets,
    help="An adapter's name, ir, or all. See 'zen adapters'.",
)
@click.option(
    "--out",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the files go; with --for all, each target has a folder of its own in it.",
)
@click.option("--check", is_flag=True, help="Write nothing; fail if the files on disk differ.")
@click.option(
    "--code",
    type=click.Choice(["bundle", "installed"]),
    default="bundle",
    show_default=True,
    help="Whether the code travels beside the emitted files, or is in the worker's image.",
)
@json_option
@click.pass_obj
def compile_(
    context: CliContext, pipeline: str, target: str, folder: Path, check: bool, code: str, as_json: bool
) -> None:
    """Write native code for an orchestrator.

    PIPELINE is path/to/file.py:name or package.module:name. Neither the orchestrator nor a store is needed.
    All targets are compiled before anything is written: where one of them refuses, no file changes.
    """
    from zen_core.authoring.loading import load_pipeline

    settings = context.settings()
    targets = _targets(target)
    built = load_pipeline(pipeline, settings).build(settings)
    compiled = dict(zip(targets, _each(targets, lambda name: _compile(built, settings, name, code)), strict=True))
    folder_by_target = {name: folder / name if target == ALL else folder for name in targets}
    if check:
        _each(targets, lambda name: compiled[name].check(folder_by_target[name]))
    changed = {name: () if check else compiled[name].write(folder_by_target[name]) for name in targets}
    if as_json:
        documents = [_document(name, compiled[name], folder_by_target[name], changed[name]) for name in targets]
        print_json(documents)
        return
    for name in targets:
        _print(compiled[name], folder_by_target[name], changed[name], check=check)


def _targets(target: str) -> tuple[str, ...]:
    """The adapters to compile for. Raises AdapterNotFoundError, also for an adapter that only runs."""
    from zen_core.adapter.protocol import EmittingAdapter
    from zen_core.adapter.registry import adapter_names, load_adapter

    if target == IR:
        return (IR,)
    emitting = [name for name in adapter_names() if isinstance(load_adapter(name), EmittingAdapter)]
    if target == ALL:
        if not emitting:
            raise AdapterNotFoundError("no installed adapter writes code", hint="'zen adapters' lists what there is")
        return tuple(emitting)
    if not isinstance(load_adapter(target), EmittingAdapter):
        raise AdapterError(
            f"the adapter {target!r} is an engine: it runs pipelines and writes no code",
            hint=f"compile for: {', '.join([*emitting, IR, ALL])}",
        )
    return (target,)


def _compile(built: BuiltPipeline, settings: Settings, target: str, code: str) -> CompiledPipeline:
    from zen_core.adapter.protocol import EmittingAdapter
    from zen_core.adapter.registry import load_adapter
    from zen_core.compiler.compile import compile_ir, compile_pipeline

    if target == IR:
        return compile_ir(built.spec)
    if not built.importable:
        raise CompilationError(diagnostics=built.not_importable)
    adapter = load_adapter(target)
    assert isinstance(adapter, EmittingAdapter)
    return compile_pipeline(built.spec, built.functions, settings, adapter=adapter, installed_code=code == "installed")


def _each(targets: Iterable[str], act: Callable[[str], T]) -> list[T]:
    """Act for each target; what several of them refuse is raised as one error."""
    done, errors = [], []
    for name in targets:
        try:
            done.append(act(name))
        except ZenError as error:
            errors.append(error)
    if errors:
        raise type(errors[0])(diagnostics=[item for error in errors for item in error.diagnostics])
    return done


def _document(target: str, compiled: CompiledPipeline, folder: Path, changed: tuple[str, ...]) -> dict[str, object]:
    return {
        "target": target,
        "folder": str(folder),
        "files": [file.path for file in compiled.files],
        "changed": list(changed),
        "waived": [feature.value for feature in compiled.waived],
        "unfollowed": [{"what": item.what, "file": item.file, "line": item.line} for item in compiled.unfollowed],
        "left_out": [{"file": item.file, "reason": item.reason} for item in compiled.left_out],
    }


def _print(compiled: CompiledPipeline, folder: Path, changed: tuple[str, ...], *, check: bool) -> None:
    click.echo(compiled.summary)
    for feature in compiled.waived:
        click.echo(f"  waived: {feature.value}, which this target leaves out")
    for place in compiled.unfollowed:
        click.echo(
            f"  not followed: {place.what} at {place.file}:{place.line}: all of the module counts for the cache",
            err=True,
        )
    for item in compiled.left_out:
        click.echo(f"  left out of the code: {item.file}: {item.reason}", err=True)
    if check:
        click.echo(f"  {len(compiled.files)} files in {folder} are up to date")
        return
    for file in compiled.files:
        click.echo(f"  {'wrote' if file.path in changed else 'unchanged'} {folder / file.path}")
