"""The one place that meets fsspec: opens a URL's file system, and tells its failures in words."""

from __future__ import annotations

import errno
import os
import re
from typing import Any

from zen_core.contract.settings import without_credentials
from zen_core.errors import StoreError, StoreUnavailableError

_FILE_SCHEMES = ("file://", "local://")
_EXTRA_BY_SCHEME = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "az": "azure",
    "abfs": "azure",
    "abfss": "azure",
    "adl": "azure",
}
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_CREDENTIALS = re.compile(r"credential|unauthorized|forbidden|access.?denied|authenticat|signature", re.IGNORECASE)


def is_local(url: str) -> bool:
    """Whether the URL is a path on this machine."""
    return "://" not in url or url.startswith(_FILE_SCHEMES)


def local_part(url: str) -> str:
    """The absolute path of a local URL."""
    for scheme in _FILE_SCHEMES:
        url = url.removeprefix(scheme)
    return os.path.abspath(os.path.expanduser(url))


def open_filesystem(url: str) -> tuple[Any, str]:
    """The fsspec file system of a remote URL, and the path within it.

    Raises:
        StoreError: the scheme is unknown, or its driver is not installed.
    """
    import fsspec

    scheme = url.partition("://")[0]
    try:
        filesystem, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        extra = _EXTRA_BY_SCHEME.get(scheme)
        raise StoreError(
            f"{scheme}:// cannot be opened: {error}",
            where=without_credentials(url),
            hint=f"pip install 'zen-core[{extra}]'" if extra else "install the fsspec driver for this scheme",
        ) from error
    except ValueError as error:
        raise StoreError(
            f"{scheme}:// is not a place that fsspec knows", where=without_credentials(url), hint="correct the URL"
        ) from error
    return filesystem, path


def failure_of(error: BaseException, action: str, *, where: str = "") -> StoreError:
    """The error to raise for what a file system raised while it was to `action` ("store an artifact").

    Not allowed and missing credentials are refusals; everything else may pass.
    """
    text = without_credentials(f"{type(error).__name__}: {error}")
    number = error.errno if isinstance(error, OSError) else None
    if number in _FULL:
        return StoreUnavailableError(f"cannot {action}: no space is left", where=where, why=text, hint="make room")
    if number == errno.EROFS:
        return StoreError(
            f"cannot {action}: the place is read-only", where=where, why=text, hint="choose another artifact_url"
        )
    if number in _REFUSED or isinstance(error, PermissionError):
        hint = "give this user the right to it, or choose another artifact_url (ZEN_ARTIFACT_URL)"
        return StoreError(f"cannot {action}: not allowed", where=where, why=text, hint=hint)
    if not isinstance(error, OSError) and _CREDENTIALS.search(text):
        hint = "give the process the credentials that the storage asks for (environment, role or mounted file)"
        return StoreError(f"cannot {action}: the storage asks for credentials", where=where, why=text, hint=hint)
    return StoreUnavailableError(
        f"cannot {action}", where=where, why=text, hint="see whether the place can be reached, then try again"
    )
