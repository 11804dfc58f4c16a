"""The body of the flow's function as text: submissions, `if`s, lanes. No decisions: those are in lowering."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from zen_core.codegen.layout import LINE_LENGTH, Bracket, Expression, call, mapping, sequence, statement
from zen_core.codegen.literals import SourceText, join_source, py_identifier, py_literal
from zen_prefect.arranging import Answer, Condition, Entry, Lanes, Submission, iter_submissions
from zen_prefect.lowering import PrefectFlow, PrefectMap, PrefectTask

_INDENT = "    "


def write_body(flow: PrefectFlow) -> SourceText:
    """All lines of the function, without its head."""
    return join_source("\n", list(_Writer(flow).lines()))


def chains_in_parts(task: PrefectTask) -> bool:
    """Whether a part of a map waits for a part whose elements may have failed, while others of them have not."""
    return task.fan_out is not None and task.fan_out.chunk > 1 and bool(task.fan_out.chains)


class _Writer:
    def __init__(self, flow: PrefectFlow) -> None:
        self._flow = flow
        self._tasks = {task.step: task for task in flow.tasks}
        self._refs = {task.step: py_identifier(task.refs) for task in flow.tasks}

    def lines(self) -> Iterator[SourceText]:
        runners = [task.fan_out for task in self._flow.tasks if task.fan_out and task.fan_out.runner]
        depth = 1
        if runners:
            yield SourceText(f"{_INDENT}# Elements that wait hold threads of their own, and keep nothing else waiting.")
            yield from _with_runners(runners)
            depth = 2
        unset = [*self._unset(self._flow.entries)]
        yield from _in_lines(unset, depth, before="", between=" = ", after=" = None")
        yield from self._entries(self._flow.entries, depth)
        results = sequence(self._result(task) for task in self._flow.tasks)
        yield statement(call(SourceText("_results"), [results]), depth=depth, before="return ")

    def _unset(self, entries: Iterable[Entry]) -> Iterator[SourceText]:
        """The variables that may stay without a future, or that a lane sets."""
        for entry in entries:
            for submission in iter_submissions([entry]):
                if isinstance(entry, Lanes) or submission.conditions:
                    yield self._refs[submission.step]

    def _result(self, task: PrefectTask) -> SourceText:
        refs = self._refs[task.step]
        if task.fan_out is None:
            return refs
        return SourceText(f"*({refs} or [])" if task.step in self._flow.conditional else f"*{refs}")

    # -- what stands where ---------------------------------------------------------------------------------------

    def _entries(self, entries: Iterable[Entry], depth: int) -> Iterator[SourceText]:
        """Submissions one after another, those under the same conditions in one block."""
        open_: tuple[Condition, ...] = ()
        for entry in entries:
            if isinstance(entry, Lanes):
                open_ = ()
                yield from self._lanes(entry, depth)
                continue
            shared = _shared(open_, entry.conditions)
            for place in range(shared, len(entry.conditions)):
                condition = entry.conditions[place]
                is_else = place == shared and place < len(open_) and _is_else(open_[place], condition)
                yield self._head(condition, depth + place, is_else=is_else)
            open_ = entry.conditions
            yield self._submission(self._tasks[entry.step], depth + len(open_))

    def _head(self, condition: Condition, depth: int, *, is_else: bool) -> SourceText:
        if isinstance(condition, Answer):
            asked = f"_answer({self._refs[condition.gate]})"
            text = asked if condition.taken else f"{asked} is False"
        else:
            text = " or ".join(map(self._is_there, condition.steps))
        return statement(SourceText(text), depth=depth, before="elif " if is_else else "if ", after=":")

    def _is_there(self, step: str) -> str:
        refs = self._refs[step]
        return f"{refs} is not None" if self._tasks[step].fan_out else str(refs)

    def _lanes(self, entry: Lanes, depth: int) -> Iterator[SourceText]:
        names = [py_identifier(self._flow.lane_names[lane.decision]) for lane in entry.lanes]
        for lane, name in zip(entry.lanes, names, strict=True):
            yield SourceText("")
            yield SourceText(f"{_INDENT * depth}def {name}():")
            own = [self._refs[item.step] for item in lane.entries if isinstance(item, Submission)]
            yield from _in_lines(own, depth + 1, before="nonlocal ", between=", ", after="")
            yield from self._entries(lane.entries, depth + 1)
        yield SourceText("")
        yield statement(call(SourceText("_side_by_side"), names), depth=depth)

    # -- one submission ------------------------------------------------------------------------------------------

    def _submission(self, task: PrefectTask, depth: int) -> SourceText:
        """`x_refs = x.submit(a_refs, wait_for=[b_refs])`, or `.map` over the parts."""
        waits = {"wait_for": self._waits(task)} if task.waits else {}
        function = py_identifier(task.identifier)
        if task.fan_out is None:
            made = call(SourceText(f"{function}.submit"), [self._refs[name] for name in task.upstream], waits)
        else:
            given = self._mapped_arguments(task, task.fan_out)
            if task.fan_out.runner:
                runner = py_identifier(task.fan_out.runner)
                made = call(SourceText(f"{runner}.map"), [function, mapping(given)], waits)
            else:
                made = call(SourceText(f"{function}.map"), given.values(), waits)
        return statement(made, depth=depth, before=f"{self._refs[task.step]} = ")

    def _mapped_arguments(self, task: PrefectTask, fan_out: PrefectMap) -> dict[str, Expression]:
        """What is mapped and what is the same for all, by the parameters of the task's function."""
        chunk = [py_literal(fan_out.chunk)] if fan_out.chunk > 1 else []
        given: dict[str, Expression] = {"part": call(SourceText("_parts"), [self._refs[fan_out.expander], *chunk])}
        for name in fan_out.chains:
            refs = self._refs[name]
            given[refs] = call(SourceText("allow_failure"), [refs]) if chains_in_parts(task) else refs
        for name in task.upstream:
            given[self._refs[name]] = call(SourceText("unmapped"), [self._refs[name]])
        return given

    def _waits(self, task: PrefectTask) -> Expression:
        if len(task.waits) == 1 and self._tasks[task.waits[0]].fan_out and not task.unsure:
            return self._refs[task.waits[0]]
        return sequence(self._wait(name, task) for name in task.waits)

    def _wait(self, name: str, task: PrefectTask) -> SourceText:
        refs = self._refs[name]
        if self._tasks[name].fan_out is None:
            return refs
        return SourceText(f"*({refs} or [])" if name in task.unsure else f"*{refs}")


def _with_runners(runners: Sequence[PrefectMap]) -> Iterator[SourceText]:
    items = [
        SourceText(f"ThreadPoolTaskRunner(max_workers={py_literal(item.threads)}) as {py_identifier(item.runner)}")
        for item in runners
    ]
    flat = f"{_INDENT}with {', '.join(items)}:"
    if len(flat) <= LINE_LENGTH:
        yield SourceText(flat)
    else:
        bracket = Bracket(SourceText("("), tuple((SourceText(""), item) for item in items), SourceText(")"))
        yield statement(bracket, depth=1, before="with ", after=":")


def _in_lines(
    names: Sequence[SourceText], depth: int, *, before: str, between: str, after: str
) -> Iterator[SourceText]:
    """Names in as many statements as it takes: neither of these can be broken."""
    left = list(names)
    while left:
        count = 1
        while count < len(left) and len(_joined(left[: count + 1], depth, before, between, after)) <= LINE_LENGTH:
            count += 1
        yield SourceText(_joined(left[:count], depth, before, between, after))
        left = left[count:]


def _joined(names: Sequence[SourceText], depth: int, before: str, between: str, after: str) -> str:
    return f"{_INDENT * depth}{before}{between.join(names)}{after}"


def _shared(first: Sequence[Condition], second: Sequence[Condition]) -> int:
    """How many conditions both begin with."""
    count = 0
    while count < min(len(first), len(second)) and first[count] == second[count]:
        count += 1
    return count


def _is_else(before: Condition, condition: Condition) -> bool:
    return (
        isinstance(before, Answer)
        and isinstance(condition, Answer)
        and (before.gate == condition.gate and before.taken and not condition.taken)
    )
