"""Facets of OpenLineage events, as plain JSON values: facts in, documents out, no client.

Those of the specification name its own schemas; those that begin with `zen_` are described in
docs/reference/openlineage-facets.schema.json, whose `$id` is `OWN_SCHEMA`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from zen_core.contract.canonical import digest_json
from zen_core.contract.settings import without_credentials
from zen_metadata.lineage.records import ArtifactRecord, ErrorRecord, RunRecord, StepRunState

SPECIFICATION = "https://openlineage.io/spec"
EVENT_SCHEMA = f"{SPECIFICATION}/2-0-2/OpenLineage.json#/$defs/RunEvent"
OWN_SCHEMA = "urn:zen:openlineage:1-0-0"
_VERSION_BY_FACET = {
    "DatasetVersionDatasetFacet": "1-0-1",
    "ErrorMessageRunFacet": "1-0-1",
    "JobTypeJobFacet": "2-0-4",
    "NominalTimeRunFacet": "1-0-1",
    "OutputStatisticsOutputDatasetFacet": "1-0-2",
    "ParentRunFacet": "1-2-0",
    "ProcessingEngineRunFacet": "1-1-1",
    "SchemaDatasetFacet": "1-2-0",
    "SourceCodeLocationJobFacet": "1-1-0",
}
_SSH_REMOTE = re.compile(r"(?:(?:ssh|git)://)?(?:[^@/]+@)?(?P<host>[^:/@]+)(?::\d+/|[:/])(?P<path>.+)")
# How hosts spell the address of a file at a commit; others are shown as the repository alone.
_FILE_URL_BY_HOST = {
    "github": "{repository}/blob/{commit}/{path}",
    "gitlab": "{repository}/-/blob/{commit}/{path}",
    "bitbucket": "{repository}/src/{commit}/{path}",
}

Json = dict[str, Any]


class Facets:
    """Makes facets that name the version of Zen which recorded the facts as their producer."""

    def __init__(self, zen_version: str) -> None:
        self.producer = f"pkg:pypi/zen-core@{zen_version}"

    def of_specification(self, name: str, /, **values: Any) -> Json:
        """A facet of the specification; values that are None are left out."""
        return self._facet(f"{SPECIFICATION}/facets/{_VERSION_BY_FACET[name]}/{name}.json#/$defs/{name}", values)

    def of_zen(self, name: str, /, **values: Any) -> Json:
        """A facet of Zen's own; values that are None are left out."""
        return self._facet(f"{OWN_SCHEMA}#/$defs/{name}", values)

    def _facet(self, schema: str, values: Mapping[str, Any]) -> Json:
        return {"_producer": self.producer, "_schemaURL": schema, **without_none(values)}

    # -- of a job ------------------------------------------------------------------------------------------------

    def job_type(self, kind: str) -> Json:
        """`PIPELINE` or `STEP`: both end."""
        return self.of_specification("JobTypeJobFacet", processingType="BATCH", integration="ZEN", jobType=kind)

    def source_code(self, snapshot: Mapping[str, Any] | None, source: str | None) -> Json | None:
        """Where the code lies in version control; None where the snapshot names no remote repository.

        Args:
            snapshot: the environment's.
            source: `path:line` below the project's root, where it is known.
        """
        git = (snapshot or {}).get("git") or {}
        if not git.get("remote"):
            return None
        remote = without_credentials(git["remote"])
        repository = web_address(remote)
        file = source.rpartition(":")[0] if source else ""
        path = file if git.get("folder", ".") == "." else f"{git['folder']}/{file}".rstrip("/")
        return self.of_specification(
            "SourceCodeLocationJobFacet",
            type="git",
            url=_file_url(repository, git.get("commit"), path),
            repoUrl=remote,
            path=path or None,
            version=git.get("commit"),
            branch=git.get("branch"),
        )

    # -- of a run ------------------------------------------------------------------------------------------------

    def of_run(self, run: RunRecord) -> Json:
        """What a run's own event and those of its steps have in common."""
        facets = {
            "processing_engine": self.of_specification(
                "ProcessingEngineRunFacet",
                name=f"Zen on {run.orchestrator}",
                version=run.zen_version,
                openlineageAdapterVersion=run.zen_version,
            )
        }
        if run.scheduled_at is not None:
            scheduled = iso(run.scheduled_at)
            facets["nominalTime"] = self.of_specification("NominalTimeRunFacet", nominalStartTime=scheduled)
        return facets

    def run_details(self, run: RunRecord) -> Json:
        """Who ran what, and where its page is."""
        return self.of_zen(
            "ZenRunFacet",
            orchestrator=run.orchestrator,
            deployment=run.deployment,
            irDigest=run.ir_digest,
            codeDigest=run.code_digest or None,
            runUrl=without_credentials(run.run_url) or None,
            rerunOf=run.parent_run_id,
            tags=list(run.tags) or None,
        )

    def parent(self, run: RunRecord, namespace: str) -> Json:
        """The run that a step run belongs to, which is the root as well."""
        above = {"run": {"runId": run.run_id}, "job": {"namespace": namespace, "name": run.pipeline}}
        return self.of_specification("ParentRunFacet", **above, root=above)

    def step_details(self, state: StepRunState) -> Json:
        """Which step run it is."""
        attempt = state.attempt
        return self.of_zen(
            "ZenStepFacet",
            step=state.step_run.step,
            stepRunId=state.step_run.step_run_id,
            fingerprint=attempt.fingerprint or None,
            logUrl=without_credentials(attempt.log_url) or None,
        )

    def map_details(self, step: str, states: Sequence[StepRunState]) -> Json:
        """What became of the elements of a mapped step."""
        counts = Counter(state.status for state in states)
        return self.of_zen("ZenMapFacet", step=step, elements=len(states), statuses=dict(sorted(counts.items())))

    def cache(self, state: StepRunState) -> Json:
        """Whether the result was taken from an earlier run."""
        hit = state.status == "cached"
        attempt = state.attempt
        return self.of_zen(
            "ZenCacheFacet",
            enabled=attempt.cache_enabled,
            hit=hit,
            key=attempt.cache_key or None,
            reason=attempt.cache_reason,
            reusedFrom=state.reused_from if hit else None,
            reusedAttempt=state.reused_attempt_id if hit else None,
        )

    def environment(self, digest: str, snapshot: Mapping[str, Any] | None) -> Json | None:
        """What the step ran in: versions and digests, and the names of variables, never their values."""
        if not snapshot:
            return None
        git = snapshot.get("git") or {}
        return self.of_zen(
            "ZenEnvironmentFacet",
            digest=digest,
            python=snapshot.get("python"),
            implementation=snapshot.get("implementation"),
            platform=snapshot.get("platform"),
            machine=snapshot.get("machine"),
            packages=len(snapshot.get("packages", {})),
            packagesDigest=digest_json("packages", [snapshot.get("packages", {}), snapshot.get("installs", {})]),
            imageDigest=snapshot.get("image_digest"),
            variables=snapshot.get("environment_variables"),
            uncommittedChanges=git.get("dirty"),
        )

    def error(self, error: ErrorRecord) -> Json:
        """What a step raised. Secrets were masked when it was recorded; here goes what looks like one in an address."""
        return self.of_specification(
            "ErrorMessageRunFacet",
            message=without_credentials(f"{error.type}: {error.message}"),
            programmingLanguage="python",
            stackTrace=without_credentials(error.traceback) or None,
        )

    def failed_steps(self, labels: Sequence[str]) -> Json:
        """Why a pipeline run failed: by which steps."""
        message = f"failed: {', '.join(labels)}" if labels else "no step says why"
        return self.of_specification("ErrorMessageRunFacet", message=message, programmingLanguage="python")

    # -- of a dataset --------------------------------------------------------------------------------------------

    def of_artifact(self, record: ArtifactRecord, uri: str, elements: int) -> Json:
        """Version, columns, and what Zen knows of an artifact; of a mapped step's, that of its latest element."""
        facets = {
            "zen_artifact": self.of_zen(
                "ZenArtifactFacet",
                artifactId=record.artifact_id,
                digest=record.digest,
                type=record.type,
                serializer=record.serializer,
                uri=uri,
                sizeBytes=record.size_bytes,
                elements=elements if elements > 1 else None,
            )
        }
        if record.version is not None:
            facets["version"] = self.of_specification("DatasetVersionDatasetFacet", datasetVersion=str(record.version))
        if columns := columns_of(record.metadata):
            facets["schema"] = self.of_specification("SchemaDatasetFacet", fields=columns)
        return facets

    def statistics(self, record: ArtifactRecord) -> Json:
        """How much was written."""
        return self.of_specification(
            "OutputStatisticsOutputDatasetFacet", rowCount=rows_of(record.metadata), size=record.size_bytes
        )


def columns_of(metadata: Mapping[str, Any]) -> list[Json]:
    """The columns of a table, as a serializer recorded them; none of what is no table."""
    columns = metadata.get("columns")
    if isinstance(columns, Mapping):
        return [{"name": name, "type": kind, "ordinal_position": at} for at, (name, kind) in _numbered(columns.items())]
    if isinstance(columns, Sequence) and not isinstance(columns, str):
        return [{"name": str(name), "ordinal_position": at} for at, name in _numbered(columns)]
    return []


def rows_of(metadata: Mapping[str, Any]) -> int | None:
    """The number of rows of a table, as a serializer recorded it."""
    if "columns" not in metadata:
        return None
    rows = metadata.get("rows", next(iter(metadata.get("shape", ())), None))
    return rows if isinstance(rows, int) else None


def _numbered(items: Any) -> Any:
    return enumerate(items, start=1)


def web_address(remote: str) -> str:
    """The address of a repository for a browser: an SSH remote's host and path, over https."""
    if not remote.startswith(("http://", "https://")) and (found := _SSH_REMOTE.fullmatch(remote)):
        remote = f"https://{found['host']}/{found['path'].lstrip('/')}"
    return remote.rstrip("/").removesuffix(".git")


def _file_url(repository: str, commit: str | None, path: str) -> str:
    host = repository.split("/")[2] if repository.count("/") > 1 else ""
    form = next((form for name, form in _FILE_URL_BY_HOST.items() if name in host), None)
    return form.format(repository=repository, commit=commit, path=path) if form and commit and path else repository


def iso(moment: datetime) -> str:
    """A time as events say it: in UTC, always with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def without_none(values: Mapping[str, Any]) -> Json:
    """The same without what is not known: the specification knows no null."""
    return {name: value for name, value in values.items() if value is not None}
