"""What differs between two cache keys, part by part, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zen_metadata.query.words import definition_text, place_text, version_text

CODE = "code"
PACKAGES = "packages"
_ORDER = (CODE, PACKAGES, "package", "input", "file", "env", "salt", "output")
_SHOWN = 2


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs.

    Attributes:
        part: the key's part: `code`, `package:pandas`, `input:frame`, `file:PATH`, `env:NAME`, `salt`, `output:NAME`.
        what: in words, without the place.
        before: a version, a small value in JSON form, or a digest; None for what was not there.
        after: likewise.
        where: `file:lines` of a definition.
        upstream: of an input, the step of this run that made it, in words.
    """

    part: str
    what: str
    before: Any
    after: Any
    where: str = ""
    upstream: str = ""

    @property
    def text(self) -> str:
        """All of it, on one line."""
        place = f" ({self.where})" if self.where else ""
        return f"{self.what}{place}{f'; {self.upstream}' if self.upstream else ''}"

    def to_json(self) -> dict[str, Any]:
        """An entry of `changed` in `zen why --json`."""
        document = {"part": self.part, "what": self.what, "before": self.before, "after": self.after}
        extra = {"where": self.where, "upstream": self.upstream}
        return {**document, **{name: text for name, text in extra.items() if text}}


def differing_parts(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The names of the parts that differ: code first, then packages, inputs and the rest."""
    names = {name for name in (*before, *after) if before.get(name) != after.get(name)}
    return sorted(names, key=lambda name: (_ORDER.index(kind_of(name)) if kind_of(name) in _ORDER else 99, name))


def kind_of(part: str) -> str:
    """`package` of `package:pandas`."""
    return part.partition(":")[0]


def name_in(part: str) -> str:
    """`pandas` of `package:pandas`."""
    return part.partition(":")[2]


def compare_code(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Change]:
    """The definitions that differ between two code documents, those first that are in both."""
    if before is None or after is None:
        return []
    old, new = before["definitions"], after["definitions"]
    found = []
    for name in sorted({*old, *new}, key=lambda name: (name not in old, name not in new, name)):
        one, other = old.get(name), new.get(name)
        if one is not None and other is not None and one["digest"] == other["digest"]:
            continue
        state = "changed" if one and other else "is used now" if other else "is not used any more"
        shown = other or one
        found.append(
            Change(
                CODE,
                f"{definition_text(name)} {state}",
                one and one["digest"],
                other and other["digest"],
                place_text(shown),
            )
        )
    return found


def compare_packages(before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    """The packages whose versions differ."""
    return [
        Change(
            f"package:{name}", package_text(name, before.get(name), after.get(name)), before.get(name), after.get(name)
        )
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def package_text(name: str, before: str | None, after: str | None) -> str:
    """`pandas 2.2.3 -> 2.3.0`."""
    if before is None:
        return f"{name} {version_text(after)} counts now"
    if after is None:
        return f"{name} {version_text(before)} does not count any more"
    return f"{name} {version_text(before)} -> {version_text(after)}"


def short_text(before: Mapping[str, str], after: Mapping[str, str], codes: Mapping[str, Mapping[str, Any]]) -> str:
    """What differs between two keys, in a few words: `code changed: features.scale; input frame changed`.

    Args:
        codes: the code documents of the two, by their digests, as far as they are known.
    """
    words = [_short_part(part, before, after, codes) for part in differing_parts(before, after)]
    more = f"; +{len(words) - _SHOWN}" if len(words) > _SHOWN else ""
    return "; ".join(words[:_SHOWN]) + more


def _short_part(
    part: str, before: Mapping[str, str], after: Mapping[str, str], codes: Mapping[str, Mapping[str, Any]]
) -> str:
    kind, name = kind_of(part), name_in(part)
    if kind == CODE:
        changed = [item.what for item in compare_code(codes.get(before.get(part, "")), codes.get(after.get(part, "")))]
        return f"code changed{_first(changed)}"
    if kind == "package":
        return package_text(name, before.get(part), after.get(part))
    if kind in (PACKAGES, "salt"):
        return f"{kind} changed" if part in before and part in after else f"{kind} declared otherwise"
    noun = {"env": "variable"}.get(kind, kind)
    state = "is new" if part not in before else "is gone" if part not in after else "changed"
    return f"{noun} {name} {state}"


def _first(changes: Sequence[str]) -> str:
    """`: features.scale, +2`: what changed goes without saying that it did."""
    if not changes:
        return ""
    more = f", +{len(changes) - 1}" if len(changes) > 1 else ""
    return f": {changes[0].removesuffix(' changed')}{more}"
