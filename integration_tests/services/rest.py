"""The little HTTP that the services need, on the standard library."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


class HttpError(RuntimeError):
    """An answer other than 2xx, with its status and what the server said."""

    def __init__(self, method: str, url: str, status: int, text: str) -> None:
        super().__init__(f"{method} {url}: {status} {text}")
        self.status = status


def request_json(
    method: str,
    url: str,
    body: object = None,
    *,
    headers: Mapping[str, str] | None = None,
    timeout: float = 30,
) -> Any:
    """Send JSON and return the JSON of the answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url,
        data,
        {"Content-Type": "application/json", "Accept": "application/json", **(headers or {})},
        method=method,
    )
    try:
        with _OPENER.open(request, timeout=timeout) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            raise HttpError(method, url, error.code, error.read().decode(errors="replace")) from None


def answers(url: str) -> bool:
    """Whether a GET of the address succeeds now."""
    try:
        with _OPENER.open(url, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


# The servers are on this host: a proxy that the environment names is not for them.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
