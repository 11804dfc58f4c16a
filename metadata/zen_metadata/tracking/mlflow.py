"""A thin client of MLflow: bounded in time, race-safe, and with Zen's errors.

MLflow is imported inside functions only, since that takes seconds. Whatever the address, no call takes
minutes when the server is down: MLflow's own defaults retry for four, and wait as long as a busy server says.
"""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from zen_core.contract.settings import without_credentials
from zen_core.errors import TrackingError
from zen_metadata.tracking.batches import batches, first_tags
from zen_metadata.tracking.locks import file_lock
from zen_metadata.tracking.projection import Projection, milliseconds, valid_key

CALL_TIMEOUT_SECONDS = 10
UNREACHABLE = "ZEN-T100"
REFUSED = "ZEN-T101"
"""MLflow answers, and does not take this record: trying others makes sense."""

_REFUSALS = frozenset({"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "INVALID_STATE", "RESOURCE_ALREADY_EXISTS"})
_BUSY = frozenset({"TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"})
# How the transport tells of a status such as 429, 500 or 503, and of a connection that was cut.
_BUSY_CAUSES = frozenset({"RetryError", "RemoteDisconnected", "ConnectionResetError", "BrokenPipeError"})
_SILENCE = frozenset({"ConnectionError", "ConnectTimeout", "ReadTimeout", "TimeoutError", "ConnectionRefusedError"})
QUIET = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
_SQLITE = "sqlite:///"
_SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
"""The first thing that PostgreSQL, or a PgBouncer before it, answers: with one byte."""


class RunGoneError(LookupError):
    """The MLflow run was deleted in MLflow: whoever did that does not want it there."""


class RunUnknownError(LookupError):
    """MLflow never heard of the run: its database was lost, or this is another server."""


def is_busy(error: TrackingError) -> bool:
    """Whether MLflow answers, and asks for a moment: trying the same again soon makes sense."""
    return bool(error.diagnostics[0].context.get("busy"))


def has_answered(error: TrackingError) -> bool:
    """Whether MLflow said anything at all: what it says no to may be this one record."""
    return bool(error.diagnostics[0].context.get("answered"))


def mlflow_is_installed() -> bool:
    """Whether MLflow can be imported; does not import it."""
    return find_spec("mlflow") is not None


@contextmanager
def environment(values: Mapping[str, str | None]) -> Iterator[None]:
    """Environment variables for a while; None removes one. Afterwards all of them are as they were."""
    before = {name: os.environ.get(name) for name in values}
    try:
        _set_environment(values)
        yield
    finally:
        _set_environment(before)


def bounded_requests() -> dict[str, str | None]:
    """Variables under which MLflow's client gives up after one try; it reads them anew at each call.

    A shorter MLFLOW_HTTP_REQUEST_TIMEOUT that is set stays.
    """
    given = os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT", "")
    seconds = min(CALL_TIMEOUT_SECONDS, int(given)) if given.isdecimal() else CALL_TIMEOUT_SECONDS
    return {
        **QUIET,
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(seconds),
        "PGCONNECT_TIMEOUT": str(CALL_TIMEOUT_SECONDS),
    }


class MlflowTracker:
    """Writes projections to one MLflow experiment.

    All methods raise TrackingError when MLflow cannot be reached (code ZEN-T100: stop) or refuses a record
    (code ZEN-T101: others may pass), and RunGoneError where a run that is to be changed was deleted.

    Args:
        tracking_uri: an address of a server, or an SQLAlchemy URL.
        experiment: the experiment's name; it is created when it is missing.

    Attributes:
        made_experiment: whether it was missing, and was created by this tracker.
    """

    def __init__(self, tracking_uri: str, experiment: str) -> None:
        self.tracking_uri = tracking_uri
        self.experiment = experiment
        self.made_experiment = False

    @cached_property
    def experiment_id(self) -> str:
        """The experiment's id. Two processes that create it at once get the same."""
        with self._calls():
            found = self._client.get_experiment_by_name(self.experiment) or self._create_experiment()
        if found.lifecycle_stage != "active":
            raise TrackingError(
                f"the MLflow experiment {self.experiment!r} is deleted",
                where=without_credentials(self.tracking_uri),
                hint=f"restore it: mlflow experiments restore --experiment-id {found.experiment_id}",
            )
        return str(found.experiment_id)

    def answers(self) -> bool:
        """Whether MLflow answers at all: what it does not take is then to blame, not MLflow."""
        try:
            with self._calls():
                return self._client.get_experiment_by_name(self.experiment) is not None
        except TrackingError:
            return False

    def try_out(self) -> None:
        """Make a run in the experiment, end it and delete it. Raises TrackingError."""
        experiment_id = self.experiment_id
        with self._calls():
            run = self._client.create_run(experiment_id, run_name="zen-doctor")
            self._client.set_terminated(run.info.run_id)
            self._client.delete_run(run.info.run_id)

    def create(self, projection: Projection, *, parent_id: str | None = None) -> str:
        """Make a run, with its name, tags and start; answer with its id. `fill` does the rest."""
        tags = first_tags(projection.tags)
        if parent_id is not None:
            tags["mlflow.parentRunId"] = parent_id
        experiment_id = self.experiment_id
        with self._calls():
            run = self._client.create_run(
                experiment_id,
                start_time=milliseconds(projection.started_at) if projection.started_at else None,
                tags=tags,
                run_name=projection.name,
            )
        return str(run.info.run_id)

    def fill(self, mlflow_run_id: str, projection: Projection) -> None:
        """Give a run that was just created its params, metrics and end."""
        with self._calls():
            made_with = first_tags(projection.tags)
            tags = {key: text for key, text in projection.tags.items() if key not in made_with}
            self._log(mlflow_run_id, replace(projection, tags=tags))
            if projection.status != "RUNNING":
                self._set_status(mlflow_run_id, projection)

    def update(self, mlflow_run_id: str, projection: Projection, *, parent_id: str | None = None) -> None:
        """Bring a run to what it is to be, whatever was written before.

        A param keeps the value that it has, since MLflow refuses another; the new one goes into a tag
        `zen.param.NAME`. Raises RunUnknownError where MLflow never heard of the run.
        """
        with self._calls():
            run = self._get_run(mlflow_run_id)
            if run.info.lifecycle_stage != "active":
                raise RunGoneError(mlflow_run_id)
            known = run.data.params
            changed = {
                valid_key(f"zen.param.{key}"): text
                for key, text in projection.params.items()
                if known.get(key, text) != text
            }
            missing = {key: text for key, text in projection.params.items() if key not in known}
            wanted = {**projection.tags, **changed, **({"mlflow.parentRunId": parent_id} if parent_id else {})}
            tags = {key: text for key, text in wanted.items() if run.data.tags.get(key) != text}
            self._log(mlflow_run_id, replace(projection, params=missing, tags=tags))
            self._set_status(mlflow_run_id, projection)

    def set_terminated(self, mlflow_run_id: str, status: str) -> None:
        """End a run now: FINISHED, FAILED or KILLED."""
        with self._calls():
            self._client.set_terminated(mlflow_run_id, status)

    def find_run(self, run_id: str) -> str | None:
        """The MLflow run that stands for this pipeline run, made by whomever; the earliest of several."""
        found = self._search(f"tags.`zen.run_id` = '{run_id}' and tags.`zen.kind` = 'run'")
        return found[0].info.run_id if found else None

    def find_steps(self, run_id: str) -> dict[str, str]:
        """The MLflow runs that stand for the step runs of a pipeline run, by step run id."""
        found = self._search(f"tags.`zen.run_id` = '{run_id}' and tags.`zen.kind` = 'step'")
        return {run.data.tags["zen.step_run_id"]: run.info.run_id for run in reversed(found)}

    def find_running_attempts(self, step_run_id: str) -> list[str]:
        """The MLflow runs of attempts at a step run that never ended there."""
        found = self._search(f"tags.`zen.step_run_id` = '{step_run_id}' and attributes.status = 'RUNNING'")
        return [run.info.run_id for run in found]

    @cached_property
    def _client(self) -> Any:
        _check_database_server(self.tracking_uri)
        with environment(QUIET):
            from mlflow import MlflowClient
        with environment(QUIET), _quiet_logger(), _first_connection(self.tracking_uri):
            return MlflowClient(self.tracking_uri)  # opens the store, and on a new database makes its schema

    @contextmanager
    def _calls(self) -> Iterator[None]:
        with environment(bounded_requests()):
            try:
                yield
            except (TrackingError, RunGoneError, RunUnknownError):
                raise
            except Exception as error:  # not a closed set: MLflow's, SQLAlchemy's, the transport's
                raise self._translate(error) from error

    def _get_run(self, mlflow_run_id: str) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            return self._client.get_run(mlflow_run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                raise RunUnknownError(mlflow_run_id) from error
            raise

    def _translate(self, error: Exception) -> TrackingError:
        error_code = getattr(error, "error_code", None)
        is_refusal = error_code in _REFUSALS
        return TrackingError(
            "MLflow refuses a record" if is_refusal else "MLflow cannot be reached",
            code=REFUSED if is_refusal else UNREACHABLE,
            where=without_credentials(self.tracking_uri),
            why=_first_line(error),
            hint="nothing is lost: `zen sync` projects what is missing"
            + ("" if is_refusal else ", once the server answers (see MLFLOW_TRACKING_URI)"),
            context={
                "error_code": error_code,
                "busy": error_code in _BUSY or not _BUSY_CAUSES.isdisjoint(_causes(error)),
                "answered": _SILENCE.isdisjoint(_causes(error)),
            },
        )

    def _create_experiment(self) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_experiment(self.experiment, artifact_location=self._artifact_location())
            self.made_experiment = True
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        return self._client.get_experiment_by_name(self.experiment)

    def _artifact_location(self) -> str | None:
        """Beside a local database, where MLflow would take the current directory; a server knows its own."""
        path = _sqlite_path(self.tracking_uri)
        return (path.parent / "mlartifacts" / quote(self.experiment, safe="")).as_uri() if path else None

    def _search(self, filter_string: str) -> list[Any]:
        experiment_id, found, token = self.experiment_id, [], None
        with self._calls():
            while True:
                page = self._client.search_runs(
                    [experiment_id],
                    filter_string,
                    max_results=1000,
                    order_by=["start_time ASC"],
                    page_token=token,
                )
                found += page
                token = page.token
                if not token:
                    return found

    def _log(self, mlflow_run_id: str, projection: Projection) -> None:
        from mlflow.entities import Metric, Param, RunTag

        for batch in batches(projection):
            self._client.log_batch(
                mlflow_run_id,
                metrics=[Metric(point.key, point.value, point.timestamp_ms, point.step) for point in batch.metrics],
                params=[Param(key, text) for key, text in batch.params],
                tags=[RunTag(key, text) for key, text in batch.tags],
            )

    def _set_status(self, mlflow_run_id: str, projection: Projection) -> None:
        if projection.status == "RUNNING":
            self._client.update_run(mlflow_run_id, status="RUNNING")
        else:
            ended_at = milliseconds(projection.ended_at) if projection.ended_at else None
            self._client.set_terminated(mlflow_run_id, projection.status, ended_at)


def _set_environment(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _sqlite_path(tracking_uri: str) -> Path | None:
    if not tracking_uri.startswith(_SQLITE):
        return None
    return Path(unquote(tracking_uri.removeprefix(_SQLITE).partition("?")[0])).resolve()


@contextmanager
def _quiet_logger() -> Iterator[None]:
    """MLflow tells about the schema that it makes; nobody asked."""
    logger = logging.getLogger("mlflow.store.db.utils")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _first_connection(tracking_uri: str) -> Iterator[None]:
    """MLflow makes the schema of a new SQLite file without a lock: two processes would meet half a schema."""
    path = _sqlite_path(tracking_uri)
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(path.with_name(path.name + ".lock")):
        yield


def _check_database_server(tracking_uri: str) -> None:
    """MLflow tries a database that is down, or hangs, for minutes; one look says it at once. Raises OSError."""
    address = urlsplit(tracking_uri)
    scheme = address.scheme.partition("+")[0]
    if scheme not in ("postgresql", "mysql", "mssql") or not address.hostname or not address.port:
        return
    with socket.create_connection((address.hostname, address.port), timeout=CALL_TIMEOUT_SECONDS) as connection:
        if scheme == "postgresql":
            connection.sendall(_SSL_REQUEST)
            connection.recv(1)


def _causes(error: BaseException) -> Iterator[str]:
    """The names of the errors behind an error: also those that a library holds in another's arguments."""
    found: BaseException | None = error
    while found is not None:
        yield type(found).__name__
        for held in (*found.args, getattr(found, "reason", None)):
            if isinstance(held, BaseException):
                yield from _causes(held)
        found = found.__cause__ or found.__context__


def _first_line(error: Exception) -> str:
    text = without_credentials(str(error)).strip() or type(error).__name__
    return re.sub(r" at 0x[0-9a-f]+", "", text.splitlines()[0])[:500]  # the same trouble reads the same
