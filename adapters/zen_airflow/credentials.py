"""Values that Airflow keeps in its Connections and Variables, read when a task runs. Airflow 2.11 and 3.x."""

from __future__ import annotations

from typing import Any

from zen_metadata.shim.credentials import MissingCredentialError


def read_credential(reference: str) -> str:
    """The address of a `connection:ID`, or the text of a `variable:KEY`. Raises MissingCredentialError."""
    kind, _, name = reference.partition(":")
    return _connection(name) if kind == "connection" else _variable(name)


def _connection(name: str) -> str:
    try:
        from airflow.sdk import BaseHook
    except ImportError:  # Airflow 2
        from airflow.hooks.base import BaseHook
    try:
        url = str(BaseHook.get_connection(name).get_uri())
    except Exception as error:  # each version and each secrets backend has an exception of its own
        raise MissingCredentialError(f"Airflow has no Connection {name!r} ({_first_line(error)})") from error
    # Airflow writes the connection type's old name, which SQLAlchemy no longer takes.
    return f"postgresql://{url.removeprefix('postgres://')}" if url.startswith("postgres://") else url


def _variable(name: str) -> str:
    try:
        from airflow.sdk import Variable
    except ImportError:  # Airflow 2
        from airflow.models import Variable
    try:
        value: Any = Variable.get(name)
    except Exception as error:
        raise MissingCredentialError(f"Airflow has no Variable {name!r} ({_first_line(error)})") from error
    return str(value)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
