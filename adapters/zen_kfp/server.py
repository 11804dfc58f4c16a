"""What deploying asks of KFP's API, through the SDK's own client. Its exceptions pass through."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from zen_kfp.options import KfpOptions
from zen_kfp.schedule import RecurringRun

TOKEN_VARIABLE = "ZEN_KFP_TOKEN"
"""The environment variable with a bearer token of the API, where it wants one."""


class PipelineServer:
    """One KFP."""

    def __init__(self, client: Any, namespace: str | None) -> None:
        self._client = client
        self._namespace = namespace

    @classmethod
    def connect(cls, options: KfpOptions, endpoint: str) -> Self:
        """The server at `host`, else at the endpoint of the environment. It has answered."""
        from kfp import client

        class Prompt(client.Client):  # type: ignore[misc]
            """The SDK asks five times, for half a minute, before it says that a server is away."""

            def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:
                return self._healthz_api.healthz_service_get_healthz()

        found = Prompt(
            host=options.host or endpoint,
            namespace=options.namespace or "kubeflow",
            existing_token=os.environ.get(TOKEN_VARIABLE) or None,
        )
        server = cls(found, options.namespace)
        server.check()
        return server

    def check(self) -> None:
        """Ask whether it is well."""
        self._client.get_kfp_healthz()

    def find_pipeline(self, name: str) -> str | None:
        """The id of the pipeline of this name."""
        found = self._find_pipeline(name)
        return found.pipeline_id if found else None

    def find_description(self, name: str) -> str | None:
        """The description of the pipeline of this name; None where there is none."""
        found = self._find_pipeline(name)
        return (found.description or "") if found else None

    def create_pipeline(self, name: str, description: str) -> str:
        """Make a pipeline without any version; its id."""
        import kfp_server_api

        pipeline = kfp_server_api.V2beta1Pipeline(display_name=name, description=description, namespace=self._namespace)
        return str(self._client._pipelines_api.pipeline_service_create_pipeline(pipeline=pipeline).pipeline_id)

    def find_version(self, pipeline_id: str, name: str) -> str | None:
        """The id of a pipeline's version of this name."""
        found = self._client.list_pipeline_versions(pipeline_id, page_size=1, filter=_named(name))
        versions = found.pipeline_versions or []
        return versions[0].pipeline_version_id if versions else None

    def upload_version(self, pipeline_id: str, name: str, package: bytes, description: str) -> str:
        """Upload a compiled pipeline; the id of the new version."""
        with tempfile.TemporaryDirectory(prefix="zen-kfp-") as folder:
            file = Path(folder) / "pipeline.yaml"
            file.write_bytes(package)
            made = self._client.upload_pipeline_version(
                str(file), pipeline_version_name=name, pipeline_id=pipeline_id, description=description
            )
        return str(made.pipeline_version_id)

    def bring_schedule_up_to_date(self, experiment: str, name: str, wanted: RecurringRun | None) -> Iterator[str]:
        """Make the recurring run of this name what it must be; none, where none is wanted. Says what changed.

        A recurring run cannot be changed: another takes its place, and one that a person disabled stays disabled.
        """
        known = self._recurring_runs(name)
        if wanted is not None and any(_is_as(run, wanted) for run in known):
            return
        if wanted is not None:
            enabled = not known or any(run.mode != "DISABLE" and run.status != "DISABLED" for run in known)
            self._create_recurring_run(experiment, name, wanted, enabled)
            yield f"recurring run {name}"
        for run in known:
            self._client.delete_recurring_run(run.recurring_run_id)
            if wanted is None:
                yield f"recurring run {name} (removed)"

    def _find_pipeline(self, name: str) -> Any | None:
        found = self._client.list_pipelines(page_size=1, filter=_named(name), namespace=self._namespace)
        return found.pipelines[0] if found.pipelines else None

    def _recurring_runs(self, name: str) -> list[Any]:
        found = self._client.list_recurring_runs(page_size=100, filter=_named(name), namespace=self._namespace)
        return list(found.recurring_runs or [])

    def _create_recurring_run(self, experiment: str, name: str, wanted: RecurringRun, enabled: bool) -> None:
        made = self._client.create_experiment(experiment, namespace=self._namespace)
        self._client.create_recurring_run(
            made.experiment_id,
            name,
            cron_expression=wanted.cron,
            max_concurrency=wanted.most_runs,
            no_catchup=True,
            params=dict(wanted.parameters),
            pipeline_id=wanted.pipeline_id,
            version_id=wanted.version_id,
            enabled=enabled,
            service_account=wanted.service_account,
        )


def _is_as(run: Any, wanted: RecurringRun) -> bool:
    reference, config = run.pipeline_version_reference, run.runtime_config
    schedule = run.trigger.cron_schedule if run.trigger else None
    return (
        reference is not None
        and reference.pipeline_version_id == wanted.version_id
        and schedule is not None
        and schedule.cron == wanted.cron
        and int(run.max_concurrency or 0) == wanted.most_runs
        and dict((config.parameters if config else None) or {}) == dict(wanted.parameters)
        and (wanted.service_account is None or run.service_account == wanted.service_account)
    )


def _named(name: str) -> str:
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})
