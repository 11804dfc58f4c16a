"""What is made of a server's words: whether trying again can help, and how long."""

from contextlib import closing
from pathlib import Path

import pytest

from zen_core.errors import StoreError, StoreUnavailableError
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.lineage.sql.engine import make_engine
from zen_metadata.lineage.sql.failures import CrowdedError, explain
from zen_metadata.lineage.store import FactRefusedError

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


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            'could not extend file "base/16384/1": No space left on device',
            "make room on the disk of the database server",
        ),
        ("cannot execute INSERT in a read-only transaction", "let ZEN_LINEAGE_URL name the primary"),
    ],
)
def test_a_server_that_takes_nothing_now_is_away_and_says_what_to_do(text: str, hint: str) -> None:
    failure = explained(text)
    assert failure.transient
    assert failure.diagnostics[0].hint.startswith(hint)


def test_a_full_disk_below_sqlite_is_named(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'zen.db'}")
    failure = explain(engine.dialect.dbapi.OperationalError("database or disk is full"), engine)
    assert failure.transient
    assert failure.diagnostics[0].hint == f"make room on the disk of {tmp_path / 'zen.db'}"


def test_a_value_that_the_database_does_not_take_is_no_fault_of_the_store(tmp_path: Path) -> None:
    with closing(open_lineage_store(f"sqlite:///{tmp_path / 'zen.db'}")) as store:
        with pytest.raises(FactRefusedError, match="cannot hold a fact") as caught:
            store.remember_file_digest("a", "\udcff", "c")
        assert "the store is sound" in str(caught.value)
        assert store.claim_once("another"), "the error that is kept keeps no lock"


def test_names_are_quoted_where_sql_needs_it() -> None:
    engine = make_engine("postgresql://data-team@db.example/zen-2")
    failure = explain(engine.dialect.dbapi.OperationalError('FATAL:  database "zen-2" does not exist'), engine)
    assert failure.diagnostics[0].hint.endswith('CREATE DATABASE "zen-2" OWNER "data-team"')
