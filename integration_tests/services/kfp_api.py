"""A stand-in for the API of Kubeflow Pipelines, which no package registry has: it keeps what it is sent.

It answers in the form of KFP's own API to the calls that `zen deploy` makes through KFP's client, filters included.
Whether a real backend accepts what was uploaded it cannot tell: KFP's schema and a run of it tell that.
"""

from __future__ import annotations

import json
import threading
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from integration_tests.services.rest import Json

_KINDS = {"pipelines": "pipeline_id", "experiments": "experiment_id", "recurringruns": "recurring_run_id"}
_LISTS = {"pipelines": "pipelines", "experiments": "experiments", "recurringruns": "recurringRuns"}


class KfpApi:
    """The API; `records` holds what was made, by kind, and `packages` the uploaded YAML by version id."""

    def __init__(self) -> None:
        self.records: dict[str, list[Json]] = {"pipelines": [], "experiments": [], "recurringruns": [], "versions": []}
        self.packages: dict[str, bytes] = {}
        self.calls: list[str] = []
        self.refuse_with: int | None = None
        self._made = 0
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer("GET")

            def do_POST(self) -> None:
                self._answer("POST")

            def do_DELETE(self) -> None:
                self._answer("DELETE")

            def log_message(self, *arguments: object) -> None:
                pass

            def _answer(self, method: str) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, found = api.answer(method, self.path, body, self.headers)
                text = json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def changes(self) -> list[str]:
        """The calls that changed something."""
        return [call for call in self.calls if not call.startswith("GET")]

    def answer(self, method: str, path: str, body: bytes, headers: Message) -> tuple[int, Any]:
        """Status and document for a request."""
        address = urlsplit(path)
        name = address.path.removeprefix("/apis/v2beta1/")
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        self.calls.append(f"{method} {name}")
        if self.refuse_with:
            return self.refuse_with, {"error": "refused"}
        if name == "healthz":
            return 200, {"multi_user": False}
        if name == "pipelines/upload_version":
            return 200, self._upload(body, headers, query)
        kind, _, rest = name.partition("/")
        if kind == "pipelines" and rest.endswith("/versions"):
            own = [item for item in self.records["versions"] if item["pipeline_id"] == rest.partition("/")[0]]
            return 200, {"pipeline_versions": _matching(own, query)}
        if kind not in _KINDS:
            return 404, {"error": f"{method} {name} is no call that this stand-in knows"}
        if method == "POST":
            return 200, self._make(kind, json.loads(body))
        if method == "DELETE":
            self.records[kind] = [item for item in self.records[kind] if item[_KINDS[kind]] != rest]
            return 200, {}
        if rest:
            return 200, next(item for item in self.records[kind] if item[_KINDS[kind]] == rest)
        return 200, {_LISTS[kind]: _matching(self.records[kind], query)}

    def _make(self, kind: str, document: Json) -> Json:
        self._made += 1
        made = {**document, _KINDS[kind]: f"{kind}-{self._made}"}
        if kind == "recurringruns":
            made["status"] = "ENABLED" if document.get("mode") == "ENABLE" else "DISABLED"
        self.records[kind].append(made)
        return made

    def _upload(self, body: bytes, headers: Message, query: dict[str, str]) -> Json:
        head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
        message = BytesParser(policy=HTTP).parsebytes(head + body)
        (part,) = message.iter_parts()
        version = f"version-{len(self.packages) + 1}"
        package = part.get_payload(decode=True)
        assert isinstance(package, bytes)
        self.packages[version] = package
        made = {
            "pipeline_id": query["pipelineid"],
            "pipeline_version_id": version,
            "display_name": query["name"],
            "description": query.get("description", ""),
        }
        self.records["versions"].append(made)
        return made


def _matching(records: list[Json], query: dict[str, str]) -> list[Json]:
    """Those that the filter lets through; KFP's client sends it as JSON."""
    wanted = json.loads(query["filter"]) if query.get("filter") else {}
    for predicate in wanted.get("predicates", []):
        records = [item for item in records if item.get(predicate["key"]) == predicate["stringValue"]]
    return records
