"""The cases with maps, branches and hooks, as steps of the IR."""

from __future__ import annotations

from zen_core.contract.bindings import Binding, ExternalBinding, SecretBinding
from zen_core.contract.conditions import AndTerm, CompareTerm, InputTerm, NotTerm, OrTerm, ValueTerm
from zen_core.ir.specs import CacheSpec, EnvironmentSpec, MapSpec, StepSpec
from zen_core.testing.cases.build import (
    above,
    collect,
    constant,
    either,
    element,
    make_expander,
    make_gate,
    make_step,
    mapped_by,
    parameter,
    read,
    taken,
    untaken,
)

LOAD = make_step("load", "load")
NUMBERS = make_step("numbers", "numbers", type="list[int]")


def mapped(**options: object) -> tuple[StepSpec, ...]:
    """A list, a map over it, and the sum of what came of it; `options` are those of the map."""
    return (
        NUMBERS,
        make_expander("expand_increase", {"value": read("numbers")}),
        make_step(
            "increase",
            "increase",
            {"value": element("expand_increase", "value")},
            map=MapSpec(expander="expand_increase", **options),  # type: ignore[arg-type]
        ),
        make_step("total", "total", {"values": read("increase")}, type="list[int]"),
    )


def zipped() -> tuple[StepSpec, ...]:
    """Two lists mapped together, and a value that is the same for all."""
    return (
        NUMBERS,
        make_step("others", "others", type="list[int]"),
        make_expander("expand_add", {"left": read("numbers"), "right": read("others")}),
        make_step(
            "add",
            "add",
            {"left": element("expand_add", "left"), "right": element("expand_add", "right")},
            map=mapped_by("expand_add"),
        ),
    )


def chained(chunk: int = 1) -> tuple[StepSpec, ...]:
    """Three steps, element by element, with a step for all of them."""
    fan_out = mapped_by("expand_increase", chunk=chunk)
    return (
        LOAD,
        *mapped(chunk=chunk)[:3],
        make_step("double", "double", {"value": element("increase")}, map=fan_out),
        make_step("add", "add", {"left": element("double"), "right": read("load")}, map=fan_out),
        make_step("total", "total", {"values": read("add")}, type="list[int]"),
    )


def map_of_map() -> tuple[StepSpec, ...]:
    """What one map made, mapped again beside another list."""
    return (
        *mapped()[:3],
        make_step("others", "others", type="list[int]"),
        make_expander("expand_add", {"left": read("increase"), "right": read("others")}),
        make_step(
            "add",
            "add",
            {"left": element("expand_add", "left"), "right": element("expand_add", "right")},
            map=mapped_by("expand_add"),
        ),
        make_step("total", "total", {"values": read("add")}, type="list[int]"),
    )


def branches() -> tuple[StepSpec, ...]:
    """A condition, a step in each branch, and one that takes whichever ran."""
    return (
        LOAD,
        make_gate("when", above("load", 2), {"load": read("load")}),
        make_step("yes", "increase", {"value": read("load")}, when=taken("when")),
        make_step("no", "double", {"value": read("load")}, when=untaken("when")),
        make_step("after", "increase", {"value": either("yes", "no")}),
    )


def one_branch() -> tuple[StepSpec, ...]:
    """A condition over a parameter and two results, and a chain in its branch."""
    condition = AndTerm(
        (
            above("load", 2),
            OrTerm((CompareTerm("==", InputTerm("depth"), ValueTerm(4)), NotTerm(above("other", 1e300, "<=")))),
        )
    )
    inputs: dict[str, Binding] = {"load": read("load"), "depth": parameter("depth"), "other": read("other")}
    return (
        LOAD,
        make_step("other", "load"),
        make_gate("when", condition, inputs),
        make_step("first", "increase", {"value": read("load")}, when=taken("when")),
        make_step("second", "double", {"value": read("first")}, when=taken("when")),
        make_step("aside", "double", {"value": read("other")}),
    )


def nested_branches() -> tuple[StepSpec, ...]:
    """A condition within a branch of another, and a step that takes what ran in any of the three."""
    return (
        LOAD,
        make_gate("when", above("load", 2), {"load": read("load")}),
        make_step("inner", "increase", {"value": read("load")}, when=taken("when")),
        make_gate("when_2", above("inner", 100), {"inner": read("inner")}, when=taken("when")),
        make_step("high", "increase", {"value": read("inner")}, when=taken("when_2")),
        make_step("low", "double", {"value": read("inner")}, when=untaken("when_2")),
        make_step("no", "double", {"value": read("load")}, when=untaken("when")),
        make_step("after", "increase", {"value": either("high", "low", "no")}),
    )


def map_in_branch() -> tuple[StepSpec, ...]:
    """A map and its collector in a branch."""
    branch = taken("when")
    return (
        LOAD,
        NUMBERS,
        make_gate("when", above("load", 2), {"load": read("load")}),
        make_expander("expand_increase", {"value": read("numbers")}, when=branch),
        make_step(
            "increase",
            "increase",
            {"value": element("expand_increase", "value")},
            map=mapped_by("expand_increase"),
            when=branch,
        ),
        make_step("total", "total", {"values": read("increase")}, type="list[int]", when=branch),
    )


def maps_and_branches() -> tuple[StepSpec, ...]:
    """Everything at once: maps in both branches, a condition on a collected result, ordering after a map."""
    return (
        *mapped(),
        make_gate("when", above("total", 10), {"total": read("total")}),
        make_expander("expand_double", {"value": read("numbers")}, when=taken("when")),
        make_step(
            "double",
            "double",
            {"value": element("expand_double", "value")},
            map=mapped_by("expand_double"),
            when=taken("when"),
        ),
        make_step("sum_doubled", "total", {"values": read("double")}, type="list[int]", when=taken("when")),
        make_step("small", "double", {"value": read("total")}, when=untaken("when")),
        make_step("chosen", "increase", {"value": either("sum_doubled", "small")}),
        make_step("last", "load", after=("increase",)),
        make_step("in_list", "total", {"values": collect(read("chosen"), read("total"), constant(1))}),
    )


def with_external() -> tuple[StepSpec, ...]:
    """An input that another run made: the latest version, and a certain one."""
    return (
        make_step("increase", "increase", {"value": ExternalBinding("linear/step_0")}),
        make_step("double", "double", {"value": ExternalBinding("linear/step_0", 1)}),
    )


def with_secret() -> tuple[StepSpec, ...]:
    """An input whose value is nowhere written."""
    return (make_step("echo", "echo", {"value": SecretBinding("CASE_PASSWORD")}, type="str"),)


def with_environment(**fields: object) -> tuple[StepSpec, ...]:
    """A step that asks for something around its code."""
    environment = EnvironmentSpec(**fields)  # type: ignore[arg-type]
    return (make_step("load", "load", environment=environment, source="pipelines/train.py:12"),)


def make_hook(name: str, on: str) -> StepSpec:
    """A hook that is given a parameter."""
    return make_step(
        name, "notify", {"depth": parameter("depth")}, outputs=(), kind="hook", on=on, cache=CacheSpec(enabled=False)
    )


def many(count: int) -> tuple[StepSpec, ...]:
    """A graph of `count` steps and more: chains that fan out, are gated, and come together again."""
    steps: list[StepSpec] = [LOAD]
    for number in range(count // 3):
        before = f"high_{number - 1}" if number else "load"
        value = either(before, f"low_{number - 1}") if number else read("load")
        steps += [
            make_gate(f"when_{number}", above("value", number % 2), {"value": value}),
            make_step(f"high_{number}", "increase", {"value": value}, when=taken(f"when_{number}")),
            make_step(f"low_{number}", "double", {"value": value}, when=untaken(f"when_{number}")),
        ]
    return tuple(steps)
