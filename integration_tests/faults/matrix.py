"""Fault by point by outcome: every point that a part of a run passes, and what becomes of the run when it ends there.

Each sequence is recorded once; from the recording comes the schedule, so that a new point is in it by itself. Of each
entry the process is killed (or fails) there, what was left undone is done by other processes, and then the invariants
must hold and the user's code must have run as often as it was promised.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
POINTS = Path(__file__).with_name("points")
STAGE = Path(__file__).with_name("stage.py")
Action = Mapping[str, Any]

PAIR: Action = {"action": "step", "with": {"step": "pair"}}
SYNC: Action = {"action": "sync"}
CHECK: Action = {"action": "check", "with": {"killed": True}}
TELL: Action = {"action": "tell"}
WARM: Action = {"action": "run", "with": {"key": "warm", "size": 1}}


@dataclass(frozen=True)
class Part:
    """A part of a run that is ended at each of its points.

    Attributes:
        title: what it is, for people.
        before: what was done before, in peace.
        action: what is ended.
        after: what the next process does.
        settles: the point with which it is done: killed after its last passing, nothing is done again.
        runs_user_code: whether the user's code runs in it.
        away: whether the lineage store is away meanwhile.
        mlflow: whether there is an MLflow.
    """

    title: str
    before: Sequence[Action]
    action: Action
    after: Sequence[Action]
    settles: str = "sql COMMIT"
    runs_user_code: bool = False
    away: bool = False
    mlflow: bool = False
    check: Action = field(default_factory=lambda: CHECK)


SEQUENCES: Mapping[str, Part] = {
    "new": Part("the first step in a new store", (), PAIR, (PAIR,), runs_user_code=True),
    "executed": Part("a step that executes", (WARM,), PAIR, (PAIR,), runs_user_code=True),
    "cached": Part(
        "a step that is cached", ({"action": "run", "with": {"key": "warm"}},), PAIR, (PAIR,), settles="sql COMMIT"
    ),
    "expander": Part("the expander of a map", (WARM, PAIR), {"action": "expander"}, ({"action": "expander"},)),
    "element": Part(
        "an element of a map",
        (WARM, PAIR, {"action": "expander"}),
        {"action": "step", "with": {"step": "square", "index": 1}},
        ({"action": "step", "with": {"step": "square", "index": 1}},),
        runs_user_code=True,
    ),
    "collector": Part(
        "the collector of a map",
        (WARM, {"action": "run", "with": {"until": "square"}}),
        {"action": "step", "with": {"step": "total"}},
        ({"action": "step", "with": {"step": "total"}},),
        runs_user_code=True,
    ),
    "closing": Part(
        "the closing of a run",
        (WARM, {"action": "run", "with": {"until": "total"}}),
        {"action": "close"},
        ({"action": "close"},),
    ),
    "spooling": Part(
        "a step while the lineage store is away",
        (WARM,),
        PAIR,
        (SYNC, PAIR),
        settles="rename tmp -> spool/events",
        runs_user_code=True,
        away=True,
    ),
    "replay": Part("recording what was spooled", (WARM, {**PAIR, "away": True}), SYNC, (SYNC, PAIR)),
    "drain": Part(
        "projecting to MLflow",
        (WARM, SYNC, {"action": "run"}),
        SYNC,
        (SYNC,),
        settles="mlflow set_terminated",
        mlflow=True,
    ),
    "gc": Part(
        "deleting old versions",
        (WARM, {"action": "run", "with": {"key": "later"}}),
        {"action": "gc"},
        ({"action": "gc"}, {"action": "step", "with": {"step": "pair", "key": "later"}}),
        check={"action": "check"},
    ),
}


@dataclass(frozen=True)
class Entry:
    """A fault that is to happen, at the n-th passing of a point, which was the `position`-th of the recording."""

    sequence: str
    position: int
    point: str
    nth: int
    action: str = "kill"

    @property
    def name(self) -> str:
        """Names the entry in outcomes and messages."""
        return f"{self.sequence}: {self.action} at {self.point} #{self.nth}"


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        became: for the table: what the step that was ended became of.
        problems: what was promised and does not hold.
    """

    entry: Entry
    became: str
    problems: tuple[str, ...]


class Matrix:
    """Plays sequences in a folder of their own.

    Args:
        make_database: for PostgreSQL: makes a database, a copy of another one, and answers with its URL; left out,
            each case has a SQLite file.
    """

    def __init__(
        self, folder: Path, make_database: Callable[[str, str | None], str] | None = None, *, parallel: int = 2
    ) -> None:
        self.folder = folder
        self._make_database = make_database
        self._parallel = parallel
        self._numbers = count()
        (folder / "zen.toml").write_text('project = "faults"\n')
        (folder / "work.py").write_text(_pipeline())

    def record(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Play sequences in peace; the points of each, in order."""
        bases = [self._case(f"{name}-base", None, _phases(SEQUENCES[name].before), SEQUENCES[name]) for name in names]
        for found in self._play(bases):
            _refuse_failures(found)
        cases = []
        for name in names:
            one = SEQUENCES[name]
            recorded = {"actions": [one.action], "away": one.away, "record": str(self.folder / f"{name}.points")}
            cases.append(self._case(f"{name}-recorded", name, (recorded, _rest(one)), one))
        for found in self._play(cases):
            _refuse_failures(found)
            if problems := found["answers"][-1]["answer"][-1]:
                raise AssertionError(f"{found['name']}: the invariants do not hold in peace: {problems}")
        return {name: (self.folder / f"{name}.points").read_text().splitlines() for name in names}

    def play(self, *cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Play cases of one's own, each in a new folder."""
        named = [self._case(f"case-{number}", None, phases, SEQUENCES["new"]) for number, phases in enumerate(cases)]
        return sorted(self._play(named), key=lambda found: str(found["name"]))

    def run(self, entries: Sequence[Entry], recorded: Mapping[str, Sequence[str]]) -> list[Outcome]:
        """Play the entries, and judge what came of each."""
        cases = []
        for entry in entries:
            one = SEQUENCES[entry.sequence]
            fault = {"point": entry.point, "nth": entry.nth, "action": entry.action}
            phases = ({"actions": [one.action], "away": one.away, "fault": fault}, _rest(one))
            cases.append(self._case(f"case-{next(self._numbers)}", entry.sequence, phases, one))
        found = {case["name"]: case for case in self._play(cases)}
        return [
            judge(entry, recorded[entry.sequence], found[case["name"]])
            for entry, case in zip(entries, cases, strict=True)
        ]

    def _case(self, name: str, base: str | None, phases: Sequence[Mapping[str, Any]], one: Part) -> dict[str, Any]:
        case = {"name": name, "folder": str(self.folder / name), "phases": list(phases), "mlflow": one.mlflow}
        if base is not None:
            case["base"] = str(self.folder / f"{base}-base")
        if self._make_database is not None:
            template = None if base is None else f"faults_{base}_base"
            case["lineage_url"] = self._make_database(f"faults_{name.replace('-', '_')}", template)
        return case

    def _play(self, cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """MLflow takes seconds to import: only where it is needed."""
        with_mlflow = [case for case in cases if case["mlflow"]]
        without = [case for case in cases if not case["mlflow"]]
        return [found for group in (without, with_mlflow) if group for found in self._play_alike(group)]

    def _play_alike(self, cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        own = {name: text for name, text in os.environ.items() if not name.startswith("ZEN_")}
        path = os.pathsep.join(filter(None, (str(POINTS), str(ROOT), own.get("PYTHONPATH"))))
        spec = {
            "cases": list(cases),
            "parallel": self._parallel,
            "mlflow": any(case["mlflow"] for case in cases),
        }
        done = subprocess.run(
            [sys.executable, str(STAGE)],
            cwd=self.folder,
            env={**own, "PYTHONPATH": path, "ZEN_MLFLOW_SYNC": "off"},
            input=json.dumps(spec),
            capture_output=True,
            text=True,
            check=False,
        )
        found = [json.loads(line) for line in done.stdout.splitlines()]
        if done.returncode or len(found) != len(cases):
            raise AssertionError(f"{len(found)} of {len(cases)} cases were played:\n{done.stderr}")
        return found


def _phases(actions: Sequence[Action]) -> list[Mapping[str, Any]]:
    """In one process each, since some happen while the store is away."""
    return [{"actions": [action], "away": action.get("away", False)} for action in actions]


def _rest(one: Part) -> Mapping[str, Any]:
    """What another process does afterwards: what was left undone, `zen sync`, and a look at everything."""
    return {"actions": [*one.after, SYNC, TELL, one.check]}


def schedule(recorded: Mapping[str, Sequence[str]], *, action: str = "kill", once_each: bool = False) -> list[Entry]:
    """Every passing of every point of the recordings that changes something.

    What only reads is left out: a process that is killed there leaves what it left at the point before. With
    `once_each` each point of a part is met once, at its last passing.
    """
    entries = []
    for sequence, points in recorded.items():
        total, counts = Counter(points), Counter[str]()
        changing = changing_points(points)
        for position, point in enumerate(points):
            counts[point] += 1
            if position in changing and (not once_each or counts[point] == total[point]):
                entries.append(Entry(sequence, position, point, counts[point], action))
    return entries


def changing_points(points: Sequence[str]) -> set[int]:
    """The positions of points that change something: no reads, and no transactions that only read."""
    changing: set[int] = set()
    writes = False
    for position, point in enumerate(points):
        if point == "sql BEGIN":
            writes = False
        elif point.startswith("sql select"):
            continue
        elif point.startswith(("sql COMMIT", "sql ROLLBACK", "sql send")):
            if writes:
                changing.add(position)
        else:
            writes = writes or point.startswith("sql")
            changing.add(position)
    return changing


def judge(entry: Entry, points: Sequence[str], found: Mapping[str, Any]) -> Outcome:
    """Whether what was promised holds."""
    one = SEQUENCES[entry.sequence]
    first, rest = found["answers"]
    if "error" in rest or rest["killed"]:
        return Outcome(entry, "lost", (f"afterwards: {rest}",))
    *_, standing, violations = rest["answer"]
    problems = list(violations)
    if entry.action in ("kill", "tear") and first["killed"] != 9:
        problems.append(f"the point was not passed a second time: {first}")
    allowed = promised_runs(entry, points) if one.runs_user_code else {0}
    if found["ran"] not in allowed:
        problems.append(f"the user's code ran {found['ran']} times, promised is {sorted(allowed)}")
    steps = standing["steps"]
    undone = {step: status for step, status in steps.items() if status not in ("completed", "cached")}
    if undone:
        problems.append(f"not everything was done in the end: {undone}")
    return Outcome(entry, _became(entry, one, points, found), tuple(problems))


def promised_runs(entry: Entry, points: Sequence[str]) -> set[int]:
    """How often the user's code may run in all: again only where it had begun, and its end was not recorded."""
    one = SEQUENCES[entry.sequence]
    if entry.action == "raise":
        return {1} if entry.point.startswith("sql") else {1, 2}
    if entry.position <= _creation(points):
        return {1}
    settled = _last(points, one.settles)
    sent = _last(points, "sql send") if "sql send" in points else settled
    if entry.position <= settled:
        return {2}
    return {1, 2} if settled < entry.position <= sent else {1}


def _creation(points: Sequence[str]) -> int:
    """Where the user's code leaves its first trace."""
    return next(index for index, point in enumerate(points) if point == "create user code begins")


def _last(points: Sequence[str], point: str) -> int:
    return len(points) - 1 - list(reversed(points)).index(point)


def _became(entry: Entry, one: Part, points: Sequence[str], found: Mapping[str, Any]) -> str:
    first = found["answers"][0]
    if entry.action == "raise":
        if "error" in first:
            return f"fails with {first['error']}, and runs again"
        return "goes on; spooled" if first["spooled"] else "goes on"
    if not one.runs_user_code:
        return "done again, once" if entry.position <= _last(points, one.settles) else "recorded"
    return {1: "recorded" if entry.position > _creation(points) else "begins anew", 2: "runs again"}[found["ran"]]


def _refuse_failures(found: Mapping[str, Any]) -> None:
    for answer in found["answers"]:
        if "error" in answer or answer["killed"]:
            raise AssertionError(f"{found['name']} failed in peace: {answer}")


def _pipeline() -> str:
    """The text of the pipeline, from `stage.py`, which is imported in a process of its own only."""
    for node in ast.parse(STAGE.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "PIPELINE":
            return str(ast.literal_eval(node.value))
    raise LookupError("stage.py has no PIPELINE")


def told(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What does not hold, with the entry."""
    for outcome in outcomes:
        for problem in outcome.problems:
            yield f"{outcome.entry.name}: {problem}"
