"""A throw-away PgBouncer before a PostgreSQL server, where each transaction may get another connection."""

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from integration_tests.services.postgres import PostgresServer, server_user
from integration_tests.services.processes import Server, free_port

CONFIGURATION = """\
[databases]
* = host=127.0.0.1 port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = 3
max_client_conn = 500
"""


class PgBouncer:
    """Three connections to the server, shared by all clients."""

    def __init__(self, postgres: PostgresServer) -> None:
        self.port = free_port()
        self._postgres = postgres
        self._folder: Path | None = None
        self._server: Server | None = None

    @staticmethod
    def missing() -> str | None:
        """What this machine lacks to run it, as a sentence part; None when it has all."""
        return None if _program() else "needs PgBouncer: apt-get install pgbouncer"

    def __enter__(self) -> Self:
        user = server_user()  # PgBouncer refuses root too
        self._folder = Path(tempfile.mkdtemp(prefix="zen-pgbouncer-"))
        text = CONFIGURATION.format(server_port=self._postgres.port, port=self.port, folder=self._folder)
        (self._folder / "pgbouncer.ini").write_text(text)
        (self._folder / "users.txt").write_text('"postgres" ""\n')
        if user:
            shutil.chown(self._folder, user, user)
        command: list[str | Path] = [_program() or "pgbouncer", self._folder / "pgbouncer.ini"]
        self._server = Server("PgBouncer", command, log=self._folder / "log", user=user)
        self._server.wait_until(self._accepts_connections, timeout=30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.stop()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, driver: str | None, database: str) -> str:
        """The address of a database for SQLAlchemy; without a driver for libpq."""
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        return f"{scheme}://postgres@127.0.0.1:{self.port}/{database}"

    def _accepts_connections(self) -> bool:
        try:
            psycopg.connect(self.url(None, "postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


def _program() -> str | None:
    """Debian keeps it where only root's PATH leads."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
