"""The adapter of the embedded engine."""

from __future__ import annotations

from zen_core.adapter.features import NATIVE, Feature, SupportTable, lowered, unsupported
from zen_core.adapter.options import AdapterOptions
from zen_core.adapter.protocol import ADAPTER_API_VERSION, RunOutcome, RunRequest
from zen_local.options import LocalOptions


class LocalAdapter:
    """Runs pipelines in this process; emits nothing."""

    name = "local"
    api_version = ADAPTER_API_VERSION
    versions = "part of Zen"
    options_model: type[AdapterOptions] = LocalOptions

    def support(self, options: AdapterOptions) -> SupportTable:
        """What the engine can do; a schedule says nothing about a run that a person starts."""
        schedule = lowered("a run that a person starts is one tick: its scheduled time is now")
        checked = lowered("checked before the step starts, in the environment that `zen` runs in")
        return {
            Feature.PARAMETERS: NATIVE,
            Feature.SCHEDULED_TIME: schedule,
            Feature.MULTIPLE_OUTPUTS: NATIVE,
            Feature.COLLECTED_INPUTS: NATIVE,
            Feature.ORDERING: NATIVE,
            Feature.MAP: NATIVE,
            Feature.MAP_ZIP: NATIVE,
            Feature.MAP_CHAIN: NATIVE,
            Feature.MAP_OF_MAP: NATIVE,
            Feature.MAP_CHUNK: NATIVE,
            Feature.MAP_CHUNK_CHAIN: NATIVE,
            Feature.MAP_MAX_PARALLEL: NATIVE,
            Feature.CONDITION: NATIVE,
            Feature.OTHERWISE: NATIVE,
            Feature.EITHER: NATIVE,
            Feature.NESTED_CONDITION: NATIVE,
            Feature.MAP_IN_BRANCH: NATIVE,
            Feature.EXTERNAL_ARTIFACT: NATIVE,
            Feature.SECRET: lowered("read from the environment that `zen` runs in"),
            Feature.RETRY: NATIVE,
            Feature.RETRY_BACKOFF: NATIVE,
            Feature.RETRY_BACKOFF_FACTOR: NATIVE,
            Feature.TIMEOUT: lowered("the shim runs the step in a child process and ends it"),
            Feature.RESOURCES: lowered("weights for what runs at the same time; refused beyond what the machine has"),
            Feature.GPU: lowered("a count of the machine's GPUs, of whatever type; refused beyond what it has"),
            Feature.IMAGE: unsupported("steps run in the environment that `zen` runs in"),
            Feature.REQUIREMENTS: checked,
            Feature.PYTHON_VERSION: checked,
            Feature.MAX_PARALLEL: NATIVE,
            Feature.ON_FAILURE: NATIVE,
            Feature.ON_SUCCESS: NATIVE,
            Feature.SCHEDULE: schedule,
            Feature.SCHEDULE_TIMEZONE: schedule,
            Feature.SCHEDULE_OVERLAP_QUEUE: schedule,
            Feature.SCHEDULE_OVERLAP_SKIP: schedule,
            Feature.SCHEDULE_OVERLAP_ALLOW: schedule,
            Feature.SCHEDULE_CATCH_UP: schedule,
            Feature.TAGS: NATIVE,
        }

    def run(self, request: RunRequest) -> RunOutcome:
        """Run the pipeline to its end in this process."""
        from zen_local.runtime import run_pipeline

        return run_pipeline(request)
