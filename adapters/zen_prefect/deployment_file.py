"""Writes prefect.yaml: one deployment of the flow, for `prefect deploy`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from zen_core.codegen.bundle import EMITTED_BY
from zen_prefect.lowering import PrefectFlow

FILE = "prefect.yaml"
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_NO_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""Words that YAML does not read as text."""
_NOT_ASCII = re.compile(r"[^\x00-\x7e]")


def emit_deployment(flow: PrefectFlow, *, zen_version: str, ir_digest: str) -> str:
    """The text of prefect.yaml. Holds no path: without `pull`, Prefect uses the folder that is deployed from."""
    header = (
        f"# A Prefect deployment, {EMITTED_BY} {zen_version}. Do not edit: change the pipeline and compile it again.\n"
        f"# Pipeline: {flow.name}\n"
        "# To deploy it, in this folder: prefect deploy --all\n"
    )
    document: dict[str, Any] = {"name": flow.name}
    if flow.options.pull:
        document["pull"] = list(flow.options.pull)
    document["deployments"] = [_deployment(flow, ir_digest)]
    return header + "\n".join(_block(document, "")) + "\n"


def _deployment(flow: PrefectFlow, ir_digest: str) -> dict[str, Any]:
    options = flow.options
    found: dict[str, Any] = {"name": options.deployment_name, "entrypoint": f"{flow.name}.py:{flow.identifier}"}
    if flow.description:
        found["description"] = apart(flow.description)
    found["version"] = ir_digest.removeprefix("sha256:")[:12]
    found["tags"] = [*dict.fromkeys(("zen", *map(apart, flow.tags)))]
    found["parameters"] = {}
    found["enforce_parameter_schema"] = True
    if flow.schedule:
        found["schedules"] = [
            {"cron": flow.schedule.cron, "timezone": flow.schedule.timezone, "slug": "zen", "active": True}
        ]
        if flow.schedule.collision:
            found["concurrency_limit"] = {"limit": 1, "collision_strategy": flow.schedule.collision}
    else:
        found["schedules"] = []
    if options.work_pool:
        found["work_pool"] = {
            "name": options.work_pool,
            **({"work_queue_name": options.work_queue} if options.work_queue else {}),
            **({"job_variables": flow.job_variables} if flow.job_variables else {}),
        }
    return found


def apart(text: str) -> str:
    """The text with doubled braces set apart: in prefect.yaml `{{ name }}` is a template, and there is no escape."""
    return re.sub(r"\{(?=\{)", "{ ", text)


def _block(value: Any, indent: str) -> list[str]:
    """YAML in block style. Scalars are written as JSON, which YAML reads as the same value."""
    lines: list[str] = []
    if isinstance(value, Mapping):
        for key, item in value.items():
            lines += _entry(f"{indent}{_key(key)}:", item, indent)
    else:
        for item in value:
            if isinstance(item, Mapping) and item:
                first, *rest = _block(item, f"{indent}  ")
                lines += [f"{indent}- {first.lstrip()}", *rest]
            else:
                lines.append(f"{indent}- {_scalar(item)}")
    return lines


def _entry(start: str, value: Any, indent: str) -> list[str]:
    nested = isinstance(value, (Mapping, list, tuple)) and len(value) > 0
    if not nested or (isinstance(value, (list, tuple)) and not any(isinstance(item, Mapping) for item in value)):
        return [f"{start} {_scalar(value)}"]
    return [start, *_block(value, f"{indent}  ")]


def _key(key: Any) -> str:
    text = str(key)
    return text if _PLAIN_KEY.fullmatch(text) and text.lower() not in _NO_TEXT else _scalar(text)


def _scalar(value: Any) -> str:
    """JSON, but for characters beyond the first plane: YAML does not put the halves of JSON's escapes together."""
    return _NOT_ASCII.sub(_escape, json.dumps(value, ensure_ascii=False, sort_keys=True))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
