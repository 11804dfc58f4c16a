"""Resolves the inputs of a step: what each one is (its digest), and how to load it.

The digests are known without loading anything: those of artifacts come from the lineage store, those of files from
their content, those of constants and parameters from their JSON form; that of a secret is the one of its name.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zen_core.contract.bindings import (
    Binding,
    ConstantBinding,
    DictBinding,
    EitherBinding,
    ElementBinding,
    ExternalBinding,
    ListBinding,
    OutputBinding,
    ParameterBinding,
    SecretBinding,
)
from zen_core.contract.canonical import digest_json
from zen_core.contract.manifest import PipelineManifest, StepManifest
from zen_core.contract.refs import ref_from_json
from zen_core.contract.values import TAG, digest_value_json, iter_files
from zen_core.errors import ArtifactMissingError, MissingInputError, StepSkipped
from zen_metadata.artifacts.class_code import digest_with_code
from zen_metadata.lineage.records import ArtifactRecord, InputRecord, RunRecord, StepRunOutputs
from zen_metadata.query.rules import DONE
from zen_metadata.shim.elements import collection_digest, find_result, find_results
from zen_metadata.shim.external import find_external
from zen_metadata.shim.standing import Standing, UpstreamFailedError

if TYPE_CHECKING:
    from zen_metadata.artifacts.files import SourceFile
    from zen_metadata.shim.workspace import Workspace


_SOURCE_NAMESPACE = uuid.UUID("0f0f8f3e-6f5b-5c62-8d0e-5a1f4be0c7aa")


@dataclass(frozen=True, slots=True)
class ValueLeaf:
    """A constant or a parameter, in JSON form; `sources` are the files within it by reference."""

    value: Any
    sources: Mapping[str, SourceFile]


@dataclass(frozen=True, slots=True)
class ArtifactLeaf:
    """A stored artifact."""

    record: ArtifactRecord


@dataclass(frozen=True, slots=True)
class SecretLeaf:
    """A secret, by its name: the value is read where the user's function is called."""

    name: str


@dataclass(frozen=True, slots=True)
class ListPlan:
    """A list or tuple of plans."""

    items: tuple[LoadPlan, ...]
    as_tuple: bool


@dataclass(frozen=True, slots=True)
class DictPlan:
    """A dict of plans."""

    items: Mapping[str, LoadPlan]


LoadPlan = ValueLeaf | ArtifactLeaf | SecretLeaf | ListPlan | DictPlan


def iter_secrets(plan: LoadPlan) -> Iterator[str]:
    """The names of the secrets that a plan reads."""
    if isinstance(plan, SecretLeaf):
        yield plan.name
    elif isinstance(plan, (ListPlan, DictPlan)):
        for item in plan.items if isinstance(plan, ListPlan) else plan.items.values():
            yield from iter_secrets(item)


@dataclass(frozen=True, slots=True)
class ResolvedInputs:
    """All inputs of one step run."""

    digests: Mapping[str, str]
    """By port; what the cache key takes."""
    records: tuple[InputRecord, ...]
    sources: tuple[ArtifactRecord, ...]
    plans: Mapping[str, LoadPlan]


class InputResolver:
    """Resolves the bindings of one step run.

    Args:
        manifest: the pipeline that the step belongs to.
        run: the run as it is stored, with effective parameters.
        upstream: the refs that earlier tasks handed over, by step and output.
        map_index: the element's index, in a step of a map.
        workspace: where artifacts, files, elements and pins are found.
        standing: how the other steps of the run stand, asked where an input is not there.
    """

    def __init__(
        self,
        *,
        manifest: PipelineManifest,
        run: RunRecord,
        where: str,
        upstream: Mapping[str, Mapping[str, Any]],
        map_index: int | None,
        workspace: Workspace,
        standing: Standing,
    ) -> None:
        self._manifest = manifest
        self._run = run
        self._where = where
        self._upstream = upstream
        self._map_index = map_index
        self._workspace = workspace
        self._standing = standing
        self._records: list[InputRecord] = []
        self._sources: dict[str, ArtifactRecord] = {}
        self._own: dict[str, Mapping[str, ArtifactRecord]] = {}

    def resolve(self, step: StepManifest) -> ResolvedInputs:
        """Resolve all inputs.

        Raises:
            StepSkipped: what an input reads was skipped.
            UpstreamFailedError: what an input reads failed.
            MissingInputError, ArtifactMissingError, NotFoundError, StoreError: an input is not there.
        """
        digests: dict[str, str] = {}
        plans: dict[str, LoadPlan] = {}
        for item in step.inputs:
            digests[item.name], plans[item.name] = self._resolve(item.name, "", item.binding)
        return ResolvedInputs(digests, tuple(self._records), tuple(self._sources.values()), plans)

    def _resolve(self, port: str, path: str, binding: Binding) -> tuple[str, LoadPlan]:
        if isinstance(binding, OutputBinding):
            return self._resolve_output(port, path, binding)
        if isinstance(binding, ParameterBinding):
            return self._resolve_value(port, path, self._run.parameters[binding.parameter])
        if isinstance(binding, ConstantBinding):
            return self._resolve_value(port, path, binding.value)
        if isinstance(binding, ElementBinding):
            return self._resolve_element(port, path, binding)
        if isinstance(binding, EitherBinding):
            return self._resolve_either(port, path, binding)
        if isinstance(binding, ExternalBinding):
            record = find_external(self._workspace, self._run, binding, port=port, where=self._where)
            return self._take(port, path, record, record.artifact_id)
        if isinstance(binding, SecretBinding):
            digest, plan = digest_json("secret", binding.secret), SecretLeaf(binding.secret)
            self._records.append(InputRecord(port, digest, path))
            return digest, plan
        return self._resolve_group(port, path, binding)

    def _resolve_group(self, port: str, path: str, binding: ListBinding | DictBinding) -> tuple[str, LoadPlan]:
        if isinstance(binding, ListBinding):
            items = [self._resolve(port, f"{path}[{index}]", item) for index, item in enumerate(binding.items)]
            digest = digest_json("tuple" if binding.as_tuple else "list", [item_digest for item_digest, _ in items])
            plan: LoadPlan = ListPlan(tuple(plan for _, plan in items), binding.as_tuple)
        else:
            entries = {key: self._resolve(port, f"{path}[{key!r}]", item) for key, item in binding.items.items()}
            digest = digest_json("dict", {key: item_digest for key, (item_digest, _) in entries.items()})
            plan = DictPlan({key: plan for key, (_, plan) in entries.items()})
        self._records.append(InputRecord(port, digest, path))
        return digest, plan

    def _take(self, port: str, path: str, record: ArtifactRecord, artifact_id: str) -> tuple[str, LoadPlan]:
        self._records.append(InputRecord(port, record.digest, path, artifact_id))
        return record.digest, ArtifactLeaf(record)

    # -- what steps made ---------------------------------------------------------------------------------------------

    def _resolve_output(self, port: str, path: str, binding: OutputBinding) -> tuple[str, LoadPlan]:
        if self._manifest.steps[binding.step].expander:
            return self._collect(port, path, binding)
        outputs = self._upstream.get(binding.step)
        document = None if outputs is None else outputs.get(binding.output)
        if document is None:
            raise self._missing(
                binding.step,
                f"input {port!r} reads output {binding.output!r} of step {binding.step!r}, which handed over nothing",
            )
        record = self._find_record(port, document)
        return self._take(port, path, record, record.artifact_id)

    def _find_record(self, port: str, document: Mapping[str, Any]) -> ArtifactRecord:
        ref = ref_from_json(document, where=self._where)
        # The ref is a claim: digest, serializer and address are what the store says.
        record = self._workspace.get_artifact(ref.artifact_id)
        if record is None or record.project != self._run.project:
            raise ArtifactMissingError(
                f"input {port!r} is artifact {ref.artifact_id}, which the lineage store does not know",
                where=self._where,
                hint="the task ran against another store; check ZEN_LINEAGE_URL on all workers",
            )
        return record

    def _resolve_either(self, port: str, path: str, binding: EitherBinding) -> tuple[str, LoadPlan]:
        for option in binding.options:
            handed = (self._upstream.get(option.step) or {}).get(option.output) is not None
            outcome = "done" if handed else self._standing.outcome_of(option.step)
            # What is neither handed over nor known to have failed was not taken.
            if outcome in ("done", "broken"):
                return self._resolve_output(port, path, option)
        names = " and ".join(repr(option.step) for option in binding.options)
        raise MissingInputError(
            f"input {port!r} reads what one of steps {names} made, and none of them handed anything over",
            where=self._where,
            hint="run the steps of the branch that was taken again",
        )

    def _missing(self, step: str, message: str) -> MissingInputError:
        """The error for what a step did not make. Raises StepSkipped where that step was skipped."""
        outcome = self._standing.outcome_of(step)
        if outcome == "skipped":
            raise StepSkipped(f"{self._where} reads step {step!r}, which was skipped")
        kind = UpstreamFailedError if outcome == "broken" else MissingInputError
        return kind(message, where=self._where, hint=f"run step {step!r} again")

    # -- elements of maps --------------------------------------------------------------------------------------------

    def _resolve_element(self, port: str, path: str, binding: ElementBinding) -> tuple[str, LoadPlan]:
        if self._map_index is None:
            raise MissingInputError(
                f"input {port!r} is an element of a map, and the task says no index",
                where=self._where,
                hint="a mapped step runs with the index of its element",
            )
        if self._manifest.steps[binding.step].kind == "expander":
            collection = self._find_of_expander(port, binding.step, binding.output)
            element = self._workspace.collections.element(collection, self._map_index, self._workspace.scratch)
            if element is None:
                raise MissingInputError(
                    f"input {port!r} is element {self._map_index}, and the list has no more",
                    where=self._where,
                    why=f"step {binding.step!r} ran again with a shorter list",
                    hint="run the steps of the map again",
                )
            return self._take(port, path, element, element.artifact_id)
        index = self._map_index
        found = find_results(self._workspace, self._run.run_id, binding.step, [index], surely=True).get(index)
        record = _output_of(found, binding.output)
        if record is None:
            raise UpstreamFailedError(
                f"input {port!r} reads element {self._map_index} of step {binding.step!r}, which {_state_of(found)}",
                where=self._where,
                hint=f"run step {binding.step!r} again",
            )
        return self._take(port, path, record, record.artifact_id)

    def _collect(self, port: str, path: str, binding: OutputBinding) -> tuple[str, LoadPlan]:
        """All elements of a mapped step, in order."""
        expander = self._manifest.steps[binding.step].expander
        indexes = range(self._find_of_expander(port, expander, "count").inline_value)
        results: Mapping[int, StepRunOutputs] = {}
        if indexes:
            results = find_results(self._workspace, self._run.run_id, binding.step, indexes, surely=True)
        found = [(index, _output_of(results.get(index), binding.output)) for index in indexes]
        missing = [f"{index} ({_state_of(results.get(index))})" for index, record in found if record is None]
        if missing:
            listed = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
            raise self._missing(
                binding.step,
                f"input {port!r} reads all elements of step {binding.step!r}, and there is no element {listed}",
            )
        records = [record for _, record in found if record is not None]
        for index, record in enumerate(records):
            self._records.append(InputRecord(port, record.digest, f"{path}[{index}]", record.artifact_id))
        digest = collection_digest([record.digest for record in records])
        self._records.append(InputRecord(port, digest, path))
        return digest, ListPlan(tuple(ArtifactLeaf(record) for record in records), as_tuple=False)

    def _find_of_expander(self, port: str, step: str, output: str) -> ArtifactRecord:
        """What the expander made: by the ref that it handed over, else as it is recorded."""
        document = (self._upstream.get(step) or {}).get(output)
        if document is not None:
            return self._find_record(port, document)
        if step not in self._own:
            found = find_result(self._workspace, self._run.run_id, step, surely=True)
            self._own[step] = found.outputs if found is not None and found.status in DONE else {}
        record = self._own[step].get(output)
        if record is None:
            raise self._missing(step, f"input {port!r} reads a map that step {step!r} did not begin")
        return record

    # -- values ------------------------------------------------------------------------------------------------------

    def _resolve_value(self, port: str, path: str, value: Any) -> tuple[str, LoadPlan]:
        references = iter_files(value)
        if not references:
            digest = digest_with_code(digest_value_json(value), value)
            self._records.append(InputRecord(port, digest, path))
            return digest, ValueLeaf(value, {})
        found = {reference: self._workspace.find_source(reference) for reference in references}
        content = {reference: digest for reference, (_, digest) in found.items()}
        whole = isinstance(value, dict) and value.get(TAG) == "file"
        digest = content[references[0]]
        if not whole:
            digest = digest_with_code(digest_value_json(_with_content(value, content)), value)
        source_ids = {reference: self._add_source(reference, *found[reference]) for reference in references}
        if whole:
            self._records.append(InputRecord(port, digest, path, source_ids[references[0]]))
        else:
            self._records.append(InputRecord(port, digest, path))
            self._records.extend(
                InputRecord(port, content[reference], f"{path}<{reference}>", source_ids[reference])
                for reference in references
            )
        return digest, ValueLeaf(value, {reference: source for reference, (source, _) in found.items()})

    def _add_source(self, reference: str, source: SourceFile, digest: str) -> str:
        source_id = str(uuid.uuid5(_SOURCE_NAMESPACE, f"{self._run.project}\n{reference}\n{digest}"))
        self._sources[source_id] = ArtifactRecord(
            artifact_id=source_id,
            project=self._run.project,
            pipeline="",
            name=reference,
            digest=digest,
            stored_digest=digest,
            type="File",
            serializer="",
            serializer_version=0,
            location=reference,
            size_bytes=source.size_bytes,
            kind="source",
        )
        return source_id


def _output_of(result: StepRunOutputs | None, output: str) -> ArtifactRecord | None:
    return result.outputs.get(output) if result is not None and result.status in DONE else None


def _state_of(result: StepRunOutputs | None) -> str:
    return "did not run" if result is None else f"is {result.status}"


def _with_content(value: Any, content: Mapping[str, str]) -> Any:
    """The value with each file's content digest in place of its reference."""
    if isinstance(value, list):
        return [_with_content(item, content) for item in value]
    if isinstance(value, dict):
        if value.get(TAG) == "file":
            return {TAG: "file", "value": content[value["value"]]}
        return {key: _with_content(item, content) for key, item in value.items()}
    return value
