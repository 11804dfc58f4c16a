"""Which addresses are taken, and what is said of the others."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from zen_core.errors import StoreError, StoreUnavailableError
from zen_metadata.lineage.sql import open_lineage_store
from zen_metadata.lineage.sql.engine import make_engine, network_file_system

MOUNTS = [("/", "ext4"), ("/home", "nfs4"), ("/home/me/disk", "xfs"), ("/data", "cifs"), ("/data", "ext4")]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "'' is not the address of a lineage store"),
        ("zen.db", "'zen.db' is not the address of a lineage store"),
        ("mysql://me:secret@host/db", r"cannot be kept in mysql \(mysql://host/db\)"),
        (
            "postgresql+asyncpg://me:secret@host/db",
            r"the driver asyncpg cannot be used .*postgresql\+asyncpg://host/db",
        ),
        ("sqlite://", "a lineage store in memory would be lost"),
        ("sqlite:///:memory:", "a lineage store in memory would be lost"),
    ],
)
def test_other_addresses_are_refused(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        open_lineage_store(url)
    assert "secret" not in str(caught.value)
    assert caught.value.diagnostics[0].hint


def test_the_driver_need_not_be_named() -> None:
    pytest.importorskip("psycopg")
    assert make_engine("postgresql://host/db").dialect.name == "postgresql"


@pytest.mark.parametrize(
    ("sqlalchemy", "drivers", "package"),
    [("1.4.54", "psycopg2", "psycopg2-binary"), ("2.1.9", "psycopg or psycopg2", "'zen-core[postgresql]'")],
)
def test_a_missing_driver_is_named_for_the_sqlalchemy_that_is_there(
    monkeypatch: pytest.MonkeyPatch, sqlalchemy: str, drivers: str, package: str
) -> None:
    monkeypatch.setattr("sqlalchemy.__version__", sqlalchemy)
    monkeypatch.setattr("zen_metadata.lineage.sql.engine.find_spec", lambda name: None)
    with pytest.raises(StoreError, match="no PostgreSQL driver is installed for postgresql://host/db") as caught:
        make_engine("postgresql://me:secret@host/db")
    (problem,) = caught.value.diagnostics
    assert problem.why == f"SQLAlchemy {sqlalchemy}, which is installed here, can use {drivers}"
    assert problem.hint == f"install one: pip install {package}"


@pytest.mark.parametrize("written", ["postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_a_driver_that_this_sqlalchemy_lacks_is_replaced(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    pytest.importorskip("psycopg2")
    monkeypatch.setattr("sqlalchemy.__version__", "1.4.54")
    assert make_engine(f"{written}://host/db").dialect.driver == "psycopg2"


def test_a_relative_path_stays_where_it_was_when_the_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_lineage_store("sqlite:///zen.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert store.find_runs() == []
    store.close()
    assert (tmp_path / "zen.db").exists()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/zen.db", None),
        ("/home/me/zen.db", "nfs4"),
        ("/homes/zen.db", None),
        ("/home/me/disk/zen.db", None),
        ("/data/zen.db", None),  # mounted over
    ],
)
def test_the_innermost_and_last_mount_counts(path: str, kind: str | None) -> None:
    assert network_file_system(Path(path), MOUNTS) == kind


def test_a_network_file_system_is_refused_with_the_line_to_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("zen_metadata.lineage.sql.engine._mounts", lambda: [(str(tmp_path), "nfs4")])
    with pytest.raises(StoreError, match=r"network file system \(nfs4\)[\s\S]*ZEN_LINEAGE_URL=postgresql://USER@HOST"):
        open_lineage_store(f"sqlite:///{tmp_path}/zen.db")


def test_a_server_that_is_away_is_named_without_password() -> None:
    pytest.importorskip("psycopg")
    store = open_lineage_store("postgresql://me:secret@127.0.0.1:1/zen?password=hidden")
    with pytest.raises(
        StoreUnavailableError, match=r"postgresql\+psycopg\S*://127.0.0.1:1/zen cannot be used"
    ) as caught:
        store.find_runs()
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert caught.value.transient


def test_a_store_that_must_exist_is_not_made(tmp_path: Path) -> None:
    store = open_lineage_store(f"sqlite:///{tmp_path}/zen.db", create=False)
    with pytest.raises(StoreError, match=r"there is no lineage store at sqlite:///.*zen\.db"):
        store.find_runs()
    assert not (tmp_path / "zen.db").exists()


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "zen.db").write_bytes(b"hello " * 1000)
    with pytest.raises(StoreError, match="file is not a database"):
        open_lineage_store(f"sqlite:///{tmp_path}/zen.db").find_runs()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"the folder \S*file of the lineage store cannot be made"):
        open_lineage_store(f"sqlite:///{tmp_path}/file/zen.db").find_runs()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot be opened for writing") as caught:
        open_lineage_store(f"sqlite:///{tmp_path}/zen.db").find_runs()
    assert not caught.value.transient


def test_a_lost_table_is_no_passing_failure(tmp_path: Path) -> None:
    store = open_lineage_store(f"sqlite:///{tmp_path}/zen.db")
    store.find_runs()
    with sqlite3.connect(tmp_path / "zen.db") as connection:
        connection.execute("DROP TABLE zen_file_digests")
    connection.close()
    with pytest.raises(StoreError, match=r"is damaged: no such table[\s\S]*zen store check") as caught:
        store.find_file_digest("u", "v")
    assert not caught.value.transient
    store.close()


def test_records_and_protocol_need_no_sqlalchemy() -> None:
    code = (
        "import sys, zen_metadata.lineage.records, zen_metadata.lineage.store, zen_metadata.lineage.sql;"
        "print([name for name in sys.modules if name.startswith(('sqlalchemy', 'alembic'))])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"


def test_a_store_needs_no_alembic_until_it_is_upgraded(tmp_path: Path) -> None:
    code = (
        "import sys; from zen_metadata.lineage.sql import open_lineage_store;"
        f"open_lineage_store('sqlite:///{tmp_path}/zen.db').find_runs(); print('alembic' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "False"
