"""A worker that is asked to end records its attempt as cancelled, and then ends as it would have."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from zen_core.contract.settings import load_settings
from zen_metadata.query import Client

WORKER = """
import sys, uuid
from datetime import datetime, UTC
from pathlib import Path
from zen_core.authoring.loading import load_pipeline
from zen_core.compiler.manifest import build_manifest
from zen_core.contract.settings import load_settings
from zen_metadata.shim.run_step import StepCall, run_step
from zen_metadata.shim.runs import new_run
from zen_metadata.shim.workspace import open_workspace

settings = load_settings(Path.cwd()).with_local_defaults()
built = load_pipeline("work.py:endless", settings).build()
manifest = build_manifest(built.spec, built.functions, settings)
run = new_run(manifest, settings, orchestrator="test", run_key="1", overrides={}, tick=datetime.now(UTC))
print(run.run_id, flush=True)
function = next(iter(built.functions.values()))
run_step(
    StepCall(manifest=manifest, step="wait", run=run, function=function, own_process=True),
    open_workspace(settings, remote=False),
)
"""
PIPELINE = """
import time
from pathlib import Path
from zen_core import pipeline, step

@step
def wait(number: int) -> int:
    Path("begun").touch()
    time.sleep(60)

@pipeline
def endless(number: int = 1):
    wait(number)
"""


def test_sigterm_records_the_attempt_as_cancelled_and_ends_the_process(tmp_path: Path) -> None:
    (tmp_path / "zen.toml").write_text('project = "termination"\n')
    (tmp_path / "work.py").write_text(PIPELINE)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ZEN_", "MLFLOW_"))}
    with subprocess.Popen(
        [sys.executable, "-c", WORKER], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "begun").exists():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        run_id = process.communicate(timeout=30)[0].split()[0]
    assert process.returncode == -signal.SIGTERM
    with Client(load_settings(tmp_path)) as client:
        shown = client.run(run_id).to_json()
    assert [(step["name"], step["status"]) for step in shown["steps"]] == [("wait", "cancelled")]
    assert shown["status"] == "cancelled"
    assert json.dumps(shown)


BESIDE_ANOTHER_HANDLER = """
import os, signal, sys, time
from zen_metadata.shim.termination import record_termination

def stop(number, frame):
    print("the engine's own", flush=True)
    sys.exit(3)

signal.signal(signal.SIGTERM, stop)
record_termination(lambda: print("recorded", flush=True))
record_termination(lambda: print("a second time", flush=True))
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(60)
"""


def test_an_engines_own_handler_runs_after_the_record() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BESIDE_ANOTHER_HANDLER], capture_output=True, text=True, check=False, timeout=50
    )
    assert done.stdout.splitlines() == ["recorded", "the engine's own"], done.stderr
    assert done.returncode == 3
