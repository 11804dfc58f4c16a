"""`zen run`: run a pipeline on this machine, with the embedded engine."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from zen_core.cli.completion import complete_pipelines, complete_steps
from zen_core.cli.context import CliContext, json_option
from zen_core.cli.failures import INTERRUPTED, error_text
from zen_core.cli.output import format_seconds, is_terminal, print_json, short_id, terminal
from zen_core.cli.progress import LiveProgress, PlainProgress, SilentProgress
from zen_core.errors import AdapterError, StoreError, UsageError, ZenError

if TYPE_CHECKING:
    from zen_core.adapter.protocol import RunningAdapter, RunOutcome, RunRequest
    from zen_core.contract.settings import Settings

_FAILED = 1
_LOGS_NAMED = 3


@click.command()
@click.argument("pipeline", shell_complete=complete_pipelines)
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="Set a parameter; repeatable.")
@click.option("--no-cache", is_flag=True, help="Execute every step, whatever results there are.")
@click.option(
    "--refresh",
    multiple=True,
    metavar="STEP",
    shell_complete=complete_steps,
    help="Execute this step anew; repeatable.",
)
@click.option(
    "--only", metavar="STEP", shell_complete=complete_steps, help="Run this step alone, on what the latest run left."
)
@click.option(
    "--from", "from_step", metavar="STEP", shell_complete=complete_steps, help="Run this step and all after it."
)
@click.option("--debug", is_flag=True, help="One step at a time, in the main thread: breakpoint() works.")
@click.option("--no-sync", is_flag=True, help="Leave MLflow to a later 'zen sync'.")
@json_option
@click.pass_obj
def run(
    context: CliContext,
    pipeline: str,
    params: Sequence[str],
    no_cache: bool,
    refresh: Sequence[str],
    only: str | None,
    from_step: str | None,
    debug: bool,
    no_sync: bool,
    as_json: bool,
) -> None:
    """Run a pipeline on this machine.

    PIPELINE is path/to/file.py:name or package.module:name. A step whose result is there already is not run
    again.
    """
    if only and from_step:
        raise UsageError("--only and --from exclude one another", hint="leave one of them out")
    parameters = parse_params(params)
    settings = context.local_settings()
    if no_sync:
        settings = replace(settings, mlflow_sync="off")
    engine = _engine()
    request = replace(
        _prepare(pipeline, settings, engine),
        parameters=parameters,
        texts=frozenset(parameters),
        no_cache=no_cache,
        refresh=frozenset(refresh),
        only=only,
        from_step=from_step,
        debug=debug,
    )
    outcome, progress = _run(engine, request, as_json=as_json)
    _report(outcome, progress, settings, as_json=as_json)
    if isinstance(outcome.error, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    if outcome.status != "completed":
        sys.exit(_FAILED)


def parse_params(texts: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` texts by name; the values stay texts. Raises UsageError for all that are none."""
    from zen_core.diagnostics import Diagnostic

    values: dict[str, str] = {}
    problems = []
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name:
            problems.append(Diagnostic("ZEN-U102", f"--param {text!r} is no NAME=VALUE", hint="write --param depth=5"))
        elif name in values:
            problems.append(Diagnostic("ZEN-U102", f"--param {name} is given twice", hint="leave one of them out"))
        values[name] = value
    if problems:
        raise UsageError(diagnostics=problems)
    return values


def _engine() -> RunningAdapter:
    from zen_core.adapter.protocol import RunningAdapter
    from zen_core.adapter.registry import load_adapter
    from zen_core.authoring.execution import LOCAL_ADAPTER

    engine = load_adapter(LOCAL_ADAPTER)
    if not isinstance(engine, RunningAdapter):
        raise AdapterError(f"the adapter {LOCAL_ADAPTER!r} is no engine", hint="install zen-core again")
    return engine


def _prepare(reference: str, settings: Settings, engine: RunningAdapter) -> RunRequest:
    from zen_core.adapter.protocol import RunRequest
    from zen_core.authoring.loading import load_pipeline
    from zen_core.compiler.compile import check_target, find_code
    from zen_core.compiler.manifest import build_manifest

    built = load_pipeline(reference, settings).build(settings)
    options, waived = check_target(built.spec, engine, settings)
    if waived:
        click.echo(f"left out here, as zen.toml says: {', '.join(feature.value for feature in waived)}", err=True)
    code = find_code(built.spec, built.functions, settings)
    manifest = build_manifest(built.spec, built.functions, settings, code=code)
    return RunRequest(manifest=manifest, functions=built.functions, settings=settings, code=code, options=options)


def _run(engine: RunningAdapter, request: RunRequest, *, as_json: bool) -> tuple[RunOutcome, SilentProgress]:
    progress = _progress(debug=request.debug, as_json=as_json)
    with _clean_stdout(as_json):
        try:
            outcome = engine.run(replace(request, observer=progress))
            if isinstance(progress, LiveProgress):
                progress.explain(_read_reasons(outcome.run_id, request.settings))
        finally:
            progress.close()
    return outcome, progress


def _progress(*, debug: bool, as_json: bool) -> SilentProgress:
    stream_is_terminal = sys.stderr.isatty() if as_json else is_terminal()
    # A debugger writes to the same terminal: nothing may move in place beneath it.
    if stream_is_terminal and not debug:
        return LiveProgress(terminal(stderr=as_json))
    if as_json and not stream_is_terminal:
        return SilentProgress()
    # With a debugger at work the steps print for themselves.
    return PlainProgress(sys.stderr if as_json else sys.stdout, with_output=not debug)


@contextlib.contextmanager
def _clean_stdout(as_json: bool) -> Iterator[None]:
    """With --json nothing but the document may reach the standard output, whatever a step or a library prints."""
    if not as_json:
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _report(outcome: RunOutcome, progress: SilentProgress, settings: Settings, *, as_json: bool) -> None:
    recorded = _read_back(outcome.run_id, settings)
    if as_json:
        print_json(recorded.to_json() if recorded is not None else _unrecorded_document(outcome, progress))
        return
    interrupted = isinstance(outcome.error, KeyboardInterrupt)
    if outcome.error is not None and not interrupted:
        click.echo(f"\n{_traceback(outcome)}\n", err=True)
    took = f" in {format_seconds(progress.seconds)}" if progress.seconds else ""
    run = short_id(outcome.run_id)
    failed = [step for step, status in progress.status_by_step.items() if status == "failed"]
    lines = [f"run {run} {outcome.status}{took}: {progress.counts() or 'no steps'}"]
    if recorded is None:
        lines.append("  the lineage store is away: the facts wait in the spool for 'zen sync'")
    elif failed:
        lines += [f"  zen logs {run} {step}  shows what it printed" for step in failed[:_LOGS_NAMED]]
        lines += [f"  … and {len(failed) - _LOGS_NAMED} more" for _ in failed[_LOGS_NAMED : _LOGS_NAMED + 1]]
    else:
        lines.append(f"  zen show {run}  shows what it made")
    click.echo("\n".join(lines), err=outcome.error is not None)


def _read_reasons(run_id: str, settings: Settings) -> dict[str, str]:
    """Why each step ran, or did not, in a few words."""
    recorded = _read_back(run_id, settings)
    return {} if recorded is None else {step.label: step.cache_reason for step in recorded.steps}


def _read_back(run_id: str, settings: Settings) -> Any:
    """The run as it was recorded; None where the lineage store is away, and the facts are still in the spool."""
    from zen_core.client import Client

    client = click.get_current_context().with_resource(Client(settings))
    try:
        return client.run(run_id)
    except StoreError:
        return None


def _unrecorded_document(outcome: RunOutcome, progress: SilentProgress) -> dict[str, Any]:
    steps = [{"name": step, "status": status} for step, status in progress.status_by_step.items()]
    return {"run_id": outcome.run_id, "status": outcome.status, "steps": steps}


def _traceback(outcome: RunOutcome) -> str:
    """What the step raised. An error of Zen that no line of the user's raised is told as all of them are."""
    if isinstance(outcome.error, ZenError) and "Traceback (most recent call last)" not in outcome.traceback:
        return error_text(outcome.error.diagnostics)
    return outcome.traceback.rstrip("\n")
