"""Keeps secrets out of logs, tracebacks and errors."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from zen_core.contract.settings import Settings

_SHORTEST_SECRET = 4


def secret_masker(settings: Settings) -> Callable[[str], str]:
    """A function that replaces every password in the settings' addresses by `***`."""
    secrets: set[str] = set()
    for url in (
        settings.lineage_url,
        settings.artifact_url,
        settings.mlflow_tracking_uri,
        settings.data_root,
    ):
        password = urlsplit(url).password if "@" in url else None
        if password:
            secrets.update((password, unquote(password)))
    # The longest first, so that one that contains another leaves nothing behind.
    ordered = sorted((secret for secret in secrets if len(secret) >= _SHORTEST_SECRET), key=len, reverse=True)

    def mask(text: str) -> str:
        for secret in ordered:
            text = text.replace(secret, "***")
        return text

    return mask
