"""Emits a module that only holds the plan of a pipeline, for an imaginary orchestrator that reads it."""

from zen_core.adapter.features import NATIVE, Feature, lowered, unsupported
from zen_core.adapter.options import AdapterOptions
from zen_core.adapter.protocol import ADAPTER_API_VERSION, EmittedFile
from zen_core.codegen.bundle import EMITTED_BY
from zen_core.codegen.literals import py_literal
from zen_core.ir.graph import waits_of

LACKING = {
    Feature.RETRY_BACKOFF_FACTOR: "the toy cannot count",
    Feature.SCHEDULE_CATCH_UP: "the toy has no memory",
    Feature.GPU: "the toy is too small",
}


class ToyAdapter:
    name = "toy"
    api_version = ADAPTER_API_VERSION
    versions = "1"
    options_model = AdapterOptions

    def support(self, options):
        table = dict.fromkeys(Feature, NATIVE)
        table[Feature.EITHER] = lowered("the toy chooses")
        return {**table, **{feature: unsupported(why) for feature, why in LACKING.items()}}

    def emit(self, request):
        pipeline = request.pipeline
        steps = {step.name: self._step(step) for step in pipeline.steps}
        defaults = {p.name: p.default for p in pipeline.parameters if not p.required}
        required = [p.name for p in pipeline.parameters if p.required]
        text = f'''"""A toy plan, {EMITTED_BY} {request.zen_version}.

Pipeline: {pipeline.name}
IR: {pipeline.digest}
"""

STEPS = {py_literal(steps)}
DEFAULTS = {py_literal(defaults)}
REQUIRED = {py_literal(required)}
TAGS = {py_literal(list(pipeline.tags))}
'''
        return (EmittedFile(f"{pipeline.name}.py", text.encode()),)

    def sidecar_folder(self, pipeline):
        return f"{pipeline.name}.zen"

    @staticmethod
    def _step(step):
        return {
            "upstream": list(waits_of(step)),
            "retries": step.retry.times if step.retry else 0,
            "delay": step.retry.delay_seconds if step.retry else 0.0,
            "branch": [step.when.gate, step.when.taken] if step.when else None,
            "mapped": step.map is not None,
            "max_parallel": step.map.max_parallel if step.map else None,
        }
