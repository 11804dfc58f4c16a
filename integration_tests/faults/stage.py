"""What is done in the processes that are killed: one part of a run each, in a project folder of its own.

    python stage.py < cases.json > outcomes.jsonl

Run in the folder of a project, with ZEN_* in the environment and `points/` on PYTHONPATH. A case is a list of phases;
each phase is a process, forked from this one, since starting Python and importing Zen a thousand times takes longer
than what is tested. A phase is a list of actions, with the fault that is to happen meanwhile.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fault_points  # type: ignore[import-not-found]

import zen_metadata.artifacts.store
import zen_metadata.lineage.sql.store  # noqa: F401  what each would import
from integration_tests.faults.invariants import find_violations
from zen_core.authoring.loading import load_pipeline
from zen_core.compiler.manifest import build_manifest
from zen_core.contract.settings import Settings, load_settings
from zen_core.environment.capture import capture_environment
from zen_metadata.cli.sync_command import run_sync
from zen_metadata.lineage.records import RunRecord
from zen_metadata.query.stores import ReadStores
from zen_metadata.retention.choosing import Policy
from zen_metadata.retention.collecting import collect
from zen_metadata.shim.calls import StepCall
from zen_metadata.shim.closing import close_run
from zen_metadata.shim.run_step import run_step
from zen_metadata.shim.runs import new_run
from zen_metadata.shim.workspace import open_workspace

PIPELINE = """
import uuid
from pathlib import Path
from typing import Annotated
from zen_core import log_metric, log_params, pipeline, step

def ran(step, moment):
    (Path("ran") / f"{moment}-{step}-{uuid.uuid4().hex}").touch()

@step
def pair(size: int) -> tuple[Annotated[list[int], "numbers"], Annotated[str, "text"]]:
    ran("pair", "begins")
    print("hello")
    log_metric("loss", 0.5)
    log_params({"depth": 4})
    ran("pair", "ends")
    return list(range(size)), "x" * 2000

@step
def square(n: int) -> int:
    ran("square", "begins")
    return n * n

@step
def total(squares: list[int], text: str) -> int:
    ran("total", "begins")
    return sum(squares) + len(text)

@pipeline
def flow(size: int = 2):
    out = pair(size)
    total(square.map(out.numbers), out.text)
"""
_TICK = datetime(2026, 1, 1, tzinfo=UTC)
_NOBODY = "postgresql://nobody@127.0.0.1:9/zen"
"""A server that is away: nothing listens on this port."""
_PHASE_SECONDS = 60.0


@dataclass(frozen=True)
class Scene:
    """A project folder with its stores, and the pipeline, which was compiled once."""

    settings: Settings
    manifest: Any
    functions: Mapping[str, Any]

    def at(self, folder: Path, lineage_url: str, *, mlflow: bool, away: bool) -> Scene:
        """The same in another folder."""
        settings = replace(
            self.settings,
            root=folder,
            lineage_url=_NOBODY if away else lineage_url or f"sqlite:///{folder}/zen.db",
            artifact_url=str(folder / "artifacts"),
            mlflow_tracking_uri=f"sqlite:///{folder}/mlflow.db" if mlflow else "",
        )
        return replace(self, settings=settings)

    def run_of(self, key: str, size: int) -> RunRecord:
        """The run of a key."""
        return new_run(
            self.manifest,
            self.settings,
            orchestrator="local",
            run_key=key,
            overrides={"size": size},
            tick=_TICK,
        )


def do_step(scene: Scene, step: str, key: str = "main", size: int = 2, index: int | None = None) -> str:
    """Run a step of a run, or an element of a map, with what the steps before it handed on."""
    handed = Path(f"refs-{key}.json")
    refs = json.loads(handed.read_text()) if handed.exists() else {}
    manifest = scene.manifest.steps[step]
    workspace = open_workspace(scene.settings, remote=False)
    try:
        call = StepCall(
            scene.manifest,
            step,
            scene.run_of(key, size),
            upstream=refs,
            map_index=index,
            function=scene.functions.get(manifest.entry_point),
            engine={"phase": str(os.getpid())},
        )
        result = run_step(call, workspace)
    finally:
        workspace.close()
    if index is None:
        handed.write_text(json.dumps({**refs, step: dict(result.refs)}))
    return result.status


def do_run(scene: Scene, key: str = "main", size: int = 2, until: str = "") -> str:
    """Run the steps of a run, one after another, and close it; or stop after the step `until`."""
    do_step(scene, "pair", key, size)
    do_expander(scene, key, size)
    for index in range(size):
        do_step(scene, "square", key, size, index)
    if until == "square":
        return "running"
    do_step(scene, "total", key, size)
    return "running" if until else do_close(scene, key, size)


def do_expander(scene: Scene, key: str = "main", size: int = 2) -> str:
    """Run the pipeline's expander."""
    expander = next(name for name, step in scene.manifest.steps.items() if step.kind == "expander")
    return do_step(scene, expander, key, size)


def do_close(scene: Scene, key: str = "main", size: int = 2) -> str:
    """Close a run, as the last task of an orchestrator does; projecting it is a part of its own."""
    workspace = open_workspace(replace(scene.settings, mlflow_tracking_uri=""), remote=False)
    try:
        return str(close_run(workspace, scene.run_of(key, size), scene.manifest, functions=scene.functions))
    finally:
        workspace.close()


def do_sync(scene: Scene) -> str:
    """`zen sync`."""
    return run_sync(scene.settings).error or "synced"


def do_gc(scene: Scene) -> str:
    """`zen gc --delete`, of everything that is not needed, whatever its age."""
    stores = ReadStores(scene.settings)
    policy = Policy(older_than_seconds=0.0, grace_seconds=0.0, silence_seconds=0.0, sole=True)
    try:
        collect(stores, policy, delete=True, by="test")
    finally:
        stores.close()
    return "collected"


def do_check(scene: Scene, **options: bool) -> list[str]:
    """What does not hold."""
    settings = scene.settings
    return find_violations(settings.lineage_url, settings.artifact_url, settings.mlflow_tracking_uri, **options)


def do_tell(scene: Scene, key: str = "main", size: int = 2) -> dict[str, Any]:
    """How the steps of a run stand, and how many versions of each name there are."""
    stores = ReadStores(scene.settings)
    try:
        states = stores.lineage.get_step_runs(scene.run_of(key, size).run_id)
        names = stores.lineage.find_artifact_names(scene.settings.project)
        versions = {name: len(stores.lineage.find_artifacts(scene.settings.project, name=name)) for _, name in names}
    finally:
        stores.close()
    steps = {f"{state.step_run.step}[{state.step_run.map_index}]": state.status for state in states}
    return {"steps": steps, "versions": versions}


def do_order(scene: Scene) -> list[str]:
    """The keys of all runs, as `zen runs` lists them: newest first."""
    stores = ReadStores(scene.settings)
    try:
        return [run.run_key for run in stores.lineage.find_runs(scene.settings.project)]
    finally:
        stores.close()


ACTIONS: Mapping[str, Callable[..., Any]] = {
    "step": do_step,
    "expander": do_expander,
    "run": do_run,
    "close": do_close,
    "sync": do_sync,
    "gc": do_gc,
    "tell": do_tell,
    "order": do_order,
    "check": do_check,
}


def play(scene: Scene, case: Mapping[str, Any]) -> dict[str, Any]:
    """All phases of a case, each in a process of its own; what each answered, and how often the user's code ran."""
    folder = Path(case["folder"])
    if case.get("base"):
        shutil.copytree(case["base"], folder)
    (folder / "ran").mkdir(parents=True, exist_ok=True)
    before = set(os.listdir(folder / "ran"))
    answers = [_in_child(scene, folder, case, phase) for phase in case["phases"]]
    ran = [name for name in os.listdir(folder / "ran") if name not in before and name.startswith("begins")]
    if case.get("base"):
        shutil.rmtree(folder)
    return {"name": case["name"], "answers": answers, "ran": len(ran)}


def _in_child(scene: Scene, folder: Path, case: Mapping[str, Any], phase: Mapping[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        signal.alarm(int(_PHASE_SECONDS))
        answer = _answer(scene, folder, case, phase)
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    answer = json.loads(told) if told else {}
    spooled = len(list((folder / "artifacts" / "spool" / "events").glob("*")))
    return {**answer, "spooled": spooled, "killed": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}


def _answer(scene: Scene, folder: Path, case: Mapping[str, Any], phase: Mapping[str, Any]) -> dict[str, Any]:
    try:
        os.chdir(folder)
        log = os.open("phases.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        fault_points.watch(str(folder / "artifacts"))
        scene = scene.at(
            folder, case.get("lineage_url", ""), mlflow=case.get("mlflow", False), away=phase.get("away", False)
        )
        fault_points.shift_clock(phase.get("clock", 0.0))
        fault_points.record(phase.get("record") and Path(phase["record"]))
        fault_points.arm(phase.get("fault") and fault_points.Fault(**phase["fault"]))
        answer = [ACTIONS[action["action"]](scene, **action.get("with", {})) for action in phase["actions"]]
        fault_points.arm(None)
        return {"answer": answer}
    except BaseException as error:
        code = next((item.code for item in getattr(error, "diagnostics", ())), type(error).__name__)
        return {"error": code, "trace": traceback.format_exc()[-3000:]}


def _warm_up(scene: Scene) -> None:
    """Do all of it once, so that what is imported when it is needed, and kept for a process, is inherited."""
    here = Path.cwd()
    with TemporaryDirectory(prefix="zen-warm-") as folder:
        (Path(folder) / "ran").mkdir()
        os.chdir(folder)
        warm = scene.at(Path(folder), "", mlflow=False, away=False)
        for action in (do_run, do_sync, do_gc, do_check):
            action(warm)
        os.chdir(here)


def main() -> int:
    """Play all cases, some at a time."""
    spec = json.load(sys.stdin)
    settings = load_settings(Path.cwd()).with_local_defaults()
    if spec.get("mlflow"):
        fault_points.watch_mlflow()
    capture_environment(settings.root)
    built = load_pipeline("work.py:flow", settings).build()
    scene = Scene(settings, build_manifest(built.spec, built.functions, settings), built.functions)
    _warm_up(scene)
    while any(thread is not threading.main_thread() for thread in threading.enumerate()):
        time.sleep(0.01)  # what Zen does beside compiling; a fork copies no other thread
    players = []
    for player in range(spec.get("parallel", 2)):
        child = os.fork()
        if child == 0:
            for case in spec["cases"][player :: spec.get("parallel", 2)]:
                os.write(1, f"{json.dumps(play(scene, case))}\n".encode())
            os._exit(0)
        players.append(child)
    for child in players:
        os.waitpid(child, 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
