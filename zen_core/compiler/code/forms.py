"""Tokens: what Zen's own form of Python code is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import CodeType

from zen_core.contract.canonical import digest_bytes

Token = str
"""A text without line breaks. A constant begins with a quote or has a space in it, and nothing else does."""


def digest_tokens(tokens: Iterable[Token]) -> str:
    """The digest of tokens."""
    return digest_bytes(b"tokens:" + "\n".join(tokens).encode())


def constant_token(value: object) -> Token:
    """The token of a constant: of each value another one, the same on every version of Python."""
    if type(value) is str:
        return ascii(value)
    if isinstance(value, (tuple, frozenset)):
        parts = map(constant_token, value)
        shown = ", ".join(parts if isinstance(value, tuple) else sorted(parts))
    elif type(value) is int:
        shown = hex(value)  # of any length
    else:
        shown = repr(value)
    return f"{type(value).__name__} {shown}"


def tokens_of_code(code: CodeType) -> Iterator[Token]:
    """A function whose source is not at hand. Differs between Python versions."""
    yield from ("code", ascii(code.co_name), code.co_code.hex(), ascii(code.co_names), ascii(code.co_varnames))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from tokens_of_code(constant)
        else:
            yield constant_token(constant)
