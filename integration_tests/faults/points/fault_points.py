"""Points at which a process is killed, fails or stands still: before and after each thing it does that others can see.

Nothing of it is in Zen. Files are seen by Python's own audit events, SQL where the drivers take it, MLflow at its
client. A point is named after what happens there: `create tmp`, `rename tmp -> objects`, `sql insert zen_leases`,
`sql COMMIT`, `sql COMMIT done`, `mlflow create_run`. Only the files below the artifact store's root count, and the
lineage store's own connections.

    fault_points.watch(root)                      once in a process, before it opens anything
    fault_points.arm(Fault("sql COMMIT", 2, "kill"))
    fault_points.record(path)                     write down the points that are passed
"""

from __future__ import annotations

import errno
import functools
import json
import os
import re
import signal
import sqlite3
import sqlite3.dbapi2
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

Action = Literal["kill", "tear", "raise", "delay"]
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_TABLE = re.compile(r"\b(?:into|update|from|table(?: if not exists)?)\s+\"?(zen_\w+|alembic_version)", re.IGNORECASE)
_STORE_FILE = "zen.db"


@dataclass(frozen=True)
class Fault:
    """What happens at the n-th passing of a point, counted from 1, over all threads of the process.

    Attributes:
        action: `kill` the process; `tear`: cut the file that is about to be moved in two, as a process that was killed
            while writing leaves it, and kill; `raise` what the seam raises when the disk is full or the connection is
            cut; `delay` by `seconds`.
    """

    point: str
    nth: int = 1
    action: Action = "kill"
    seconds: float = 0.0

    def to_json(self) -> str:
        """For ZEN_FAULT."""
        return json.dumps(asdict(self))


class _State:
    def __init__(self) -> None:
        self.root = ""
        self.fault: Fault | None = None
        self.recorder: int | None = None
        self.passed: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.is_watching = False


_state = _State()


def arm_from_environment() -> None:
    """What `sitecustomize` calls."""
    watch(os.environ.get("ZEN_ARTIFACT_URL", ""))
    if "ZEN_FAULT" in os.environ:
        arm(Fault(**json.loads(os.environ["ZEN_FAULT"])))
    if "ZEN_FAULT_RECORD" in os.environ:
        record(Path(os.environ["ZEN_FAULT_RECORD"]))


def watch(root: str) -> None:
    """See the points of this process; those of files below this folder."""
    _state.root = os.path.abspath(root) + os.sep if root else ""
    if _state.is_watching:
        return
    _state.is_watching = True
    sys.addaudithook(_audit)
    _watch_sync_to_disk()
    _watch_sqlite()
    _watch_psycopg()


def arm(fault: Fault | None) -> None:
    """Let it happen, counted from now."""
    _state.passed.clear()
    _state.fault = fault


def record(path: Path | None) -> None:
    """Append the name of each point that is passed to a file, a line each; None: stop."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    _state.recorder = None if path is None else os.open(path, flags, 0o644)


def watch_mlflow() -> None:
    """See the calls of MLflow's client as well. Imports MLflow."""
    from mlflow import MlflowClient

    for name in ("create_experiment", "create_run", "log_batch", "update_run", "set_terminated", "set_tag"):
        setattr(MlflowClient, name, _around(f"mlflow {name}", getattr(MlflowClient, name), _mlflow_error))


def passing(point: str, error: Any = None, path: str = "") -> None:
    """Pass a point: what was planned for it happens here."""
    fault = _state.fault
    if fault is None and _state.recorder is None:
        return
    with _state.lock:
        _state.passed[point] += 1
        count = _state.passed[point]
        if _state.recorder is not None:
            os.write(_state.recorder, f"{point}\n".encode())
    if fault is None or fault.point != point or fault.nth != count:
        return
    if fault.action == "delay":
        time.sleep(fault.seconds)
    elif fault.action == "raise":
        raise (error or _no_space)()
    else:
        if fault.action == "tear" and path:
            os.truncate(path, os.stat(path).st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)


# -- the clock -------------------------------------------------------------------------------------------------------


def shift_clock(seconds: float) -> None:
    """Let this process's own clock be wrong by so much: `time.time`, and `datetime.now` in Zen's modules."""
    if not seconds:
        return
    real_time = time.time
    time.time = lambda: real_time() + seconds

    class Told(type(datetime)):  # type: ignore[misc]
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, datetime)

    class Shifted(datetime, metaclass=Told):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=seconds)

    for name, module in list(sys.modules.items()):
        # tables.py asks whether a value is of this very class; it reads no clock.
        if name.startswith("zen_") and getattr(module, "datetime", None) is datetime and not name.endswith(".tables"):
            module.datetime = Shifted  # type: ignore[attr-defined]


# -- files -----------------------------------------------------------------------------------------------------------


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _state.fault is None and _state.recorder is None:
        return
    if event == "open":
        path, _, flags = arguments
        if isinstance(path, (str, bytes, os.PathLike)) and isinstance(flags, int) and flags & _WRITES:
            _pass_file("create", path)
    elif event == "os.rename":
        old, new = _place(arguments[0]), _place(arguments[1])
        if new:
            passing(f"rename {old} -> {new}", path=os.fspath(arguments[0]))
    elif event in ("os.remove", "os.utime", "os.link", "os.truncate"):
        _pass_file({"os.remove": "remove", "os.utime": "touch"}.get(event, event), arguments[0])


def _pass_file(what: str, path: Any) -> None:
    if place := _place(path):
        passing(f"{what} {place}")


def _place(path: Any) -> str:
    """The folder of the artifact store that a path lies in; "user" for the files that the user's code makes."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        return ""
    absolute = os.path.abspath(os.fsdecode(path))
    if absolute.startswith(_state.root) and _state.root:
        parts = absolute[len(_state.root) :].split(os.sep)[:-1]
        return "/".join(parts[: 2 if parts and parts[0] == "spool" else 1]) or "root"
    folder, name = os.path.split(absolute)
    return f"user code {name.partition('-')[0]}" if os.path.basename(folder) == "ran" else ""


def _watch_sync_to_disk() -> None:
    for name in ("fsync", "fdatasync"):
        original = getattr(os, name, None)
        if original is not None:
            setattr(os, name, _syncing(original))


def _syncing(original: Any) -> Any:
    @functools.wraps(original)
    def sync(descriptor: Any) -> None:
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        if place := _place(os.readlink(f"/proc/self/fd/{number}")):
            passing(f"sync {place}")
        original(descriptor)

    return sync


def _no_space() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# -- SQL -------------------------------------------------------------------------------------------------------------


def name_of(statement: str) -> str:
    """The point of a statement: its verb and table; "" for one that changes nothing and locks nothing."""
    verb = statement.split(None, 1)[0].upper() if statement.strip() else ""
    if verb in ("BEGIN", "COMMIT", "ROLLBACK"):
        return f"sql {verb}"
    table = _TABLE.search(statement)
    if table is None or verb not in ("INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "SELECT"):
        return ""
    return f"sql {verb.lower()} {table[1].lower()}"


def _watch_sqlite() -> None:
    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, *arguments: Any) -> Any:
            return _around(name_of(sql), super().execute, _sqlite_error)(sql, *arguments)

        def executemany(self, sql: str, *arguments: Any) -> Any:
            return _around(name_of(sql), super().executemany, _sqlite_error)(sql, *arguments)

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

    original = sqlite3.connect

    @functools.wraps(original)
    def connect(database: Any, *arguments: Any, **options: Any) -> Any:
        if os.path.basename(os.fsdecode(database)) == _STORE_FILE:
            options.setdefault("factory", Connection)
        return original(database, *arguments, **options)

    sqlite3.connect = sqlite3.dbapi2.connect = connect


def _sqlite_error() -> Exception:
    return sqlite3.OperationalError("disk I/O error")


def _watch_psycopg() -> None:
    try:
        import psycopg
    except ImportError:
        return

    def cut() -> Exception:
        return psycopg.OperationalError("the connection was cut")

    def naming(original: Any) -> Any:
        @functools.wraps(original)
        def execute(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
            point = name_of(query) if isinstance(query, str) else ""
            return _around(point, original, cut)(self, query, *arguments, **options)

        return execute

    for cursor in (psycopg.Cursor, psycopg.ServerCursor, psycopg.ClientCursor):
        for method in ("execute", "executemany"):
            if method in vars(cursor):
                setattr(cursor, method, naming(getattr(cursor, method)))
    psycopg.Pipeline.__exit__ = _around("sql send", psycopg.Pipeline.__exit__, cut)  # type: ignore[method-assign]


def _around(point: str, original: Any, error: Any) -> Any:
    """The call, with a point before it and one after it."""
    if not point:
        return original

    @functools.wraps(original)
    def call(*arguments: Any, **options: Any) -> Any:
        passing(point, error)
        answer = original(*arguments, **options)
        if point in ("sql COMMIT", "sql send") or point.startswith("mlflow"):
            passing(f"{point} done", error)
        return answer

    return call


def _mlflow_error() -> Exception:
    from mlflow.exceptions import MlflowException

    gone: Exception = MlflowException("the server is gone")
    return gone
