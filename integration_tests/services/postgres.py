"""A throw-away PostgreSQL server."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import LiteralString, Self

import psycopg
from psycopg import sql

from integration_tests.services.processes import Server, ServiceError, free_port

# What is lost in a crash does not matter here, so nothing waits for the disk.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "shared_buffers": "64MB",
}


class PostgresServer:
    """A new cluster in a temporary folder, on a free port of 127.0.0.1, gone at the end."""

    def __init__(self, *, access: str = "", **settings: str) -> None:
        """With `settings`, in PostgreSQL's words, beside and in place of SETTINGS.

        Args:
            access: the lines of pg_hba.conf; left out, everybody is whom they say they are.
        """
        self.port = free_port()
        self._access = access
        self._settings = {**SETTINGS, **settings}
        self._folder: Path | None = None
        self._server: Server | None = None

    @staticmethod
    def missing() -> str | None:
        """What this machine lacks to run the server, as a sentence part; None when it has all."""
        return None if find_binary("initdb") else "needs PostgreSQL: apt-get install postgresql"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Make the cluster on the first start, and wait until it takes connections."""
        user = server_user()
        if self._folder is None:
            self._folder = make_cluster(user)
            if self._access:
                (self._folder / "data" / "pg_hba.conf").write_text(self._access)
        options = [f"-c{name}={value}" for name, value in self._settings.items()]
        self._server = Server(
            "PostgreSQL",
            [
                binary("postgres"),
                "-D",
                self._folder / "data",
                "-p",
                str(self.port),
                "-k",
                self._folder,
                *options,
            ],
            log=self._folder / "postgres.log",
            user=user,
            stop_signal=signal.SIGINT,  # ends connections instead of waiting for them
        )
        self._server.wait_until(self._accepts_connections, timeout=30)

    def pause(self) -> None:
        """Stop the server and keep its data: a store that is down until the next start()."""
        if self._server:
            self._server.stop()
            self._server = None

    def stop(self) -> None:
        """Stop the server and remove its data."""
        self.pause()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def url(self, driver: str | None = "psycopg", database: str = "postgres") -> str:
        """The address of a database for SQLAlchemy; without a driver for libpq."""
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        return f"{scheme}://postgres@127.0.0.1:{self.port}/{database}"

    def socket_url(self, driver: str | None, database: str) -> str:
        """The address by the server's Unix socket, which a program on the same machine uses."""
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        return f"{scheme}://postgres@/{database}?host={self._folder}&port={self.port}"

    @property
    def log(self) -> str:
        """What the server has written to its log."""
        return (self._folder / "postgres.log").read_text(errors="replace") if self._folder else ""

    def execute(self, statement: LiteralString, database: str = "postgres") -> None:
        """Run a statement as the server's superuser."""
        with psycopg.connect(self.url(None, database), autocommit=True) as connection:
            connection.execute(statement)

    def create_database(self, name: str, driver: str | None = "psycopg") -> str:
        """Create an empty database; its address."""
        with psycopg.connect(self.url(None), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(driver, name)

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        with psycopg.connect(self.url(None), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _accepts_connections(self) -> bool:
        try:
            psycopg.connect(self.url(None), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


def make_cluster(user: str | None) -> Path:
    """A folder with an initialised cluster, owned by the server's user."""
    folder = Path(tempfile.mkdtemp(prefix="zen-postgres-"))
    if user:
        shutil.chown(folder, user, user)
    command: list[str | Path] = [
        binary("initdb"),
        "-D",
        folder / "data",
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
    ]
    done = subprocess.run(
        [*command, "--locale=C", "--no-sync", "--no-instructions"],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=folder,
        user=user,
        group=user,
        extra_groups=[] if user else None,
    )
    if done.returncode:
        raise ServiceError(f"initdb failed: {done.stderr}")
    return folder


def server_user() -> str | None:
    """Whom to run the server as: PostgreSQL refuses root, so root uses the account that the package made."""
    if os.geteuid() != 0:
        return None
    accounts = {account.pw_name for account in pwd.getpwall()}
    return "postgres" if "postgres" in accounts else "nobody"


def binary(name: str) -> Path:
    """A server program of the newest PostgreSQL here."""
    if found := find_binary(name):
        return found
    raise ServiceError(f"no {name}: {PostgresServer.missing()}")


def find_binary(name: str) -> Path | None:
    """Debian keeps the server programs of each version in a folder of its own, off PATH."""
    versions = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    newest = max(versions, key=lambda path: int(path.parts[-3]) if path.parts[-3].isdigit() else 0, default=None)
    on_path = shutil.which(name)
    return newest or (Path(on_path) if on_path else None)
