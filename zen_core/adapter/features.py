"""What a pipeline may use, and what an adapter says about each.

Every adapter declares every feature; there is no default, so that a new feature forces a decision in each of them.
The table is the one source for the checks at compile, for the tests that are left out, and for the docs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal


class Feature(Enum):
    """Something that a pipeline can use. The value is the name that people read; the docstring is in `meaning`."""

    PARAMETERS = "parameters"
    SCHEDULED_TIME = "scheduled_time"
    MULTIPLE_OUTPUTS = "multiple_outputs"
    COLLECTED_INPUTS = "collected_inputs"
    ORDERING = "ordering"
    MAP = "map"
    MAP_ZIP = "map_zip"
    MAP_CHAIN = "map_chain"
    MAP_OF_MAP = "map_of_map"
    MAP_CHUNK = "map_chunk"
    MAP_CHUNK_CHAIN = "map_chunk_chain"
    MAP_MAX_PARALLEL = "map_max_parallel"
    CONDITION = "condition"
    OTHERWISE = "otherwise"
    EITHER = "either"
    NESTED_CONDITION = "nested_condition"
    MAP_IN_BRANCH = "map_in_branch"
    EXTERNAL_ARTIFACT = "external_artifact"
    SECRET = "secret"
    RETRY = "retry"
    RETRY_BACKOFF = "retry_backoff"
    RETRY_BACKOFF_FACTOR = "retry_backoff_factor"
    TIMEOUT = "timeout"
    RESOURCES = "resources"
    GPU = "gpu"
    IMAGE = "image"
    REQUIREMENTS = "requirements"
    PYTHON_VERSION = "python_version"
    MAX_PARALLEL = "max_parallel"
    ON_FAILURE = "on_failure"
    ON_SUCCESS = "on_success"
    SCHEDULE = "schedule"
    SCHEDULE_TIMEZONE = "schedule_timezone"
    SCHEDULE_OVERLAP_QUEUE = "schedule_overlap_queue"
    SCHEDULE_OVERLAP_SKIP = "schedule_overlap_skip"
    SCHEDULE_OVERLAP_ALLOW = "schedule_overlap_allow"
    SCHEDULE_CATCH_UP = "schedule_catch_up"
    TAGS = "tags"

    @property
    def meaning(self) -> str:
        """One sentence on what the feature is."""
        return _MEANING[self]


_MEANING = {
    Feature.PARAMETERS: "The pipeline has parameters, which a run may override.",
    Feature.SCHEDULED_TIME: "A parameter's default is the tick that the run stands for.",
    Feature.MULTIPLE_OUTPUTS: "A step has several named outputs.",
    Feature.COLLECTED_INPUTS: "An input is a list or dict of several steps' outputs.",
    Feature.ORDERING: "A step runs after another without reading its output (`.after`).",
    Feature.MAP: "A step runs once for each element of a list, and a list of its outputs is collected (`.map`).",
    Feature.MAP_ZIP: "Several lists of equal length are mapped together.",
    Feature.MAP_CHAIN: "A mapped step's outputs are mapped on, element by element.",
    Feature.MAP_OF_MAP: "A new map goes over what another map collected, together with another list.",
    Feature.MAP_CHUNK: "Several elements share one task (`chunk=`).",
    Feature.MAP_CHUNK_CHAIN: "A chain of maps whose tasks take several elements each, which fail one by one.",
    Feature.MAP_MAX_PARALLEL: "No more than so many elements run at the same time (`max_parallel=`).",
    Feature.CONDITION: "Steps run only when a condition on results or parameters holds (`when`).",
    Feature.OTHERWISE: "Other steps run when it does not (`otherwise`).",
    Feature.EITHER: "A step reads the result of whichever branch ran (`either`).",
    Feature.NESTED_CONDITION: "A condition stands within a branch of another.",
    Feature.MAP_IN_BRANCH: "A map stands within a branch.",
    Feature.EXTERNAL_ARTIFACT: "An input is an artifact that another run made (`Artifact`).",
    Feature.SECRET: "An input is a secret, named and never written down (`Secret`).",
    Feature.RETRY: "A failed step is tried again, after a delay.",
    Feature.RETRY_BACKOFF: "The delay between attempts doubles (`backoff=2`).",
    Feature.RETRY_BACKOFF_FACTOR: "The delay grows by a factor other than 1 or 2.",
    Feature.TIMEOUT: "An attempt that takes too long is ended.",
    Feature.RESOURCES: "A step asks for CPU or memory.",
    Feature.GPU: "A step asks for GPUs.",
    Feature.IMAGE: "A step asks for a container image.",
    Feature.REQUIREMENTS: "A step names packages that its environment must have.",
    Feature.PYTHON_VERSION: "A step names the Python that its environment must have.",
    Feature.MAX_PARALLEL: "No more than so many steps of a run go on at the same time.",
    Feature.ON_FAILURE: "A step runs after the run has failed (`on_failure`).",
    Feature.ON_SUCCESS: "A step runs after the run has completed (`on_success`).",
    Feature.SCHEDULE: "The orchestrator starts the pipeline by a cron expression.",
    Feature.SCHEDULE_TIMEZONE: "The cron expression is read in an IANA time zone other than UTC.",
    Feature.SCHEDULE_OVERLAP_QUEUE: 'A tick waits while an earlier run is going on (`overlap="queue"`).',
    Feature.SCHEDULE_OVERLAP_SKIP: 'A tick is left out while an earlier run is going on (`overlap="skip"`).',
    Feature.SCHEDULE_OVERLAP_ALLOW: 'Runs may overlap (`overlap="allow"`).',
    Feature.SCHEDULE_CATCH_UP: "Ticks that were missed are run afterwards.",
    Feature.TAGS: "The pipeline or its steps carry tags.",
}

WAIVABLE = frozenset({Feature.RESOURCES, Feature.GPU, Feature.IMAGE})
"""Features that only place or size a step: a project may waive them by name for an adapter."""


@dataclass(frozen=True, slots=True)
class Support:
    """How a target stands to a feature; `reason` says how it is lowered, or why it cannot be had."""

    level: Literal["native", "lowered", "unsupported"]
    reason: str = ""

    def __post_init__(self) -> None:
        if (self.level == "native") is bool(self.reason):
            raise ValueError("a reason is given for lowered and unsupported, and only there")


NATIVE = Support("native")


def lowered(how: str) -> Support:
    """The target lacks the feature; the compiler or the shim makes it so."""
    return Support("lowered", how)


def unsupported(why: str) -> Support:
    """The target cannot express the feature: a pipeline that uses it does not compile."""
    return Support("unsupported", why)


SupportTable = Mapping[Feature, Support]
