"""What a container of an emitted KFP pipeline runs: reads its arguments, and takes the step down the shim's road.

    python3 -m zen_kfp.runtime run-step train --manifest=… --ir=… --run=… --refs=load={…} --to=PATH

Each argument is one text with its value, since KFP puts values of its own and of users into them. What is handed on is
written to a file that KFP reads: refs, a condition's answer, or the parts of a map.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from zen_core.contract.bindings import iter_outputs
from zen_core.contract.manifest import PipelineManifest
from zen_core.contract.settings import Settings, load_settings
from zen_core.contract.values import TAG
from zen_core.diagnostics import Diagnostic, render_all
from zen_core.errors import ShimError, StepSkipped, ZenError
from zen_kfp.values import to_text
from zen_metadata.lineage.records import RunRecord
from zen_metadata.query.rules import ANSWERS, DONE
from zen_metadata.shim.calls import StepCall, refs_of
from zen_metadata.shim.elements import find_result
from zen_metadata.shim.masking import remember_secret, secret_masker
from zen_metadata.shim.runs import new_run
from zen_metadata.shim.sidecar import fetch_sidecar
from zen_metadata.shim.workspace import Workspace, open_workspace

UI_VARIABLE = "ZEN_KFP_URL"
"""The environment variable that says where KFP's UI is; `options`, which takes longer to import, has it too."""
_RETRY_VARIABLE = "KFP_RETRY_INDEX"
"""Where newer versions of KFP say how often the task was tried before."""
_log = logging.getLogger("zen")

Refs = Mapping[str, Mapping[str, Any]]


class Terminated(SystemExit):
    """KFP, or whoever runs the container, asked it to end."""


@dataclass(frozen=True)
class Arguments:
    """What the emitted pipeline says to a container.

    Attributes:
        command: run-step, ask, expand, run-part or end-run.
        manifest: the digest of the manifest, hexadecimal.
        ir: the IR that the emitted file was made from.
        run: KFP's id of the run.
        refs: what the steps before handed over, by step, as text.
        parameters: the run's parameters, by name, as text.
        secrets: names of environment variables whose values are masked in what is printed.
        to: the file that KFP reads an output from.
        part: of a mapped step: which part.
    """

    command: str
    step: str
    manifest: str
    ir: str
    run: str
    refs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    to: str = ""
    part: int = 0

    @classmethod
    def read(cls, arguments: Sequence[str]) -> Arguments:
        """Read the command line. Raises ShimError for one that no emitted pipeline has."""
        words = [item for item in arguments if not item.startswith("--")]
        found: dict[str, Any] = {"refs": {}, "parameters": {}}
        try:
            for item in arguments:
                if item.startswith("--"):
                    name, _, value = item.removeprefix("--").partition("=")
                    if name in ("refs", "parameter"):
                        key, _, text = value.partition("=")
                        found["refs" if name == "refs" else "parameters"][key] = text
                    elif name == "secrets":
                        found[name] = tuple(value.split(","))
                    else:
                        found[name] = int(value) if name == "part" else value
            return cls(command=words[0], step="".join(words[1:2]), **found)
        except (IndexError, TypeError, ValueError) as error:
            raise ShimError(
                "these are not the arguments of an emitted pipeline",
                why=str(error),
                hint="only KFP calls this, with what `zen compile --for kfp` wrote",
            ) from error

    @property
    def handed(self) -> dict[str, Refs]:
        """The refs by step; without steps that made none, since they were skipped."""
        found = {step: json.loads(text) for step, text in self.refs.items()}
        return {step: refs for step, refs in found.items() if refs}

    @property
    def overrides(self) -> tuple[dict[str, Any], frozenset[str]]:
        """The parameters' values, and the names of those that are texts to be read by the declared type.

        Only what holds one of Zen's own tags is surely JSON: a default that is neither text, number, list nor object.
        """
        values: dict[str, Any] = {
            name: json.loads(text) if f'"{TAG}"' in text and _is_json(text) else text
            for name, text in self.parameters.items()
        }
        return values, frozenset(name for name, text in self.parameters.items() if values[name] is text)


def main(arguments: Sequence[str]) -> int:
    """Do what the container is for.

    Returns:
        The exit code: 0, also for a step that by the rules of the pipeline does not run; 1 for whatever went wrong,
        which is on standard error, secrets masked.
    """
    mask = secret_masker(Settings())
    try:
        read = Arguments.read(arguments)
        for name in read.secrets:
            remember_secret(os.environ.get(name, ""))
        if read.command == "end-run":
            _end_run(read)
        else:
            _write(read.to, _do(read))
    except ZenError as error:
        print(mask(render_all(error.diagnostics)), file=sys.stderr)
        return 1
    except Exception:
        print(mask(traceback.format_exc()), file=sys.stderr, end="")
        return 1
    return 0


def _end(number: int, frame: object) -> NoReturn:
    raise Terminated(128 + number)


def _do(read: Arguments) -> str:
    """Run the step; the text that is handed on."""
    try:
        with _opened(read) as (call, workspace):
            if read.command == "run-part":
                _run_part(call, workspace, read.part)
                return ""
            refs = _run(call, workspace)
            if read.command == "ask":
                return "true" if refs[ANSWERS["gate"]]["value"] else "false"
            return to_text(_parts(call, refs) if read.command == "expand" else refs)
    except StepSkipped as skipped:
        print(f"zen: {read.step} does not run: {skipped}")
        # Later steps wait for this task, and find in the lineage store that nothing came of it.
        return {"run-step": "{}", "expand": "[]"}.get(read.command, "")


def _run(call: StepCall, workspace: Workspace) -> Refs:
    from zen_metadata.shim.run_step import run_step

    # A container may end between its work and KFP's notice of it; and KFP tries a failed run again from where it was.
    earlier = find_result(workspace, call.run.run_id, call.step)
    if earlier is not None and earlier.status in DONE and _is_there(earlier.outputs.values(), workspace):
        print(f"zen: {call.step} was done earlier in this run")
        return refs_of(earlier.outputs)
    result = run_step(call, workspace)
    print(f"zen: {call.step} {result.status}")
    return result.refs


def _run_part(call: StepCall, workspace: Workspace, part: int) -> None:
    from zen_metadata.shim.mapping import run_elements

    # Older versions of KFP do not say whether the task was tried before: elements that are done are always kept.
    run_elements(replace(call, number=max(call.number, 2)), workspace, chunk=part)


def _parts(call: StepCall, refs: Refs) -> list[str]:
    """The parts of a map, as texts: KFP makes floats of numbers."""
    from zen_metadata.shim.mapping import tasks_of

    chunk = next(step.chunk for step in call.manifest.steps.values() if step.expander == call.step)
    return [str(number) for number in tasks_of(refs, chunk)]


def _is_there(outputs: Any, workspace: Workspace) -> bool:
    return all(item.deleted_at is None and workspace.artifacts.exists(item.location) for item in outputs)


def _end_run(read: Arguments) -> None:
    """Close the run: replay what was spooled, record how it ended, run the hooks, and hand it on to MLflow."""
    from zen_metadata.shim.closing import close_run

    manifest, settings, code_root = _prepare(read)
    workspace = open_workspace(settings, remote=True)
    try:
        close_run(workspace, _run_record(read, manifest, settings), manifest, code_root=code_root)
    finally:
        workspace.close()


@contextmanager
def _opened(read: Arguments) -> Iterator[tuple[StepCall, Workspace]]:
    """The call of a step, and the stores that it runs on."""
    manifest, settings, code_root = _prepare(read)
    run = _run_record(read, manifest, settings)
    workspace = open_workspace(settings, remote=True)
    try:
        yield (
            StepCall(
                manifest=manifest,
                step=read.step,
                run=run,
                upstream=_upstream(read, manifest, workspace, run),
                own_process=True,
                number=_tried_before() + 1,
                code_root=code_root,
                log_url=_page(read.run),
                engine={"run_id": read.run, "pod": os.environ.get("HOSTNAME", "")},
                pass_output=True,
                interrupts=(KeyboardInterrupt, Terminated),
            ),
            workspace,
        )
    finally:
        workspace.close()


def _upstream(read: Arguments, manifest: PipelineManifest, workspace: Workspace, run: RunRecord) -> dict[str, Refs]:
    """The refs of what the step reads: as KFP hands them over; out of branches it does not, and they are recorded."""
    found = read.handed
    bindings = (item.binding for item in manifest.steps[read.step].inputs)
    for name in sorted({output.step for binding in bindings for output in iter_outputs(binding)}):
        if name not in read.refs and not manifest.steps[name].expander:
            result = find_result(workspace, run.run_id, name)
            if result is not None and result.status in DONE:
                found[name] = refs_of(result.outputs)
    return found


def _prepare(read: Arguments) -> tuple[PipelineManifest, Settings, Path | None]:
    # The address of the artifact store is needed before the bundle with the project's settings, and so the stacks, is
    # there: it can only come from the environment.
    artifact_url = os.environ.get("ZEN_ARTIFACT_URL", "")
    if not artifact_url:
        raise ShimError(
            diagnostics=[
                Diagnostic(
                    "ZEN-S108",
                    "a container needs the address of the artifact store, which holds its manifest and code",
                    where="ZEN_ARTIFACT_URL",
                    hint="name it in [adapters.kfp.env], or its Secret in [adapters.kfp.credentials]",
                )
            ]
        )
    manifest, code_root = fetch_sidecar(artifact_url, read.ir, read.manifest)
    return manifest, load_settings(code_root), code_root


def _run_record(read: Arguments, manifest: PipelineManifest, settings: Settings) -> RunRecord:
    overrides, texts = read.overrides
    return new_run(
        manifest,
        settings,
        orchestrator="kfp",
        run_key=read.run,
        overrides=overrides,
        texts=texts,
        # KFP does not tell a task for which tick it runs. The first task of a run records what it says.
        tick=datetime.now(UTC),
        run_url=_page(read.run),
        engine={"run_id": read.run},
    )


def _write(path: str, text: str) -> None:
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")


def _page(run: str) -> str:
    """The page of a run; "" where nobody said where KFP's UI is."""
    address = os.environ.get(UI_VARIABLE, "")
    return f"{address.rstrip('/')}/#/runs/details/{run}" if address else ""


def _tried_before() -> int:
    text = os.environ.get(_RETRY_VARIABLE, "")
    return int(text) if text.isdigit() else 0


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    # A container's first process ignores SIGTERM unless it says otherwise.
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main(sys.argv[1:]))
