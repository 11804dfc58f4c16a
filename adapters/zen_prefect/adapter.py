"""The Prefect adapter: what it can express, and the files it emits."""

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
from zen_prefect import deploying
from zen_prefect.deployment_file import FILE, emit_deployment
from zen_prefect.emission import emit_flow
from zen_prefect.lowering import lower_pipeline
from zen_prefect.options import PrefectOptions


class PrefectAdapter:
    """Emits one flow module, and a prefect.yaml with its deployment."""

    name = "prefect"
    api_version = ADAPTER_API_VERSION
    versions = "3.8"
    packages = ("prefect",)
    options_model: type[AdapterOptions] = PrefectOptions

    def support(self, options: AdapterOptions) -> SupportTable:
        """How Prefect stands to every feature; an image depends on the work pool."""
        assert isinstance(options, PrefectOptions)
        return {**_SUPPORT, Feature.IMAGE: _ONE_IMAGE if options.takes_image else _NO_IMAGE}

    def emit(self, request: EmissionRequest) -> tuple[EmittedFile, ...]:
        """The flow's module, and prefect.yaml."""
        assert isinstance(request.options, PrefectOptions)
        flow = lower_pipeline(request.pipeline, request.options)
        digest = request.pipeline.digest
        text = emit_flow(flow, zen_version=request.zen_version, ir_digest=digest, waived=request.waived)
        deployment = emit_deployment(flow, zen_version=request.zen_version, ir_digest=digest)
        return EmittedFile(f"{flow.name}.py", text.encode()), EmittedFile(FILE, deployment.encode())

    def sidecar_folder(self, pipeline: PipelineSpec) -> str:
        """`NAME.zen`, beside `NAME.py`."""
        return f"{pipeline.name}.zen"

    def find_deployment_problems(self, request: DeployRequest) -> tuple[Diagnostic, ...]:
        """A server, work pool or folder that cannot be used, and a deployment of that name which is another's."""
        return deploying.find_problems(request)

    def deploy(self, request: DeployRequest) -> Deployment:
        """Write the flow's files, and make or update the deployment."""
        return deploying.deploy(self, request)

    def examine(self, options: AdapterOptions, settings: Settings) -> Iterator[Check]:
        """The installed Prefect, its server, work pool and Secret blocks."""
        assert isinstance(options, PrefectOptions)
        yield from deploying.examine(self, options, settings)


_NO_SIZE = unsupported("Prefect places a whole flow run, by the job variables of its work pool, and not single tasks")
_NO_IMAGE = unsupported(
    'only a work pool of containers takes an image: [adapters.prefect] work_pool_type = "docker", "kubernetes", ...'
)
_ONE_IMAGE = lowered("a job variable of the deployment, where all steps that name an image name the same one")
_CHECKED = lowered("the shim checks the flow's environment before the step starts")
_CLOSING = lowered("run in the flow's process by its state hook, which never changes how the flow run ended")
_SUPPORT: dict[Feature, Support] = {
    Feature.PARAMETERS: NATIVE,
    Feature.SCHEDULED_TIME: lowered("the shim takes the tick from the flow run"),
    Feature.MULTIPLE_OUTPUTS: lowered("a task returns one small dict with a ref for each output"),
    Feature.COLLECTED_INPUTS: lowered("the shim builds the list or dict from the refs of the upstream tasks"),
    Feature.ORDERING: NATIVE,
    Feature.MAP: lowered("`.map` over the numbers of the elements; the data stays in the stores"),
    Feature.MAP_ZIP: lowered("the expander's task checks the lengths; Prefect maps over numbers"),
    Feature.MAP_CHAIN: NATIVE,
    Feature.MAP_OF_MAP: lowered("a second `.map`, which begins when the first has ended"),
    Feature.MAP_CHUNK: lowered("Prefect maps over parts; the shim runs the elements of one part"),
    Feature.MAP_CHUNK_CHAIN: lowered(
        "the task of a later step runs whatever became of the one before, for what is there"
    ),
    Feature.MAP_MAX_PARALLEL: NATIVE,
    Feature.CONDITION: NATIVE,
    Feature.OTHERWISE: NATIVE,
    Feature.EITHER: NATIVE,
    Feature.NESTED_CONDITION: NATIVE,
    Feature.MAP_IN_BRANCH: NATIVE,
    Feature.EXTERNAL_ARTIFACT: lowered("the shim finds it in the lineage store, once per run"),
    Feature.SECRET: lowered("from the flow's environment, or a Secret block named in `credentials`"),
    Feature.RETRY: NATIVE,
    Feature.RETRY_BACKOFF: NATIVE,
    Feature.RETRY_BACKOFF_FACTOR: NATIVE,
    Feature.TIMEOUT: lowered("the shim ends the attempt: Prefect cannot interrupt a task in a thread"),
    Feature.RESOURCES: _NO_SIZE,
    Feature.GPU: _NO_SIZE,
    Feature.REQUIREMENTS: _CHECKED,
    Feature.PYTHON_VERSION: _CHECKED,
    Feature.MAX_PARALLEL: lowered("the tasks of a flow run share so many places, within its process"),
    Feature.ON_FAILURE: _CLOSING,
    Feature.ON_SUCCESS: _CLOSING,
    Feature.SCHEDULE: NATIVE,
    Feature.SCHEDULE_TIMEZONE: NATIVE,
    Feature.SCHEDULE_OVERLAP_QUEUE: NATIVE,
    Feature.SCHEDULE_OVERLAP_SKIP: NATIVE,
    Feature.SCHEDULE_OVERLAP_ALLOW: NATIVE,
    Feature.SCHEDULE_CATCH_UP: unsupported("Prefect does not run the ticks that it missed"),
    Feature.TAGS: lowered("tags of deployment and tasks; in a deployment's, `{{` becomes `{ {`, no template"),
}
