"""A small engine for hand-made pipelines: it starts steps in order and hands refs on, as every orchestrator does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from zen_core.contract.manifest import CodeFingerprint, PipelineManifest
from zen_core.contract.settings import Settings
from zen_core.errors import StepSkipped
from zen_core.ir.specs import CacheSpec, InputSpec, OutputSpec, ParameterSpec, PipelineSpec, StepSpec
from zen_core.ir.validation import validate
from zen_metadata.lineage.records import RunRecord
from zen_metadata.query import Client
from zen_metadata.query.runs import Run
from zen_metadata.shim.closing import close_run
from zen_metadata.shim.mapping import run_elements, tasks_of
from zen_metadata.shim.run_step import StepCall, run_step
from zen_metadata.shim.runs import new_run
from zen_metadata.shim.workspace import Workspace, open_workspace


def code(name: str, function: Callable[..., Any], /, **inputs: Any) -> StepSpec:
    """A step of a function in the test; `_` begins what is no input."""
    options = {key[1:]: inputs.pop(key) for key in list(inputs) if key.startswith("_")}
    outputs = options.pop("outputs", ("result",))
    options.setdefault("cache", CacheSpec(enabled=False))
    _FUNCTIONS[f"tests:{name}"] = function
    return StepSpec(
        name=name,
        entry_point=f"tests:{name}",
        inputs=tuple(InputSpec(name=port, type="Any", binding=binding) for port, binding in inputs.items()),
        outputs=tuple(OutputSpec(name=output, type="Any") for output in outputs),
        **options,
    )


_FUNCTIONS: dict[str, Callable[..., Any]] = {}


class Engine:
    """Runs pipelines in one project."""

    def __init__(self, root: Path) -> None:
        self.settings = replace(Settings(root=root, project="demo").with_local_defaults(), mlflow_tracking_uri="")
        self.workspace = self.open()
        self.client = Client(self.settings)
        self.functions = _FUNCTIONS
        self.failures: dict[str, BaseException] = {}
        self._keys = itertools.count()
        self._manifest: PipelineManifest | None = None
        self._run: RunRecord | None = None

    def open(self) -> Workspace:
        return open_workspace(self.settings, remote=False)

    @property
    def manifest(self) -> PipelineManifest:
        assert self._manifest is not None
        return self._manifest

    @property
    def record(self) -> RunRecord:
        assert self._run is not None
        return self._run

    def begin(
        self,
        *steps: StepSpec,
        hooks: tuple[StepSpec, ...] = (),
        parameters: dict[str, Any] | None = None,
        name: str = "shapes",
    ) -> None:
        """A new run of these steps. `parameters` are the values by name."""
        declared = tuple(ParameterSpec(name=key, type="Any", required=True) for key in parameters or {})
        spec = PipelineSpec(name=name, steps=steps, hooks=hooks, parameters=declared)
        assert validate(spec) == []
        self._manifest = PipelineManifest(
            project="demo",
            pipeline=name,
            zen_version="0.1.0",
            ir_digest=spec.digest,
            code_digest="sha256:c0de",
            code="local",
            ir=spec.to_json(),
            fingerprints={
                step.name: CodeFingerprint(f"sha256:{step.entry_point}", "function")
                for step in (*steps, *hooks)
                if step.entry_point
            },
        )
        self._run = new_run(
            self._manifest,
            self.settings,
            orchestrator="local",
            run_key=str(next(self._keys)),
            overrides=parameters or {},
            tick=datetime.now(UTC),
        )
        self.refs: dict[str, dict[str, Any]] = {}
        self.failures = {}

    def call(self, step: str, **facts: Any) -> StepCall:
        entry_point = self.manifest.steps[step].entry_point
        facts.setdefault("upstream", self.refs)
        facts.setdefault("function", _FUNCTIONS.get(entry_point))
        facts.setdefault("importable", False)
        return StepCall(manifest=self.manifest, step=step, run=self.record, **facts)

    def start(self, step: str, **facts: Any) -> None:
        """Start a step, whole map and all; what it raises is kept in `failures`."""
        described = self.manifest.steps[step]
        if described.expander and described.expander not in self.refs:
            return
        chunks = tasks_of(self.refs[described.expander], described.chunk) if described.expander else [None]
        for chunk in chunks:
            try:
                if chunk is not None:
                    run_elements(self.call(step, **facts), self.workspace, chunk=chunk)
                    continue
                result = run_step(self.call(step, **facts), self.workspace)
                self.refs[step] = {name: dict(ref) for name, ref in result.refs.items()}
            except (Exception, StepSkipped) as error:
                self.failures.setdefault(step, error)

    def run(self, *steps: StepSpec, close: bool = True, **facts: Any) -> Run:
        """Run a pipeline to its end, starting every step whatever became of those before."""
        self.begin(*steps, **facts)
        for step in steps:
            self.start(step.name)
        if close:
            self.close()
        return self.shown

    def close(self, **facts: Any) -> Any:
        return close_run(self.workspace, self.record, self.manifest, functions=_FUNCTIONS, pass_output=False, **facts)

    @property
    def shown(self) -> Run:
        return self.client.run(self.record.run_id)

    @property
    def statuses(self) -> dict[str, str]:
        return {step.label: step.status for step in self.shown.steps}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path)
    yield made
    made.workspace.close()
    made.client.close()


@pytest.fixture
def make_code() -> Callable[..., StepSpec]:
    """Makes a step of a function in the test."""
    return code
