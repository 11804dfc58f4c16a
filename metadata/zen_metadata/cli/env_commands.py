"""`zen env show`, `zen env diff`."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import print_facts, print_heading, print_json, print_table, short_digest, short_id
from zen_core.errors import NotFoundError, UsageError
from zen_metadata.cli.completing import complete_run_steps, complete_runs
from zen_metadata.cli.opening import open_client
from zen_metadata.query.client import LATEST, Client
from zen_metadata.query.environments import RunEnvironment, compare_environments, describe_uncommitted

if TYPE_CHECKING:
    from zen_metadata.query.environments import EnvironmentDiff
    from zen_metadata.query.runs import Run

_WIDTH = 100
_HARD_SPACE = "\N{NO-BREAK SPACE}"
_SHOWN_STEPS = 12


@click.group()
def env() -> None:
    """What runs ran in: Python, packages, platform, git, GPUs."""


@env.command()
@click.argument("run_id", metavar="[RUN]", default=LATEST, shell_complete=complete_runs)
@click.argument("step", required=False, shell_complete=complete_run_steps)
@click.option("--patch", is_flag=True, help="Print only the uncommitted changes, as a patch.")
@json_option
@click.pass_obj
def show(context: CliContext, run_id: str, step: str | None, patch: bool, as_json: bool) -> None:
    """What a run ran in: each environment once, with the steps that had it.

    RUN is a run id, the beginning of one, latest, or latest~1 for the one before. STEP names one step, or NAME[INDEX]
    an element of a fan-out. Of environment variables the names alone are recorded.
    """
    run = open_client(context).run(run_id)
    environments = run.environments(step)
    if as_json:
        print_json({"run_id": run.run_id, "environments": [item.to_json() for item in environments]})
    elif patch:
        click.echo("".join(_git_of(item).get("diff", "") for item in environments), nl=False)
    elif not environments:
        click.echo(f"no step of run {short_id(run.run_id)} began", err=True)
    else:
        for item in environments:
            _print(item)


@env.command("diff")
@click.argument("before", metavar="RUN[:STEP]", shell_complete=complete_runs)
@click.argument("after", metavar="RUN[:STEP]", shell_complete=complete_runs)
@json_option
@click.pass_obj
def diff_environments(context: CliContext, before: str, after: str, as_json: bool) -> None:
    """What changed from one environment to another: packages, Python, platform, git, variables.

    Each is that of a run, or of one step of it where the steps of a run had several.
    """
    client = open_client(context)
    left, right = _find(client, before), _find(client, after)
    found = compare_environments(*(item.snapshot or {} for item in (left, right)))
    if as_json:
        print_json(found.to_json())
    elif not found:
        click.echo(f"nothing: both ran in environment {short_digest(left.digest)}")
    else:
        _print_difference(found)


def _print_difference(found: EnvironmentDiff) -> None:
    print_table(("what", "before", "after"), [(name, old or "-", new or "-") for name, old, new in found.rows()])


def _find(client: Client, subject: str) -> RunEnvironment:
    """The one environment that RUN or RUN:STEP names."""
    run_id, _, step = subject.partition(":")
    run = client.run(run_id)
    found = run.environments(step or None)
    if not found:
        raise NotFoundError(f"no step of run {short_id(run.run_id)} began, so it has no environment")
    if len(found) > 1:
        raise UsageError(
            f"the steps of run {short_id(run.run_id)} ran in {len(found)} environments",
            where=subject,
            hint=f"name a step of the one that you mean: {_examples(run, found)}",
        )
    (environment,) = found
    if environment.snapshot is None:
        raise NotFoundError(
            f"the environment of run {short_id(run.run_id)} is not in the lineage store",
            where=environment.digest,
            why="the store was away when the run began",
            hint="zen sync records what was kept back",
        )
    return environment


def _examples(run: Run, found: list[RunEnvironment]) -> str:
    return ", ".join(f"{short_id(run.run_id)}:{item.steps[0]}" for item in found[:5])


def _git_of(item: RunEnvironment) -> Mapping[str, Any]:
    return (item.snapshot or {}).get("git") or {}


def _print(item: RunEnvironment) -> None:
    print_heading(f"environment {short_digest(item.digest)}: {_listed(item.steps, _SHOWN_STEPS)}")
    if item.snapshot is None:
        click.echo("its snapshot is not in the lineage store: zen sync records what was kept back")
        return
    print_facts(_facts(item, item.snapshot))
    installed = {name: item.snapshot.get(name) or {} for name in ("packages", "installs")}
    _print_words("packages", [f"{name} {version}" for name, _, version in compare_environments({}, installed).rows()])
    _print_words("environment variables", item.snapshot.get("environment_variables", ()))


def _facts(item: RunEnvironment, snapshot: Mapping[str, Any]) -> dict[str, str]:
    gpus = snapshot.get("gpus") or {}
    git = _git_of(item)
    system = (snapshot.get(name, "") for name in ("platform", "machine", "libc", "release"))
    return {
        "python": " ".join(filter(None, (snapshot.get("implementation"), snapshot["python"], snapshot.get("build")))),
        "platform": ", ".join(filter(None, system)),
        "image": snapshot.get("image_digest", ""),
        "gpus": ", ".join((*gpus.get("models", ()), *filter(None, [gpus.get("driver")]))),
        "cuda": snapshot.get("cuda", ""),
        "git": _git_words(git),
        "remote": git.get("remote") or "",
        "uncommitted": ", ".join(_uncommitted(git)),
        "code": ", ".join(
            short_digest(digest) + (f" (pushed from {source.describe()})" if source else "")
            for digest, source in item.code.items()
        ),
        "pydantic": snapshot.get("packages", {}).get("pydantic", ""),
    }


def _git_words(git: Mapping[str, Any]) -> str:
    if not git:
        return ""
    if git.get("problem") and "commit" not in git:
        return str(git["problem"])
    branch = f" on {git['branch']}" if git.get("branch") else ", on no branch"
    return (str(git["commit"])[:12] if git.get("commit") else "no commit yet") + branch


def _uncommitted(git: Mapping[str, Any]) -> list[str]:
    words = [
        f"{file} ({found})" if found.startswith("not recorded") else file
        for file, found in describe_uncommitted(git).items()
    ]
    if git.get("masked"):
        words.append("what looks like a secret is masked")
    if git.get("problem") and "commit" in git:
        words.append(f"not recorded: {git['problem']}")
    return words


def _print_words(title: str, words: Sequence[str]) -> None:
    """A title with the words below it, in as few lines as they take; no word with spaces is cut."""
    click.echo(f"{len(words)} {title}")
    whole = ", ".join(word.replace(" ", _HARD_SPACE) for word in words)
    for line in textwrap.wrap(whole, _WIDTH, break_long_words=False, break_on_hyphens=False):
        click.echo(f"  {line.replace(_HARD_SPACE, ' ')}")


def _listed(words: tuple[str, ...], most: int) -> str:
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")
