"""The Airflow adapter: what it can express, and the files it emits."""

from __future__ import annotations

from collections.abc import Iterator

from zen_airflow import deploying
from zen_airflow.emission import emit_dag
from zen_airflow.lowering import lower_pipeline
from zen_airflow.options import AirflowOptions
from zen_airflow.versions import TESTED
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
from zen_core.contract.manifest import CODE_FILE
from zen_core.contract.settings import Settings
from zen_core.diagnostics import Diagnostic
from zen_core.ir.specs import PipelineSpec

_NEEDS_KUBERNETES = unsupported('only the Kubernetes executor sizes a task: [adapters.airflow] executor = "kubernetes"')
_NEEDS_PODS = unsupported(
    'only the Kubernetes executor gives a task an image of its own: [adapters.airflow] executor = "kubernetes"'
)
_CHECKED = lowered("the shim checks the worker's environment before the step starts")
_CLOSING = lowered("run by the closing task, which never changes how the DAG run ended")


class AirflowAdapter:
    """Emits one DAG file in TaskFlow style that runs unchanged on Airflow 2.11 and 3.3."""

    name = "airflow"
    api_version = ADAPTER_API_VERSION
    versions = TESTED
    packages = ("apache-airflow",)
    options_model: type[AdapterOptions] = AirflowOptions

    def support(self, options: AdapterOptions) -> SupportTable:
        """How Airflow stands to every feature; resources depend on the executor."""
        assert isinstance(options, AirflowOptions)
        sized = NATIVE if options.executor == "kubernetes" else _NEEDS_KUBERNETES
        placed = NATIVE if options.executor == "kubernetes" else _NEEDS_PODS
        return {**_SUPPORT, Feature.RESOURCES: sized, Feature.GPU: sized, Feature.IMAGE: placed}

    def emit(self, request: EmissionRequest) -> tuple[EmittedFile, ...]:
        """The DAG file, and the `.airflowignore` that keeps Airflow from taking the code bundle for a DAG."""
        assert isinstance(request.options, AirflowOptions)
        dag = lower_pipeline(request.pipeline, request.options, waived=request.waived)
        text = emit_dag(dag, zen_version=request.zen_version, ir_digest=request.pipeline.digest, waived=request.waived)
        # One line that means the same as a regular expression (Airflow 2) and as a glob (Airflow 3).
        ignore = EmittedFile(f"{self.sidecar_folder(request.pipeline)}/.airflowignore", f"{CODE_FILE}\n".encode())
        return EmittedFile(f"{dag.dag_id}.py", text.encode()), ignore

    def sidecar_folder(self, pipeline: PipelineSpec) -> str:
        """`NAME.zen`, beside `NAME.py`."""
        return f"{pipeline.name}.zen"

    def find_deployment_problems(self, request: DeployRequest) -> tuple[Diagnostic, ...]:
        """A DAGs folder that cannot be used, and DAGs in it that would be in the way."""
        return deploying.find_problems(request)

    def deploy(self, request: DeployRequest) -> Deployment:
        """Put the DAG into the DAGs folder."""
        return deploying.deploy(self, request)

    def examine(self, options: AdapterOptions, settings: Settings) -> Iterator[Check]:
        """The installed Airflow, and the DAGs folder."""
        assert isinstance(options, AirflowOptions)
        yield from deploying.examine(self, options, settings)


_SUPPORT: dict[Feature, Support] = {
    Feature.PARAMETERS: NATIVE,
    Feature.SCHEDULED_TIME: lowered("the shim takes the tick from the DAG run when the task runs"),
    Feature.MULTIPLE_OUTPUTS: lowered("a task returns one small dict with a ref for each output"),
    Feature.COLLECTED_INPUTS: lowered("the shim builds the list or dict from the refs of the upstream tasks"),
    Feature.ORDERING: NATIVE,
    Feature.MAP: lowered("dynamic task mapping over the numbers of the elements; the data stays in the stores"),
    Feature.MAP_ZIP: lowered("the expander's task checks the lengths; Airflow maps over numbers"),
    Feature.MAP_CHAIN: lowered("a mapped task group, in which one element does not wait for the others"),
    Feature.MAP_OF_MAP: lowered("a second mapping, which begins when the first has ended"),
    Feature.MAP_CHUNK: lowered("Airflow maps over parts; the shim runs the elements of one part"),
    Feature.MAP_CHUNK_CHAIN: lowered(
        "the task of a later step runs whatever became of the one before, for what is there"
    ),
    Feature.MAP_MAX_PARALLEL: NATIVE,
    Feature.CONDITION: NATIVE,
    Feature.OTHERWISE: NATIVE,
    Feature.EITHER: lowered("a trigger rule; where it says too little, the task skips itself"),
    Feature.NESTED_CONDITION: NATIVE,
    Feature.MAP_IN_BRANCH: NATIVE,
    Feature.EXTERNAL_ARTIFACT: lowered("the shim finds it in the lineage store, once per run"),
    Feature.SECRET: lowered("from the worker's environment, or a Connection or Variable named in `credentials`"),
    Feature.RETRY: NATIVE,
    Feature.RETRY_BACKOFF: NATIVE,
    Feature.RETRY_BACKOFF_FACTOR: unsupported("Airflow 2.11 can only double the delay between attempts"),
    Feature.TIMEOUT: lowered("the shim ends the attempt; execution_timeout is a back-stop behind it"),
    Feature.REQUIREMENTS: _CHECKED,
    Feature.PYTHON_VERSION: _CHECKED,
    Feature.MAX_PARALLEL: NATIVE,
    Feature.ON_FAILURE: _CLOSING,
    Feature.ON_SUCCESS: _CLOSING,
    Feature.SCHEDULE: NATIVE,
    Feature.SCHEDULE_TIMEZONE: NATIVE,
    Feature.SCHEDULE_OVERLAP_QUEUE: NATIVE,
    Feature.SCHEDULE_OVERLAP_SKIP: unsupported("Airflow queues a tick while an earlier run is going on"),
    Feature.SCHEDULE_OVERLAP_ALLOW: NATIVE,
    Feature.SCHEDULE_CATCH_UP: NATIVE,
    Feature.TAGS: lowered(
        "a pipeline's tags become the DAG's; a step's are kept in the manifest, Airflow tags no tasks"
    ),
}
