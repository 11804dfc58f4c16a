"""Runs pipelines of projects for a test, each in a process that has imported nothing of the project before.

The processes are forked from this one, which has imported Zen: starting Python and importing takes longer than a run.
Every line that it reads is a job as JSON; for each it writes one line, what came out.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic  # noqa: F401  what every job would import

import zen_local.runtime  # noqa: F401
import zen_metadata.artifacts.store
import zen_metadata.lineage.sql.store
import zen_metadata.query  # noqa: F401
from zen_core.authoring.loading import load_pipeline
from zen_core.compiler.manifest import build_manifest
from zen_core.contract.settings import load_settings


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Run the pipeline; what became of its steps, what the last one gave, and what plain Python gives."""
    pipeline = load_pipeline(job["pipeline"], load_settings(Path.cwd()))
    built = pipeline.build()
    fingerprints = build_manifest(built.spec, built.functions, built.settings).fingerprints
    found = pipeline.run()
    steps = {
        step["name"]: {
            "status": step["status"],
            "key": step["cache_key"],
            "inputs": {name: item["digest"] for name, item in step["inputs"].items()},
            "unfollowed": [place.what for place in fingerprints[step["name"]].unfollowed],
        }
        for step in found.to_json()["steps"]
    }
    # outside a pipeline its steps are plain functions
    plain = pipeline.function(**job["parameters"])
    return {"steps": steps, "value": repr(found.steps[-1].output().load()), "plain": repr(plain)}


def fingerprint(job: dict[str, Any]) -> dict[str, Any]:
    """The fingerprints of the pipeline's steps, and what each of them gives for the numbers of the job."""
    settings = load_settings(Path.cwd())
    built = load_pipeline(job["pipeline"], settings).build()
    manifest = build_manifest(built.spec, built.functions, settings)
    answers = {
        entry_point.partition(":")[2]: [answer(function, number) for number in job["probes"]]
        for entry_point, function in built.functions.items()
    }
    found = manifest.fingerprints
    return {
        "digests": {name: item.digest for name, item in found.items()},
        "unfollowed": {name: [place.what for place in item.unfollowed] for name, item in found.items()},
        "answers": answers,
    }


def answer(function: Callable[[int], Any], number: int) -> str:
    """What a function gives, or what it raises."""
    try:
        return repr(function(number))
    except Exception as error:
        return repr(error)


ACTIONS = {"run": run, "fingerprint": fingerprint}


def in_a_process_of_its_own(job: dict[str, Any]) -> str:
    """Do a job; what came out, or the traceback."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        with os.fdopen(reading) as pipe:
            result = pipe.read()
        os.waitpid(child, 0)
        return result or '{"error": "the process ended"}'
    try:
        os.chdir(job["folder"])
        os.environ.update(job.get("variables", {}))
        sys.dont_write_bytecode = True
        sys.path[:0] = job.get("path", [])
        found = ACTIONS[job["action"]](job)
    except BaseException:
        found = {"error": traceback.format_exc()}
    with os.fdopen(writing, "w") as pipe:
        json.dump(found, pipe)
    os._exit(0)


if __name__ == "__main__":
    for line in sys.stdin:
        print(in_a_process_of_its_own(json.loads(line)), flush=True)
