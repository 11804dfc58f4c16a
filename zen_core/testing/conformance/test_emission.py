"""What holds for the code that any adapter emits, checked on the text alone: no orchestrator is needed."""

from __future__ import annotations

import ast
import getpass
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from zen_core.adapter.features import Feature
from zen_core.adapter.protocol import EmittingAdapter
from zen_core.codegen.bundle import EMITTED_BY
from zen_core.contract.manifest import CODE_FILE, MANIFEST_FILE, manifest_from_json
from zen_core.errors import UnsupportedFeatureError
from zen_core.ir.graph import waits_of
from zen_core.testing.cases import Case, all_cases, case_using
from zen_core.testing.cases.random_pipelines import random_pipeline
from zen_core.testing.conformance.emitted import compile_case, emitting_adapters, python_files, supports
from zen_core.testing.conformance.protocol import find_conformance

ADAPTERS = emitting_adapters()
PAIRS = [
    pytest.param(adapter, case, id=f"{adapter.name}-{case.name}")
    for adapter in ADAPTERS
    for case in (*all_cases(), *(Case(random_pipeline(seed)) for seed in range(20)))
    if supports(adapter, case)
]
LACKING = [
    pytest.param(adapter, feature, id=f"{adapter.name}-{feature.value}")
    for adapter in ADAPTERS
    for feature in Feature
    if adapter.support(adapter.options_model())[feature].level == "unsupported"
]
every_pair = pytest.mark.parametrize(("adapter", "case"), PAIRS)
every_adapter = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)


@every_pair
def test_python_files_parse_and_say_where_they_come_from(adapter: EmittingAdapter, case: Case) -> None:
    """The header names Zen, the pipeline and the IR that the file was made from."""
    files = python_files(compile_case(adapter, case))
    assert files
    for file in files:
        tree = ast.parse(file.content)
        header = ast.get_docstring(tree) or ""
        assert EMITTED_BY in file.content.decode().splitlines()[0]
        assert case.name in header
        assert case.spec.digest in header


@every_pair
def test_topology_in_the_text_is_that_of_the_pipeline(adapter: EmittingAdapter, case: Case) -> None:
    """Each step once, after just those steps that it must wait for, directly or not; gates and expanders alike."""
    emitted = find_conformance(adapter).read(compile_case(adapter, case).files)
    assert set(emitted.steps) == {step.name for step in case.spec.steps}
    expected = {step.name: waits_of(step) for step in case.spec.steps}
    found = {name: tuple(emitted.steps[name].upstream) for name in expected}
    assert _all_before(found) == _all_before(expected)


@every_pair
def test_branches_and_maps_arrive(adapter: EmittingAdapter, case: Case) -> None:
    """Which gate a step is under, for which answer, and whether it runs for each element."""
    emitted = find_conformance(adapter).read(compile_case(adapter, case).files)
    for step in case.spec.steps:
        found = emitted.steps[step.name]
        assert found.branch == ((step.when.gate, step.when.taken) if step.when else None)
        assert found.mapped is (step.map is not None)
        assert found.max_parallel == (step.map.max_parallel if step.map else None)


@every_pair
def test_retries_and_timeouts_arrive(adapter: EmittingAdapter, case: Case) -> None:
    """The orchestrator's own timeout, where there is one, is a back-stop behind the shim's."""
    emitted = find_conformance(adapter).read(compile_case(adapter, case).files)
    for step in case.spec.steps:
        found = emitted.steps[step.name]
        assert found.retries == (step.retry.times if step.retry else 0)
        if step.retry:
            assert found.retry_delay_seconds >= step.retry.delay_seconds
        if found.timeout_seconds is not None:
            assert step.timeout_seconds is not None
            assert found.timeout_seconds > step.timeout_seconds  # a back-stop behind the shim's own limit


@every_pair
def test_parameters_arrive_as_they_are(adapter: EmittingAdapter, case: Case) -> None:
    """Hostile texts come back equal; nothing is interpreted on the way."""
    conformance = find_conformance(adapter)
    emitted = conformance.read(compile_case(adapter, case).files)
    required = {parameter.name for parameter in case.spec.parameters if parameter.required}
    assert set(emitted.required) == required
    expected = {
        parameter.name: conformance.expected_default(case.spec, parameter.name)
        for parameter in case.spec.parameters
        if parameter.name not in required
    }
    assert dict(emitted.defaults) == expected
    assert set(emitted.tags) >= set(case.spec.tags)


@every_pair
def test_only_the_orchestrator_and_the_runtime_are_imported(adapter: EmittingAdapter, case: Case) -> None:
    """At parse the orchestrator alone; in a task also the runtime part, but no user code."""
    allowed = {*sys.stdlib_module_names, *find_conformance(adapter).allowed_imports}
    runtime = type(adapter).__module__.partition(".")[0]
    for file in python_files(compile_case(adapter, case)):
        tree = ast.parse(file.content)
        at_parse = set(_imports([node for node in tree.body if not isinstance(node, ast.FunctionDef)]))
        anywhere = set(_imports([tree]))
        assert at_parse <= allowed
        assert anywhere - allowed <= {runtime, "zen_metadata"}


@every_pair
def test_text_names_no_place_person_or_time(adapter: EmittingAdapter, case: Case) -> None:
    """Neither path nor user nor clock."""
    for file in compile_case(adapter, case).files:
        if file.path.endswith(CODE_FILE):
            continue
        text = file.content.decode()
        for place in (str(Path.cwd()), str(Path.home()), str(Path(__file__).parents[3])):
            assert len(place) < 3 or place not in text
        assert not re.search(r"\b20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+", text)
        user = getpass.getuser()
        assert len(user) < 6 or user not in text


@every_pair
def test_manifest_travels_beside_the_code(adapter: EmittingAdapter, case: Case) -> None:
    """With the IR, and a fingerprint for each step."""
    compiled = compile_case(adapter, case)
    content_by_path = {file.path: file.content for file in compiled.files}
    folder = adapter.sidecar_folder(case.spec)
    manifest = manifest_from_json(json.loads(content_by_path[f"{folder}/{MANIFEST_FILE}"]))
    assert list(manifest.steps) == [step.name for step in (*case.spec.steps, *case.spec.hooks)]
    assert manifest.ir_digest == case.spec.digest
    assert f"{folder}/{CODE_FILE}" in content_by_path


@every_adapter
def test_every_feature_is_declared(adapter: EmittingAdapter) -> None:
    """There is no default."""
    assert set(adapter.support(adapter.options_model())) == set(Feature)


@pytest.mark.parametrize(("adapter", "feature"), LACKING)
def test_what_is_unsupported_is_refused_by_name(adapter: EmittingAdapter, feature: Feature) -> None:
    """Silence is the worst fault that a compiler can have."""
    with pytest.raises(UnsupportedFeatureError) as caught:
        compile_case(adapter, case_using(feature))
    problem = next(item for item in caught.value.diagnostics if item.context["feature"] == feature.value)
    assert adapter.name in problem.message
    assert problem.why
    step = problem.context["step"]
    assert step is None or repr(step) in problem.where


def test_text_is_the_same_in_any_process(tmp_path: Path) -> None:
    """Two hash seeds, two folders, two users, two time zones: the same bytes."""
    first = _digests(tmp_path, PYTHONHASHSEED="1", TZ="Asia/Tokyo", USER="first", LANG="C")
    second = _digests(Path.cwd(), PYTHONHASHSEED="2", TZ="America/Lima", USER="second", LANG="C.UTF-8")
    assert first == second
    assert first.strip()


def _all_before(upstream: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
    """For each step all that comes before it. Raises KeyError where the steps are in no topological order."""
    found: dict[str, frozenset[str]] = {}
    for name, before in upstream.items():
        found[name] = frozenset(before).union(*(found[other] for other in before))
    return found


def _digests(folder: Path, **environment: str) -> str:
    command = [sys.executable, "-m", "zen_core.testing.conformance.emitted"]
    path = os.pathsep.join(dict.fromkeys(str(Path(entry).resolve()) for entry in sys.path if entry))
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _imports(nodes: Sequence[ast.AST]) -> list[str]:
    found = []
    for top in nodes:
        for node in ast.walk(top):
            if isinstance(node, ast.Import):
                found += [alias.name.partition(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                found.append((node.module or "").partition(".")[0])
    return found
