"""What a re-execution takes over from the run before, and that each op finds all of it: no Dagster is needed."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from zen_core.contract.manifest import CodeFingerprint, PipelineManifest
from zen_core.contract.settings import Settings
from zen_core.ir.specs import PipelineSpec
from zen_core.testing.cases.build import element, make_expander, make_step, mapped_by, read
from zen_dagster.reexecution import take_over
from zen_metadata.shim.mapping import run_elements
from zen_metadata.shim.run_step import StepCall, run_step
from zen_metadata.shim.runs import new_run
from zen_metadata.shim.workspace import open_workspace

STEPS = (
    make_step("values", "load"),
    make_step("class", "increase", {"value": read("values")}),
    make_expander("expand_scaled", {"value": read("values")}),
    make_step(
        "scaled", "increase", {"value": element("expand_scaled", "value")}, map=mapped_by("expand_scaled", chunk=2)
    ),
    make_step("total", "total", {"values": read("scaled")}),
)
SPEC = PipelineSpec(name="shapes", steps=STEPS)
MANIFEST = PipelineManifest(
    project="demo",
    pipeline="shapes",
    zen_version="0.1.0",
    ir_digest=SPEC.digest,
    code_digest="sha256:c0de",
    code="local",
    ir=SPEC.to_json(),
    fingerprints={step.name: CodeFingerprint(f"sha256:{step.name}", "function") for step in STEPS if step.entry_point},
)
ALL = {"values", "class", "expand_scaled", "scaled[0]", "scaled[1]", "scaled[2]"}


class Runs:
    """A run whose last element failed, and a re-execution of it; every op has stores of its own."""

    def __init__(self, root):
        self.settings = replace(Settings(root=root, project="demo").with_local_defaults(), mlflow_tracking_uri="")
        self.workspaces = []
        self.before = self.record("before")
        self.again = replace(self.record("again"), parent_run_id=self.before.run_id)
        upstream = {}
        functions = {"values": lambda: [1, 2, 3, 0], "class": lambda value: len(value), "expand_scaled": None}
        for step, function in functions.items():
            call = self.call(step, function, upstream)
            upstream[step] = dict(run_step(call, self.open()).refs)
        for part in (0, 1):
            try:
                run_elements(self.call("scaled", lambda value: 6 // value, upstream), self.open(), chunk=part)
            except ZeroDivisionError:
                assert part == 1

    def record(self, key):
        return new_run(
            MANIFEST, self.settings, orchestrator="dagster", run_key=key, overrides={}, tick=datetime.now(UTC)
        )

    def call(self, step, function, upstream):
        return StepCall(MANIFEST, step, self.before, upstream, function=function, importable=False)

    def open(self):
        self.workspaces.append(open_workspace(self.settings, remote=False))
        return self.workspaces[-1]

    def take_over(self, *step_keys, **options):
        take_over(MANIFEST, self.again, step_keys, self.open(), **options)

    @property
    def taken(self):
        states = self.open().lineage.get_step_runs(self.again.run_id)
        assert all(state.status == "cached" for state in states)
        assert all(state.attempts == 1 for state in states)
        found = [(state.step_run.step, state.step_run.map_index) for state in states]
        return {step if index is None else f"{step}[{index}]" for step, index in found}


@pytest.fixture
def runs(tmp_path):
    made = Runs(tmp_path)
    yield made
    for workspace in made.workspaces:
        workspace.close()


@pytest.mark.parametrize(
    ("step_keys", "left_out"),
    [
        (["scaled[1]", "total"], {"scaled[2]"}),  # one part, of which one element was done
        (["scaled[0]", "scaled[1]", "total"], {"scaled[0]", "scaled[1]", "scaled[2]"}),
        (["expand_scaled", "scaled[?]", "total"], {"expand_scaled", "scaled[0]", "scaled[1]", "scaled[2]"}),
        (["class_"], {"class"}),  # the op of a step that is called like a keyword
        (["total"], set()),
    ],
)
def test_all_is_taken_over_that_was_done_and_is_not_run_again(runs, step_keys, left_out):
    runs.take_over(*step_keys)
    assert runs.taken == ALL - left_out
    runs.take_over(*step_keys)  # the next op of the same run
    assert runs.taken == ALL - left_out
    (state, *_) = runs.open().lineage.get_step_runs(runs.again.run_id)
    assert state.reused_attempt_id


def test_ops_that_start_at_once_record_it_once_and_all_find_it(runs):
    together = threading.Barrier(4)
    seen = []

    def op():
        together.wait()
        runs.take_over("scaled[1]", "total")
        seen.append(runs.taken)

    threads = [threading.Thread(target=op) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [ALL - {"scaled[2]"}] * 4


def test_what_a_dead_op_was_to_record_is_recorded_by_the_next(runs):
    runs.open().lineage.claim_once(f"take-over {runs.again.run_id}")
    began = time.monotonic()
    runs.take_over("scaled[1]", "total", patience_seconds=0.2)
    assert time.monotonic() - began >= 0.2
    assert runs.taken == ALL - {"scaled[2]"}


def test_a_run_before_that_nobody_knows_leaves_nothing(runs):
    runs.again = replace(runs.again, parent_run_id="00000000-0000-0000-0000-000000000000")
    runs.take_over("total")
    assert runs.taken == set()
