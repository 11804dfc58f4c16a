"""What an emitted container runs: `python3 -m zen_kfp.runtime COMMAND STEP IR MANIFEST EXECUTOR_INPUT VARIABLE...`.

Needs neither kfp nor Kubernetes. Manifest and code come from the artifact store, whose address is in the environment.
KFP hands no refs over: what a step reads is found in the lineage store, by run and step.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from zen_core.contract.bindings import iter_outputs
from zen_core.contract.manifest import PipelineManifest
from zen_core.contract.settings import Settings, load_settings
from zen_core.diagnostics import render_all
from zen_core.errors import ShimError, StepSkipped, ZenError
from zen_metadata.lineage.records import RunRecord, StepRunOutputs
from zen_metadata.query.rules import DONE
from zen_metadata.shim.closing import close_run
from zen_metadata.shim.elements import find_result, find_results
from zen_metadata.shim.mapping import run_elements, tasks_of
from zen_metadata.shim.masking import remember_secret
from zen_metadata.shim.run_step import StepCall, refs_of, run_step
from zen_metadata.shim.runs import new_run
from zen_metadata.shim.sidecar import fetch_sidecar
from zen_metadata.shim.workspace import Workspace, open_workspace

Refs = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Given:
    """What KFP gives a task: `{{$}}`, its executor input."""

    values: Mapping[str, Any]
    output_files: Mapping[str, Path]

    @classmethod
    def read(cls, text: str) -> Given:
        """From the JSON text."""
        document = json.loads(text)
        outputs = document.get("outputs", {}).get("parameters", {})
        return cls(
            document.get("inputs", {}).get("parameterValues", {}),
            {name: Path(item["outputFile"]) for name, item in outputs.items()},
        )

    def write(self, name: str, value: str) -> None:
        """Hand an output over."""
        path = self.output_files[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value, encoding="utf-8")


class Task:
    """One task of a run, and the stores that it works on. To be closed."""

    def __init__(self, manifest: PipelineManifest, settings: Settings, code_root: Path | None, given: Given) -> None:
        self.given = given
        self._manifest = manifest
        self._settings = settings
        self._code_root = code_root
        self.workspace: Workspace = open_workspace(settings, remote=True)

    def run(self, step: str) -> Refs:
        """Run a step, unless it is done in this run: KFP starts a task again whose pod was lost at its very end."""
        earlier = find_result(self.workspace, self._run.run_id, step)
        if earlier is not None and self._is_whole(earlier):
            print(f"{step} is done in this run")
            return refs_of(earlier.outputs)
        return run_step(self._call(step), self.workspace).refs

    def run_part(self, step: str) -> None:
        """Run the elements of one part of a map that are not done in this run."""
        part, size = int(self.given.values["zen_part"]), self._manifest.steps[step].chunk
        indexes = range(part * size, (part + 1) * size)
        # KFP does not say which attempt this is: the store does.
        again = bool(find_results(self.workspace, self._run.run_id, step, indexes))
        run_elements(self._call(step, number=2 if again else 1), self.workspace, chunk=part)

    def parts(self, refs: Refs, expander: str) -> list[str]:
        """The numbers of a map's parts, as texts: KFP would make floats of numbers."""
        chunk = next((item.chunk for item in self._manifest.steps.values() if item.expander == expander), 1)
        return [str(part) for part in tasks_of(refs, chunk)]

    def end(self) -> None:
        """Close the run: replay what was spooled, record how it ended, run the hooks, and hand it on to MLflow."""
        close_run(self.workspace, self._run, self._manifest, code_root=self._code_root)

    def close(self) -> None:
        """Close the stores."""
        self.workspace.close()

    @cached_property
    def _run(self) -> RunRecord:
        key = str(self.given.values["zen_run"])
        overrides, texts = read_parameters(self._manifest, self.given.values)
        endpoint = str(self._settings.adapters.get("kfp", {}).get("endpoint") or "").rstrip("/")
        return new_run(
            self._manifest,
            self._settings,
            orchestrator="kfp",
            run_key=key,
            overrides=overrides,
            texts=texts,
            tick=read_tick(self.given.values.get("zen_tick")),
            run_url=f"{endpoint}/#/runs/details/{key}" if endpoint else "",
            engine={"run_id": key},
        )

    def _call(self, step: str, number: int = 1) -> StepCall:
        return StepCall(
            manifest=self._manifest,
            step=step,
            run=self._run,
            upstream=self._upstream(step),
            own_process=True,
            number=number,
            code_root=self._code_root,
            engine={"run_id": self._run.run_key, "pod": os.environ.get("HOSTNAME", "")},
            pass_output=True,
        )

    def _upstream(self, step: str) -> dict[str, Refs]:
        """The refs of what the step reads, as other engines hand them over."""
        steps = self._manifest.steps
        read = {output.step for item in steps[step].inputs for output in iter_outputs(item.binding)}
        found: dict[str, Refs] = {}
        for name in sorted(read):
            result = None if steps[name].expander else find_result(self.workspace, self._run.run_id, name)
            if result is not None and result.status in DONE:
                found[name] = refs_of(result.outputs)
        return found

    def _is_whole(self, result: StepRunOutputs) -> bool:
        artifacts = self.workspace.artifacts
        return result.status in DONE and all(artifacts.exists(item.location) for item in result.outputs.values())


def read_parameters(manifest: PipelineManifest, values: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """The parameters of a run, and which of them are texts that are still to be read by their declared type.

    KFP's form holds JSON; what a person entered that is none, such as an unquoted word, is a text.
    """
    found: dict[str, Any] = {}
    texts = set()
    for name, parameter in manifest.parameters.items():
        if name not in values:
            continue
        text = str(values[name])
        try:
            found[name] = json.loads(text, parse_constant=_refuse_constant)
        except ValueError:
            found[name] = text
            texts.add(name)
        if parameter.type == "str" and type(found[name]) is not str:
            found[name] = text
    return found, frozenset(texts)


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def read_tick(text: Any) -> datetime:
    """The time that KFP says the run was scheduled at.

    Where it says none, now: the first task that records the run decides for the others.
    """
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00")).astimezone(UTC)
    except ValueError:
        return datetime.now(UTC)


def main(arguments: Sequence[str]) -> int:
    """Do what the container was started for. Returns the exit code; what went wrong is on standard error."""
    command, step, ir_digest, manifest_digest, executor_input, *variables = arguments
    for variable in variables:
        if value := os.environ.get(variable):
            remember_secret(value)
    given = Given.read(executor_input)
    mask: Callable[[str], str] = str
    try:
        manifest, code_root = fetch_sidecar(_artifact_url(), ir_digest, manifest_digest)
        task = Task(manifest, load_settings(code_root), code_root, given)
        mask = task.workspace.mask
        try:
            _do(task, command, step)
        finally:
            task.close()
    except ZenError as error:
        print(mask(render_all(error.diagnostics)), file=sys.stderr)
        return 1
    except Exception:
        print(mask(traceback.format_exc()), file=sys.stderr, end="")
        return 1
    return 0


def _do(task: Task, command: str, step: str) -> None:
    try:
        if command == "end":
            task.end()
        elif command == "part":
            task.run_part(step)
        elif command == "gate":
            task.given.write("zen_taken", "true" if task.run(step)["taken"]["value"] else "false")
        elif command == "expand":
            task.given.write("zen_parts", json.dumps(task.parts(task.run(step), step)))
        else:
            task.run(step)
    except StepSkipped as skipped:
        print(f"skipped: {skipped}")
        # Neither branch runs then, and no part of a map.
        for name in task.given.output_files:
            task.given.write(name, "[]" if name == "zen_parts" else "skipped")


def _artifact_url() -> str:
    url = os.environ.get("ZEN_ARTIFACT_URL", "")
    if not url:
        raise ShimError(
            "a task needs the address of the artifact store",
            code="ZEN-S108",
            where="ZEN_ARTIFACT_URL",
            why="it takes the manifest and the code from there",
            hint="name it in [adapters.kfp.env], or a Kubernetes secret in [adapters.kfp.credentials]",
        )
    return url


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
