"""Metaflow: each step a process, a folder as its datastore. It reuses nothing from one run to another."""

import subprocess
import sys
from pathlib import Path

from timing import FOLDER, SIDE, STEPS, report

HEAD = """
from metaflow import FlowSpec, Parameter, step


class {name}(FlowSpec):
    seed = Parameter("seed", type=int, default=0)

    @step
    def start(self):
        self.value = {{"count": self.seed}}
        self.next({first})
"""
ONE = """
    @step
    def {name}(self{joined}):
        self.value = {value}
        self.next({following})
"""
END = """
    @step
    def end(self):
        pass


if __name__ == "__main__":
    {name}()
"""
COUNT, SUM = '{"count": self.value["count"] + 1}', '{"count": sum(item.value["count"] for item in inputs)}'

# The last step may not be one that joins.
JOIN = ONE.format(name="join", joined=", inputs", value=SUM, following="self.end")


def chain() -> str:
    names = [f"self.count_{index}" for index in range(STEPS - 2)]
    steps = [
        ONE.format(name=name[5:], joined="", value=COUNT, following=following)
        for name, following in zip(names, [*names[1:], "self.end"], strict=True)
    ]
    return HEAD.format(name="Chain", first=names[0]) + "".join(steps) + END.format(name="Chain")


def fan_out() -> str:
    head = HEAD.format(name="FanOut", first="self.add, foreach='items'")
    head = head.replace("        self.next", f"        self.items = list(range({STEPS - 3}))\n        self.next")
    add = ONE.format(name="add", joined="", value='{"count": self.value["count"] + self.input}', following="self.join")
    return head + add + JOIN + END.format(name="FanOut")


def diamond() -> str:
    steps = [
        ONE.format(name=f"{side}_{index}", joined="", value=COUNT, following=_after(side, index))
        for side in ("left", "right")
        for index in range(SIDE)
    ]
    head = HEAD.format(name="Diamond", first="self.left_0, self.right_0")
    return head + "".join(steps) + JOIN + END.format(name="Diamond")


def _after(side: str, index: int) -> str:
    return f"self.{side}_{index + 1}" if index + 1 < SIDE else "self.join"


for shape in (chain, fan_out, diamond):
    Path(FOLDER, f"{shape.__name__}.py").write_text(shape())


def run(shape: str, seed: int) -> None:
    command = [sys.executable, f"{shape}.py", "--quiet", "run", "--seed", str(seed), "--max-workers", "2"]
    subprocess.run(command, cwd=FOLDER, check=True, stdout=sys.stderr)


report(run, caches=False, repetitions=1, warm=False)
