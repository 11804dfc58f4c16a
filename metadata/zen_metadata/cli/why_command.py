"""`zen why`: why a step ran, or did not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import format_time, print_facts, print_heading, print_json, print_line, print_table, short_id
from zen_metadata.cli.completing import complete_run_steps, complete_runs
from zen_metadata.cli.opening import open_client
from zen_metadata.query.key_changes import PACKAGES

if TYPE_CHECKING:
    from zen_metadata.query.runs import StepRun
    from zen_metadata.query.why import Explanation

_DIGEST = "sha256:"
_SHOWN_DIGITS = 12


@click.command()
@click.argument("run_id", metavar="RUN", shell_complete=complete_runs)
@click.argument("step", shell_complete=complete_run_steps)
@json_option
@click.pass_obj
def why(context: CliContext, run_id: str, step: str, as_json: bool) -> None:
    """Why a step ran, or why a result was reused.

    RUN is a run id, the beginning of one, or latest; STEP is a step's name, or NAME[INDEX] for an element of a
    fan-out. What ran is compared with the earlier run whose cache key is most like its own.
    """
    found = open_client(context).run(run_id).step(step)
    explanation = found.why()
    if as_json:
        print_json(explanation.to_json())
    else:
        print_explanation(found, explanation)


def print_explanation(step: StepRun, explanation: Explanation) -> None:
    """Print the answer first, then what changed, then the parts of the key."""
    print_facts(
        {
            "step": f"{step.label} of run {short_id(explanation.run_id)} ({step.run.pipeline})",
            "cache": explanation.result,
            "why": explanation.summary,
            "compared with": _compared_with(explanation),
        }
    )
    for change in explanation.changed:
        print_line(("  ", ""), (change.what, "bold"), (change.text.removeprefix(change.what), ""))
    for note in explanation.notes:
        print_line((f"  note: {note}", ""))
    for place in explanation.unfollowed:
        print_line((f"  not followed: {place['what']} ({place['file']}:{place['line']})", "dim"))
    if explanation.parts:
        print_heading(f"the key {explanation.cache_key} is made of")
        changed = {change.part for change in explanation.changed}
        if any(part.startswith("package:") for part in changed):
            changed.add(PACKAGES)
        print_table(
            ("part", "is", ""),
            [(part, _shown(value), "changed" if part in changed else "") for part, value in explanation.parts.items()],
        )


def _compared_with(explanation: Explanation) -> str:
    if explanation.compared_to is None:
        return ""
    return f"run {short_id(explanation.compared_to)} ({format_time(explanation.compared_at)})"


def _shown(value: str) -> str:
    """A version as it is, a digest by its first digits."""
    return value[: len(_DIGEST) + _SHOWN_DIGITS] if value.startswith(_DIGEST) else value
