"""What is made of a server's words: whether trying again can help, and how long."""

import pytest

from zen_core.errors import StoreError, StoreUnavailableError
from zen_metadata.lineage.sql.engine import make_engine
from zen_metadata.lineage.sql.failures import CrowdedError, explain

URL = "postgresql://me:hush@db.example:5432/zen"
PREFIX = 'connection failed: connection to server at "10.0.0.7", port 5432 failed: '


def explained(text: str) -> StoreError:
    engine = make_engine(URL)
    return explain(engine.dialect.dbapi.OperationalError(text), engine)


@pytest.mark.parametrize(
    "text",
    [
        "FATAL:  sorry, too many clients already",
        "FATAL:  remaining connection slots are reserved for non-replication superuser connections",
        "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
        'FATAL:  too many connections for database "zen"',
        "FATAL:  the database system is starting up",
        "FATAL:  no more connections allowed (max_client_conn)",
    ],
)
def test_a_server_without_room_is_waited_for(text: str) -> None:
    failure = explained(PREFIX + text)
    assert type(failure) is CrowdedError
    assert failure.diagnostics[0].why == text.removeprefix("FATAL:  ")


@pytest.mark.parametrize(
    "text",
    [
        "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
        "FATAL:  the database system is shutting down",
        "FATAL:  Passwort-Authentifizierung für Benutzer »me« fehlgeschlagen",
        "server closed the connection unexpectedly",
    ],
)
def test_what_is_not_known_better_is_taken_for_a_store_that_is_away(text: str) -> None:
    assert type(explained(PREFIX + text)) is StoreUnavailableError


def test_a_refusal_is_told_without_address_of_the_driver_and_password() -> None:
    failure = explained(PREFIX + 'FATAL:  password authentication failed for user "me" with hush')
    assert not failure.transient
    shown = str(make_engine(URL).url).partition("me:")[0]
    assert failure.message == (
        f'the lineage store {shown}db.example:5432/zen refuses: password authentication failed for user "me" with ***'
    )


def test_names_are_quoted_where_sql_needs_it() -> None:
    engine = make_engine("postgresql://data-team@db.example/zen-2")
    failure = explain(engine.dialect.dbapi.OperationalError('FATAL:  database "zen-2" does not exist'), engine)
    assert failure.diagnostics[0].hint.endswith('CREATE DATABASE "zen-2" OWNER "data-team"')
