"""What an emitted Prefect task costs above a bare one: a chain of 20 on a server of Prefect's own making."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.emitted import ROOT, SPENT, compile_chain
from benchmarks.report import Figure

PREFECT_PYTHON = ROOT / ".venvs" / "prefect" / "bin" / "python"
STEPS = 20
REPETITIONS = 4

BARE = """\
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner


@task(cache_policy=NO_CACHE, persist_result=False, retries=0)
def begin():
    return {"result": {"count": 0}}


@task(cache_policy=NO_CACHE, persist_result=False, retries=0)
def count(previous):
    return {"result": {"count": previous["result"]["count"] + 1}}


@flow(task_runner=ThreadPoolTaskRunner(max_workers=8), retries=0, validate_parameters=False, persist_result=False)
def bare():
    value = begin.submit()
    for _ in range(STEPS - 1):
        value = count.submit(value)
    return value.result()
""".replace("STEPS", str(STEPS))

MEASURE = """
import importlib.util, json, os, sys, warnings
warnings.simplefilter("ignore")
import prefect
emitted_file, bare_file, state, repetitions = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
started = time.perf_counter()
from zen_prefect import runtime
importing = time.perf_counter() - started
time_tasks(runtime)

def load(file, name):
    spec = importlib.util.spec_from_file_location("measured_" + name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return getattr(module, name)

def run(flow):
    started = time.perf_counter()
    flow()
    return time.perf_counter() - started

bare, emitted = load(bare_file, "bare"), load(emitted_file, "chain_of_20")
best = {}
for number in range(repetitions):
    os.environ["ZEN_LINEAGE_URL"] = f"sqlite:///{state}/{number}.db"
    os.environ["ZEN_ARTIFACT_URL"] = f"{state}/{number}"
    found = {"bare": run(bare), "emitted": run(emitted), "around": time_around_shim()}
    best = {name: min(seconds, best.get(name, seconds)) for name, seconds in found.items()}
print(json.dumps({**best, "importing": importing}))
"""


def measure() -> list[Figure]:
    """Milliseconds a task."""
    if not PREFECT_PYTHON.exists():
        print("Prefect: left out, there is no .venvs/prefect (make .venvs/prefect/ready)", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory(prefix="zen-bench-") as folder:
        project = Path(folder)
        (project / "state").mkdir()
        emitted, bare = compile_chain(project, "chain_of_20", "prefect"), project / "bare.py"
        bare.write_text(BARE)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "ZEN"))}
        variables = {
            **inherited,
            "PREFECT_HOME": str(project / "home"),
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "ZEN_DEPLOYMENT": "bench",
            "ZEN_SHARED_FILESYSTEM": "true",
            "ZEN_MLFLOW_SYNC": "off",
        }
        command = [PREFECT_PYTHON, "-P", "-c", SPENT + MEASURE, emitted, bare, project / "state", str(REPETITIONS)]
        done = subprocess.run(
            [str(part) for part in command], env=variables, cwd=project, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stdout[-2000:] + done.stderr[-4000:])
    found = {what: seconds * 1000 for what, seconds in json.loads(done.stdout.splitlines()[-1]).items()}
    return [
        Figure("Prefect: a bare task", found["bare"] / STEPS, "ms"),
        Figure("Prefect: an emitted task", found["emitted"] / STEPS, "ms"),
        Figure("Prefect: the emitted task around the shim", found["around"], "ms", 5),
        Figure("Prefect: importing Zen, once in a flow's process", found["importing"], "ms"),
    ]
