"""Keeps secrets out of logs, tracebacks and errors."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from zen_core.contract.settings import Settings

_SHORTEST_SECRET = 4
_remembered: set[str] = set()


def remember_secret(value: str) -> None:
    """Mask this value, and the password in it where it is an address, in every masker that is made from now on."""
    _remembered.update(_secrets_of(value) or {value})


def secret_masker(settings: Settings) -> Callable[[str], str]:
    """A function that replaces every password in the settings' addresses, and every remembered secret, by `***`."""
    secrets = set(_remembered)
    for url in (
        settings.lineage_url,
        settings.artifact_url,
        settings.mlflow_tracking_uri,
        settings.data_root,
    ):
        secrets.update(_secrets_of(url))
    # The longest first, so that one that contains another leaves nothing behind.
    ordered = sorted((secret for secret in secrets if len(secret) >= _SHORTEST_SECRET), key=len, reverse=True)

    def mask(text: str) -> str:
        for secret in ordered:
            text = text.replace(secret, "***")
        return text

    return mask


def _secrets_of(url: str) -> set[str]:
    """The password in an address, as it is written and as it is meant."""
    password = urlsplit(url).password if "://" in url and "@" in url else None
    return {password, unquote(password)} if password else set()
