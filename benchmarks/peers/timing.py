"""Times the shapes in one process of a peer's environment: `python SHAPES.py FOLDER`. Standard library only.

chain: 100 steps one after another. fan_out: one step, 98 that take what it made, one that takes all of theirs.
diamond: one step, two chains of 49 that begin with what it made, and one step that takes both ends. 100 steps each, and
every step hands over one small dict.
"""

import contextlib
import json
import os
import sys
import time

FOLDER = sys.argv[1] if len(sys.argv) > 1 else "."
STEPS = int(os.environ.get("ZEN_BENCH_STEPS", "100"))
SIDE = (STEPS - 2) // 2
SHAPES = ("chain", "fan_out", "diamond")
REPETITIONS = 3


def report(run, *, caches, repetitions=REPETITIONS):
    """Print milliseconds a step by shape: executed, and reused where the framework reuses results.

    Args:
        run: `run(shape, number)` runs a shape; another number is another input, the same one the same.
    """
    found = {}
    for shape in SHAPES:
        with contextlib.redirect_stdout(sys.stderr):
            run(shape, 0)  # what the first run alone pays is not a step's cost
            executed = min(_seconds(run, shape, 1 + number) for number in range(repetitions))
            cached = min(_seconds(run, shape, 1) for _ in range(repetitions)) if caches else None
        found[shape] = [seconds and seconds / STEPS * 1000 for seconds in (executed, cached)]
    print(json.dumps(found))


def _seconds(run, shape, number):
    started = time.perf_counter()
    run(shape, number)
    return time.perf_counter() - started
