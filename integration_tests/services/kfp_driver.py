"""Runs in KFP's environment: compiles emitted modules, or runs them as `kfp.local` does. Called by services/kfp.py.

kfp_driver.py compile ANSWER [[FILE, NAME], ...]
kfp_driver.py run ANSWER {"image":, "mounts": {PATH: read only}, "environment":, "runs": [[FILE, NAME, ARGUMENTS]]}
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def main(command: str, answer: str, text: str) -> None:
    given = json.loads(text)
    Path(answer).write_text(json.dumps(compile_all(given) if command == "compile" else run_all(given)))


def load(file: str, name: str) -> Any:
    if file.endswith(".yaml"):
        from kfp import components

        return components.load_component_from_file(file)
    spec = importlib.util.spec_from_file_location(f"zen_emitted_{name}", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def compile_all(files: Sequence[Sequence[str]]) -> dict[str, list[Any]]:
    """The YAML documents of each, checked against the schema: an unknown or wrong field is an error."""
    import yaml
    from google.protobuf import json_format
    from kfp import compiler
    from kfp.pipeline_spec import pipeline_spec_pb2

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for file, name in files:
            path = Path(folder, f"{name}.yaml")
            compiler.Compiler().compile(load(file, name), str(path))
            found[name] = [*yaml.load_all(path.read_bytes(), Loader=yaml.CSafeLoader)]
            document, *platforms = found[name]
            json_format.ParseDict(document, pipeline_spec_pb2.PipelineSpec())
            for platform in platforms:
                json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
    return found


def run_all(given: Mapping[str, Any]) -> list[str]:
    """For each run `completed`, or what KFP says of its failure."""
    import docker
    from docker.models.containers import ContainerCollection
    from kfp import local

    # kfp.local takes a container for successful that was removed before it could ask for its exit code. So none removes
    # itself: they go with the daemon.
    run = ContainerCollection.run
    ContainerCollection.run = lambda self, auto_remove, **options: run(self, **options)
    mounts = [
        docker.types.Mount(path, path, type="bind", read_only=read_only) for path, read_only in given["mounts"].items()
    ]
    runner = local.DockerRunner(network_mode="host", environment=given["environment"], mounts=mounts)
    states = []
    for file, name, arguments in given["runs"]:
        with tempfile.TemporaryDirectory(prefix="zen-kfp-") as root:
            local.init(runner=runner, pipeline_root=root)
            try:
                load(file, name)(**arguments)
                states.append("completed")
            except RuntimeError as error:
                states.append(str(error))
    return states


if __name__ == "__main__":
    main(*sys.argv[1:])
