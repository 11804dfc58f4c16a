"""The nearest earlier attempt: what a step run is compared with, to say why it ran."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from zen_metadata.lineage.records import EarlierAttempt, RunRecord, StepRunState
from zen_metadata.lineage.store import COMPARED_ATTEMPTS, LineageStore


def find_nearest(
    store: LineageStore, run: RunRecord, states: Sequence[StepRunState]
) -> Mapping[str, EarlierAttempt | None]:
    """For each of these step runs of a run, by id, the attempt of an earlier run whose key is most like its own.

    See `Candidates.nearest`. One query for all.
    """
    if not states:
        return {}
    found = store.find_earlier_attempts(
        run.project,
        run.pipeline,
        [state.step_run.step for state in states],
        before=max(state.started_at for state in states),
        but_run=run.run_id,
    )
    candidates = Candidates(found)
    return {
        state.step_run.step_run_id: candidates.nearest(
            state.step_run.step, state.step_run.map_index, state.attempt.key_parts, before=state.started_at
        )
        for state in states
    }


class Candidates:
    """Earlier attempts that others are compared with.

    Args:
        attempts: newest first.
    """

    def __init__(self, attempts: Sequence[EarlierAttempt]) -> None:
        self._by_step: dict[str, list[EarlierAttempt]] = defaultdict(list)
        self._by_element: dict[tuple[str, int | None], EarlierAttempt] = {}
        for attempt in attempts:
            self._by_step[attempt.step].append(attempt)
            self._by_element.setdefault((attempt.step, attempt.map_index), attempt)

    def nearest(
        self, step: str, map_index: int | None, parts: Mapping[str, str], *, before: datetime | None = None
    ) -> EarlierAttempt | None:
        """The attempt whose key is most like one of these parts; None where there is none.

        Among the last 20 attempts at the step, and the last one at the same element: the one with the most equal
        parts; of equals the one at the same element, then the newest.

        Args:
            parts: those of the key that are known.
            before: only attempts that began before this time.
        """
        own = self._by_element.get((step, map_index))
        found = [*self._by_step.get(step, ())[:COMPARED_ATTEMPTS], *([own] if own else [])]
        return max(
            (attempt for attempt in found if before is None or attempt.started_at < before),
            key=lambda attempt: (_count_equal(attempt.key_parts, parts), attempt is own, attempt.started_at),
            default=None,
        )


def _count_equal(one: Mapping[str, str], other: Mapping[str, str]) -> int:
    return sum(one.get(name) == value for name, value in other.items())
