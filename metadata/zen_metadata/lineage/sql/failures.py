"""What the errors of databases and their drivers mean: what is wrong, what to do, whether trying again can help."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy.exc
from sqlalchemy.engine import Engine

from zen_core.contract.settings import without_credentials
from zen_core.errors import StoreError, StoreUnavailableError
from zen_metadata.lineage.sql.engine import shown_url, sqlite_path
from zen_metadata.lineage.store import FactRefusedError

_TRY_AGAIN_STATES = frozenset({"40001", "40P01", "55P03", "25P03", "25006", "23503"})
"""PostgreSQL's serialization failure, deadlock, lock timeout, its end of a transaction that stood still, a server that
takes no writes, since another one is about to become the primary, and a row that refers to one which was removed at
that moment (`zen store prune`): it did nothing and may be tried again."""
_LEAST_ROOM_BYTES = 64 * 1024
"""What SQLite needs for its log and its index of it."""
_NO_RIGHTS_STATES = frozenset({"42501", "3F000"})
_LOST_TABLE_STATES = frozenset({"42P01", "42703"})
_FULL_STATE = "53300"
_DISK_FULL = re.compile(r"disk is full|No space left on device|Disk quota exceeded")
_DISK_FULL_STATE = "53100"
_DISK_FAILS = re.compile(r"disk I/O error|unable to open database file")
"""SQLite's words for a file that it cannot write beside the database, as when the disk is full."""
_FULL = re.compile(
    r"too many clients|remaining connection slots|too many connections for|no more connections allowed"
    r"|the database system is (starting up|not yet accepting)"
)
"""The server has no room now, or is about to have it. libpq tells no SQLSTATE of a connection that is refused, and a
server whose `lc_messages` is not English is taken for one that is away."""
_NOISE = re.compile(
    r'connection (failed|is bad): |connection to server (at|on socket) "[^"]*"( \([^)]*\))?(, port \d+)? failed: '
    r"|(FATAL|ERROR): *"
)
"""What libpq writes before the reason; the address is told by Zen."""
_REFUSED = (
    (
        re.compile(r"authentication failed|no password supplied|SASL"),
        "the server does not take this user and password",
        "correct user and password in ZEN_LINEAGE_URL, with special characters percent-encoded, or set PGPASSWORD",
    ),
    (
        re.compile(r"pg_hba\.conf .*no encryption"),
        "the server takes no connection without TLS, or none at all, from this host for this user and database",
        "add ?sslmode=require to ZEN_LINEAGE_URL; if that is refused too, pg_hba.conf needs a line for this host",
    ),
    (
        re.compile(r"pg_hba\.conf"),
        "the server takes no connection from this host for this user and database",
        "add a line for them to the server's pg_hba.conf",
    ),
    (
        re.compile(r"does not support SSL|sslmode value|certificate|SSL error"),
        "the server and ZEN_LINEAGE_URL do not agree about TLS",
        "correct sslmode and sslrootcert in ZEN_LINEAGE_URL: ?sslmode=require, or disable where the server has no TLS",
    ),
    (
        re.compile(r'database "[^"]*" does not exist'),
        "there is no such database",
        "correct its name in ZEN_LINEAGE_URL, or make it: CREATE DATABASE {database} OWNER {user}",
    ),
    (
        re.compile(r'role "[^"]*" does not exist'),
        "there is no such user",
        "correct the user in ZEN_LINEAGE_URL, or make it: CREATE ROLE {user} LOGIN",
    ),
    (
        re.compile(r"is not permitted to log in"),
        "the role is no user, or not any more",
        "correct the user in ZEN_LINEAGE_URL, or ALTER ROLE {user} LOGIN",
    ),
    (
        re.compile(r"permission denied for database"),
        "the user may not connect to this database",
        "GRANT CONNECT ON DATABASE {database} TO {user}",
    ),
    (
        re.compile(r"permission denied for schema|no schema has been selected"),
        "to make or upgrade the store, the user needs to make tables in the schema",
        "ALTER DATABASE {database} OWNER TO {user}; or GRANT USAGE, CREATE ON SCHEMA public TO {user}",
    ),
    (
        re.compile(r"permission denied for"),
        "another user made the tables, and this one may not use them",
        (
            "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {user};"
            " GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {user}"
        ),
    ),
    (
        re.compile(r"must be owner of"),
        "another user made the tables, and only their owner may change them",
        "run it as that user; or REASSIGN OWNED BY that user TO {user}",
    ),
    (
        re.compile(r"invalid connection option|invalid integer value|bad value for|invalid dsn"),
        "an option of the address is wrong",
        "correct what follows the ? in ZEN_LINEAGE_URL",
    ),
)
_NO_HOST = re.compile(r"resolve host|translate host name")
_READ_ONLY = re.compile(r"in a read-only transaction")


class CrowdedError(StoreUnavailableError):
    """The database takes no more connections at the moment."""


class DiskFullError(StoreUnavailableError):
    """The database has no room to write."""


@contextmanager
def explained(engine: Engine) -> Iterator[None]:
    """Raise what goes wrong with the database as a StoreError."""
    try:
        yield
    except (sqlalchemy.exc.DBAPIError, sqlalchemy.exc.TimeoutError, engine.dialect.dbapi.Error) as error:
        raise explain(error, engine) from error


def explain(error: BaseException, engine: Engine) -> StoreError:
    """The StoreError for what a driver or SQLAlchemy raised; with the store's address, never its password."""
    if isinstance(error, sqlalchemy.exc.TimeoutError):
        return unavailable(engine, "all connections that this process may have are busy")
    error = getattr(error, "orig", None) or error
    text = _reason(error, engine)
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    path = sqlite_path(engine)
    if state == _DISK_FULL_STATE or _DISK_FULL.search(text) or (path and _DISK_FAILS.search(text) and _is_full(path)):
        return unavailable(engine, text, DiskFullError)
    if path is not None and ("readonly" in text or "unable to open" in text):
        return StoreError(
            f"the lineage store {path} cannot be opened for writing",
            why=f"{text}; SQLite needs to write the file and its folder",
            hint="give this user write access to the folder, or set ZEN_LINEAGE_URL to another place",
        )
    if state in _LOST_TABLE_STATES or "no such table" in text or "no such column" in text:
        return StoreError(
            f"the lineage store {shown_url(engine)} is damaged: {text}", hint="see what is wrong: zen store check"
        )
    if state == _FULL_STATE or (state is None and _FULL.search(text)):
        return unavailable(engine, text, CrowdedError)
    dbapi = engine.dialect.dbapi
    no_value = (dbapi.DataError, dbapi.IntegrityError, UnicodeError, OverflowError)
    if isinstance(error, no_value) and state not in _TRY_AGAIN_STATES:
        return FactRefusedError(
            f"the lineage store {shown_url(engine)} cannot hold a fact: {text}",
            why=type(error).__name__,
            hint="the store is sound: a text or a number that a step logged or was given is none that it can hold",
        )
    is_passing = isinstance(error, (dbapi.OperationalError, dbapi.InterfaceError)) or state in _TRY_AGAIN_STATES
    for pattern, why, hint in _REFUSED:
        if (state is None or state in _NO_RIGHTS_STATES or not is_passing) and pattern.search(text):
            return StoreError(_refusal(text, engine), why=why, hint=hint.format(**_names(engine)))
    return unavailable(engine, text) if is_passing else StoreError(_refusal(text, engine), why=type(error).__name__)


def unavailable(
    engine: Engine, why: str, kind: type[StoreUnavailableError] = StoreUnavailableError
) -> StoreUnavailableError:
    """The store cannot be used at present; trying again can help."""
    hint = "check that the database runs and can be reached from here, then: zen store check"
    if kind is DiskFullError:
        path = sqlite_path(engine)
        place = f"on the disk of {path}" if path else "on the disk of the database server"
        hint = f"make room {place}"
    elif _READ_ONLY.search(why):
        hint = "let ZEN_LINEAGE_URL name the primary; several hosts with ?target_session_attrs=read-write follow it"
    elif kind is CrowdedError:
        hint = "raise the server's max_connections, put PgBouncer before it, or run fewer tasks at once"
    elif _NO_HOST.search(why):
        hint = "correct the host in ZEN_LINEAGE_URL, or this machine's resolution of names"
    return kind(f"the lineage store {shown_url(engine)} cannot be used at present", why=why, hint=hint)


def _is_full(path: Path) -> bool:
    """Whether nothing can be written beside a SQLite file for want of room."""
    try:
        return shutil.disk_usage(path.parent).free < _LEAST_ROOM_BYTES
    except OSError:
        return False


def _refusal(text: str, engine: Engine) -> str:
    return f"the lineage store {shown_url(engine)} refuses: {text}"


def _reason(error: BaseException, engine: Engine) -> str:
    """What the driver says, in one line, without the address, the statement and the password."""
    told = getattr(getattr(error, "diag", None), "message_primary", None) or str(error)
    text = _NOISE.sub("", " ".join(without_credentials(told).split()))
    password = engine.url.password
    return text.replace(str(password), "***") if password else text


def _names(engine: Engine) -> dict[str, str]:
    user, database = engine.url.username, engine.url.database
    return {
        "user": _identifier(user) if user else "USER",
        "database": _identifier(database) if database else "DATABASE",
    }


def _identifier(name: str) -> str:
    """A name as SQL takes it."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'
