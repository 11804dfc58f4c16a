"""What Airflow pays to parse an emitted DAG file, against the same DAG written by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.emitted import ROOT, compile_chain
from benchmarks.report import Figure

AIRFLOW_PYTHON = ROOT / ".venvs" / "airflow3" / "bin" / "python"

BY_HAND = """\
from airflow.sdk import Param, dag, task
from airflow.timetables.trigger import CronTriggerTimetable  # noqa: F401
from datetime import datetime, timedelta


def run_step(step, **upstream):
    return {}


@dag(dag_id="by_hand", schedule=None, start_date=datetime(2024, 1, 1), catchup=False, max_active_runs=1,
     params={"seed": Param(0, type="integer")}, tags=["zen"])
def by_hand():
@TASKS@

by_hand()
"""

MEASURE = """
import json, pathlib, sys, time, warnings
warnings.simplefilter("ignore")
from airflow.sdk import dag, task
import airflow.timetables.trigger
def best(path):
    text = pathlib.Path(path).read_text()
    times = []
    for _ in range(15):
        started = time.perf_counter()
        exec(compile(text, path, "exec"), {"__name__": "measured", "__file__": path})
        times.append(time.perf_counter() - started)
    return min(times)
by_hand, emitted = sys.argv[1:]
best(by_hand)
print(json.dumps([min(best(by_hand) for _ in range(3)), min(best(emitted) for _ in range(3))]))
"""


def measure() -> list[Figure]:
    """The ratio, in percent above the DAG by hand, for 100 tasks in a chain."""
    if not AIRFLOW_PYTHON.exists():
        print("parsing: left out, there is no .venvs/airflow3 (make .venvs/airflow3/ready)", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory(prefix="zen-bench-") as folder:
        project = Path(folder)
        emitted_file = compile_chain(project, "chain_of_100", "airflow")
        by_hand = project / "by_hand.py"
        by_hand.write_text(BY_HAND.replace("@TASKS@", _tasks(100)))
        done = subprocess.run(
            [str(AIRFLOW_PYTHON), "-P", "-c", MEASURE, str(by_hand), str(emitted_file)],
            env={**os.environ, "AIRFLOW_HOME": str(project / "home")},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        hand, emitted = json.loads(done.stdout.splitlines()[-1])
    return [
        Figure("parsing a DAG of 100 tasks by hand", hand * 1000, "ms"),
        Figure("parsing the emitted DAG, above by hand", (emitted / hand - 1) * 100, "%", 10),
    ]


def _tasks(count: int) -> str:
    lines = []
    for index in range(count):
        argument = f"task_{index - 1}" if index else ""
        lines += [
            "    @task(multiple_outputs=False)",
            f"    def task_{index}({argument}):",
            f'        return run_step("task_{index}"{f", {argument}={argument}" if argument else ""})',
            "",
        ]
    lines += [
        "    @task",
        "    def end():",
        "        return None",
        "",
        "    task_0_refs = task_0()",
    ]
    lines += [f"    task_{index}_refs = task_{index}(task_{index - 1}_refs)" for index in range(1, count)]
    lines += [f"    task_{count - 1}_refs >> end().as_teardown()"]
    return "\n".join(lines)
