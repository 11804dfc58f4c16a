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
_NO_BUCKET = re.compile(
    r"NoSuchBucket|(bucket|container) (you specified )?does ?n.t exist|ContainerNotFound", re.IGNORECASE
)
_REJECTED_CODES = (
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
)
_ELSEWHERE_CODES = (
    "301",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "PermanentRedirect",
    "TemporaryRedirect",
)

TRANSFER_BLOCK_BYTES = 8 << 20
"""What is sent or fetched by one request of a large transfer."""
PARALLEL_REQUESTS = 4
"""How many such requests a transfer makes at once; with the block it bounds what it holds in memory."""
_S3_ROUNDS = 2
_S3_OPTIONS = {"max_concurrency": PARALLEL_REQUESTS, "default_block_size": TRANSFER_BLOCK_BYTES}
_OPTIONS_BY_SCHEME = {"s3": _S3_OPTIONS, "s3a": _S3_OPTIONS}


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
    # What the user has configured for the driver (FSSPEC_S3_…) goes before.
    options = {**_OPTIONS_BY_SCHEME.get(scheme, {}), **fsspec.config.conf.get(scheme, {})}
    try:
        filesystem, path = fsspec.core.url_to_fs(url, **options)
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
    if options and hasattr(filesystem, "retries"):
        # botocore tries every request again by itself (AWS_MAX_ATTEMPTS, AWS_RETRY_MODE), and s3fs all that five times:
        # a store that hangs would be waited for more than six minutes. Once more is left for answers that break off.
        filesystem.retries = _S3_ROUNDS
    return filesystem, path


def is_bucket_missing(error: BaseException) -> bool:
    """Whether a file system says that the bucket or container itself is not there."""
    return code_of(error) == "NoSuchBucket" or bool(_NO_BUCKET.search(str(error)))


def code_of(error: BaseException) -> str:
    """The storage's own code for what went wrong, as botocore's clients hand it on; "" where there is none."""
    seen: BaseException | None = error
    while seen is not None:
        answer = getattr(seen, "response", None)
        if isinstance(answer, dict):
            return str(answer.get("Error", {}).get("Code") or "")
        seen = seen.__cause__
    return ""


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
    if refusal := _refusal(error, text, remote="://" in where):
        return StoreError(f"cannot {action}: {refusal[0]}", where=where, why=text, hint=refusal[1])
    return StoreUnavailableError(
        f"cannot {action}", where=where, why=text, hint="see whether the place can be reached, then try again"
    )


def _refusal(error: BaseException, text: str, *, remote: bool) -> tuple[str, str] | None:
    """What a storage refuses, and what to do; None for what may pass."""
    code = code_of(error)
    if is_bucket_missing(error):
        return "there is no such bucket", "make the bucket, or correct artifact_url (ZEN_ARTIFACT_URL)"
    if code in _ELSEWHERE_CODES:
        return "the bucket lies in another region", "give the process the bucket's region (AWS_DEFAULT_REGION)"
    if code in _REJECTED_CODES:
        return (
            "the storage does not accept the credentials",
            "correct or renew what the process takes them from (environment, profile, role), and look at its clock",
        )
    if (isinstance(error, OSError) and error.errno in _REFUSED) or isinstance(error, PermissionError):
        if remote:
            return "not allowed", "let these credentials read, write, list and delete there, or use others"
        return "not allowed", "give this user the right to it, or choose another artifact_url (ZEN_ARTIFACT_URL)"
    if not isinstance(error, OSError) and _CREDENTIALS.search(text):
        hint = "give the process the credentials that the storage asks for (environment, role or mounted file)"
        return "the storage asks for credentials", hint
    return None
