"""What an adapter is: a name, a feature table, and a way to emit files or to run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from zen_core.adapter.features import Feature, SupportTable
from zen_core.adapter.options import AdapterOptions
from zen_core.codegen.bundle import LocalCode
from zen_core.contract.manifest import PipelineManifest
from zen_core.contract.settings import Settings
from zen_core.diagnostics import Diagnostic
from zen_core.ir.specs import PipelineSpec

ADAPTER_API_VERSION = 1


@runtime_checkable
class Adapter(Protocol):
    """Translates the IR for one orchestrator. Reads nothing but the IR. Its class takes no arguments."""

    name: str
    """The name on the command line and in `[adapters.NAME]`."""
    api_version: int
    """The `ADAPTER_API_VERSION` it was written for."""
    versions: str
    """The versions of the orchestrator that it is tested with, for people."""
    options_model: type[AdapterOptions]

    def support(self, options: AdapterOptions) -> SupportTable:
        """How the target stands to every feature, under these options."""


@dataclass(frozen=True, slots=True)
class EmissionRequest:
    """What an adapter gets to emit a pipeline from."""

    pipeline: PipelineSpec
    zen_version: str
    options: AdapterOptions
    waived: tuple[Feature, ...] = ()
    """Features that the pipeline uses, the target lacks, and the project waives: named in the emitted header."""


@dataclass(frozen=True, slots=True)
class EmittedFile:
    """One file, its path relative to the output folder, in POSIX form."""

    path: str
    content: bytes


@runtime_checkable
class EmittingAdapter(Adapter, Protocol):
    """An adapter that writes native code."""

    def emit(self, request: EmissionRequest) -> tuple[EmittedFile, ...]:
        """The orchestrator's own files. Manifest and code bundle are added by the compiler, in `sidecar_folder`."""

    def sidecar_folder(self, pipeline: PipelineSpec) -> str:
        """The folder beside the emitted code, relative to the output, that holds manifest and code bundle."""


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """What an adapter gets to hand a compiled pipeline over to its orchestrator.

    Attributes:
        files: all that was compiled: the orchestrator's own files, the manifest and the code bundle.
    """

    pipeline: PipelineSpec
    files: tuple[EmittedFile, ...]
    settings: Settings
    options: AdapterOptions


@dataclass(frozen=True, slots=True)
class Deployment:
    """What was handed over.

    Attributes:
        name: what the orchestrator calls it: a DAG's id, `FLOW/DEPLOYMENT`.
        place: where it went: a folder, the address of an API (without user and password).
        changed: paths of the files that were written or replaced.
        start: the orchestrator's own command that starts a run.
        warnings: what works, and should be known.
    """

    name: str
    place: str
    changed: tuple[str, ...]
    start: str
    warnings: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """What `zen doctor` found out about one component by using it.

    Attributes:
        component: what was used: "lineage store", "prefect server", "DAGs folder".
        detail: what was seen: an address without credentials, a version, how long the round trip took.
        problem: what is wrong with it; None when it works.
        is_warning: whether it works all the same.
    """

    component: str
    detail: str
    problem: Diagnostic | None = None
    is_warning: bool = False


@runtime_checkable
class DeployingAdapter(EmittingAdapter, Protocol):
    """An adapter that can hand over what it emits. Only here may an adapter reach its orchestrator."""

    def find_deployment_problems(self, request: DeployRequest) -> tuple[Diagnostic, ...]:
        """All that would fail later, found without changing anything. Raises AdapterError where it cannot be asked."""

    def deploy(self, request: DeployRequest) -> Deployment:
        """Hand over; all or nothing, and what belongs to others stays. Raises AdapterError."""

    def examine(self, options: AdapterOptions, settings: Settings) -> Iterator[Check]:
        """Use each component of the orchestrator once, and say how that went. Raises nothing for what is wrong."""


class RunObserver(Protocol):
    """Told what an engine does, as it does it; called from any thread, one call at a time.

    An element of a map is told by `STEP[INDEX]`. Errors are told in one line, `ValueError: …`, without secrets.
    """

    def run_started(self, run_id: str, steps: tuple[str, ...]) -> None:
        """A run begins; the steps in topological order."""

    def step_started(self, step: str, attempt: int) -> None:
        """A step's code begins."""

    def map_started(self, step: str, elements: int) -> None:
        """A mapped step begins; its elements are told as `STEP[INDEX]`."""

    def step_retrying(self, step: str, attempt: int, delay_seconds: float, error: str) -> None:
        """An attempt failed and another will follow."""

    def step_finished(self, step: str, status: str, seconds: float, why: str) -> None:
        """A step ended: completed, cached, failed, upstream_failed, skipped, cancelled.

        Args:
            why: the error, or what it was skipped for; "" where there is nothing to say.
        """

    def step_output(self, step: str, text: str) -> None:
        """A line that the step printed."""

    def run_finished(self, status: str, seconds: float) -> None:
        """The run ended."""


@dataclass(frozen=True)
class RunRequest:
    """What an engine gets to run a pipeline from.

    Attributes:
        functions: the step functions by entry point.
        parameters: overrides by name: Python values, or texts as typed on the command line (see `texts`).
        texts: names of those parameters that are texts still to be read by the declared type.
        refresh: steps that execute although a result is there.
        only: run this step alone; what it reads comes from the pipeline's latest run.
        from_step: run this step and all after it; the others come from the latest run.
        debug: serial, in the main thread, without child processes.
        code: what is kept of the project's code, for the record; None where no file holds it.
        pins: the artifacts (their ids) that names of other runs' artifacts stand for in this run, by name.
    """

    manifest: PipelineManifest
    functions: Mapping[str, Callable[..., Any]]
    settings: Settings
    parameters: Mapping[str, Any] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()
    no_cache: bool = False
    refresh: frozenset[str] = frozenset()
    only: str | None = None
    from_step: str | None = None
    debug: bool = False
    options: AdapterOptions = field(default_factory=AdapterOptions)
    observer: RunObserver | None = None
    code: LocalCode | None = None
    pins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        error: the exception of the step that failed first, the user's own where it was one.
        traceback: what people read of it, without frames of Zen and without secrets.
    """

    run_id: str
    status: str
    error: BaseException | None = None
    traceback: str = ""


@runtime_checkable
class RunningAdapter(Adapter, Protocol):
    """An adapter that is an engine itself."""

    def run(self, request: RunRequest) -> RunOutcome:
        """Run to the end. Raises ZenError for what is wrong before the first step; a failed step is an outcome."""
