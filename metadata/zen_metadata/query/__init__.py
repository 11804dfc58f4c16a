"""The read side: runs, artifacts and lineage, the same for Python (`Client`) and the command line.

Reads the lineage store and nothing else, so it answers the same whichever orchestrator ran a pipeline.
"""

from zen_metadata.query.artifacts import ArtifactVersion
from zen_metadata.query.client import Client
from zen_metadata.query.lineage import LineageGraph
from zen_metadata.query.runs import Run, StepRun

__all__ = ["ArtifactVersion", "Client", "LineageGraph", "Run", "StepRun"]
