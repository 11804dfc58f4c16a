"""Where events are sent: the OpenLineage client, set up its own usual way or by Zen's one setting, with Zen's errors.

The client is imported when there is something to send. Whatever it meets, nothing is lost: what it could not hand over
stays in the outbox.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from zen_core.contract.settings import Settings, without_credentials
from zen_core.errors import TrackingError

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient

UNREACHABLE = "ZEN-T110"
REFUSED = "ZEN-T111"
"""The receiver answers, and does not take this event: trying others makes sense."""

_CALL_TIMEOUT_SECONDS = 5.0
_REFUSALS = frozenset({400, 409, 413, 422})
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_SILENT = ("async_http",)
"""Transports that do not say whether an event arrived."""
_OWN_VARIABLES = "OPENLINEAGE__"


class BusyError(TrackingError):
    """The receiver answers that it cannot just now: a moment later it may."""


def find_obstacle(settings: Settings) -> str:
    """Why no events can be sent under these settings, for people; "" when it can be tried."""
    if not settings.openlineage:
        return "no OpenLineage target is set: give OPENLINEAGE_URL, or openlineage_url in zen.toml"
    if find_spec("openlineage") is None:
        return "the OpenLineage client is not installed here: pip install 'zen-core[openlineage]'"
    return ""


class Target:
    """Sends events, one after another.

    Raises TrackingError (`UNREACHABLE`) where the client cannot be set up as it is configured.
    """

    def __init__(self, settings: Settings) -> None:
        with _configured():
            self._client = _make_client(settings)
        transport = self._client.transport
        kinds = {transport.kind, *(part.kind for part in getattr(transport, "transports", ()))}
        if silent := kinds.intersection(_SILENT):
            self.close()
            raise _unusable(f"the transport {', '.join(silent)} does not say whether an event arrived: use http")
        self.address = without_credentials(
            getattr(transport, "url", "") or getattr(getattr(transport, "config", None), "log_file_path", "")
        ) or str(transport.kind)

    def send(self, event: Mapping[str, Any]) -> None:
        """Hand an event over.

        Raises:
            BusyError: the receiver asks for a moment.
            TrackingError: it cannot be reached (`UNREACHABLE`), or refuses the event (`REFUSED`).
        """
        try:
            self._client.emit(_to_client(event))
        except Exception as error:  # each transport has errors of its own
            raise self._explain(error, event) from error

    def close(self) -> None:
        """Let go of connections."""
        self._client.close(_CALL_TIMEOUT_SECONDS)

    def _explain(self, error: Exception, event: Mapping[str, Any]) -> TrackingError:
        response = getattr(error, "response", None)
        status = getattr(response, "status_code", None)
        why = _say(error)
        if status in _REFUSALS:
            said = " ".join(str(getattr(response, "text", "")).split())[:300]
            return TrackingError(
                f"the OpenLineage receiver refuses the {event['eventType']} event of {event['job']['name']}",
                code=REFUSED,
                where=self.address,
                why=f"{why}: {said}" if said else why,
                hint="the event stays pending, others go on; see the receiver's log",
            )
        kind = BusyError if status in _BUSY else TrackingError
        return kind(
            "OpenLineage events cannot be sent",
            code=UNREACHABLE,
            where=self.address,
            why=why,
            hint="nothing is lost: once it can be reached, `zen sync` sends what is pending",
        )


def _make_client(settings: Settings) -> OpenLineageClient:
    from openlineage.client import OpenLineageClient
    from openlineage.client.transport.noop import NoopConfig, NoopTransport

    try:
        own = bool(os.environ.get("OPENLINEAGE_CONFIG")) or any(map(_is_transport, os.environ))
        found = OpenLineageClient(transport=NoopTransport(NoopConfig())).config.transport or {}
        if found.get("type") and (own or not settings.openlineage_url):
            return OpenLineageClient()
        if settings.openlineage_url:
            return OpenLineageClient(config={"transport": _transport_for(settings.openlineage_url)})
    except Exception as error:  # of the configuration: the client lets through what its parts raise
        raise _unusable(_say(error)) from error
    raise _unusable("its configuration names no transport")


def _is_transport(variable: str) -> bool:
    return variable.startswith(f"{_OWN_VARIABLES}TRANSPORT")


def _transport_for(url: str) -> dict[str, Any]:
    """The client's configuration for an address: one try each, since what fails is tried again later anyway."""
    if url.startswith("file:"):
        return {"type": "file", "log_file_path": url.removeprefix("file:").removeprefix("//"), "append": True}
    transport: dict[str, Any] = {
        "type": "http",
        "url": url,
        "endpoint": os.environ.get("OPENLINEAGE_ENDPOINT", "api/v1/lineage"),
        "timeout": _CALL_TIMEOUT_SECONDS,
        "retry": {"total": 0, "status_forcelist": []},
    }
    if key := os.environ.get("OPENLINEAGE_API_KEY"):
        transport["auth"] = {"type": "api_key", "apiKey": key}
    return transport


@contextmanager
def _configured() -> Iterator[None]:
    """The client copies what it finds into variables for itself: they are taken back."""
    before = {name for name in os.environ if name.startswith(_OWN_VARIABLES)}
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith(_OWN_VARIABLES) and name not in before]:
            del os.environ[name]


def _to_client(event: Mapping[str, Any]) -> Any:
    """The client's own form. Facets stay as they are: it writes plain values as it gets them."""
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState

    return RunEvent(
        eventType=RunState[event["eventType"]],
        eventTime=event["eventTime"],
        producer=event["producer"],
        run=Run(event["run"]["runId"], facets=dict(event["run"]["facets"])),
        job=Job(event["job"]["namespace"], event["job"]["name"], facets=dict(event["job"]["facets"])),
        inputs=[InputDataset(**dataset) for dataset in event["inputs"]],
        outputs=[OutputDataset(**dataset) for dataset in event["outputs"]],
    )


def _unusable(why: str) -> TrackingError:
    return TrackingError(
        "the OpenLineage client is not set up",
        code=UNREACHABLE,
        why=why,
        hint="give OPENLINEAGE_URL, or correct what OPENLINEAGE_CONFIG or openlineage.yml say",
    )


def _say(error: Exception) -> str:
    first, *_ = str(error).splitlines() or [""]
    return without_credentials(f"{type(error).__name__}: {first}"[:500])
