"""From data to source text: `py_literal` and `py_identifier` are the only doors.

A `SourceText` is text that may go into an emitted file as it stands. Everything else is data, and the template
environment refuses it. Literals are the same on every Python version and machine: which characters are written as
they are is decided by a frozen version of the Unicode tables, not by the running interpreter's `repr`.
"""

from __future__ import annotations

import keyword
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from zen_core.errors import InternalError

_ASCII_TEXT = re.compile(r"[ !#-\[\]-~]*")
_SHORT_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class SourceText(str):
    """Text that is source code already. Made by this package and by adapters from literals and identifiers."""

    __slots__ = ()


class UnrepresentableError(TypeError):
    """The value has no literal that is the same everywhere."""


def py_literal(value: Any) -> SourceText:
    """The Python expression for a JSON-like value: None, bool, int, finite float, str, bytes, list, tuple, dict.

    A dict's keys are text and are written in sorted order, so that equal values give equal text. Raises
    UnrepresentableError for anything else, also for NaN, infinities and sets.
    """
    return SourceText(_literal(value))


def py_identifier(name: str) -> SourceText:
    """The name as source text. Raises InternalError where it is no identifier: names are made by `codegen.names`."""
    if not name.isidentifier() or not name.isascii() or keyword.iskeyword(name):
        raise InternalError(f"{name!r} is no identifier")
    return SourceText(name)


def join_source(separator: str, parts: Iterable[SourceText]) -> SourceText:
    """Source texts one after another. Raises InternalError where a part is plain data."""
    found = tuple(parts)
    for part in found:
        if not isinstance(part, SourceText):
            raise InternalError(f"{part!r} was to be joined into source text without py_literal")
    return SourceText(separator.join(found))


def text_width(text: str) -> int:
    """How many columns a text takes, as formatters count them."""
    if text.isascii():
        return len(text)
    tables = unicodedata.ucd_3_2_0
    return sum(
        0 if tables.category(char) == "Mn" else 2 if tables.east_asian_width(char) in "WF" else 1 for char in text
    )


def _literal(value: Any) -> str:
    kind = type(value)
    if value is None or kind in (bool, int):
        return repr(value)
    if kind is float and math.isfinite(value):
        return repr(value)
    if isinstance(value, str):
        return _text_literal(str(value))
    if kind is bytes:
        return "b" + _quote("".join(_byte_escape(byte) for byte in value), value.count(b'"') > value.count(b"'"))
    if kind is list:
        return f"[{', '.join(map(_literal, value))}]"
    if kind is tuple:
        return f"({', '.join(map(_literal, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return f"{{{', '.join(f'{_literal(key)}: {_literal(value[key])}' for key in sorted(value))}}}"
    raise UnrepresentableError(f"{value!r:.80} ({kind.__name__}) has no literal")


def _text_literal(text: str) -> str:
    if _ASCII_TEXT.fullmatch(text):
        return f'"{text}"'
    return _quote("".join(map(_char_escape, text)), text.count('"') > text.count("'"))


def _quote(escaped: str, single: bool) -> str:
    """Quotes as formatters choose them: double, unless that needs more escapes."""
    quote = "'" if single else '"'
    return quote + escaped.replace(quote, "\\" + quote) + quote


def _char_escape(char: str) -> str:
    if " " <= char <= "~":
        return _SHORT_ESCAPES.get(char, char)
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    code = ord(char)
    # Letters, marks, numbers, punctuation and symbols of Unicode 3.2; controls, surrogates, direction marks, exotic
    # spaces and what later versions assigned are escaped.
    if code > 0xA0 and unicodedata.ucd_3_2_0.category(char)[0] in "LNPS":
        return char
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _byte_escape(byte: int) -> str:
    char = chr(byte)
    return _SHORT_ESCAPES.get(char, char if " " <= char <= "~" else f"\\x{byte:02x}")
