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
    RETRY = "retry"
    RETRY_BACKOFF = "retry_backoff"
    RETRY_BACKOFF_FACTOR = "retry_backoff_factor"
    TIMEOUT = "timeout"
    RESOURCES = "resources"
    GPU = "gpu"
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
    Feature.RETRY: "A failed step is tried again, after a delay.",
    Feature.RETRY_BACKOFF: "The delay between attempts doubles (`backoff=2`).",
    Feature.RETRY_BACKOFF_FACTOR: "The delay grows by a factor other than 1 or 2.",
    Feature.TIMEOUT: "An attempt that takes too long is ended.",
    Feature.RESOURCES: "A step asks for CPU or memory.",
    Feature.GPU: "A step asks for GPUs.",
    Feature.SCHEDULE: "The orchestrator starts the pipeline by a cron expression.",
    Feature.SCHEDULE_TIMEZONE: "The cron expression is read in an IANA time zone other than UTC.",
    Feature.SCHEDULE_OVERLAP_QUEUE: 'A tick waits while an earlier run is going on (`overlap="queue"`).',
    Feature.SCHEDULE_OVERLAP_SKIP: 'A tick is left out while an earlier run is going on (`overlap="skip"`).',
    Feature.SCHEDULE_OVERLAP_ALLOW: 'Runs may overlap (`overlap="allow"`).',
    Feature.SCHEDULE_CATCH_UP: "Ticks that were missed are run afterwards.",
    Feature.TAGS: "The pipeline or its steps carry tags.",
}

WAIVABLE = frozenset({Feature.RESOURCES, Feature.GPU})
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
