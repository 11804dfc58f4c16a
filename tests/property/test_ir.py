"""The IR for any pipeline: round trips, digests, orders."""

import json
import math
import os
import subprocess
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from zen_core.contract.bindings import (
    ConstantBinding,
    DictBinding,
    ListBinding,
    OutputBinding,
    ParameterBinding,
    binding_from_json,
)
from zen_core.contract.conditions import InputTerm
from zen_core.contract.values import to_json
from zen_core.ir.graph import (
    downstream_closure,
    find_cycle,
    order_steps,
    topological_order,
    upstream_closure,
    upstream_edges,
)
from zen_core.ir.specs import (
    BranchSpec,
    CacheSpec,
    EnvironmentSpec,
    InputSpec,
    MapSpec,
    OutputSpec,
    ParameterSpec,
    PipelineSpec,
    ResourceSpec,
    RetrySpec,
    ScheduleSpec,
    StepSpec,
)
from zen_core.ir.upgrade import read_ir
from zen_core.ir.validation import validate

NAMES = st.sampled_from(["a", "b", "train", "train_2", "value", "default", "items", "z" * 63])
PORTS = st.sampled_from(["frame", "X", "_x", "value", "default", "kind", "P" * 63])
TEXTS = st.text(max_size=3)
TYPES = st.sampled_from(["int", "str", "list[int]", "pandas.DataFrame", "Any"])
VALUES = st.recursive(
    st.sampled_from([None, True, 1, -0.0, math.nan, 1.5, 2**70]) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS | PORTS, inner, max_size=2),
    max_leaves=3,
).map(to_json)
SECONDS = st.sampled_from([0.5, 1.0, 86_400.0])
CONSTANTS = VALUES.map(ConstantBinding)
RETRIES = st.none() | st.builds(RetrySpec, times=st.integers(1, 100), delay_seconds=SECONDS)
RESOURCES = st.none() | st.builds(ResourceSpec, cpu=st.none() | SECONDS, memory_bytes=st.none() | st.just(1024))
CACHES = st.builds(CacheSpec, enabled=st.booleans(), salt=TEXTS)
SCHEDULES = st.none() | st.just(ScheduleSpec(cron="0 6 * * *"))
FEW_NAMES = st.lists(NAMES, max_size=2)
STEP_NAMES = st.lists(NAMES, min_size=1, max_size=4, unique=True)
SOME_PORTS = st.lists(st.tuples(PORTS, TYPES), max_size=2, unique_by=lambda port: port[0])


@st.composite
def pipelines(draw: st.DrawFn) -> PipelineSpec:
    """Any sound pipeline of up to four steps."""
    parameters = [ParameterSpec(name=name, type=kind, default=draw(VALUES)) for name, kind in draw(SOME_PORTS)]
    known: list[Any] = [ParameterBinding(parameter.name) for parameter in parameters]
    steps: list[StepSpec] = []
    for name in draw(STEP_NAMES):
        inputs = [InputSpec(name=port, type=kind, binding=_bind(draw, known)) for port, kind in draw(SOME_PORTS)]
        outputs = tuple(OutputSpec(name=port, type=kind) for port, kind in draw(SOME_PORTS))
        after = draw(st.sets(st.sampled_from([step.name for step in steps]), max_size=2)) if steps else set()
        steps.append(
            StepSpec(
                name=name,
                entry_point=f"pkg.steps:{name}",
                inputs=tuple(inputs),
                outputs=outputs,
                after=tuple(sorted(after)),
                retry=draw(RETRIES),
                timeout_seconds=draw(st.none() | SECONDS),
                resources=draw(RESOURCES),
                cache=draw(CACHES),
                description=draw(st.none() | TEXTS),
            )
        )
        known += [OutputBinding(name, output.name) for output in outputs]
    return PipelineSpec(
        name=draw(NAMES),
        parameters=tuple(parameters),
        steps=tuple(steps),
        schedule=draw(SCHEDULES),
        tags=tuple(draw(FEW_NAMES)),
    )


def _bind(draw: st.DrawFn, known: list[Any]) -> Any:
    """A binding to something that is known, a constant, or a list or dict of these, nested once."""
    leaves = CONSTANTS | st.sampled_from(known) if known else CONSTANTS
    shape = draw(st.sampled_from(["leaf", "leaf", "list", "tuple", "dict"]))
    if shape == "leaf":
        return draw(leaves)
    nested = leaves | st.lists(leaves, max_size=2).map(tuple).map(ListBinding)
    if shape == "dict":
        return DictBinding(draw(st.dictionaries(TEXTS | PORTS, nested, max_size=2)))
    return ListBinding(tuple(draw(st.lists(nested, max_size=2))), as_tuple=shape == "tuple")


@given(pipelines())
def test_a_document_reads_back_with_value_and_digest(pipeline: PipelineSpec) -> None:
    document = json.loads(json.dumps(pipeline.to_json()))
    again = read_ir(document)
    assert again == pipeline
    assert again.digest == pipeline.digest
    assert again.to_json() == document


@given(pipelines())
def test_bindings_read_alike_in_the_ir_and_in_the_manifest(pipeline: PipelineSpec) -> None:
    for step, document in zip(pipeline.steps, pipeline.to_json()["steps"], strict=True):
        assert [binding_from_json(item["binding"]) for item in document["inputs"]] == [
            item.binding for item in step.inputs
        ]


@given(pipelines(), st.randoms(use_true_random=False))
def test_the_digest_does_not_see_the_order_of_keys(pipeline: PipelineSpec, random: Any) -> None:
    def shuffle(part: Any) -> Any:
        if isinstance(part, dict):
            items = list(part.items())
            random.shuffle(items)
            return {key: shuffle(item) for key, item in items}
        return [shuffle(item) for item in part] if isinstance(part, list) else part

    assert read_ir(shuffle(pipeline.to_json())).digest == pipeline.digest


@given(pipelines(), TEXTS)
def test_comments_do_not_count(pipeline: PipelineSpec, text: str) -> None:
    steps = tuple(step.model_copy(update={"description": text, "source": "a.py:1"}) for step in pipeline.steps)
    told = pipeline.model_copy(update={"description": text, "source": "a.py:2", "steps": steps})
    assert told.digest == pipeline.digest


@given(pipelines(), st.data())
def test_each_field_that_means_something_counts(pipeline: PipelineSpec, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(pipeline.steps) - 1))
    step = pipeline.steps[place]
    cache = step.cache
    changes: list[dict[str, Any]] = [
        {"name": f"{step.name}_x"},
        {"entry_point": f"{step.entry_point}_x"},
        {"inputs": (*step.inputs, InputSpec(name="more", type="int", binding=ConstantBinding(1)))},
        {"outputs": (*step.outputs, OutputSpec(name="more", type="int"))},
        {"after": (*step.after, "more")},
        {"retry": RetrySpec(times=(step.retry.times if step.retry else 0) % 100 + 1, backoff=3.0)},
        {"timeout_seconds": (step.timeout_seconds or 0.0) + 1.0},
        {"resources": ResourceSpec(gpu=1, gpu_type="a100")},
        {"cache": cache.model_copy(update={"enabled": not cache.enabled})},
        {"cache": cache.model_copy(update={"ttl_seconds": 1.0})},
        {"cache": cache.model_copy(update={"wait_seconds": cache.wait_seconds + 1.0})},
        {"cache": cache.model_copy(update={"files": ("a",)})},
        {"cache": cache.model_copy(update={"env": ("A",)})},
        {"cache": cache.model_copy(update={"salt": f"{cache.salt}x"})},
        {"tags": (*step.tags, "more")},
        {"kind": "hook"},
        {"when": BranchSpec(gate="when", taken=True)},
        {"condition": InputTerm("p")},
        {"map": MapSpec(expander="expand", chunk=2)},
        {"environment": EnvironmentSpec(python=">=3.11")},
        {"on": "failure"},
    ]
    assert {key for change in changes for key in change} == set(StepSpec.model_fields) - {"description", "source"}
    changed = step.model_copy(update=data.draw(st.sampled_from(changes)))
    steps = (*pipeline.steps[:place], changed, *pipeline.steps[place + 1 :])
    assert pipeline.model_copy(update={"steps": steps}).digest != pipeline.digest


@given(pipelines())
def test_a_sound_pipeline_is_valid_and_in_order(pipeline: PipelineSpec) -> None:
    assert validate(pipeline) == []
    assert order_steps(pipeline.steps) == pipeline.steps


@given(pipelines(), st.randoms(use_true_random=False))
def test_every_order_is_topological_and_stable(pipeline: PipelineSpec, random: Any) -> None:
    shuffled = list(pipeline.steps)
    random.shuffle(shuffled)
    upstream = upstream_edges(shuffled)
    ordered = topological_order(upstream)
    done: set[str] = set()
    for name in ordered:
        assert done.issuperset(upstream[name])
        done.add(name)
    assert done == set(upstream)
    assert find_cycle(upstream) == ()
    assert [step.name for step in order_steps(order_steps(shuffled))] == list(ordered)


@given(pipelines())
def test_closures_are_each_others_mirror(pipeline: PipelineSpec) -> None:
    for step in pipeline.steps:
        for other in downstream_closure(pipeline, [step.name]):
            assert step.name in upstream_closure(pipeline, [other])


@given(st.dictionaries(NAMES, st.lists(st.integers(0, 5), max_size=3), min_size=1, max_size=6))
def test_a_graph_has_either_a_whole_order_or_a_cycle(places: dict[str, list[int]]) -> None:
    names = list(places)
    upstream = {
        name: tuple(dict.fromkeys(names[place % len(names)] for place in items)) for name, items in places.items()
    }
    cycle = find_cycle(upstream)
    assert bool(cycle) == (len(topological_order(upstream)) < len(names))
    for name, waits_for in zip(cycle, (*cycle[1:], *cycle[:1]), strict=True):
        assert waits_for in upstream[name]


PROGRAM = """
import sys
from zen_core.contract.values import digest_value
from zen_core.ir.upgrade import read_ir
import json
print(read_ir(json.loads(sys.stdin.read())).digest, digest_value([{"b", "a", "c"}, {"x": 1, "y": {2: 3, 4: 5}}]))
"""


def test_the_digest_is_the_same_in_each_process_and_for_each_hash_seed() -> None:
    binding = DictBinding({"b": ConstantBinding({"z": 1, "a": [None, 1.5]}), "a": OutputBinding("load", "result")})
    pipeline = PipelineSpec(
        name="churn",
        parameters=(ParameterSpec(name="depth", type="int", default=4),),
        steps=(
            StepSpec(
                name="load",
                entry_point="m:load",
                outputs=(OutputSpec(name="result", type="int"),),
                cache=CacheSpec(enabled=True),
            ),
            StepSpec(
                name="train",
                entry_point="m:train",
                inputs=(InputSpec(name="x", type="Any", binding=binding),),
                cache=CacheSpec(enabled=False, env=("A", "B")),
            ),
        ),
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            input=json.dumps(pipeline.to_json()),
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    (answer,) = answers
    assert answer.split()[0] == pipeline.digest
