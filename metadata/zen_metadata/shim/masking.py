"""Keeps secrets out of logs, tracebacks and errors."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from zen_core.contract.settings import Settings

_SHORTEST_SECRET = 4
_remembered: set[str] = set()


def remember_secret(value: str) -> None:
    """Mask this value from now on, in every masker: as a whole, line by line, and the password in an address."""
    found = _secrets_of(value)
    # An address is shown without its password; what is printed line by line is met line by line.
    _remembered.update(found or {value, *value.splitlines()})


def secret_masker(settings: Settings) -> Callable[[str], str]:
    """A function that replaces every password in the settings' addresses, and every remembered secret, by `***`."""
    own: set[str] = set()
    for url in (
        settings.lineage_url,
        settings.artifact_url,
        settings.mlflow_tracking_uri,
        settings.openlineage_url,
        settings.data_root,
    ):
        own.update(_secrets_of(url))
    ordered = _ordered(own | _remembered)
    known = len(_remembered)

    def mask(text: str) -> str:
        nonlocal ordered, known
        if len(_remembered) != known:  # values are only ever added
            known = len(_remembered)
            ordered = _ordered(own | _remembered)
        for secret in ordered:
            text = text.replace(secret, "***")
        return text

    return mask


def _ordered(secrets: set[str]) -> list[str]:
    """The longest first, so that one that contains another leaves nothing behind."""
    return sorted((secret for secret in secrets if len(secret) >= _SHORTEST_SECRET), key=len, reverse=True)


def _secrets_of(url: str) -> set[str]:
    """The password in an address, as it is written and as it is meant."""
    password = urlsplit(url).password if "://" in url and "@" in url else None
    return {password, unquote(password)} if password else set()
