"""What the shell is offered for a RUN and a STEP: read straight from the embedded store, for a TAB must answer at once.

Importing SQLAlchemy would take longer than that, and a server is never asked: where the lineage store is another
database, `latest` alone is offered.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from zen_core.cli.completion import completed_folder
from zen_core.cli.output import short_id
from zen_core.contract.settings import Settings, find_root, load_settings
from zen_metadata.query.client import LATEST

_SHOWN = 20
_SQLITE_PREFIX = "sqlite:///"
_RUNS = "SELECT run_id, pipeline FROM zen_runs WHERE project = ? ORDER BY started_at DESC, run_id DESC LIMIT ?"
_STEPS = "SELECT DISTINCT step FROM zen_step_runs WHERE run_id >= ? AND run_id < ? || 'g' ORDER BY step"
"""Of all runs whose id begins so: `g` comes after all digits of an id."""
_LATEST = "SELECT run_id FROM zen_runs WHERE project = ? ORDER BY started_at DESC, run_id DESC LIMIT 1"


def complete_runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """The latest runs of the project, as `zen runs` shows their ids, with their pipeline."""
    rows = _rows(settings := _settings(context), _RUNS, (settings.project, _SHOWN))
    named = [(LATEST, "the latest run"), *((short_id(run_id), pipeline) for run_id, pipeline in rows)]
    return [CompletionItem(name, help=text) for name, text in named if name.startswith(incomplete)]


def complete_run_steps(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """The steps of the run that was named before."""
    settings = _settings(context)
    run_id = str(context.params.get("run_id") or "")
    if run_id == LATEST:
        run_id = next((row[0] for row in _rows(settings, _LATEST, (settings.project,))), "")
    names = [row[0] for row in _rows(settings, _STEPS, (run_id, run_id))] if run_id else []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _settings(context: click.Context) -> Settings:
    stack = context.find_root().params.get("stack") or ""
    return load_settings(find_root(completed_folder(context)), stack=stack).with_local_defaults()


def _rows(settings: Settings, query: str, values: Sequence[object]) -> list[Any]:
    file = Path(settings.lineage_url.removeprefix(_SQLITE_PREFIX))
    if not settings.lineage_url.startswith(_SQLITE_PREFIX) or not file.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=0.05)) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.Error:
        return []  # locked, damaged or of another schema: the command itself says so
