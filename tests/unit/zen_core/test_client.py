"""`Client`, loaded through its entry point."""

from pathlib import Path

from zen_core import Client
from zen_core.contract.settings import Settings


def test_the_client_that_is_installed_is_found(tmp_path: Path) -> None:
    client = Client(Settings(root=tmp_path))
    assert type(client).__module__.startswith("zen_metadata.query")
    assert client.settings.root == tmp_path
