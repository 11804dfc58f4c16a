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


def report(run, *, caches, repetitions=REPETITIONS, warm=True):
    """Print milliseconds a step by shape: executed, and reused where the framework reuses results.

    Args:
        run: `run(shape, seed)` runs a shape. Seeds lie so far apart that no run meets a value of another one.
        warm: run once before, since what the first run alone pays is not a step's cost.
    """
    found = {}
    for place, shape in enumerate(SHAPES):
        seeds = [(place * 10 + number) * 1_000_000 for number in range(repetitions + 1)]
        with contextlib.redirect_stdout(sys.stderr):
            if warm:
                run(shape, seeds[0])
            executed = min(_seconds(run, shape, seed) for seed in seeds[1:])
            cached = min(_seconds(run, shape, seeds[1]) for _ in range(repetitions)) if caches else None
        found[shape] = [seconds and seconds / STEPS * 1000 for seconds in (executed, cached)]
    print(json.dumps(found))


def _seconds(run, shape, seed):
    started = time.perf_counter()
    run(shape, seed)
    return time.perf_counter() - started
