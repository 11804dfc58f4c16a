"""One small pipeline for each rule of what a pipeline means. Any engine must make the same of them.

The file stands alone: a suite copies it into a project, compiles each pipeline for its target and runs it there.
"""

from __future__ import annotations

import time
from typing import Annotated, Any

from zen_core import Retry, broadcast, current, either, log_metric, pipeline, step, when


@step
def source(value: Any) -> Any:
    """Hands on a value of any type."""
    return value


@step
def add(left: int, right: int = 1) -> int:
    """Two numbers, or one more."""
    log_metric("sum", left + right)
    return left + right


@step
def double(value: int) -> int:
    """Twice as much."""
    return value * 2


@step
def total(values: list[int]) -> int:
    """Collects."""
    return sum(values)


@step
def numbers(count: int) -> list[int]:
    """1, 2, 3, …"""
    return list(range(1, count + 1))


@step
def fail(value: int = 0) -> int:
    """Always fails."""
    raise ValueError(f"{value} is wrong")


@step
def refuse_three(value: int) -> int:
    """Fails for one value only."""
    if value == 3:
        raise ValueError("three is wrong")
    return value


@step
def note(value: Any = None) -> None:
    """Has no output."""


@step
def parts(value: int) -> tuple[Annotated[int, "low"], Annotated[int, "high"]]:
    """Has two outputs."""
    return value - 1, value + 1


@step(retry=Retry(times=2, delay="0.1s"))
def third_time(value: int) -> int:
    """Succeeds at the third attempt."""
    if current().attempt < 3:
        raise ConnectionError("not yet")
    return value


@step(timeout="1s")
def stall(value: int) -> int:
    """Takes too long."""
    time.sleep(600)
    return value


@step
def tell_failures() -> list[str]:
    """A hook: what failed, as it knows it."""
    return [failure.step for failure in current().failures]


@step
def tell_end() -> str:
    """A hook for the good end."""
    return "done"


@pipeline
def failure_stops_what_follows() -> None:
    """By data or by order alike; what does not depend on it goes on."""
    start = source.with_options(name="start")(1)
    broken = fail.with_options(name="broken")(start)
    add.with_options(name="by_data")(broken)
    note.with_options(name="by_order")().after(broken)
    add.with_options(name="beside")(start)


@pipeline
def branch_taken(limit: int = 3) -> None:
    """The one branch runs, the other is skipped with all that follows in it."""
    start = add.with_options(name="start")(3)
    with when((start > limit) & (start < 1000)) as high:
        yes = double.with_options(name="yes")(start)
        add.with_options(name="yes_then")(yes)
    with high.otherwise():
        no = add.with_options(name="no")(start, 100)
        double.with_options(name="no_then")(no)
    add.with_options(name="chosen")(either(yes, no))


@pipeline
def branch_untaken(limit: int = 1000) -> None:
    """The other way round; a step ordered after a skipped one is skipped."""
    start = add.with_options(name="start")(3)
    with when((start > limit) | (start < 0)) as high:
        yes = double.with_options(name="yes")(start)
    with high.otherwise():
        no = add.with_options(name="no")(start, 100)
    add.with_options(name="chosen")(either(yes, no))
    note.with_options(name="by_order")().after(yes)


@pipeline
def nothing_to_choose() -> None:
    """When no branch ran that `either` could choose from, its reader is skipped, and what follows."""
    start = add.with_options(name="start")(3)
    with when(~(start == 4)):
        only = double.with_options(name="only")(start)
    chosen = add.with_options(name="chosen")(either(only))
    double.with_options(name="then")(chosen)


@pipeline
def branch_in_branch(outer: int = 3, inner: int = 100) -> None:
    """A condition within a branch; one step takes whichever of three ran."""
    start = add.with_options(name="start")(3)
    with when(start > outer) as first:
        middle = double.with_options(name="middle")(start)
        with when(middle > inner) as second:
            high = add.with_options(name="high")(middle)
        with second.otherwise():
            low = add.with_options(name="low")(middle, 2)
    with first.otherwise():
        none = add.with_options(name="none")(start)
    double.with_options(name="chosen")(either(high, low, none))


@pipeline
def failure_wins_over_skip() -> None:
    """A step after a failed and a skipped one did not run because of the failure."""
    start = add.with_options(name="start")(3)
    broken = fail.with_options(name="broken")(start)
    with when(start > 1000):
        skipped = double.with_options(name="skipped")(start)
        add.with_options(name="both")(skipped, broken)


@pipeline
def gate_after_failure() -> None:
    """A condition on what failed: neither branch runs, and that is no skip."""
    broken = fail.with_options(name="broken")(1)
    with when(broken > 0) as good:
        yes = double.with_options(name="yes")(1)
    with good.otherwise():
        no = double.with_options(name="no")(2)
    add.with_options(name="chosen")(either(yes, no))


@pipeline
def nan_is_false() -> None:
    """No comparison with NaN holds."""
    score = source.with_options(name="score")(float("nan"))
    with when(score > 0.5) as good:
        yes = double.with_options(name="yes")(1)
    with good.otherwise():
        no = double.with_options(name="no")(2)
    add.with_options(name="chosen")(either(yes, no))


@pipeline
def missing_is_an_error() -> None:
    """A condition on a value that is missing."""
    score = source.with_options(name="score")(None)
    with when(score > 0.5):
        double.with_options(name="yes")(1)


@pipeline
def condition_needs_a_scalar() -> None:
    """A condition on something that is no scalar."""
    score = source.with_options(name="score")([1, 2, 3])
    with when(score == "text"):
        double.with_options(name="yes")(1)


@pipeline
def map_collects(count: int = 3) -> None:
    """Each element once, in order; a value for all; two steps element by element; the whole list at the end."""
    values = numbers.with_options(name="values")(count)
    offset = add.with_options(name="offset")(9)
    added = add.with_options(name="added").map(left=values, right=broadcast(offset))
    doubled = double.with_options(name="doubled").map(value=added)
    total.with_options(name="sum")(doubled)


@pipeline
def map_of_nothing() -> None:
    """A map over an empty list is done at once, and its collector gets an empty list."""
    values = numbers.with_options(name="values")(0)
    doubled = double.with_options(name="doubled").map(value=values)
    again = add.with_options(name="again").map(left=doubled)
    total.with_options(name="sum")(again)


@pipeline
def map_zips() -> None:
    """Two lists, element by element; then what came of it beside a third list."""
    left = numbers.with_options(name="left")(3)
    right = source.with_options(name="right")([10, 20, 30])
    sums = add.with_options(name="sums").map(left=left, right=right)
    more = add.with_options(name="more").map(left=sums, right=left)
    total.with_options(name="sum")(more)


@pipeline
def map_of_unequal_lists() -> None:
    """Lists of different lengths are refused before the first element."""
    left = numbers.with_options(name="left")(3)
    right = source.with_options(name="right")([10, 20])
    sums = add.with_options(name="sums").map(left=left, right=right)
    total.with_options(name="sum")(sums)


@pipeline
def map_of_no_list() -> None:
    """Only a list can be mapped."""
    text = source.with_options(name="text")("abc")
    doubled = double.with_options(name="doubled").map(value=text)
    total.with_options(name="sum")(doubled)


@pipeline
def element_fails() -> None:
    """The other elements go on, to the end of the map; the collector does not run."""
    values = numbers.with_options(name="values")(4)
    checked = refuse_three.with_options(name="checked").map(value=values)
    doubled = double.with_options(name="doubled").map(value=checked)
    total.with_options(name="sum")(doubled)
    note.with_options(name="beside")(values)


@pipeline
def map_in_untaken_branch() -> None:
    """A map in a branch that is not taken is skipped, and so is its collector."""
    values = numbers.with_options(name="values")(3)
    count = total.with_options(name="count")(values)
    with when(count > 100) as many:
        doubled = double.with_options(name="doubled").map(value=values)
        high = total.with_options(name="high")(doubled)
    with many.otherwise():
        added = add.with_options(name="added").map(left=values)
        low = total.with_options(name="low")(added)
    add.with_options(name="chosen")(either(high, low))


@pipeline
def map_in_chunks() -> None:
    """Several elements in one task are each a step run of its own."""
    values = numbers.with_options(name="values")(5)
    doubled = double.with_options(name="doubled").map(value=values, chunk=2)
    total.with_options(name="sum")(doubled)


@pipeline
def chain_in_chunks() -> None:
    """The elements of one task do not share its fate: what one of them lacks, the others have."""
    values = numbers.with_options(name="values")(5)
    checked = refuse_three.with_options(name="checked").map(value=values, chunk=2)
    doubled = double.with_options(name="doubled").map(value=checked)
    total.with_options(name="sum")(doubled)


@pipeline
def tries_again() -> None:
    """Further attempts after a failure; one that takes too long is ended."""
    value = third_time.with_options(name="flaky")(4)
    add.with_options(name="then")(value)
    stall.with_options(name="slow")(value)


@pipeline
def inputs_of_all_kinds(number: int = 7, text: str = 'it\'s {{ x }} "${HOME}" \n größe', ratio: float = 1.0) -> None:
    """Lists and dicts of results, two outputs, parameters, constants, one step several times."""
    value = add.with_options(name="value")(number)
    split = parts.with_options(name="split")(value)
    source.with_options(name="listed")([split.low, {"high": split.high, "text": text}, (1.0, ratio)])
    total.with_options(name="sum")([value, split.low, split.high, number])
    note.with_options(name="nothing")(text)
    source.with_options(name="last")("'); {{ ds }} %s").after(value)


@pipeline
def doubled_sum(count: int = 2) -> int:
    """To be called in another pipeline."""
    values = numbers.with_options(name="values")(count)
    doubled = double.with_options(name="doubled").map(value=values)
    result: int = total.with_options(name="sum")(doubled)
    return result


@pipeline
def pipeline_in_pipeline(count: int = 3) -> None:
    """A pipeline that is called in another one is part of it."""
    first = doubled_sum(count)
    second = doubled_sum(1)
    add.with_options(name="both")(first, second)


@pipeline(on_failure=tell_failures, on_success=tell_end)
def hooks_after_failure() -> None:
    """The hook for a failure runs, and the run stays failed."""
    broken = fail.with_options(name="broken")(1)
    double.with_options(name="never")(broken)


@pipeline(on_failure=tell_failures, on_success=tell_end)
def hooks_after_success() -> None:
    """The hook for the good end runs."""
    add.with_options(name="start")(1)
