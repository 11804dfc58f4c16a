"""Which of the tasks that are ready start."""

from typing import Any

from zen_local.capacity import Capacity, ReadyTasks
from zen_local.lowering import LocalStep
from zen_local.scheduling import Task


def make(*steps: dict[str, Any], cpu: float = 4, places: int = 10) -> ReadyTasks:
    none = {"further_attempts": 0, "delay_seconds": 0.0, "backoff": 1.0, "cpu": 0.0, "memory_bytes": 0, "gpu": 0}
    by_name = {step["name"]: LocalStep(**{**none, **step}) for step in steps}
    return ReadyTasks(by_name, Capacity(cpu, 1000, 1, places))


def names(tasks: list[Task]) -> list[str]:
    return [task.step if task.part is None else f"{task.step}[{task.part}]" for task in tasks]


def test_the_longest_waiting_start_first_whatever_they_ask_for() -> None:
    ready = make({"name": "a"}, {"name": "b", "cpu": 1}, {"name": "c"}, {"name": "d", "gpu": 1}, places=2)
    ready.add([Task("a"), Task("b"), Task("c"), Task("d")])
    assert names(ready.take()) == ["a", "b"]
    assert ready.take() == []
    ready.end(Task("a"))
    assert names(ready.take()) == ["c"]
    ready.end(Task("c"))
    ready.end(Task("b"))
    assert names(ready.take()) == ["d"]


def test_a_large_task_waits_and_holds_no_small_one_up() -> None:
    ready = make({"name": "small", "cpu": 1}, {"name": "large", "cpu": 4})
    ready.add([Task("small", 0), Task("large"), Task("small", 1)])
    assert names(ready.take()) == ["small[0]", "small[1]"]
    ready.end(Task("small", 0))
    assert ready.take() == []
    ready.end(Task("small", 1))
    assert names(ready.take()) == ["large"]


def test_a_limit_holds_for_its_own_step_only() -> None:
    ready = make({"name": "limited", "max_parallel": 2}, {"name": "free"})
    ready.add([*(Task("limited", part) for part in range(3)), Task("free")])
    assert names(ready.take()) == ["limited[0]", "limited[1]", "free"]
    ready.end(Task("limited", 1))
    assert names(ready.take()) == ["limited[2]"]
