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
    """Emits one module with a pipeline in KFP's own language; `python NAME.py` compiles it to KFP's YAML."""

    name = "kfp"
    api_version = ADAPTER_API_VERSION
    versions = "2.17"
    packages = ("kfp", "kfp-kubernetes")
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
        return (EmittedFile(f"{pipeline.name}.py", text.encode()),)

    def sidecar_folder(self, pipeline: PipelineSpec) -> str:
        """`NAME.zen`, beside `NAME.py`."""
        return f"{pipeline.name}.zen"

    def find_deployment_problems(self, request: DeployRequest) -> tuple[Diagnostic, ...]:
        """An API that cannot be used, and a pipeline of that name which is another's."""
        return deploying.find_problems(request)

    def deploy(self, request: DeployRequest) -> Deployment:
        """Upload manifest, code and a version of the pipeline, and make or replace the recurring run."""
        return deploying.deploy(self, request)

    def examine(self, options: AdapterOptions, settings: Settings) -> Iterator[Check]:
        """The installed SDK, and the API."""
        assert isinstance(options, KfpOptions)
        yield from deploying.examine(self, options)


_CHECKED = lowered("the shim checks the container's environment before the step starts")
_CLOSING = lowered("run by the exit handler's task, which never changes how the run ended")
_SUPPORT: dict[Feature, Support] = {
    Feature.PARAMETERS: lowered("texts that hold JSON: KFP would make floats of whole numbers"),
    Feature.SCHEDULED_TIME: lowered("KFP's placeholder for the scheduled time is given to each task"),
    Feature.MULTIPLE_OUTPUTS: lowered("the shim finds the refs in the lineage store"),
    Feature.COLLECTED_INPUTS: lowered("the shim builds the list or dict from the refs in the lineage store"),
    Feature.ORDERING: NATIVE,
    Feature.MAP: lowered("dsl.ParallelFor over the numbers of the elements; the data stays in the stores"),
    Feature.MAP_ZIP: lowered("the expander's task checks the lengths"),
    Feature.MAP_CHAIN: lowered("the steps of a chain stand in one loop"),
    Feature.MAP_OF_MAP: lowered("a second loop, which begins when the first has ended"),
    Feature.MAP_CHUNK: lowered("the loop goes over parts; the shim runs the elements of one part"),
    Feature.MAP_MAX_PARALLEL: NATIVE,
    Feature.CONDITION: lowered("a pipeline with one dsl.If, so that what comes after it can wait for it"),
    Feature.OTHERWISE: lowered("a second pipeline, whose dsl.If asks for the other answer"),
    Feature.EITHER: lowered("the task waits for the branches and takes what ran from the lineage store"),
    Feature.NESTED_CONDITION: lowered("a pipeline within that of the outer branch"),
    Feature.MAP_IN_BRANCH: NATIVE,
    Feature.EXTERNAL_ARTIFACT: lowered("the shim finds it in the lineage store, once per run"),
    Feature.SECRET: lowered("an environment variable, from a Kubernetes secret named in `credentials`"),
    Feature.RETRY: NATIVE,
    Feature.RETRY_BACKOFF: NATIVE,
    Feature.RETRY_BACKOFF_FACTOR: NATIVE,
    Feature.TIMEOUT: lowered("the shim ends the attempt; the pod's own deadline would count pulling the image, too"),
    Feature.RESOURCES: NATIVE,
    Feature.GPU: NATIVE,
    Feature.IMAGE: NATIVE,
    Feature.REQUIREMENTS: _CHECKED,
    Feature.PYTHON_VERSION: _CHECKED,
    Feature.MAX_PARALLEL: unsupported(
        "KFP starts every task whose upstream is done; it limits only the parts of a map"
    ),
    Feature.ON_FAILURE: _CLOSING,
    Feature.ON_SUCCESS: _CLOSING,
    Feature.SCHEDULE: lowered("a recurring run, which `zen deploy` makes"),
    Feature.SCHEDULE_TIMEZONE: unsupported("KFP reads the cron expression of a recurring run in UTC"),
    Feature.SCHEDULE_OVERLAP_QUEUE: lowered("a recurring run with one run at a time, which `zen deploy` makes"),
    Feature.SCHEDULE_OVERLAP_SKIP: unsupported("KFP starts a tick late when an earlier run was going on"),
    Feature.SCHEDULE_OVERLAP_ALLOW: lowered("a recurring run with ten runs at a time, KFP's most"),
    Feature.SCHEDULE_CATCH_UP: lowered("a recurring run with a start time, which `zen deploy` makes"),
    Feature.TAGS: lowered("kept in the manifest: KFP tags neither pipelines nor tasks"),
}
