"""A throw-away MLflow tracking server."""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from integration_tests.services.processes import Server, free_port
from integration_tests.services.rest import answers


class MlflowServer:
    """A tracking server, run by this interpreter's environment."""

    def __init__(self, backend_store_uri: str | None = None) -> None:
        """On the database at `backend_store_uri`; when left out, on SQLite in a temporary folder."""
        self.port = free_port()
        self._backend_store_uri = backend_store_uri
        self._folder: Path | None = None
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """The value for MLFLOW_TRACKING_URI."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server, on the data it had before pause(), and wait until it answers."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="zen-mlflow-"))
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        store = self._backend_store_uri or f"sqlite:///{self._folder}/mlflow.db"
        artifacts = self._folder / "artifacts"
        self._server = Server(
            "MLflow",
            [*command, "--workers", "1", "--backend-store-uri", store, "--artifacts-destination", artifacts],
            log=self._folder / "server.log",
            environment={**os.environ, **quiet_mlflow()},
        )
        self._server.wait_until(lambda: answers(f"{self.url}/health"), timeout=120)

    def pause(self) -> None:
        """Stop the server and keep its data: a server that is down until the next start()."""
        if self._server:
            self._server.stop()
            self._server = None

    def stop(self) -> None:
        """Stop the server and remove its data."""
        self.pause()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def quiet_mlflow() -> dict[str, str]:
    """Variables for a server without its job workers, and for servers and clients that send no usage data."""
    return {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
