"""The page of `zen diff --html`: one file without scripts, fonts or anything else from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from zen_core.cli.output import format_seconds, short_id
from zen_metadata.cli.diff_view import sections_of, summary_of, visible
from zen_metadata.query.diff import RunDiff
from zen_metadata.query.runs import Run

_LONGEST_VALUE = 2_000
_TEMPLATES = Path(__file__).parent / "templates"
_WORDS = {"+": "added", "-": "removed", "~": "changed", "=": "same"}
_FACTS = ("run", "pipeline", "project", "ran on", "status", "started", "took")


def render_page(diff: RunDiff) -> str:
    """The whole page; the same text for the same two runs, on any machine. What users wrote is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    pipelines = dict.fromkeys((diff.before.pipeline, diff.after.pipeline))
    sections = sections_of(diff, longest=_LONGEST_VALUE)
    return environment.get_template("diff.html.j2").render(
        title=f"{' and '.join(pipelines)}: {short_id(diff.before.run_id)} and {short_id(diff.after.run_id)}",
        summary=summary_of(diff, sections),
        notes=[visible(note) for note in diff.notes],
        facts=list(zip(_FACTS, _facts(diff.before), _facts(diff.after), strict=True)),
        sections=sections,
        words_by_mark=_WORDS,
        lines_of=_styled_lines,
    )


def _facts(run: Run) -> tuple[str, ...]:
    record = run.record
    engine = f"{record.orchestrator} ({record.deployment})"
    facts = (run.run_id, run.pipeline, record.project, engine, run.status, _time(run.started_at))
    return (*map(visible, facts), format_seconds(run.seconds))


def _time(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if moment else ""


def _styled_lines(diff: str) -> Iterator[tuple[str, str]]:
    for line in diff.removesuffix("\n").split("\n"):
        if line.startswith(("--- ", "+++ ")):
            yield "file", line
        else:
            yield {"@": "place", "+": "plus", "-": "minus"}.get(line[:1], ""), line
