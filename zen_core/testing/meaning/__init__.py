"""What a pipeline means, as cases with their outcome: the run tier of the conformance suite.

An engine copies `PIPELINES` into a project, runs each `Meaning` there, and gives the document of `zen show --json` to
`find_differences`. Statuses and values are told here once; that digests and cache keys are equal too is found by
comparing the canonical lineage of two engines (`zen_core.testing.lineage`).
"""

from zen_core.testing.meaning.expected import MEANINGS, PIPELINES, Meaning, find_differences

__all__ = ["MEANINGS", "PIPELINES", "Meaning", "find_differences"]
