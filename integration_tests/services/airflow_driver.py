"""Runs inside Airflow's environment: loads or tests a DAG and writes what came out as JSON.

    python airflow_driver.py ANSWER load PATH
    python airflow_driver.py ANSWER test PATH RUNS      (RUNS: [[DAG_ID, CONF], …] as JSON)

Airflow is imported by name: the environment of the type checker does not have it.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any


def main(answer: str, command: str, *arguments: str) -> None:
    """Run one of the commands above."""
    result: Any = load(*arguments) if command == "load" else test(*arguments)
    Path(answer).write_text(json.dumps(result))


def load(path: str) -> dict[str, Any]:
    """Errors, and the tasks of each DAG with their edges."""
    bag = load_dags(path)
    dags = {dag_id: {task.task_id: describe(task) for task in dag.tasks} for dag_id, dag in sorted(bag.dags.items())}
    return {"errors": dict(bag.import_errors), "dags": dags}


def test(path: str, runs: str) -> list[dict[str, Any]]:
    """Run DAGs in this process, one after another."""
    bag = load_dags(path)
    if bag.import_errors:
        sys.exit("\n".join(bag.import_errors.values()))
    return [test_one(bag.dags[dag_id], conf) for dag_id, conf in json.loads(runs)]


def test_one(dag: Any, conf: dict[str, Any]) -> dict[str, Any]:
    """What one run came to."""
    run = dag.test(run_conf=conf)
    instances = run.get_task_instances()
    return {
        "run_id": run.run_id,
        "state": str(run.state),
        "states": {key(found): found.state and str(found.state) for found in instances},
        "tries": {key(found): found.try_number for found in instances},
    }


def load_dags(path: str) -> Any:
    """What Airflow's loader makes of a file or a folder."""
    try:
        module = importlib.import_module("airflow.dag_processing.dagbag")
    except ImportError:  # Airflow 2
        module = importlib.import_module("airflow.models.dagbag")
    return module.DagBag(path)


def describe(task: Any) -> dict[str, Any]:
    """What a test of an emitted DAG compares."""
    return {
        "type": type(task).__name__,
        "upstream": sorted(task.upstream_task_ids),
        "trigger_rule": str(task.trigger_rule),
        "retries": task.retries,
        "retry_delay": task.retry_delay and task.retry_delay.total_seconds(),
        "execution_timeout": task.execution_timeout and task.execution_timeout.total_seconds(),
        "pool": task.pool,
        "is_setup": task.is_setup,
        "is_teardown": task.is_teardown,
    }


def key(found: Any) -> str:
    """task or task[3]."""
    return str(found.task_id) + ("" if found.map_index < 0 else f"[{found.map_index}]")


if __name__ == "__main__":
    main(*sys.argv[1:])
