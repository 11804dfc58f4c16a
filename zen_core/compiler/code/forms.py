"""Tokens: what Zen's own form of Python code is made of."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType
from typing import Any

from zen_core.contract.canonical import digest_bytes

Token = str | int | float | bool | None | list[Any]


def digest_tokens(tokens: list[Token]) -> str:
    """The digest of tokens. `ascii` writes each value in a way of its own, the same on every version of Python."""
    return digest_bytes(b"tokens:" + ascii(tokens).encode())


def tokens_of_code(code: CodeType) -> Iterator[Token]:
    """A function whose source is not at hand. Differs between Python versions."""
    yield from ("code", code.co_name, code.co_code.hex(), [*code.co_names], [*code.co_varnames])
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from tokens_of_code(constant)
        else:
            yield constant_token(constant)


def constant_token(value: object) -> list[Token]:
    """The token of a constant. A text, the most frequent one, stands alone."""
    if type(value) is str:
        return [value]
    if value is None or isinstance(value, (bool, int, float)):
        return [type(value).__name__, value]
    return [type(value).__name__, value.hex() if isinstance(value, bytes) else repr(value)]
