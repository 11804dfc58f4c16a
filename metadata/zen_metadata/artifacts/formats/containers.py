"""Lists, tuples and dicts that hold arrays or frames: a zip of a skeleton in JSON, and each part in its own format.

A part that only a pickle could hold makes the whole a pickle: what is stored here can be loaded without running code.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zen_core.contract.values import UnserializableError, from_json, to_json
from zen_metadata.artifacts.digests import digest_object
from zen_metadata.artifacts.formats.plain import refuse_files
from zen_metadata.artifacts.serializers import DeclinedError, Serializer, candidates, find_serializer, foreign_metadata
from zen_metadata.artifacts.type_names import type_name

_SKELETON = "skeleton.json"
_SHOWN_PARTS = 100
_EPOCH = (1980, 1, 1, 0, 0, 0)


class ContainerSerializer:
    """`list`, `tuple` and `dict`, at any depth, of plain values and of what another serializer than the pickle takes.

    The skeleton's nodes are `["json", form]`, `["part", number]`, `["list", nodes]`, `["tuple", nodes]` and
    `["dict", [[key's form, node], …]]`.
    """

    name = "container"
    version = 1
    extension = ".zip"

    def handles(self, value: object) -> bool:
        """Whether it is one of the three."""
        return type(value) in (list, tuple, dict)

    def dump(self, value: Any, path: Path) -> Mapping[str, Any]:
        """Write the zip. Raises DeclinedError where a part can only be pickled."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            writer = _Writer(archive, path.with_name(f"{path.name}.part"))
            try:
                skeleton = {"root": writer.node(value, "value"), "parts": writer.parts}
                text = json.dumps(skeleton, separators=(",", ":"), allow_nan=False)
            except RecursionError as error:
                raise DeclinedError("it is nested too deeply, or holds itself") from error
            except ValueError as error:  # an integer that is too long to be printed
                raise DeclinedError(str(error)) from error
            refuse_files(text, value)
            archive.writestr(_entry(_SKELETON), text)
        return {"parts": dict(writer.shown[:_SHOWN_PARTS]), "count": len(writer.parts)}

    def load(self, path: Path, metadata: Mapping[str, Any], into: Any) -> object:
        """Read the zip."""
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory(prefix="zen-parts-") as scratch:
            skeleton = json.loads(archive.read(_SKELETON))
            parts = [_read_part(archive, part, Path(scratch)) for part in skeleton["parts"]]
        return _value_of(skeleton["root"], parts)

    def digest(self, value: Any, stored_digest: str, metadata: Mapping[str, Any]) -> str:
        """Of what it consists of, the same as that of its pickle would be."""
        return digest_object(value)


class _Writer:
    """Writes the parts as they are met."""

    def __init__(self, archive: zipfile.ZipFile, temporary: Path) -> None:
        self._archive = archive
        self._temporary = temporary
        self.parts: list[dict[str, Any]] = []
        self.shown: list[tuple[str, str]] = []

    def node(self, value: Any, where: str) -> list[Any]:
        """The skeleton's node for a value, with all parts below it written."""
        try:
            return ["json", to_json(value, path=where)]
        except (UnserializableError, ValueError):
            pass  # something in it is no plain value
        if type(value) in (list, tuple):
            kind = type(value).__name__
            return [kind, [self.node(item, f"{where}[{index}]") for index, item in enumerate(value)]]
        if type(value) is dict:
            return ["dict", [[_key(key, where), self.node(item, f"{where}[{key!r}]")] for key, item in value.items()]]
        return ["part", self._part(value, where)]

    def _part(self, value: Any, where: str) -> int:
        for serializer in candidates(value):
            if getattr(serializer, "pickles", False) or getattr(serializer, "keeps_path", False):
                break
            name = f"{len(self.parts)}{serializer.extension}"
            try:
                metadata = self._write(serializer, value, name)
            except DeclinedError:
                continue
            known = {"name": serializer.name, "version": serializer.version}
            self.parts.append({**known, "file": name, "metadata": {**metadata, **foreign_metadata(serializer)}})
            self.shown.append((where.removeprefix("value"), type_name(type(value))))
            return len(self.parts) - 1
        raise DeclinedError(f"{where} is a {type_name(type(value))}, which only a pickle can hold")

    def _write(self, serializer: Serializer, value: Any, name: str) -> Mapping[str, Any]:
        encode = getattr(serializer, "encode", None)
        if encode is not None:
            encoding = encode(value)
            with self._archive.open(_entry(name), "w", force_zip64=True) as stream:
                for chunk in encoding.chunks:
                    stream.write(chunk)
            metadata: Mapping[str, Any] = encoding.metadata
            return metadata
        try:
            metadata = serializer.dump(value, self._temporary)
            with (
                self._temporary.open("rb") as source,
                self._archive.open(_entry(name), "w", force_zip64=True) as target,
            ):
                while block := source.read(1 << 20):
                    target.write(block)
        finally:
            self._temporary.unlink(missing_ok=True)
        return metadata


def _key(key: object, where: str) -> Any:
    try:
        return to_json(key)
    except UnserializableError as error:
        raise DeclinedError(f"a key of {where} is no plain value") from error


def _entry(name: str) -> zipfile.ZipInfo:
    """An entry without a trace of the time and the machine."""
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = 3
    return entry


def _read_part(archive: zipfile.ZipFile, part: Mapping[str, Any], scratch: Path) -> Any:
    metadata = part["metadata"]
    serializer = find_serializer(part["name"], part["version"], metadata, artifact=f"the part {part['file']!r}")
    if decode := getattr(serializer, "decode", None):
        data = bytearray(archive.getinfo(part["file"]).file_size)
        with archive.open(part["file"]) as stream:
            stream.readinto(data)  # type: ignore[attr-defined]
        return decode(data, metadata, None)
    path = Path(archive.extract(part["file"], scratch))
    value = serializer.load(path, metadata, None)
    os.unlink(path)
    return value


def _value_of(node: list[Any], parts: list[Any]) -> Any:
    kind, content = node
    if kind == "json":
        return from_json(content)
    if kind == "part":
        return parts[content]
    if kind == "dict":
        return {from_json(key): _value_of(item, parts) for key, item in content}
    items: Iterator[Any] = (_value_of(item, parts) for item in content)
    return tuple(items) if kind == "tuple" else list(items)
