"""Why each step of a run ran, or did not, in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zen_metadata.lineage.records import EarlierAttempt, StepRunState
from zen_metadata.query.earlier import find_nearest
from zen_metadata.query.key_changes import CODE, short_text
from zen_metadata.query.words import duration_text

if TYPE_CHECKING:
    from zen_metadata.query.runs import Run

NOTHING_CHANGED = "nothing changed"
FIRST_RUN = "first run"
NOT_KEPT = "its result was not kept"
_SHORT_REASONS: Mapping[str, str] = {
    "off": "cache off",
    "refresh": "refresh",
    "cleared": "cleared",
    "invalidated": "invalidated",
    "expired": "expired",
    "deleted": "artifact was deleted",
    "gone": "artifact is gone",
    "damaged": "artifact was damaged",
    "away": "store was away",
    "waited": "waited too long for another worker",
    "taken": "not run again",
}


def short_reasons(run: Run) -> Mapping[str, str]:
    """Why each step run of a run ran, or did not, in a few words, by step run id. Two queries for all of them."""
    store = run.stores.lineage
    asked = [state for state in run.states if _is_plain_miss(state)]
    nearest = find_nearest(store, run.record, asked)
    digests = {state.attempt.key_parts.get(CODE, "") for state in asked}
    digests |= {found.key_parts.get(CODE, "") for found in nearest.values() if found is not None}
    codes = store.get_codes(run.record.project, sorted(digests - {""})) if asked else {}
    policies = _policies(run)
    return {
        state.step_run.step_run_id: _short_reason(
            state, nearest.get(state.step_run.step_run_id), codes, policies.get(state.step_run.step, {})
        )
        for state in run.states
    }


def _is_plain_miss(state: StepRunState) -> bool:
    """Whether the parts of the key alone tell why it ran."""
    attempt = state.attempt
    return bool(attempt.cache_enabled and attempt.cache_key and not attempt.cache_reason and state.status != "cached")


def _short_reason(
    state: StepRunState,
    nearest: EarlierAttempt | None,
    codes: Mapping[str, Mapping[str, Any]],
    policy: Mapping[str, Any],
) -> str:
    attempt = state.attempt
    if state.step_run.kind != "step":
        return ""
    if state.status == "cached":
        return reason_text(attempt.cache_reason) if attempt.cache_reason else NOTHING_CHANGED
    if attempt.cache_reason or not attempt.cache_enabled:
        return reason_text(attempt.cache_reason or "off", policy.get("ttl_seconds"))
    if not attempt.cache_key:
        return ""  # it failed before its inputs were known
    if nearest is None:
        return FIRST_RUN
    return short_text(nearest.key_parts, attempt.key_parts, codes) or NOT_KEPT


def reason_text(word: str, ttl_seconds: float | None = None) -> str:
    """A word of `CACHE_REASONS` as people read it."""
    text = _SHORT_REASONS.get(word, word)
    return f"{text} ({duration_text(ttl_seconds)})" if word == "expired" and ttl_seconds else text


def _policies(run: Run) -> dict[str, Mapping[str, Any]]:
    return {step["name"]: step["cache"] for step in (*run.ir["steps"], *run.ir.get("hooks", ()))}
