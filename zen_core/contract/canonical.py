"""Canonical JSON, and digests that no two different values share.

A digest is taken over a typed, length-delimited encoding, so that `1`, `"1"`, `True` and `1.0` differ, as do
`["ab", "c"]` and `["a", "bc"]`; the order of a mapping's keys does not count. NaN equals NaN; -0.0 is not 0.0.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from typing import Any

DIGEST_PREFIX = "sha256:"


def canonical_json(value: Any) -> str:
    """The one JSON text of `value`: sorted keys, no spaces, ASCII. Raises ValueError for NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest_json(kind: str, value: Any) -> str:
    """`sha256:` and the hexadecimal digest of a JSON value; `kind` keeps two kinds of thing from colliding."""
    return digest_bytes(_frame(b"k", kind.encode()) + _encode(value))


def digest_bytes(data: bytes) -> str:
    """`sha256:` and the hexadecimal digest of bytes."""
    return DIGEST_PREFIX + hashlib.sha256(data).hexdigest()


def _frame(tag: bytes, payload: bytes) -> bytes:
    return b"%s%d:%s" % (tag, len(payload), payload)


def _encode(value: Any) -> bytes:
    if isinstance(value, str):  # first, because nearly everything is made of text
        return _frame(b"s", value.encode("utf-8", "surrogatepass"))
    if isinstance(value, dict):
        items = sorted([(_encode(key), _encode(item)) for key, item in value.items()])
        return _frame(b"d", b"".join([key + item for key, item in items]))
    if isinstance(value, (list, tuple)):
        return _frame(b"l", b"".join([_encode(item) for item in value]))
    if value is None:
        return b"n0:"
    if value is True or value is False:
        return b"b1:1" if value else b"b1:0"
    if isinstance(value, int):
        return _frame(b"i", b"%d" % value)
    if isinstance(value, float):
        return _frame(b"f", struct.pack(">d", math.nan if math.isnan(value) else value))
    raise TypeError(f"{type(value).__name__} has no canonical encoding")
