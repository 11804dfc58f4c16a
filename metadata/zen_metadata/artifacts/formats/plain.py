"""Plain values as JSON, long texts as text, bytes as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zen_core.contract.canonical import digest_json
from zen_core.contract.refs import NO_VALUE, is_scalar
from zen_core.contract.values import (
    TAG,
    UnserializableError,
    digest_value,
    digest_value_json,
    from_json,
    make_dataclass,
    make_model,
    to_json,
)
from zen_core.errors import OutputError
from zen_metadata.artifacts.class_code import digest_with_code
from zen_metadata.artifacts.serializers import DeclinedError, Encoding

LONG_BYTES = 64 * 1024
"""From this length on, the digest of a text or bytes is taken from the stored bytes, which are hashed anyway.

Below it, the digest is that of `contract.values`, the same as a constant's; nobody writes a longer constant.
"""


class JsonSerializer:
    """Everything that `contract.values` can write, with the digest that a constant or parameter has too."""

    name = "json"
    version = 1
    extension = ".json"

    def handles(self, value: object) -> bool:
        """Whether the value has a JSON form."""
        try:
            to_json(value)
        except (UnserializableError, ValueError, RecursionError):
            return False
        return True

    def encode(self, value: object) -> Encoding:
        """The JSON text. Raises DeclinedError for a value without JSON form, OutputError for one that holds a File."""
        try:
            form = to_json(value)
            text = json.dumps(form, separators=(",", ":"), allow_nan=False)
            digest = digest_value_json(form)
            if '"class":' in text:
                _check_round_trip(form, digest)
                digest = digest_with_code(digest, form)
        except (UnserializableError, ValueError, RecursionError) as error:
            raise DeclinedError(str(error)) from error
        refuse_files(text, value)
        return Encoding((text.encode("ascii"),), {}, digest, scalar_form(value, form))

    def decode(self, data: bytearray, metadata: Mapping[str, Any], into: Any) -> object:
        """The value that was encoded."""
        return value_from_form(json.loads(data), into)

    def dump(self, value: object, path: Path) -> Mapping[str, Any]:
        """Write the JSON text."""
        encoding = self.encode(value)
        path.write_bytes(b"".join(encoding.chunks))
        return encoding.metadata

    def load(self, path: Path, metadata: Mapping[str, Any], into: Any) -> object:
        """Read the JSON text."""
        return self.decode(bytearray(path.read_bytes()), metadata, into)

    def digest(self, value: object, stored_digest: str, metadata: Mapping[str, Any]) -> str:
        """The digest of the JSON form, in which the order of a dict's keys does not count."""
        return digest_with_code(digest_value(value), to_json(value))


def _check_round_trip(form: Any, digest: str) -> None:
    """Raise DeclinedError for an object that its own class does not make again of its fields."""
    try:
        again = from_json(form)
    except (ImportError, AttributeError):
        return  # a class of another name elsewhere: its reader brings it
    except Exception as error:
        raise DeclinedError(f"its class does not take its fields: {type(error).__name__}: {error}") from error
    if digest_value(again) != digest:
        raise DeclinedError("its class changes its fields when it is made of them")


class TextSerializer:
    """Long texts, as UTF-8."""

    name = "text"
    version = 1
    extension = ".txt"

    def handles(self, value: object) -> bool:
        """Whether it is a text too long for JSON to be pleasant."""
        return type(value) is str and len(value) >= LONG_BYTES

    def encode(self, value: str) -> Encoding:
        """The text in UTF-8. Raises DeclinedError for a short one."""
        if not self.handles(value):
            raise DeclinedError("a short text is kept as JSON")
        return Encoding((value.encode("utf-8", "surrogatepass"),), {"characters": len(value)})

    def decode(self, data: bytearray, metadata: Mapping[str, Any], into: Any) -> object:
        """The text."""
        return data.decode("utf-8", "surrogatepass")

    def dump(self, value: str, path: Path) -> Mapping[str, Any]:
        """Write the text."""
        encoding = self.encode(value)
        path.write_bytes(b"".join(encoding.chunks))
        return encoding.metadata

    def load(self, path: Path, metadata: Mapping[str, Any], into: Any) -> object:
        """Read the text."""
        return self.decode(bytearray(path.read_bytes()), metadata, into)

    def digest(self, value: str, stored_digest: str, metadata: Mapping[str, Any]) -> str:
        """The digest of the UTF-8 bytes, told apart from that of bytes."""
        return digest_json("text", stored_digest)


class BytesSerializer:
    """Bytes, as they are."""

    name = "bytes"
    version = 1
    extension = ".bin"

    def handles(self, value: object) -> bool:
        """Whether it is a `bytes`."""
        return type(value) is bytes

    def encode(self, value: bytes) -> Encoding:
        """The bytes themselves."""
        return Encoding((value,), {}, digest_value(value) if len(value) < LONG_BYTES else None)

    def decode(self, data: bytearray, metadata: Mapping[str, Any], into: Any) -> object:
        """The bytes."""
        return bytes(data)

    def dump(self, value: bytes, path: Path) -> Mapping[str, Any]:
        """Write the bytes."""
        path.write_bytes(value)
        return {}

    def load(self, path: Path, metadata: Mapping[str, Any], into: Any) -> object:
        """Read the bytes."""
        return path.read_bytes()

    def digest(self, value: bytes, stored_digest: str, metadata: Mapping[str, Any]) -> str:
        """A constant's digest for short bytes, the digest of the stored ones for long."""
        return digest_value(value) if len(value) < LONG_BYTES else digest_json("bytes", stored_digest)


def refuse_files(text: str, value: object) -> None:
    """Raise OutputError where the JSON text of a value holds a File."""
    if f'{{"{TAG}":"file"' in text:
        raise OutputError(
            f"a File lies inside a {type(value).__name__}, so that its content would not be stored",
            hint="return each File as an output of its own, or put the files into one folder and return File(folder)",
        )


def scalar_form(value: object, form: Any) -> Any:
    """The scalar that a ref may carry and a condition may read, or NO_VALUE."""
    if isinstance(form, dict) and form.get(TAG) == "numpy":
        form = form["value"]
    return form if is_scalar(form) else NO_VALUE


def value_from_form(form: Any, into: Any) -> object:
    """The value of a JSON form; `into` gives the class where it is the recorded one under another module's name.

    The module of a class differs between `python file.py` (`__main__`) and an import of the same file.
    """
    if isinstance(form, dict) and "class" in form and isinstance(into, type):
        _, _, qualname = str(form["class"]).partition(":")
        if qualname == into.__qualname__ and form.get(TAG) == "model":
            return make_model(into, form["value"])
        if qualname == into.__qualname__ and form.get(TAG) == "dataclass":
            return make_dataclass(into, form["value"])
        if qualname == into.__qualname__ and form.get(TAG) == "enum":
            return into[form["value"]]  # type: ignore[index]
    return from_json(form)
