"""`zen plan`: what a run would do, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import click

from zen_core.cli.completion import complete_pipelines, complete_steps
from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import print_json, print_table, short_id
from zen_core.cli.run import parse_params

if TYPE_CHECKING:
    from zen_metadata.query.plan import Plan, PlannedStep

_SHOWN_REASONS = 2
_WORDS = (
    ("run", "would run"),
    ("depends", "may run"),
    ("cached", "cached"),
    ("skipped", "skipped"),
    ("fails", "would fail"),
)


@click.command()
@click.argument("pipeline", shell_complete=complete_pipelines)
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="Set a parameter; repeatable.")
@click.option("--no-cache", is_flag=True, help="As if every step were told to execute.")
@click.option(
    "--refresh", multiple=True, metavar="STEP", shell_complete=complete_steps, help="As if this step were; repeatable."
)
@json_option
@click.pass_obj
def plan(
    context: CliContext, pipeline: str, params: Sequence[str], no_cache: bool, refresh: Sequence[str], as_json: bool
) -> None:
    """What a run would do, and why.

    PIPELINE is path/to/file.py:name or package.module:name. No step is run, and nothing is written. A step whose result
    will be reused has known outputs, so what follows it is foreseen too; behind a step that would run, its result
    decides.
    """
    from zen_core.authoring.loading import load_pipeline
    from zen_core.compiler.manifest import build_manifest
    from zen_metadata.query.planner import make_plan

    parameters = parse_params(params)
    settings = context.local_settings()
    built = load_pipeline(pipeline, settings).build(settings)
    made = make_plan(
        build_manifest(built.spec, built.functions, settings),
        settings,
        parameters=parameters,
        texts=frozenset(parameters),
        no_cache=no_cache,
        refresh=refresh,
    )
    if as_json:
        print_json(made.to_json())
    else:
        print_plan(made)


def print_plan(plan: Plan) -> None:
    """Print a line for each step; the elements of a map share one."""
    groups = [list(group) for _, group in groupby(plan.steps, key=lambda step: step.name)]
    print_table(
        ("step", "plan", "why", "reused from"),
        [(_label_of(group), _actions_of(group), _reasons_of(group), _runs_of(group)) for group in groups],
    )
    counted = ", ".join(f"{plan.counts[action]} {words}" for action, words in _WORDS if plan.counts.get(action))
    click.echo(f"\n{plan.pipeline}: {counted or 'no steps'}")


def _label_of(group: Sequence[PlannedStep]) -> str:
    first = group[0]
    if len(group) > 1:
        return f"{first.name}[{first.map_index}..{group[-1].map_index}]"
    label = first.name if first.map_index is None else f"{first.name}[{first.map_index}]"
    return label if first.kind == "step" else f"{label} ({first.kind})"


def _actions_of(group: Sequence[PlannedStep]) -> str:
    counts = Counter(step.action for step in group)
    return group[0].action if len(counts) == 1 else ", ".join(f"{count} {name}" for name, count in counts.most_common())


def _reasons_of(group: Sequence[PlannedStep]) -> str:
    counts = Counter(step.reason for step in group)
    if len(counts) == 1:
        return group[0].reason
    shown = [f"{reason} ({count})" for reason, count in counts.most_common(_SHOWN_REASONS)]
    return ", ".join([*shown, *["…"] * (len(counts) > _SHOWN_REASONS)])


def _runs_of(group: Sequence[PlannedStep]) -> str:
    found = {step.reused_from or "" for step in group}
    return short_id(next(iter(found))) if len(found) == 1 else ""
