"""`Client`: the read side, loaded through its entry point, so that core itself knows no store."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from zen_core.errors import UsageError

if TYPE_CHECKING:
    from zen_core.contract.settings import Settings

ENTRY_POINT_GROUP = "zen.client"


def Client(settings: Settings | None = None, **options: Any) -> Any:  # noqa: N802 - it stands for the class
    """Reads what was recorded: `Client().runs()`, `.run(run_id)`, `.artifact("model").load()`, `.lineage(...)`.

    Args:
        settings: those of a project; None: of the project that the current folder belongs to.
        options: further ones of the client that is installed, such as `root` and `stack`.

    Raises:
        UsageError: no client is installed.
        StoreError: the lineage store cannot be read.
    """
    return _load_client()(settings, **options)


@cache
def _load_client() -> Any:
    found = list(entry_points(group=ENTRY_POINT_GROUP))
    if not found:
        raise UsageError(
            "there is no client to read runs with",
            why=f"nothing that is installed registers one under {ENTRY_POINT_GROUP!r}",
            hint="install zen-core again",
        )
    return found[0].load()
