"""Why a step ran, or did not: the parts of its cache key, and what changed since the run it could have reused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from zen_core.contract.bindings import binding_from_json, iter_outputs
from zen_core.contract.identity import step_run_id
from zen_core.environment.installs import describe_version
from zen_core.errors import NotFoundError
from zen_metadata.lineage.records import EarlierAttempt, StepRunState
from zen_metadata.lineage.store import COMPARED_RUNS
from zen_metadata.query.earlier import find_nearest
from zen_metadata.query.input_changes import compare_input, sides
from zen_metadata.query.key_changes import (
    CODE,
    PACKAGES,
    Change,
    compare_code,
    compare_packages,
    differing_parts,
    kind_of,
    name_in,
    package_text,
)
from zen_metadata.query.runs import Run, StepRun
from zen_metadata.query.words import duration_text, moment_text

_OWN_KINDS: Mapping[str, str] = {
    "gate": "a condition is asked anew in each run, so it is not cached; the steps of its branches are",
    "expander": "a map begins anew in each run, so its beginning is not cached; its elements are",
    "hook": "a hook runs each time: it is not cached",
}
_NONDETERMINISTIC = "the same work gave another result in another execution, so the step is not deterministic"


@dataclass(frozen=True)
class Explanation:
    """Why a step run ran, or did not.

    Attributes:
        result: `hit` (a result was reused), `miss`, or `disabled` (nothing was looked up for it, ever).
        summary: in one sentence.
        cache_key: None where it was not known.
        parts: those of the key, by name.
        reason: the word of `CACHE_REASONS`, where the parts alone do not tell.
        reused: where the result of a hit was made: run_id, pipeline, step, created_at.
        compared_to: the run that a miss is compared with; None where there is none.
        compared_at: when the attempt began that it is compared with.
        changed: what differs from that one.
        notes: what there is to know besides.
        unfollowed: where the code reaches further than can be read: what, file, line.
    """

    run_id: str
    step: str
    map_index: int | None
    kind: str
    status: str
    result: Literal["hit", "miss", "disabled"]
    summary: str
    cache_key: str | None
    parts: Mapping[str, str]
    reason: str | None = None
    reused: Mapping[str, Any] | None = None
    compared_to: str | None = None
    compared_at: datetime | None = None
    changed: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    unfollowed: tuple[Mapping[str, Any], ...] = field(default=())
    nondeterministic: bool = False

    def to_json(self) -> dict[str, Any]:
        """The document of `zen why --json`."""
        return {
            "run_id": self.run_id,
            "step": self.step,
            "map_index": self.map_index,
            "kind": self.kind,
            "status": self.status,
            "result": self.result,
            "summary": self.summary,
            "cache_key": self.cache_key,
            "parts": dict(self.parts),
            "cache_reason": self.reason,
            "reused": dict(self.reused) if self.reused else None,
            "compared_to": self.compared_to,
            "compared_at": self.compared_at.isoformat() if self.compared_at else None,
            "changed": [change.to_json() for change in self.changed],
            "notes": list(self.notes),
            "unfollowed": [dict(place) for place in self.unfollowed],
            "nondeterministic": self.nondeterministic,
        }


def explain(step: StepRun) -> Explanation:
    """Why a step run ran, or did not.

    Raises:
        NotFoundError: it never began.
    """
    if step.state is None:
        raise NotFoundError(
            f"step {step.label!r} did not begin: it is {step.status}",
            where=f"run {step.run.run_id}",
            hint=f"zen show {step.run.run_id[:8]} tells what became of the others",
        )
    return _Explaining(step, step.state).explain()


class _Explaining:
    """One question."""

    def __init__(self, step: StepRun, state: StepRunState) -> None:
        self._run = step.run
        self._stores = step.run.stores
        self._step = step
        self._state = state
        self._attempt = state.attempt
        documents = (*self._run.ir["steps"], *self._run.ir.get("hooks", ()))
        self._documents: Mapping[str, Mapping[str, Any]] = {item["name"]: item for item in documents}
        self._document = self._documents.get(step.name, {})

    def explain(self) -> Explanation:
        if self._step.status == "cached":
            return self._hit()
        if self._step.kind in _OWN_KINDS:
            return self._explanation("disabled", _OWN_KINDS[self._step.kind])
        if not self._attempt.cache_enabled:
            return self._explanation("disabled", self._why_off(), reason="off")
        if not self._attempt.cache_key:
            return self._explanation("miss", "it failed before all its inputs were known, so nothing was looked up")
        return self._miss()

    def _explanation(self, result: Literal["hit", "miss", "disabled"], summary: str, **facts: Any) -> Explanation:
        code = self._code_documents(self._attempt.fingerprint).get(self._attempt.fingerprint, {})
        return Explanation(
            run_id=self._run.run_id,
            step=self._step.name,
            map_index=self._step.map_index,
            kind=self._step.kind,
            status=self._step.status,
            result=result,
            summary=summary,
            cache_key=self._attempt.cache_key or None,
            parts=self._attempt.key_parts,
            unfollowed=tuple(code.get("unfollowed", ())),
            **facts,
        )

    # -- hits --------------------------------------------------------------------------------------------------------

    def _hit(self) -> Explanation:
        made = next(iter(self._state.outputs.values()), None)
        maker = self._run.makers.get(
            (made and made.step_run_id) or "", (self._state.reused_from or "", self._step.name)
        )
        run_id, step = maker
        created_at = made.created_at if made is not None else None
        pipeline = made.pipeline if made is not None else self._run.pipeline
        other = "" if (pipeline, step) == (self._run.pipeline, self._step.name) else f", step {step} of {pipeline}"
        when = f" ({moment_text(created_at)})" if created_at else ""
        is_marked = self._is_marked()
        taken = self._attempt.cache_reason == "taken"
        how = (
            "stands for it, whatever its key: this run was told to begin behind the step"
            if taken
            else "was reused: all parts of the key are the same"
        )
        return self._explanation(
            "hit",
            f"the result of run {run_id[:8]}{other}{when} {how}",
            reason="taken" if taken else None,
            reused={
                "run_id": run_id,
                "pipeline": pipeline,
                "step": step,
                "created_at": created_at.isoformat() if created_at else None,
            },
            notes=(f"{_NONDETERMINISTIC}; it stays a hit",) if is_marked else (),
            nondeterministic=is_marked,
        )

    def _is_marked(self) -> bool:
        """Whether other digests were made for the same key."""
        if not self._attempt.cache_key:
            return False
        entry = self._stores.lineage.find_cached(self._run.record.project, self._attempt.cache_key)
        return entry is not None and entry.nondeterministic

    # -- off ---------------------------------------------------------------------------------------------------------

    def _why_off(self) -> str:
        turns_on = "cache=True or cache=Cache(...) turns its cache on"
        if not self._document.get("inputs"):
            return (
                f"it has no inputs that could tell whether its result is still right, so it runs each time; {turns_on}"
            )
        if not self._document.get("outputs"):
            return f"it has no outputs that could be reused, so it runs each time; {turns_on}"
        return "its cache is off: cache=False, on the step or on its pipeline"

    # -- misses ------------------------------------------------------------------------------------------------------

    def _miss(self) -> Explanation:
        is_marked = self._is_marked()
        notes = [_NONDETERMINISTIC] * is_marked
        if self._attempt.cache_reason:
            word = self._attempt.cache_reason
            notes += self._who_deleted() if word == "deleted" else ()
            return self._explanation(
                "miss", self._told(word), reason=word, notes=tuple(notes), nondeterministic=is_marked
            )
        nearest = find_nearest(self._stores.lineage, self._run.record, [self._state])[self._state.step_run.step_run_id]
        if nearest is None:
            return self._explanation(
                "miss",
                f"first run: none of the last {COMPARED_RUNS} runs of {self._run.pipeline} before it has a result of "
                "this step",
                notes=tuple(notes),
                nondeterministic=is_marked,
            )
        changed, more = self._compare(nearest)
        return self._explanation(
            "miss",
            "what its key is made of changed"
            if changed
            else "the key is the same, but the result was not kept for reuse: the cache was off then, its entry was "
            "removed, or it came too late",
            compared_to=nearest.run_id,
            compared_at=nearest.started_at,
            changed=tuple(changed),
            notes=(*notes, *more),
            nondeterministic=is_marked,
        )

    def _told(self, word: str) -> str:
        cache = self._document.get("cache", {})
        ttl, wait = cache.get("ttl_seconds"), cache.get("wait_seconds", 900.0)
        return {
            "refresh": "the run was told to execute it: --refresh or --no-cache",
            "cleared": "the orchestrator was told to run it again, so no result was looked up",
            "invalidated": "there was a result of the same work, which had been invalidated",
            "expired": f"there was a result of the same work, older than {duration_text(ttl) if ttl else 'its ttl'}",
            "deleted": "there was a result of the same work, and an artifact of it had been deleted on purpose",
            "gone": "there was a result of the same work, but its bytes are not in the artifact store any more",
            "damaged": "there was a result of the same work, but its bytes are not those that were stored",
            "away": "the lineage store was away, so no result could be looked up",
            "waited": f"another worker did the same work for longer than this one waits ({duration_text(wait)})",
        }.get(word, word)

    def _compare(self, nearest: EarlierAttempt) -> tuple[list[Change], list[str]]:
        """What differs from an earlier attempt, and what there is to say of it."""
        before, after = nearest.key_parts, self._attempt.key_parts
        parts = differing_parts(before, after)
        changes: list[Change] = []
        notes: list[str] = []
        ports = [name_in(part) for part in parts if kind_of(part) == "input"]
        for part in parts:
            kind = kind_of(part)
            if kind == CODE:
                found = self._code_changes(before[part], after[part], nearest, notes)
            elif kind == PACKAGES:
                found = self._package_changes(nearest, before, after)
            elif kind == "package":
                name = name_in(part)
                text = package_text(name, before.get(part), after.get(part))
                found = [Change(part, text, before.get(part), after.get(part))]
            elif kind == "input":
                continue
            else:
                found = [self._declared_change(part, before, after, nearest)]
            changes += found
        return [*changes, *self._input_changes(nearest, ports)], notes

    def _code_changes(self, before: str, after: str, nearest: EarlierAttempt, notes: list[str]) -> list[Change]:
        codes = self._code_documents(before, after)
        found = compare_code(codes.get(before), codes.get(after))
        if found:
            return found
        if before in codes and after in codes:
            notes.append(
                f"the code is the same; how Zen reads it differs: {nearest.zen_version} -> "
                f"{self._run.record.zen_version}"
            )
        return [Change(CODE, "code changed", before, after)]

    def _package_changes(
        self, nearest: EarlierAttempt, before: Mapping[str, str], after: Mapping[str, str]
    ) -> list[Change]:
        digests = (nearest.environment_digest, self._attempt.environment_digest)
        snapshots = [self._stores.lineage.get_environment(self._run.record.project, digest) for digest in digests]
        found = []
        if all(snapshots):
            found = compare_packages(*(_versions(snapshot or {}) for snapshot in snapshots))
        return found or [Change(PACKAGES, "the installed packages changed", before.get(PACKAGES), after.get(PACKAGES))]

    def _declared_change(
        self, part: str, before: Mapping[str, str], after: Mapping[str, str], nearest: EarlierAttempt
    ) -> Change:
        """Of a declared file, variable or output, or of the salt; never the value of a variable."""
        kind, name = kind_of(part), name_in(part)
        state = "is declared now" if part not in before else "is not declared any more" if part not in after else ""
        if kind == "output" and not state:
            return self._output_change(part, before, after, nearest)
        noun, verb = {
            "file": (f"the declared file {name}", "has other content"),
            "env": (f"the variable {name}", "has another value"),
            "output": (f"output {name}", ""),
            "salt": ("the salt", "changed"),
        }.get(kind, (part, "changed"))
        return Change(part, f"{noun} {state or verb}", before.get(part), after.get(part))

    def _output_change(
        self, part: str, before: Mapping[str, str], after: Mapping[str, str], nearest: EarlierAttempt
    ) -> Change:
        name = name_in(part)
        run = self._other_run(nearest.run_id)
        types = [_type_of_output(item, self._step.name, name) for item in (run, self._run)]
        what = f"{types[0]} -> {types[1]}" if types[0] != types[1] else "Zen stores it in another form now"
        return Change(part, f"output {name}: {what}", before[part], after[part])

    def _input_changes(self, nearest: EarlierAttempt, ports: Sequence[str]) -> list[Change]:
        if not ports:
            return []
        run = self._other_run(nearest.run_id)
        state = self._state_of(nearest)
        if state is None:
            return [Change(f"input:{port}", f"input {port} differs", None, None) for port in ports]
        before, after = sides(self._stores, (run, state), (self._run, self._state))
        return [compare_input(self._stores, port, before, after, upstream=self._upstream_of(port)) for port in ports]

    def _state_of(self, nearest: EarlierAttempt) -> StepRunState | None:
        attempts = self._stores.lineage.get_attempts(step_run_id(nearest.run_id, nearest.step, nearest.map_index))
        return next((item for item in attempts if item.attempt.attempt_id == nearest.attempt_id), None)

    def _who_deleted(self) -> Iterator[str]:
        """Of the nearest result, which outputs were deleted, by whom and why."""
        nearest = find_nearest(self._stores.lineage, self._run.record, [self._state])[self._state.step_run.step_run_id]
        state = nearest and self._state_of(nearest)
        for record in state.outputs.values() if state else ():
            if record.deleted_at is not None:
                who = f" by {record.deleted_by}" if record.deleted_by else ""
                why = f": {record.deleted_reason}" if record.deleted_reason else ""
                yield f"{record.name}@{record.version} was deleted {moment_text(record.deleted_at)}{who}{why}"

    def _upstream_of(self, port: str) -> str:
        """Which steps of this run made an input, and why they ran."""
        names = dict.fromkeys(self._sources_of(self._document, port))
        return "; ".join(filter(None, map(self._upstream_words, names)))

    def _sources_of(self, document: Mapping[str, Any], port: str) -> Iterator[str]:
        """The steps that made an input; of an element those that made the list."""
        for item in document.get("inputs", ()):
            if item["name"] != port:
                continue
            for output in iter_outputs(binding_from_json(item["binding"])):
                source = self._documents.get(output.step, {})
                if source.get("kind") == "expander":
                    yield from self._sources_of(source, output.output)
                else:
                    yield output.step

    def _upstream_words(self, name: str) -> str:
        states = [state for state in self._run.states if state.step_run.step == name]
        if not states:
            return ""
        if all(state.status == "cached" for state in states):
            return f"made by {name}, which was reused from run {(states[0].reused_from or '')[:8]}"
        reasons = [self._run.cache_reasons.get(state.step_run.step_run_id, "") for state in states]
        told = next(filter(None, reasons), "")
        return f"made by {name}, which ran{f': {told}' if told else ''}"

    def _other_run(self, run_id: str) -> Run:
        project = self._run.record.project
        record = self._stores.lineage.find_run(run_id, project)[0]
        return Run(record, self._stores.lineage.get_ir(project, record.ir_digest) or {"steps": []}, self._stores)

    def _code_documents(self, *digests: str) -> Mapping[str, Mapping[str, Any]]:
        known = sorted({digest for digest in digests if digest})
        return self._stores.lineage.get_codes(self._run.record.project, known) if known else {}


def _type_of_output(run: Run, step: str, name: str) -> str | None:
    outputs = (output for item in run.ir["steps"] if item["name"] == step for output in item["outputs"])
    return next((output["type"] for output in outputs if output["name"] == name), None)


def _versions(snapshot: Mapping[str, Any]) -> dict[str, str]:
    """The versions of all packages of an environment snapshot, by name, with how each came there."""
    installs = snapshot.get("installs", {})
    return {name: describe_version(version, installs.get(name)) for name, version in snapshot["packages"].items()}
