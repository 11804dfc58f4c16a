"""The Dagster adapter: what it can express, and the file it emits."""

from __future__ import annotations

from collections.abc import Iterator

from zen_core.adapter.features import NATIVE, Feature, Support, SupportTable, lowered, unsupported
from zen_core.adapter.options import AdapterOptions
from zen_core.adapter.protocol import (
    ADAPTER_API_VERSION,
    Check,
    Deployment,
    DeployRequest,
    EmissionRequest,
    EmittedFile,
)
from zen_core.contract.settings import Settings
from zen_core.diagnostics import Diagnostic
from zen_core.ir.specs import PipelineSpec
from zen_dagster import deploying
from zen_dagster.emission import emit_job
from zen_dagster.lowering import lower_pipeline
from zen_dagster.options import DagsterOptions


class DagsterAdapter:
    """Emits one definitions module with an ops job."""

    name = "dagster"
    api_version = ADAPTER_API_VERSION
    versions = "1.13"
    packages = ("dagster",)
    options_model: type[AdapterOptions] = DagsterOptions

    def support(self, options: AdapterOptions) -> SupportTable:
        """How Dagster stands to every feature; sizes and images depend on the executor."""
        assert isinstance(options, DagsterOptions)
        found = dict(_SUPPORT)
        if options.executor == "kubernetes":
            found |= dict.fromkeys((Feature.RESOURCES, Feature.GPU, Feature.IMAGE), NATIVE)
            found |= dict.fromkeys((Feature.MAX_PARALLEL, Feature.MAP_MAX_PARALLEL), _OF_THE_EXECUTOR)
        if options.queue_limited:
            found[Feature.SCHEDULE_OVERLAP_QUEUE] = lowered("the instance's run queue, by the tag zen/pipeline")
        return found

    def emit(self, request: EmissionRequest) -> tuple[EmittedFile, ...]:
        """The definitions module."""
        assert isinstance(request.options, DagsterOptions)
        job = lower_pipeline(request.pipeline, request.options, waived=request.waived)
        digest = request.pipeline.digest
        text = emit_job(job, zen_version=request.zen_version, ir_digest=digest, waived=request.waived)
        return (EmittedFile(f"{job.name}.py", text.encode()),)

    def sidecar_folder(self, pipeline: PipelineSpec) -> str:
        """`NAME.zen`, beside `NAME.py`."""
        return f"{pipeline.name}.zen"

    def find_deployment_problems(self, request: DeployRequest) -> tuple[Diagnostic, ...]:
        """A folder or a webserver that cannot be used."""
        return deploying.find_problems(request)

    def deploy(self, request: DeployRequest) -> Deployment:
        """Write the job's files into the project's defs folder, and have the code location loaded again."""
        return deploying.deploy(self, request)

    def examine(self, options: AdapterOptions, settings: Settings) -> Iterator[Check]:
        """The installed Dagster, the defs folder, and the webserver."""
        assert isinstance(options, DagsterOptions)
        yield from deploying.examine(self, options, settings)


_NEEDS_KUBERNETES = unsupported(
    'only an executor with a pod for each op places it: [adapters.dagster] executor = "kubernetes"'
)
_OF_THE_EXECUTOR = unsupported("with pods for ops, how many run at once is configured at the deployment's executor")
_CHECKED = lowered("the shim checks the op's environment before the step starts")
_CLOSING = lowered("run by the op that ends last; it never changes how the run ended")
_SUPPORT: dict[Feature, Support] = {
    Feature.PARAMETERS: lowered("the config of one resource, with the defaults; Dagster converts nothing"),
    Feature.SCHEDULED_TIME: lowered("the shim takes the tick from the run's tag"),
    Feature.MULTIPLE_OUTPUTS: lowered("Dagster keeps the order; the outputs are in Zen's stores"),
    Feature.COLLECTED_INPUTS: lowered("Dagster keeps the order; the shim builds the list or dict"),
    Feature.ORDERING: NATIVE,
    Feature.MAP: lowered("a dynamic output of the elements' numbers; an empty list has one part that does nothing"),
    Feature.MAP_ZIP: lowered("the expander's op checks the lengths"),
    Feature.MAP_CHAIN: NATIVE,
    Feature.MAP_OF_MAP: lowered("a second dynamic output, after the first is collected"),
    Feature.MAP_CHUNK: lowered("an op runs the elements of one part"),
    Feature.MAP_CHUNK_CHAIN: unsupported(
        "after an op that failed for one element, Dagster runs nothing for the others"
    ),
    Feature.MAP_MAX_PARALLEL: lowered("a tag limit of the multiprocess executor, which the job then has"),
    Feature.CONDITION: lowered("an op with two optional outputs"),
    Feature.OTHERWISE: lowered("the other of the two optional outputs"),
    Feature.EITHER: lowered("an input that waits for several ops, of which one must have run"),
    Feature.NESTED_CONDITION: lowered("an op with optional outputs in a branch of another"),
    Feature.MAP_IN_BRANCH: NATIVE,
    Feature.EXTERNAL_ARTIFACT: lowered("the shim finds it in the lineage store, once per run"),
    Feature.SECRET: lowered("from the op's environment"),
    Feature.RETRY: NATIVE,
    Feature.RETRY_BACKOFF: lowered("EXPONENTIAL: the delays grow a little faster than by doubling"),
    Feature.RETRY_BACKOFF_FACTOR: unsupported("Dagster can double the delay between attempts, and no other factor"),
    Feature.TIMEOUT: lowered("the shim ends the attempt: Dagster has no timeout of an op"),
    Feature.RESOURCES: _NEEDS_KUBERNETES,
    Feature.GPU: _NEEDS_KUBERNETES,
    Feature.IMAGE: _NEEDS_KUBERNETES,
    Feature.REQUIREMENTS: _CHECKED,
    Feature.PYTHON_VERSION: _CHECKED,
    Feature.MAX_PARALLEL: lowered("max_concurrent of the multiprocess executor, which the job then has"),
    Feature.ON_FAILURE: _CLOSING,
    Feature.ON_SUCCESS: _CLOSING,
    Feature.SCHEDULE: NATIVE,
    Feature.SCHEDULE_TIMEZONE: NATIVE,
    Feature.SCHEDULE_OVERLAP_QUEUE: unsupported(
        "a limit of runs is a setting of the instance: give its run queue tag_concurrency_limits "
        "[{key: zen/pipeline, value: {applyLimitPerUniqueValue: true}, limit: 1}], and say so: "
        "[adapters.dagster] queue_limited = true"
    ),
    Feature.SCHEDULE_OVERLAP_SKIP: lowered("the schedule asks for runs that are going on, and skips the tick"),
    Feature.SCHEDULE_OVERLAP_ALLOW: NATIVE,
    Feature.SCHEDULE_CATCH_UP: unsupported("a Dagster schedule does not run the ticks that it missed"),
    Feature.TAGS: lowered("one tag zen/tags of the run, and of the op, that holds them as a list"),
}
