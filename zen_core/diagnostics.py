"""One problem, told so that a stranger can mend it: what, where, why, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Diagnostic:
    """A single problem. `where` is `file:line` or the step; an empty field is left out of the text."""

    code: str
    message: str
    where: str = ""
    why: str = ""
    hint: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The machine form, the same for every error: code, message, where, why, hint, context."""
        return {
            "code": self.code,
            "message": self.message,
            "where": self.where,
            "why": self.why,
            "hint": self.hint,
            "context": dict(self.context),
        }

    def render(self) -> str:
        """The terminal form: one headline, then the parts that are known, aligned."""
        lines = [f"error {self.code}: {self.message}"]
        for label, text in (("where", self.where), ("why", self.why), ("hint", self.hint)):
            if text:
                indented = text.replace("\n", "\n         ")
                lines.append(f"  {label:<5}  {indented}")
        return "\n".join(lines)


def render_all(diagnostics: Sequence[Diagnostic]) -> str:
    """All problems, one after another, with their number when there are several."""
    text = "\n".join(diagnostic.render() for diagnostic in diagnostics)
    return text if len(diagnostics) < 2 else f"{text}\n{len(diagnostics)} problems"
