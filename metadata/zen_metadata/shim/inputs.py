"""Resolves the inputs of a step: what each one is (its digest), and how to load it.

The digests are known without loading anything: those of artifacts come from the lineage store, those of files from
their content, those of constants and parameters from their JSON form.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zen_core.contract.bindings import (
    Binding,
    ConstantBinding,
    ListBinding,
    OutputBinding,
    ParameterBinding,
)
from zen_core.contract.canonical import digest_json
from zen_core.contract.manifest import StepManifest
from zen_core.contract.refs import ref_from_json
from zen_core.contract.values import TAG, digest_value_json, iter_files
from zen_core.errors import ArtifactMissingError, MissingInputError
from zen_metadata.lineage.records import ArtifactRecord, InputRecord

if TYPE_CHECKING:
    from zen_metadata.artifacts.files import SourceFile

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
class ListPlan:
    """A list or tuple of plans."""

    items: tuple[LoadPlan, ...]
    as_tuple: bool


@dataclass(frozen=True, slots=True)
class DictPlan:
    """A dict of plans."""

    items: Mapping[str, LoadPlan]


LoadPlan = ValueLeaf | ArtifactLeaf | ListPlan | DictPlan


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
        parameters: the run's effective parameters, in JSON form.
        upstream: the refs that earlier tasks handed over, by step and output.
        get_artifact: the recorded artifact of an id, or None.
        find_source: the file of a reference, with the digest of its content.
    """

    def __init__(
        self,
        *,
        project: str,
        where: str,
        parameters: Mapping[str, Any],
        upstream: Mapping[str, Mapping[str, Any]],
        get_artifact: Callable[[str], ArtifactRecord | None],
        find_source: Callable[[str], tuple[SourceFile, str]],
    ) -> None:
        self._project = project
        self._where = where
        self._parameters = parameters
        self._upstream = upstream
        self._get_artifact = get_artifact
        self._find_source = find_source
        self._records: list[InputRecord] = []
        self._sources: dict[str, ArtifactRecord] = {}

    def resolve(self, step: StepManifest) -> ResolvedInputs:
        """Resolve all inputs. Raises MissingInputError, ArtifactMissingError, StoreError."""
        digests: dict[str, str] = {}
        plans: dict[str, LoadPlan] = {}
        for item in step.inputs:
            digests[item.name], plans[item.name] = self._resolve(item.name, "", item.binding)
        return ResolvedInputs(digests, tuple(self._records), tuple(self._sources.values()), plans)

    def _resolve(self, port: str, path: str, binding: Binding) -> tuple[str, LoadPlan]:
        if isinstance(binding, OutputBinding):
            return self._resolve_output(port, path, binding)
        if isinstance(binding, ParameterBinding):
            return self._resolve_value(port, path, self._parameters[binding.parameter])
        if isinstance(binding, ConstantBinding):
            return self._resolve_value(port, path, binding.value)
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

    def _resolve_output(self, port: str, path: str, binding: OutputBinding) -> tuple[str, LoadPlan]:
        outputs = self._upstream.get(binding.step)
        document = None if outputs is None else outputs.get(binding.output)
        if document is None:
            raise MissingInputError(
                f"input {port!r} reads output {binding.output!r} of step {binding.step!r}, which handed over nothing",
                where=self._where,
                hint=f"run step {binding.step!r} again",
            )
        ref = ref_from_json(document, where=self._where)
        # The ref is a claim: digest, serializer and address are what the store says.
        record = self._get_artifact(ref.artifact_id)
        if record is None or record.project != self._project:
            raise ArtifactMissingError(
                f"input {port!r} is artifact {ref.artifact_id}, which the lineage store does not know",
                where=self._where,
                hint="the task ran against another store; check ZEN_LINEAGE_URL on all workers",
            )
        self._records.append(InputRecord(port, record.digest, path, record.artifact_id))
        return record.digest, ArtifactLeaf(record)

    def _resolve_value(self, port: str, path: str, value: Any) -> tuple[str, LoadPlan]:
        references = iter_files(value)
        if not references:
            digest = digest_value_json(value)
            self._records.append(InputRecord(port, digest, path))
            return digest, ValueLeaf(value, {})
        found = {reference: self._find_source(reference) for reference in references}
        content = {reference: digest for reference, (_, digest) in found.items()}
        whole = isinstance(value, dict) and value.get(TAG) == "file"
        digest = content[references[0]] if whole else digest_value_json(_with_content(value, content))
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
        source_id = str(uuid.uuid5(_SOURCE_NAMESPACE, f"{self._project}\n{reference}\n{digest}"))
        self._sources[source_id] = ArtifactRecord(
            artifact_id=source_id,
            project=self._project,
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


def _with_content(value: Any, content: Mapping[str, str]) -> Any:
    """The value with each file's content digest in place of its reference."""
    if isinstance(value, list):
        return [_with_content(item, content) for item in value]
    if isinstance(value, dict):
        if value.get(TAG) == "file":
            return {TAG: "file", "value": content[value["value"]]}
        return {key: _with_content(item, content) for key, item in value.items()}
    return value
