"""What an emitted Airflow task costs above a bare one, by dag.test(): a chain of 20, each with one small artifact.

The shim is measured on the embedded engine (`local`); here it is what stands around it in a task: finding the run,
reading manifest, code and settings, opening and closing the stores.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from benchmarks.emitted import SPENT, compile_chain
from benchmarks.report import Figure
from integration_tests.services.airflow_release import RELEASES, AirflowRelease

STEPS = 20
REPETITIONS = 4

BARE = """\
import pendulum

try:
    from airflow.sdk import dag, task
except ImportError:
    from airflow.decorators import dag, task


@dag(dag_id="bare", schedule=None, start_date=pendulum.datetime(2020, 1, 1), catchup=False)
def bare():
    @task(task_id="begin", multiple_outputs=False, retries=0)
    def begin():
        return {"result": {"count": 0}}

    @task(multiple_outputs=False, retries=0)
    def count(previous):
        return {"result": {"count": previous["result"]["count"] + 1}}

    @task(multiple_outputs=False)
    def end():
        return None

    value = begin()
    for index in range(STEPS - 1):
        value = count.override(task_id=f"count_{index}")(value)
    value >> end().as_teardown()


bare()
""".replace("STEPS", str(STEPS))

MEASURE = """
import json, logging, os, sys, warnings
warnings.simplefilter("ignore")
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models import DagBag
started = time.perf_counter()
from zen_airflow import runtime
importing = time.perf_counter() - started

logging.disable(logging.CRITICAL)
folder, state, repetitions = sys.argv[1], sys.argv[2], int(sys.argv[3])
time_tasks(runtime)
dags = DagBag(folder).dags

def run(dag_id):
    started = time.perf_counter()
    run = dags[dag_id].test()
    seconds = time.perf_counter() - started
    if str(run.state) != "success":
        raise SystemExit(f"{dag_id} ended as {run.state}")
    return seconds

best = {}
for number in range(repetitions):
    os.environ["ZEN_LINEAGE_URL"] = f"sqlite:///{state}/{number}.db"
    os.environ["ZEN_ARTIFACT_URL"] = f"{state}/{number}"
    found = {"bare": run("bare"), "emitted": run("chain_of_20")}
    found["around"] = time_around_shim()
    best = {name: min(seconds, best.get(name, seconds)) for name, seconds in found.items()}
print(json.dumps({**best, "importing": importing}))
"""


def measure() -> list[Figure]:
    """For each release that is installed."""
    figures = []
    for release in RELEASES:
        if missing := release.missing():
            print(f"Airflow {release.version}: left out, {missing}", file=sys.stderr)
            continue
        figures += _measure(release)
    return figures


def _measure(release: AirflowRelease) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="zen-bench-") as folder:
        project, home = Path(folder), Path(folder, "home")
        for path in (home, project / "state"):
            path.mkdir()
        dags = compile_chain(project, "chain_of_20", "airflow").parent
        (dags / "bare.py").write_text(BARE)
        variables = {
            **release.variables(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "ZEN_DEPLOYMENT": "bench",
            "ZEN_SHARED_FILESYSTEM": "true",
            "ZEN_MLFLOW_SYNC": "off",
        }
        release.run(["-m", "airflow", "db", "migrate"], variables)
        arguments = ["-P", "-c", SPENT + MEASURE, dags, project / "state", str(REPETITIONS)]
        found = json.loads(release.run(arguments, variables).splitlines()[-1])
    milliseconds = {what: seconds * 1000 for what, seconds in found.items()}
    name = f"Airflow {release.version}"
    return [
        Figure(f"{name}: a bare task by dag.test()", milliseconds["bare"] / (STEPS + 1), "ms"),
        Figure(f"{name}: an emitted task by dag.test()", milliseconds["emitted"] / (STEPS + 1), "ms"),
        Figure(f"{name}: the emitted task around the shim", milliseconds["around"], "ms", 5),
        Figure(f"{name}: importing Zen, once in a task's process", milliseconds["importing"], "ms"),
    ]
