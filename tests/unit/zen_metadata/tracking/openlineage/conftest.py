"""Real runs on the local engine, a server that receives what the real client sends, and the schemas of both."""

from __future__ import annotations

import enum
import importlib
import inspect
import json
import os
import pkgutil
import sys
import threading
import types
import typing
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import attr
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from zen_core.cli.main import zen
from zen_core.contract.settings import Settings, load_settings

ROOT = Path(__file__).parents[5]
ZEN_FACETS = ROOT / "docs" / "reference" / "openlineage-facets.schema.json"

PIPELINES = """
from datetime import datetime
from typing import Annotated

import pandas as pd

from zen_core import File, Retry, ScheduledTime, broadcast, pipeline, step, when

@step
def load(data: File) -> Annotated[pd.DataFrame, "orders"]:
    return pd.read_csv(data)

@step
def parts(frame: pd.DataFrame) -> list[int]:
    return list(range(len(frame)))

@step
def fit(frame: pd.DataFrame, part: int) -> Annotated[float, "score"]:
    if part == 7:
        raise ValueError("part 7")
    return float(part)

@step
def pick(scores: list[float]) -> Annotated[float, "best"]:
    return max(scores)

@step
def publish(best: float) -> Annotated[str, "page"]:
    return f"page {best}"

@step
def explain(best: float) -> Annotated[str, "note"]:
    return "low"

@step
def flaky(frame: pd.DataFrame) -> int:
    from zen_core import current
    if current().attempt == 1:
        raise ConnectionError("reset at https://me:hunter22@files.example.com/x")
    return 1

@step
def broken(frame: pd.DataFrame) -> int:
    raise ValueError("no more disk")

@pipeline(tags=["demo"])
def shop(data: File = File("orders.csv"), day: datetime = ScheduledTime()):
    frame = load(data)
    best = pick(fit.map(frame=broadcast(frame), part=parts(frame)))
    with when(best > 1) as good:
        publish(best)
    with good.otherwise():
        explain(best)

@pipeline
def failing(data: File = File("orders.csv")):
    frame = load(data)
    flaky.with_options(retry=Retry(times=1, delay="0s"))(frame)
    broken(frame)
"""


class Receiver:
    """An HTTP server that stores the events that it gets, or answers as it is told."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[int] = []
        """What to answer next, one for each request; 201 when there is nothing more. 0: hang until `release`."""
        self.refuses = ""
        """A text; events that hold it are answered with 422."""
        self.hold = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.answers.pop(0) if receiver.answers else 201
                if receiver.refuses and receiver.refuses.encode() in body:
                    status = 422
                if status == 0:
                    receiver.hold.wait(30)
                    return
                if status < 300:
                    receiver.bodies.append(body)
                    receiver.headers.append(dict(self.headers))
                said = b"" if status < 300 else b"not now"
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: Any) -> None:
                """Nothing to the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]

    def forget(self) -> None:
        self.bodies.clear()
        self.headers.clear()

    def close(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


class Shop:
    """A project whose runs are told of in OpenLineage events."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        self.root = root
        self.module = f"shop_{root.name.replace('-', '_')}"
        (root / "zen.toml").write_text('project = "shop"\nmlflow_sync = "off"\n')
        (root / f"{self.module}.py").write_text(PIPELINES)
        (root / "orders.csv").write_text("id,amount\n1,2.5\n2,3.5\n3,1.0\n")
        monkeypatch.chdir(root)
        for name in ("OPENLINEAGE_CONFIG", "OPENLINEAGE_DISABLED", "OPENLINEAGE_API_KEY", "ZEN_STACK"):
            monkeypatch.delenv(name, raising=False)
        if url:
            monkeypatch.setenv("OPENLINEAGE_URL", url)
        else:
            monkeypatch.delenv("OPENLINEAGE_URL", raising=False)

    @property
    def settings(self) -> Settings:
        return load_settings(self.root).with_local_defaults()

    def run(self, pipeline: str, *options: str) -> str:
        """Run a pipeline; answer with the run's id."""
        result = CliRunner().invoke(zen, ["run", f"{self.module}.py:{pipeline}", *options, "--json"])
        assert result.exit_code in (0, 1), result.stderr
        sys.path_importer_cache.clear()
        run_id: str = json.loads(result.stdout)["run_id"]
        return run_id


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> Shop:
    return Shop(tmp_path, monkeypatch, receiver.url)


# -- the specification, as the installed client carries it --------------------------------------------------------

_FORMATS = {
    "runId": "uuid",
    **dict.fromkeys(("eventTime", "nominalStartTime", "nominalEndTime"), "date-time"),
    **dict.fromkeys(("producer", "schemaURL", "_producer", "_schemaURL", "url"), "uri"),
}
_ALWAYS = {"producer", "schemaURL", "_producer", "_schemaURL"}
_checker = FormatChecker(formats=())


@_checker.checks("uuid", raises=ValueError)
def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or str(UUID(value)) == value


@_checker.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or ("T" in value and datetime.fromisoformat(value).tzinfo is not None)


@_checker.checks("uri")
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or (bool(urlsplit(value).scheme) and " " not in value)


class Specification:
    """The JSON Schemas of events and facets.

    Those of the specification are made from the client's classes, which OpenLineage generates from its schemas: fields,
    types, what must be there, under the schemas' own addresses. Those of Zen are the published ones.

    With ZEN_OPENLINEAGE_SPEC set to the `spec` folder of OpenLineage's repository, its files take the place of what was
    made, each under the address and version that it says it has.
    """

    def __init__(self) -> None:
        self._documents: dict[str, dict[str, Any]] = {}
        generated = importlib.import_module("openlineage.client.generated")
        for module in pkgutil.iter_modules(generated.__path__):
            for _, kind in inspect.getmembers(importlib.import_module(f"{generated.__name__}.{module.name}")):
                if inspect.isclass(kind) and attr.has(kind) and hasattr(kind, "_get_schema"):
                    self._add(kind)
        self.published = self._read_published(os.environ.get("ZEN_OPENLINEAGE_SPEC"))
        self._documents.update(self.published)
        zen_facets = json.loads(ZEN_FACETS.read_text(encoding="utf-8"))
        Draft202012Validator.check_schema(zen_facets)
        self._documents[zen_facets["$id"]] = zen_facets
        resources = [(name, Resource.from_contents(document)) for name, document in self._documents.items()]
        self._registry: Registry[Any] = Registry().with_resources(resources)

    def problems(self, schema: str, value: Any) -> list[str]:
        """What is wrong with a value under the schema of this address; an unknown address is wrong, too."""
        address, _, place = schema.partition("#/$defs/")
        if place not in self._documents.get(address, {}).get("$defs", {}):
            return [f"there is no schema {schema}"]
        validator = Draft202012Validator({"$ref": schema}, registry=self._registry, format_checker=_checker)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def check(self, event: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
        """Each schema that an event names, with what is wrong under it."""
        yield event["schemaURL"], self.problems(event["schemaURL"], event)
        for holder, kinds in (
            (event["run"], ("facets",)),
            (event["job"], ("facets",)),
            *((dataset, ("facets", "inputFacets")) for dataset in event["inputs"]),
            *((dataset, ("facets", "outputFacets")) for dataset in event["outputs"]),
        ):
            for kind in kinds:
                for facet in holder.get(kind, {}).values():
                    yield facet["_schemaURL"], self.problems(facet["_schemaURL"], facet)

    def _read_published(self, folder: str | None) -> dict[str, dict[str, Any]]:
        if not folder:
            return {}
        documents = [json.loads(path.read_text(encoding="utf-8")) for path in Path(folder).rglob("*.json")]
        found = {item["$id"]: item for item in documents if item.get("$id") in self._documents}
        assert found, f"ZEN_OPENLINEAGE_SPEC={folder} holds no schema in a version that the installed client uses"
        return found

    def _add(self, kind: type) -> str:
        """Describe a class and those that it uses; answer with the address."""
        schema = _own_address(kind)
        address, _, name = schema.partition("#/$defs/")
        document = self._documents.setdefault(
            address, {"$schema": Draft202012Validator.META_SCHEMA["$id"], "$id": address, "$defs": {}}
        )
        if name in document["$defs"]:
            return schema
        document["$defs"][name] = {}  # classes may refer to themselves
        hints = typing.get_type_hints(kind)
        fields = {field.name: field for field in attr.fields(kind)}
        document["$defs"][name] = {
            "type": "object",
            "properties": {key: self._of_field(key, hints[key]) for key in fields},
            "required": sorted(key for key, field in fields.items() if field.default is attr.NOTHING or key in _ALWAYS),
        }
        return schema

    def _of_field(self, key: str, hint: Any) -> dict[str, Any]:
        described = self._of_type(hint)
        return {**described, "format": _FORMATS[key]} if key in _FORMATS else described

    def _of_type(self, hint: Any) -> dict[str, Any]:
        origin, parts = typing.get_origin(hint), typing.get_args(hint)
        if origin in (typing.Union, types.UnionType):
            kinds = [self._of_type(part) for part in parts if part is not type(None)]  # what is not known is left out
            return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
        if origin is list:
            return {"type": "array", "items": self._of_type(parts[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self._of_type(parts[1])}
        if inspect.isclass(hint) and issubclass(hint, enum.Enum):
            return {"enum": [member.value for member in hint]}
        if attr.has(hint):
            return {"$ref": self._add(hint)}
        return {"type": _PLAIN[hint]} if hint in _PLAIN else {}


_PLAIN = {str: "string", bool: "boolean", int: "integer", float: "number"}


def _own_address(kind: Any) -> str:
    """The address of a class's schema; one that has none of its own is a part of its module's."""
    if "_get_schema" in vars(kind):
        return str(kind._get_schema())
    return f"urn:client:{kind.__module__}#/$defs/{kind.__name__}"


@pytest.fixture(scope="session")
def specification() -> Specification:
    return Specification()
