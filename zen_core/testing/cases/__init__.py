"""One pipeline for each shape of graph and for each feature, shared by all adapters' tests."""

from __future__ import annotations

from zen_core.testing.cases.catalogue import Case, all_cases, case_using, find_case

__all__ = ["Case", "all_cases", "case_using", "find_case"]
