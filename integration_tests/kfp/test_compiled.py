"""KFP's own compiler accepts every emitted module, and makes of it what the text says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integration_tests.services.kfp import Kfp
from zen_core.adapter.protocol import EmissionRequest, EmittingAdapter
from zen_core.adapter.registry import load_adapter
from zen_core.ir.graph import topological_order
from zen_core.testing.cases import Case, all_cases, find_case
from zen_core.testing.cases.random_pipelines import random_pipeline
from zen_core.testing.conformance.emitted import compile_case, supports
from zen_core.testing.conformance.protocol import EmittedPipeline
from zen_kfp.conformance import Conformance

Documents = Sequence[Mapping[str, Any]]


@pytest.fixture(scope="module")
def adapter() -> EmittingAdapter:
    found = load_adapter("kfp")
    assert isinstance(found, EmittingAdapter)
    return found


@pytest.fixture(scope="module")
def cases(adapter: EmittingAdapter) -> dict[str, Case]:
    found = (*all_cases(), *(Case(random_pipeline(seed)) for seed in range(10)))
    return {case.name: case for case in found if supports(adapter, case)}


@pytest.fixture(scope="module")
def packages(
    kfp_sdk: Kfp, adapter: EmittingAdapter, cases: dict[str, Case], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Any]]:
    """What KFP makes of every case: valid by its schema."""
    folder = tmp_path_factory.mktemp("emitted")
    for case in cases.values():
        compile_case(adapter, case).write(folder)
    return kfp_sdk.compile([(folder / f"{name}.py", name) for name in cases])


def test_what_kfp_understood_is_what_the_text_says(packages: dict[str, list[Any]], cases: dict[str, Case]) -> None:
    reader, adapter = Conformance(), load_adapter("kfp")
    assert isinstance(adapter, EmittingAdapter)
    for name, case in cases.items():
        said = reader.read(compile_case(adapter, case).files)
        found = reader.read_compiled(packages[name][0])
        assert set(found.steps) == set(said.steps), name
        assert (found.defaults, found.required, found.tags) == (said.defaults, said.required, said.tags), name
        for step, expected in said.steps.items():
            # Where a branch's step lies, KFP alone does not tell: a gate is a container like another.
            alike = {"upstream": frozenset[str](), "branch": None}
            assert replace(found.steps[step], **alike) == replace(expected, **alike), (name, step)
        conditions = [task for task in tasks(packages[name][0]) if "condition" in task.get("triggerPolicy", {})]
        branches = {step.when for step in case.spec.steps if step.when and step.kind == "step"}
        assert len(conditions) >= len(branches), name
        assert all_before(found) == all_before(said), name


def test_the_package_is_the_same_in_any_process(
    kfp_sdk: Kfp, adapter: EmittingAdapter, packages: dict[str, list[Any]], tmp_path: Path
) -> None:
    names = ("hostile", "maps_and_branches", "parameters", "random_3", "uses_retry_backoff")
    for case in all_cases():
        if case.name in names:
            compile_case(adapter, case).write(tmp_path)
    compile_case(adapter, Case(random_pipeline(3))).write(tmp_path)
    elsewhere = {"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "USER": "first"}
    again = kfp_sdk.compile([(tmp_path / f"{name}.py", name) for name in names], variables=elsewhere)
    assert again == {name: packages[name] for name in names}


def test_parameters_are_texts_without_templates(packages: dict[str, list[Any]], cases: dict[str, Case]) -> None:
    for name in ("hostile", "parameters"):
        found = packages[name][0]["root"]["inputDefinitions"]["parameters"]
        for parameter in cases[name].spec.parameters:
            item = found[parameter.name]
            assert item["parameterType"] == "STRING"
            assert "{{" not in item.get("defaultValue", "")
            assert ("defaultValue" in item) is not parameter.required


def test_every_task_of_kfp_is_one_of_zens_and_never_taken_from_kfps_cache(
    packages: dict[str, list[Any]], cases: dict[str, Case]
) -> None:
    for name, case in cases.items():
        package = packages[name][0]
        containers = [task for task in tasks(package) if is_container(package, task)]
        assert len(containers) == len(case.spec.steps) + 1, name  # the one that closes the run
        assert all(not task.get("cachingOptions", {}).get("enableCache") for task in containers), name


def test_what_places_a_task_arrives(packages: dict[str, list[Any]]) -> None:
    (executor,) = executors(packages["uses_resources"], "load")
    assert executor["container"]["resources"]["resourceCpuRequest"] == "500m"
    assert executor["container"]["resources"]["resourceMemoryLimit"] == "4Gi"
    (executor,) = executors(packages["uses_gpu"], "load")
    accelerator = executor["container"]["resources"]["accelerator"]
    assert (accelerator["resourceType"], accelerator["resourceCount"]) == ("nvidia.com/gpu", "2")
    (executor,) = executors(packages["uses_image"], "load")
    assert executor["container"]["image"] == "registry.example/train:1.2"


def test_retries_arrive(packages: dict[str, list[Any]]) -> None:
    (task,) = (task for task in tasks(packages["uses_retry_backoff"][0]) if "retryPolicy" in task)
    policy = task["retryPolicy"]
    assert (policy["maxRetryCount"], policy["backoffDuration"], policy["backoffFactor"]) == (3, "30s", 2.0)
    assert int(policy["backoffMaxDuration"].removesuffix("s")) > 24 * 60 * 60  # all attempts together


def test_every_option_reaches_the_package(kfp_sdk: Kfp, adapter: EmittingAdapter, tmp_path: Path) -> None:
    options = adapter.options_model(
        image="registry.example/steps:1",
        env={"ZEN_DEPLOYMENT": "kfp-prod"},
        credentials={"ZEN_LINEAGE_URL": "secret:zen/lineage-url", "ZEN_ARTIFACT_URL": "secret:zen/artifact-url"},
        node_selector={"pool": "ml"},
        steps={"diamond": {"left": {"node_selector": {"disk": "ssd"}}}},
    )
    spec = find_case("diamond").spec
    (file,) = adapter.emit(EmissionRequest(spec, "0.1.0", options))
    (tmp_path / file.path).write_bytes(file.content)
    (tmp_path / "diamond.zen").mkdir()
    (tmp_path / "diamond.zen" / "manifest.json").write_text("{}")
    package, platforms = kfp_sdk.compile([(tmp_path / file.path, "diamond")])["diamond"]
    for executor in package["deploymentSpec"]["executors"].values():
        assert executor["container"]["image"] == "registry.example/steps:1"
        assert executor["container"]["env"] == [{"name": "ZEN_DEPLOYMENT", "value": "kfp-prod"}]
    kubernetes = platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert len(kubernetes) == 5
    for name, settings in kubernetes.items():
        labels = settings["nodeSelector"]["labels"]
        assert labels == ({"pool": "ml", "disk": "ssd"} if name == "exec-left" else {"pool": "ml"})
        given = {
            (item["secretName"], key["secretKey"], key["envVar"])
            for item in settings["secretAsEnv"]
            for key in item["keyToEnv"]
        }
        assert given == {("zen", "lineage-url", "ZEN_LINEAGE_URL"), ("zen", "artifact-url", "ZEN_ARTIFACT_URL")}


def all_before(emitted: EmittedPipeline) -> dict[str, frozenset[str]]:
    """For each step all that comes before it."""
    found: dict[str, frozenset[str]] = {}
    edges = {name: tuple(step.upstream) for name, step in emitted.steps.items()}
    for name in topological_order(edges):
        found[name] = frozenset(edges[name]).union(*(found[other] for other in edges[name]))
    assert set(found) == set(edges)
    return found


def tasks(package: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All tasks, also those of sub-DAGs."""
    for part in (package["root"], *package["components"].values()):
        yield from part.get("dag", {}).get("tasks", {}).values()


def is_container(package: Mapping[str, Any], task: Mapping[str, Any]) -> bool:
    return "executorLabel" in package["components"][task["componentRef"]["name"]]


def executors(documents: Documents, component: str) -> list[Mapping[str, Any]]:
    label = documents[0]["components"][f"comp-{component}"]["executorLabel"]
    return [documents[0]["deploymentSpec"]["executors"][label]]
