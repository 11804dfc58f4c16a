"""The KFP adapter: what it can express, and the file it emits."""

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
from zen_kfp import deploying
from zen_kfp.emission import emit_pipeline
from zen_kfp.lowering import lower_pipeline
from zen_kfp.options import KfpOptions


class KfpAdapter:
    """Emits one module in KFP's own language, of container components. KFP's compiler makes YAML of it."""

    name = "kfp"
    api_version = ADAPTER_API_VERSION
    versions = "2.17"
    packages = ("kfp",)
    options_model: type[AdapterOptions] = KfpOptions

    def support(self, options: AdapterOptions) -> SupportTable:
        """How KFP stands to every feature."""
        return _SUPPORT

    def emit(self, request: EmissionRequest) -> tuple[EmittedFile, ...]:
        """The pipeline's module."""
        assert isinstance(request.options, KfpOptions)
        pipeline = lower_pipeline(request.pipeline, request.options, waived=request.waived)
        digest = request.pipeline.digest
        text = emit_pipeline(pipeline, zen_version=request.zen_version, ir_digest=digest, waived=request.waived)
        return (EmittedFile(f"{request.pipeline.name}.py", text.encode()),)

    def sidecar_folder(self, pipeline: PipelineSpec) -> str:
        """`NAME.zen`, beside `NAME.py`."""
        return f"{pipeline.name}.zen"

    def find_deployment_problems(self, request: DeployRequest) -> tuple[Diagnostic, ...]:
        """An API that cannot be used, settings that containers will miss, and a pipeline of that name of others."""
        return deploying.find_problems(request)

    def deploy(self, request: DeployRequest) -> Deployment:
        """Upload the pipeline, and what its containers take from the artifact store."""
        return deploying.deploy(self, request)

    def examine(self, options: AdapterOptions, settings: Settings) -> Iterator[Check]:
        """The installed SDK, and the API."""
        assert isinstance(options, KfpOptions)
        yield from deploying.examine(self, options, settings)


_CHECKED = lowered("the shim checks the container's environment before the step starts")
_CLOSING = lowered("run by the container of the exit handler, which never changes how the run ended")
_SUPPORT: dict[Feature, Support] = {
    Feature.PARAMETERS: lowered("each is a STRING with JSON in it: KFP turns whole numbers into floats"),
    Feature.SCHEDULED_TIME: lowered("a recurring run is given its tick; another run takes the time of its first task"),
    Feature.MULTIPLE_OUTPUTS: lowered("a task has one small STRING output with a ref for each output"),
    Feature.COLLECTED_INPUTS: lowered("the shim builds the list or dict from the refs of the upstream tasks"),
    Feature.ORDERING: NATIVE,
    Feature.MAP: lowered("a ParallelFor over the numbers of the elements; the data stays in the stores"),
    Feature.MAP_ZIP: lowered("the expander's container checks the lengths; KFP loops over numbers"),
    Feature.MAP_CHAIN: lowered("one loop; two, where one of the steps waits for something that the other does not"),
    Feature.MAP_OF_MAP: lowered("a second loop, which begins when the first has ended"),
    Feature.MAP_CHUNK: lowered("KFP loops over parts; the shim runs the elements of one part"),
    Feature.MAP_CHUNK_CHAIN: unsupported(
        "after a container that failed for one element, KFP runs nothing for the others"
    ),
    Feature.MAP_MAX_PARALLEL: NATIVE,
    Feature.CONDITION: lowered("a dsl.If in a pipeline of its own, so that others can wait for it"),
    Feature.OTHERWISE: lowered("a dsl.If for the other answer"),
    Feature.EITHER: lowered("the task waits for the branches, and finds in the lineage store which one ran"),
    Feature.NESTED_CONDITION: lowered("the inner gate always runs; in a branch that was not taken it answers nothing"),
    Feature.MAP_IN_BRANCH: lowered("a loop within a dsl.If"),
    Feature.EXTERNAL_ARTIFACT: lowered("the shim finds it in the lineage store, once per run"),
    Feature.SECRET: lowered("an environment variable, from a Kubernetes Secret named in `credentials`"),
    Feature.RETRY: NATIVE,
    Feature.RETRY_BACKOFF: NATIVE,
    Feature.RETRY_BACKOFF_FACTOR: unsupported("Argo, which runs KFP's tasks, fails at a factor with a fraction"),
    Feature.TIMEOUT: lowered("the shim ends the attempt"),
    Feature.RESOURCES: NATIVE,
    Feature.GPU: NATIVE,
    Feature.IMAGE: NATIVE,
    Feature.REQUIREMENTS: _CHECKED,
    Feature.PYTHON_VERSION: _CHECKED,
    Feature.MAX_PARALLEL: unsupported("KFP limits how many tasks go on at once in a loop, and not in a run"),
    Feature.ON_FAILURE: _CLOSING,
    Feature.ON_SUCCESS: _CLOSING,
    Feature.SCHEDULE: lowered("a recurring run, which `zen deploy` makes"),
    Feature.SCHEDULE_TIMEZONE: unsupported("KFP reads a recurring run's cron expression in UTC"),
    Feature.SCHEDULE_OVERLAP_QUEUE: lowered("one run at a time; of several ticks that wait, the latest is run"),
    Feature.SCHEDULE_OVERLAP_SKIP: unsupported("KFP makes up for a tick that came while a run was going on"),
    Feature.SCHEDULE_OVERLAP_ALLOW: lowered("up to ten runs at a time, which is KFP's limit"),
    Feature.SCHEDULE_CATCH_UP: unsupported("KFP only makes up for ticks since the recurring run was made"),
    Feature.TAGS: lowered("a pipeline's tags stand in its description; a step's are kept in the manifest"),
}
