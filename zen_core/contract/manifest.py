"""The manifest: all that a task must know of its pipeline, as one JSON file beside the emitted code.

It holds the IR and, for each step, what only the compiler could find out: the code fingerprint and the packages
that the step imports. It never holds an address of a store. This module reads it with the standard library alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from zen_core.contract.bindings import Binding, binding_from_json
from zen_core.contract.canonical import canonical_json
from zen_core.contract.conditions import Condition, condition_from_json
from zen_core.errors import ManifestError

MANIFEST_VERSION = 1
IMPORTED = "imported"
MANIFEST_FILE = "manifest.json"
CODE_FILE = "code.zip"
SETTINGS_FILE = "zen.settings.json"
BEFORE_FOLDER = "before"
"""Beside a deployed manifest: manifest and bundle of the IR that was deployed before it."""


@dataclass(frozen=True, slots=True)
class InputManifest:
    """One input of a step: its parameter name, the declared type as text, and where the value comes from."""

    name: str
    type: str
    binding: Binding


@dataclass(frozen=True, slots=True)
class OutputManifest:
    """One output of a step, with the declared type as text."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class CacheManifest:
    """The cache policy of a step. Durations in seconds; `ttl_seconds` None: an entry does not age."""

    enabled: bool = False
    ttl_seconds: float | None = None
    wait_seconds: float = 900.0
    files: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    salt: str = ""
    packages: str = IMPORTED
    """Which installed packages are in the key: `imported` (by the code), `all` or `none`."""


@dataclass(frozen=True, slots=True)
class CodeDefinition:
    """One definition that a step reaches: a function, class or variable of the project.

    Attributes:
        name: `module:qualname`.
        digest: of its own text in Zen's form; what it reaches has digests of its own.
        kind: `function`, `class`, `variable`, `module` (counted as a whole), or `closure`.
        file: relative to the project's root (of an import root outside it: to that), with "/"; "" without source.
        lines: the first and the last line; (0, 0) without source.
    """

    name: str
    digest: str
    kind: str
    file: str = ""
    lines: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Unfollowed:
    """A place where code reaches further than can be read: `exec`, `getattr` with a computed name, …"""

    what: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class CodeFingerprint:
    """The identity of a step's code.

    Attributes:
        scope: what the digest covers: `project` (all that the step reaches in it), `bytecode`, `none`.
        imports: the third-party import names that all of that uses.
        definitions: what the step reaches, sorted by name, itself included.
        unfollowed: where that could not be followed.
    """

    digest: str
    scope: str
    imports: tuple[str, ...] = ()
    definitions: tuple[CodeDefinition, ...] = ()
    unfollowed: tuple[Unfollowed, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """What the lineage store keeps of it: {} for a step without code of the user's."""
        if not self.definitions:
            return {}
        return {
            "scope": self.scope,
            "imports": list(self.imports),
            "definitions": {
                item.name: {"digest": item.digest, "kind": item.kind, "file": item.file, "lines": list(item.lines)}
                for item in self.definitions
            },
            "unfollowed": [{"what": item.what, "file": item.file, "line": item.line} for item in self.unfollowed],
        }

    @property
    def imports_mlflow(self) -> bool:
        """Whether the step's own code uses MLflow, so that it needs a run of its own while it executes."""
        return "mlflow" in self.imports


NO_CODE = CodeFingerprint("", "none")
"""The fingerprint of gates and expanders, which run no code of the user's."""


@dataclass(frozen=True, slots=True)
class EnvironmentManifest:
    """What a step needs around its code; empty: nothing in particular."""

    python: str = ""
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepManifest:
    """One step, as the shim needs it.

    Attributes:
        entry_point: the user's function; "" for a gate and an expander.
        condition: of a gate.
        expander: of a step of a map: what says how many elements there are.
        on: of a hook: how the run must have ended.
    """

    name: str
    entry_point: str
    inputs: tuple[InputManifest, ...]
    outputs: tuple[OutputManifest, ...]
    cache: CacheManifest
    fingerprint: CodeFingerprint
    timeout_seconds: float | None = None
    kind: str = "step"
    condition: Condition | None = None
    expander: str = ""
    chunk: int = 1
    environment: EnvironmentManifest = EnvironmentManifest()
    on: str = ""


@dataclass(frozen=True, slots=True)
class ParameterManifest:
    """One pipeline parameter. `default` is in the JSON form of `contract.values`."""

    name: str
    type: str
    required: bool
    default: Any = None
    scheduled_time: bool = False
    timezone: str = "UTC"


@dataclass(frozen=True)
class PipelineManifest:
    """A compiled pipeline, as tasks read it.

    Attributes:
        code_digest: the digest of the code bundle (of the sources, for a run that has no bundle).
        code: `bundle` (a zip beside the manifest), `installed` (what the image has) or `local` (already imported).
        ir: the IR document; the first task of a run stores it.
    """

    project: str
    pipeline: str
    zen_version: str
    ir_digest: str
    code_digest: str
    code: str
    ir: Mapping[str, Any]
    fingerprints: Mapping[str, CodeFingerprint]
    folder: Path | None = field(default=None, compare=False)

    @cached_property
    def parameters(self) -> Mapping[str, ParameterManifest]:
        """The pipeline's parameters by name, in order."""
        zone = (self.ir.get("schedule") or {}).get("timezone", "UTC")
        return {
            document["name"]: ParameterManifest(
                name=document["name"],
                type=document["type"],
                required=document.get("required", False),
                default=document.get("default"),
                scheduled_time=document.get("scheduled_time", False),
                timezone=zone,
            )
            for document in self.ir["parameters"]
        }

    @cached_property
    def steps(self) -> Mapping[str, StepManifest]:
        """The steps by name, in the IR's order; hooks come last."""
        documents = (*self.ir["steps"], *self.ir.get("hooks", ()))
        return {document["name"]: self._step(document) for document in documents}

    def _step(self, document: Mapping[str, Any]) -> StepManifest:
        fan_out, environment = document.get("map") or {}, document.get("environment") or {}
        condition = document.get("condition")
        return StepManifest(
            name=document["name"],
            entry_point=document.get("entry_point", ""),
            inputs=tuple(
                InputManifest(item["name"], item["type"], binding_from_json(item["binding"]))
                for item in document["inputs"]
            ),
            outputs=tuple(OutputManifest(item["name"], item["type"]) for item in document["outputs"]),
            cache=_cache_from_json(document["cache"]),
            fingerprint=self.fingerprints.get(document["name"], NO_CODE),
            timeout_seconds=document.get("timeout_seconds"),
            kind=document.get("kind", "step"),
            condition=condition_from_json(condition) if condition else None,
            expander=fan_out.get("expander", ""),
            chunk=fan_out.get("chunk", 1),
            environment=EnvironmentManifest(environment.get("python", ""), tuple(environment.get("requirements", ()))),
            on=document.get("on", ""),
        )

    def to_json(self) -> dict[str, Any]:
        """The document that `read_manifest` reads."""
        return {
            "manifest_version": MANIFEST_VERSION,
            "zen_version": self.zen_version,
            "project": self.project,
            "pipeline": self.pipeline,
            "ir_digest": self.ir_digest,
            "code_digest": self.code_digest,
            "code": self.code,
            "ir": dict(self.ir),
            "steps": {
                name: {
                    "fingerprint": item.digest,
                    "scope": item.scope,
                    "imports": list(item.imports),
                    "definitions": [definition.name for definition in item.definitions],
                    "unfollowed": [[place.what, place.file, place.line] for place in item.unfollowed],
                }
                for name, item in self.fingerprints.items()
            },
            "definitions": {  # once each, though many steps reach the same
                definition.name: [definition.digest, definition.kind, definition.file, *definition.lines]
                for item in self.fingerprints.values()
                for definition in item.definitions
            },
        }

    def to_text(self) -> str:
        """The file's text: sorted and indented, so that a change reads as a small diff."""
        canonical_json(self.to_json())  # refuses NaN and what is no JSON
        return json.dumps(self.to_json(), sort_keys=True, indent=1, ensure_ascii=True) + "\n"


def manifest_from_json(document: Mapping[str, Any], *, folder: Path | None = None, where: str = "") -> PipelineManifest:
    """Read a manifest document. Raises ManifestError for another version or a missing part."""
    version = document.get("manifest_version")
    if version != MANIFEST_VERSION:
        raise ManifestError(
            f"the manifest has version {version!r}, this Zen reads version {MANIFEST_VERSION}",
            where=where,
            why=f"it was written by Zen {document.get('zen_version', 'of an unknown version')}",
            hint="install the version of zen-core that compiled the pipeline, or compile it again",
        )
    try:
        return PipelineManifest(
            project=document["project"],
            pipeline=document["pipeline"],
            zen_version=document["zen_version"],
            ir_digest=document["ir_digest"],
            code_digest=document["code_digest"],
            code=document["code"],
            ir=document["ir"],
            fingerprints=_fingerprints_from_json(document),
            folder=folder,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ManifestError(
            f"the manifest is damaged: {type(error).__name__} {error}",
            where=where,
            hint="compile the pipeline again",
        ) from error


def read_manifest(folder: Path) -> PipelineManifest:
    """Read the manifest in `folder`, the one that was emitted beside the orchestrator's file."""
    path = folder / MANIFEST_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(
            f"the manifest {path.name} cannot be read: {error.strerror}",
            where=str(path),
            hint="copy the whole folder that `zen compile` wrote, not the Python file alone",
        ) from error
    except ValueError as error:
        raise ManifestError(
            f"the manifest is no JSON: {error}", where=str(path), hint="compile the pipeline again"
        ) from error
    return manifest_from_json(document, folder=folder, where=str(path))


def _fingerprints_from_json(document: Mapping[str, Any]) -> dict[str, CodeFingerprint]:
    definitions = {
        name: CodeDefinition(name, digest, kind, file, (first, last))
        for name, (digest, kind, file, first, last) in document.get("definitions", {}).items()
    }
    return {
        name: CodeFingerprint(
            item["fingerprint"],
            item["scope"],
            tuple(item["imports"]),
            tuple(definitions[reached] for reached in item.get("definitions", ())),
            tuple(Unfollowed(*place) for place in item.get("unfollowed", ())),
        )
        for name, item in document["steps"].items()
    }


def _cache_from_json(document: Mapping[str, Any]) -> CacheManifest:
    return CacheManifest(
        enabled=document["enabled"],
        ttl_seconds=document.get("ttl_seconds"),
        wait_seconds=document.get("wait_seconds", 900.0),
        files=tuple(document.get("files", ())),
        env=tuple(document.get("env", ())),
        salt=document.get("salt", ""),
        packages=document.get("packages") or IMPORTED,
    )
