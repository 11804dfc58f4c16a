"""Settings: zen.toml (or `[tool.zen]` in pyproject.toml), a named stack, and the environment, which wins.

Standard library only, since a task reads them too: from its environment, and from the settings that the code bundle
carries. Every problem of a file is reported at once, with a did-you-mean for an unknown key.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zen_core.contract.manifest import SETTINGS_FILE
from zen_core.diagnostics import Diagnostic
from zen_core.errors import ConfigError

STATE_FOLDER = ".zen"
_ROOT_MARKERS = ("zen.toml", "pyproject.toml", ".git")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a project, with the chosen stack merged in.

    Attributes:
        root: the project's folder; None in a task that has no project.
        project: the name under which everything is recorded.
        paths: import roots beside the root, relative to it.
        include: top-level packages, modules or data files for the code bundle; empty means: found from the imports.
        unfollowed: what becomes of code that reaches further than can be read (`exec`, computed imports): `count`
            (all of the module that it stands in counts for the cache) or `refuse`.
        stack: the chosen stack's name, or "".
        lineage_url: SQLAlchemy URL of the lineage store; "" means `.zen/zen.db` in the root, for local runs only.
        artifact_url: fsspec URL or path of the artifact store; "" means `.zen/artifacts`, for local runs only.
        mlflow_tracking_uri: where runs are projected to; "" means `.zen/mlflow.db`, for local runs only.
        mlflow_sync: `background` (a process of its own after a local run), `wait` or `off`.
        openlineage_url: where OpenLineage events are sent: a server, or `file:` and a path.
        openlineage: whether events are to be sent: that address or the client's own configuration names a target.
        deployment: names one installation of an orchestrator.
        data_root: the folder or URL that a relative File resolves against.
        shared_filesystem: whether all workers see the same local paths.
        on_store_error: `spool` (go on, and record later) or `fail`.
        allow_pickle: whether artifacts may be stored and read as pickles.
        adapters: the options of each adapter.
    """

    root: Path | None = None
    project: str = "default"
    paths: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    unfollowed: str = "count"
    stack: str = ""
    lineage_url: str = ""
    artifact_url: str = ""
    mlflow_tracking_uri: str = ""
    mlflow_sync: str = "background"
    openlineage_url: str = ""
    openlineage: bool = False
    deployment: str = ""
    data_root: str = ""
    shared_filesystem: bool = False
    on_store_error: str = "spool"
    allow_pickle: bool = True
    adapters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def state_folder(self) -> Path:
        """`.zen` in the project's root: the embedded stores."""
        return (self.root or Path.cwd()) / STATE_FOLDER

    def with_local_defaults(self) -> Settings:
        """The same, with every store that is not set put into `.zen/`. Only for runs on this machine."""
        folder = self.state_folder
        return replace(
            self,
            lineage_url=self.lineage_url or f"sqlite:///{folder / 'zen.db'}",
            artifact_url=self.artifact_url or str(folder / "artifacts"),
            mlflow_tracking_uri=self.mlflow_tracking_uri or f"sqlite:///{folder / 'mlflow.db'}",
            deployment=self.deployment or "local",
            data_root=self.data_root or str(self.root or Path.cwd()),
        )

    def to_bundle_json(self) -> dict[str, Any]:
        """What a code bundle carries for its tasks: the project's file as it stands, and the stack that was chosen."""
        document = dict(_read_document(self.root)[0]) if self.root else {}
        return {**document, "stack": self.stack} if self.stack else document


_TEXT, _FLAG, _TEXTS, _TABLE = "text", "true or false", "a list of texts", "a table"
_STACK_KEYS = {
    "lineage_url": _TEXT,
    "artifact_url": _TEXT,
    "mlflow_tracking_uri": _TEXT,
    "mlflow_sync": _TEXT,
    "openlineage_url": _TEXT,
    "deployment": _TEXT,
    "data_root": _TEXT,
    "shared_filesystem": _FLAG,
    "on_store_error": _TEXT,
}
_KEYS = {
    "project": _TEXT,
    "stack": _TEXT,
    "paths": _TEXTS,
    "code": _TABLE,
    "artifacts": _TABLE,
    "adapters": _TABLE,
    "stacks": _TABLE,
    **_STACK_KEYS,
}
_CODE_KEYS = {"include": _TEXTS, "unfollowed": _TEXT}
_CHOICES = {
    "on_store_error": ("spool", "fail"),
    "mlflow_sync": ("background", "wait", "off"),
    "unfollowed": ("count", "refuse"),
}
_ENVIRONMENT = {
    "ZEN_PROJECT": "project",
    "ZEN_LINEAGE_URL": "lineage_url",
    "ZEN_ARTIFACT_URL": "artifact_url",
    "MLFLOW_TRACKING_URI": "mlflow_tracking_uri",
    "ZEN_MLFLOW_SYNC": "mlflow_sync",
    "OPENLINEAGE_URL": "openlineage_url",
    "ZEN_DEPLOYMENT": "deployment",
    "ZEN_DATA_ROOT": "data_root",
    "ZEN_SHARED_FILESYSTEM": "shared_filesystem",
    "ZEN_ON_STORE_ERROR": "on_store_error",
    "ZEN_ALLOW_PICKLE": "allow_pickle",
}

_OPENLINEAGE_TRANSPORT = "OPENLINEAGE__TRANSPORT"
_OPENLINEAGE_FILES = ("openlineage.yml", "~/.openlineage/openlineage.yml")


def find_root(start: Path) -> Path:
    """The project's folder: the nearest one upward with zen.toml, pyproject.toml or .git, else `start` itself."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if any((folder / marker).exists() for marker in _ROOT_MARKERS):
            return folder
    return start


def load_settings(root: Path | None, *, stack: str = "", environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of the project in `root`, merge the stack, and let the environment win.

    Raises:
        ConfigError: unknown keys, wrong types, an unknown stack, a password in a file: all at once.
    """
    environ = os.environ if environ is None else environ
    root = root.resolve() if root is not None else None
    document, where = _read_document(root)
    problems = list(_find_problems(document, where))
    stack = stack or environ.get("ZEN_STACK", "") or _text(document.get("stack"))
    stacks = document.get("stacks")
    stacks = stacks if isinstance(stacks, dict) else {}
    if stack and stack not in stacks:
        problems.append(
            Diagnostic(
                "ZEN-U203",
                f"there is no stack {stack!r}",
                where,
                hint=_did_you_mean(stack, stacks)
                or (f"there are: {', '.join(stacks)}" if stacks else f"write a table [stacks.{stack}]"),
            )
        )
    values: dict[str, Any] = {key: document[key] for key in _STACK_KEYS if key in document}
    values.update(stacks.get(stack) or {})
    for variable, key in _ENVIRONMENT.items():
        if text := environ.get(variable, ""):
            values[key] = _flag(text, variable, problems) if key in ("shared_filesystem", "allow_pickle") else text
    values["unfollowed"] = (document.get("code") or {}).get("unfollowed", "count")
    for key, choices in _CHOICES.items():
        if key in values and values[key] not in choices:
            problems.append(
                Diagnostic("ZEN-U202", f"{key} is {values[key]!r}", where, hint=f"write one of {', '.join(choices)}")
            )
    if problems:
        raise ConfigError(diagnostics=problems)
    values.setdefault("project", document.get("project") or _project_name(root))
    values["openlineage"] = _sends_openlineage(values.get("openlineage_url", ""), environ)
    values.setdefault("allow_pickle", (document.get("artifacts") or {}).get("allow_pickle", True))
    return Settings(
        root=root,
        paths=tuple(document.get("paths", ())),
        include=tuple((document.get("code") or {}).get("include", ())),
        adapters=document.get("adapters") or {},
        stack=stack,
        **values,
    )


def stack_names(root: Path | None) -> tuple[str, ...]:
    """The names of the stacks in the project's settings, as they stand there. Raises ConfigError."""
    stacks = _read_document(root)[0].get("stacks")
    return tuple(stacks) if isinstance(stacks, dict) else ()


# A password may hold an unescaped slash, where there is a colon before it.
_USER_INFO = re.compile(r"(?<=://)(?:[^/@\s]*:[^@\s]*|[^/@\s]*)@")
_SECRET_OPTION = re.compile(r"(?i)(?<=[?&])(password|passwd|pwd|token|secret|api_?key|sig|signature)=[^&\s]*")


def without_credentials(url: str) -> str:
    """The URL as it may be shown: without user and password, and with `***` for a password among its options."""
    return _SECRET_OPTION.sub(r"\1=***", _USER_INFO.sub("", url))


def _read_document(root: Path | None) -> tuple[dict[str, Any], str]:
    if root is None:
        return {}, ""
    try:
        if (root / SETTINGS_FILE).is_file():
            return json.loads((root / SETTINGS_FILE).read_text(encoding="utf-8")), SETTINGS_FILE
        if (root / "zen.toml").is_file():
            return tomllib.loads((root / "zen.toml").read_text(encoding="utf-8")), "zen.toml"
        if (root / "pyproject.toml").is_file():
            document = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
            return document.get("tool", {}).get("zen", {}), "pyproject.toml [tool.zen]"
    except (ValueError, UnicodeDecodeError) as error:
        raise ConfigError(f"the settings cannot be read: {error}", where=str(root), code="ZEN-U204") from error
    return {}, ""


def _project_name(root: Path | None) -> str:
    if root is not None and (root / "pyproject.toml").is_file():
        name = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8")).get("project", {}).get("name")
        if isinstance(name, str) and name:
            return name
    return root.name if root is not None and root.name else "default"


def _find_problems(document: Mapping[str, Any], where: str) -> Iterator[Diagnostic]:
    yield from _check_table(document, _KEYS, where, "")
    yield from _check_table(document.get("code"), _CODE_KEYS, where, "code.")
    yield from _check_table(document.get("artifacts"), {"allow_pickle": _FLAG}, where, "artifacts.")
    stacks = document.get("stacks")
    for name, stack in stacks.items() if isinstance(stacks, dict) else ():
        if isinstance(stack, dict):
            yield from _check_table(stack, _STACK_KEYS, where, f"stacks.{name}.")
        else:
            yield Diagnostic("ZEN-U202", f"stacks.{name} must be a table", where)


def _check_table(table: Any, kind_by_key: Mapping[str, str], where: str, prefix: str) -> Iterator[Diagnostic]:
    for key, value in table.items() if isinstance(table, dict) else ():
        kind = kind_by_key.get(key)
        if kind is None:
            yield Diagnostic(
                "ZEN-U201",
                f"unknown setting {prefix}{key}",
                where,
                hint=_did_you_mean(key, kind_by_key) or f"known settings: {', '.join(sorted(kind_by_key))}",
            )
        elif not _is_kind(value, kind):
            yield Diagnostic("ZEN-U202", f"{prefix}{key} must be {kind}, not {value!r}", where)
        elif key.endswith(("_url", "_uri", "_root")) and (urlsplit(value).password or _SECRET_OPTION.search(value)):
            yield Diagnostic(
                "ZEN-U205",
                f"{prefix}{key} holds a password",
                where,
                why="the file is committed and travels with the code bundle",
                hint="set ZEN_LINEAGE_URL, ZEN_ARTIFACT_URL, MLFLOW_TRACKING_URI or OPENLINEAGE_URL in the environment "
                "instead",
            )


def _is_kind(value: Any, kind: str) -> bool:
    if kind == _TEXTS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return isinstance(value, {_TEXT: str, _FLAG: bool, _TABLE: dict}[kind])


def _flag(text: str, variable: str, problems: list[Diagnostic]) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() not in ("0", "false", "no", "off"):
        problems.append(Diagnostic("ZEN-U202", f"{variable} is {text!r}", hint="write true or false"))
    return False


def _sends_openlineage(url: str, environ: Mapping[str, str]) -> bool:
    """Whether a target for OpenLineage events is named: by a setting, or where the OpenLineage client looks for one."""
    if environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    if url or environ.get("OPENLINEAGE_CONFIG") or any(name.startswith(_OPENLINEAGE_TRANSPORT) for name in environ):
        return True
    return any(os.path.isfile(os.path.expanduser(path)) for path in _OPENLINEAGE_FILES)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _did_you_mean(word: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else ""
