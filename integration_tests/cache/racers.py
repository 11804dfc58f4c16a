"""Processes that all want the same key at the same moment, each through the shim, in a run of its own.

    python racers.py COUNT

Run in the project's folder, with ZEN_* in the environment. Each prints what it got, as a line of JSON. They are forked,
since starting Python and importing Zen two hundred times takes longer, and more memory, than what is tested.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path

import zen_metadata.artifacts.store
import zen_metadata.lineage.sql.store  # noqa: F401  what each would import
from zen_core.authoring.loading import load_pipeline
from zen_core.compiler.manifest import build_manifest
from zen_core.contract.settings import Settings, load_settings
from zen_core.environment.capture import capture_environment
from zen_metadata.shim.calls import StepCall
from zen_metadata.shim.run_step import run_step
from zen_metadata.shim.runs import new_run
from zen_metadata.shim.workspace import open_workspace


def main(count: int) -> int:
    """Start them, let them go at once, and wait for all."""
    settings = load_settings(Path.cwd()).with_local_defaults()
    capture_environment(settings.root)
    race = Race("race", settings)
    Race("warm", settings).run("warm")  # what Zen works out once for a process is inherited
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join()
    waiting, starting = os.pipe()
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            os.close(starting)
            os.read(waiting, 1)  # ends when the parent closes its end
            try:
                line = json.dumps(race.run(f"racer-{number}"))
            except BaseException:
                line = json.dumps({"error": traceback.format_exc()})
            os.write(1, f"{line}\n".encode())
            os._exit(0)
        children.append(child)
    os.close(starting)
    for child in children:
        os.waitpid(child, 0)
    return 0


class Race:
    """A pipeline of one step, compiled once."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.settings = settings
        built = load_pipeline(f"work.py:{name}", settings).build()
        self.manifest = build_manifest(built.spec, built.functions, settings)
        (self.function,) = built.functions.values()

    def run(self, key: str) -> dict[str, object]:
        """Run the step in a run of its own, or take what another has made."""
        workspace = open_workspace(self.settings, remote=False)
        tick = datetime.now(UTC)
        run = new_run(self.manifest, self.settings, orchestrator="local", run_key=key, overrides={}, tick=tick)
        Path("stage", "begun", str(os.getpid())).touch()
        (step,) = self.manifest.steps
        result = run_step(StepCall(self.manifest, step, run, function=self.function), workspace)
        workspace.close()
        (ref,) = result.refs.values()
        return {"status": result.status, "digest": ref["digest"]}


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
