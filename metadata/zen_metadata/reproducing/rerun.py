"""Runs a recorded pipeline in the environment of its reproduction: `python -m zen_metadata.reproducing.rerun FILE`.

FILE is the JSON form of a `Rerun`. The answer goes into `result.json` beside it; what the steps print goes to the
standard output.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from zen_core.adapter.protocol import RunningAdapter, RunRequest
from zen_core.adapter.registry import load_adapter
from zen_core.cli.progress import PlainProgress
from zen_core.codegen.import_roots import ImportRoots
from zen_core.compiler.manifest import build_manifest
from zen_core.contract.manifest import PipelineManifest
from zen_core.contract.settings import load_settings
from zen_core.contract.values import from_json
from zen_core.errors import ZenError
from zen_core.ir.upgrade import read_ir
from zen_metadata.shim.code import load_step

_ENGINE = "local"


@dataclass(frozen=True)
class Rerun:
    """What to run, as the document says it.

    Attributes:
        root: the unpacked code bundle, the root of a project of its own.
        ir: the recorded IR.
        parameters: the effective parameters, in JSON form.
        pins: the artifacts that names stand for, by name.
        again: run these steps alone, one after another; empty: the whole pipeline.
    """

    root: str
    ir: Mapping[str, Any]
    parameters: Mapping[str, Any]
    pins: Mapping[str, str]
    again: Sequence[str] = ()


@dataclass(frozen=True)
class Answer:
    """The runs that were made, and what kept them from being made or completed."""

    run_ids: tuple[str, ...] = ()
    problem: str = ""


def rerun(document: Rerun) -> Answer:
    """Run what the document says. A step that fails is seen in the run; what is wrong before is the problem."""
    root = Path(document.root)
    sys.path.insert(0, str(root))
    settings = load_settings(root)
    # Hooks tell people of a run that matters to them: this one does not.
    spec = read_ir(dict(document.ir)).model_copy(update={"hooks": ()})
    functions = _load_functions(spec.to_json(), root)
    request = RunRequest(
        manifest=build_manifest(spec, functions, settings),
        functions=functions,
        settings=settings,
        parameters={name: from_json(value) for name, value in document.parameters.items()},
        pins=document.pins,
        no_cache=True,
        observer=PlainProgress(sys.stdout),
    )
    engine = load_adapter(_ENGINE)
    assert isinstance(engine, RunningAdapter)
    if not document.again:
        return Answer((engine.run(request).run_id,))
    return Answer(tuple(engine.run(replace(request, only=step)).run_id for step in document.again))


def _load_functions(ir: Mapping[str, Any], root: Path) -> dict[str, Callable[..., Any]]:
    """The step functions by entry point: from the bundle, or from an installed package that the bundle has not."""
    manifest = PipelineManifest("", ir["name"], "", "", "", "bundle", ir, {})
    roots = ImportRoots((root.resolve(),))
    functions: dict[str, Callable[..., Any]] = {}
    for step in manifest.steps.values():
        if step.entry_point:
            own = roots.find_module(step.entry_point.partition(":")[0]) is not None
            functions[step.entry_point] = load_step(step, root if own else None, installed=False)
    return functions


def main(file: str) -> None:
    """Read the document, run, and write the answer."""
    document = Rerun(**json.loads(Path(file).read_text(encoding="utf-8")))
    try:
        answer = rerun(document)
    except ZenError as error:
        answer = Answer(problem=str(error))
    except Exception as error:  # the user's module: what it raises on import is told, not traced through Zen
        answer = Answer(problem=f"{type(error).__name__}: {error}")
    Path(file).with_name("result.json").write_text(json.dumps(asdict(answer)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
