"""What an engine asks of the shim, and what it gets back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from zen_core.contract.context import StepFailure
from zen_core.contract.manifest import PipelineManifest
from zen_core.contract.refs import NO_VALUE, ArtifactRef
from zen_metadata.lineage.records import ArtifactRecord, RunRecord


@dataclass(frozen=True)
class StepCall:
    """One attempt at one step, as an engine asks for it.

    Attributes:
        run: the run, with effective parameters; what the store has of it wins.
        upstream: the refs that earlier tasks returned, by step and output.
        look_up: whether a recorded result may be used, and the work be shared with other workers.
        executes_for: why not, where it may not: the run asked to execute, or the orchestrator did.
        own_process: whether this process runs nothing else: signals and MLflow's state are then the step's own.
        debug: run the user's code in this very thread, whatever its timeout, so that a debugger works.
        number: the engine's own count of attempts, for when the store is away.
        function: the user's function where it is loaded already.
        code_root: the folder that the code must come from.
        on_output: told each line that the step prints.
        pass_output: whether what the step prints also goes to this process's own streams.
        on_start: told when the user's code begins.
        max_elements: for an expander: how many elements the target takes, all chunks together.
        limit_name: the setting that says so, as a message names it.
        failures: for a hook: what failed.
        interrupts: exceptions by which the engine ends a step that is going on: it is then cancelled, not failed.
    """

    manifest: PipelineManifest
    step: str
    run: RunRecord
    upstream: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    map_index: int | None = None
    look_up: bool = True
    executes_for: Literal["refresh", "cleared"] = "refresh"
    own_process: bool = False
    debug: bool = False
    number: int = 1
    function: Callable[..., Any] | None = None
    importable: bool = True
    code_root: Path | None = None
    log_url: str = ""
    engine: Mapping[str, Any] = field(default_factory=dict)
    on_output: Callable[[str], None] | None = None
    pass_output: bool = False
    on_start: Callable[[RunningStep], None] | None = None
    max_elements: int | None = None
    limit_name: str = ""
    failures: tuple[StepFailure, ...] = ()
    interrupts: tuple[type[BaseException], ...] = (KeyboardInterrupt,)


@dataclass(frozen=True, slots=True)
class RunningStep:
    """An attempt whose work is going on; `cancel` records it as cancelled and ends its child process, if it has one."""

    number: int
    cancel: Callable[[], None]


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a task hands on: the refs by output name, and how they came about."""

    status: Literal["completed", "cached"]
    refs: Mapping[str, dict[str, Any]]
    attempt: int = 1


def refs_of(records: Mapping[str, ArtifactRecord]) -> dict[str, dict[str, Any]]:
    """What a task hands on for recorded outputs."""
    return {
        name: ArtifactRef(
            record.artifact_id,
            record.digest,
            record.type,
            record.inline_value if record.has_inline_value else NO_VALUE,
        ).to_json()
        for name, record in records.items()
    }
