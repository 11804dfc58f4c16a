"""What differs in the code that steps reach, and the lines of it out of the code bundles."""

import io
import json
import zipfile

import pytest

from zen_core.contract.code_bundle import code_digest
from zen_core.ir.specs import CacheSpec, OutputSpec, PipelineSpec, StepSpec
from zen_metadata.shim.code import bundle_location

FEATURES = '''\
"""Features."""
LIMIT = 10


def scale(frame, by):
    frame = frame * by
    return frame[:LIMIT]


class Rules:
    floor = 1

    def keep(self, item):
        return item > self.floor
'''


class Project:
    """The runs of a project whose code changes."""

    def __init__(self, history):
        self.history = history
        self.count = 0

    def run(self, files, *, steps=("load",), begun=None, reached=("features:scale",), store=True, lines=None):
        """A run of steps that all reach the same definitions; answers with its id."""
        content = {name: text.encode() for name, text in files.items()}
        bundle = code_digest(content)
        if store:
            self.history.artifacts.write_bytes(bundle_location(bundle), zipped(content))
        self.count += 1
        spec = PipelineSpec(name="churn", steps=tuple(map(step, steps)))
        run = self.history.run(str(self.count), spec=spec, code_digest=bundle)
        for name in steps if begun is None else begun:
            fingerprint = f"sha256:{name} {self.count}"
            self.history.store.save_code("demo", fingerprint, document(files, reached, lines or {}))
            begun_step = self.history.begin(run, name, fingerprint=fingerprint)
            self.history.end(run, begun_step, outputs=[("result", 1)])
        return run.run_id

    def diff(self, *runs):
        return self.history.client.diff(*runs)


def step(name):
    outputs = (OutputSpec(name="result", type="Any"),)
    return StepSpec(name=name, entry_point=f"flow:{name}", outputs=outputs, cache=CacheSpec(enabled=True))


def document(files, reached, lines):
    """A document of definitions, whose digests are those of the files' texts around them."""
    found = {}
    for name in reached:
        module, _, qualname = name.partition(":")
        text = files.get(f"{module}.py") or files[f"{module}/__init__.py"]
        last = qualname.rpartition(".")[2]
        part = "".join(block for block in text.split("\n\n\n") if f" {last}" in block or block.startswith(last))
        found[name] = {
            "digest": f"sha256:{hash(part)}",
            "kind": "function",
            "file": f"src/{module}.py",
            "lines": list(lines.get(name, (1, 1))),
        }
    return {"scope": "project", "imports": [], "definitions": found, "unfollowed": []}


def zipped(content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def code(history):
    return Project(history)


def test_a_definition_that_changed_is_shown_line_by_line(code):
    first = code.run({"features.py": FEATURES})
    second = code.run({"features.py": "# new\n" + FEATURES.replace("* by", "* by + 1")})
    diff = code.diff(first, second)
    [(name, change)] = diff.code.changes.changed.items()
    assert name == "features:scale"
    assert change["kind"] == "function"
    assert change["steps"] == ["load"]
    assert change["before"]["file"] == "src/features.py"
    # What was recorded as lines (1) is not believed: the definition is found by its name.
    assert diff.code.diff == (
        f"--- {first[:8]}/features.py\n"
        f"+++ {second[:8]}/features.py\n"
        "@@ -5,3 +6,3 @@ features.scale\n"
        " def scale(frame, by):\n"
        "-    frame = frame * by\n"
        "+    frame = frame * by + 1\n"
        "     return frame[:LIMIT]\n"
    )
    assert diff.notes == ()
    assert not diff.equal


def test_what_was_added_and_removed_is_shown_whole(code):
    first = code.run({"features.py": FEATURES}, reached=("features:scale", "features:LIMIT"))
    second = code.run({"features.py": FEATURES}, reached=("features:scale", "features:Rules"))
    diff = code.diff(first, second)
    changes = diff.code.changes
    assert (list(changes.added), list(changes.removed), list(changes.changed)) == (
        ["features:Rules"],
        ["features:LIMIT"],
        [],
    )
    assert "@@ -2,1 +0,0 @@ features.LIMIT\n-LIMIT = 10\n" in diff.code.diff
    assert "@@ -0,0 +10,5 @@ features.Rules\n+class Rules:\n+    floor = 1\n" in diff.code.diff


def test_a_method_of_a_class_that_is_shown_is_not_shown_again(code):
    reached = ("features:Rules", "features:Rules.keep")
    first = code.run({"features.py": FEATURES}, reached=reached)
    second = code.run({"features.py": FEATURES.replace("> self", ">= self")}, reached=reached)
    diff = code.diff(first, second)
    assert set(diff.code.changes.changed) == set(reached)
    assert diff.code.diff.count(">= self.floor") == 1


def test_a_long_definition_is_cut_to_what_differs(code):
    lines = [f"    x += {number}\n" for number in range(100)]
    first = code.run({"features.py": "def scale(x):\n" + "".join(lines)})
    lines[50] = "    x += 0\n"
    second = code.run({"features.py": "def scale(x):\n" + "".join(lines)})
    diff = code.diff(first, second).code.diff
    assert "@@ -49,7 +49,7 @@ features.scale" in diff
    assert diff.count("\n") == 11


def test_code_that_this_python_cannot_read_is_found_by_its_lines(code):
    first = code.run({"features.py": "def scale(x):\n    match x\n"}, lines={"features:scale": (1, 2)})
    second = code.run({"features.py": "\ndef scale(x):\n    match y\n"}, lines={"features:scale": (2, 3)})
    diff = code.diff(first, second)
    assert "@@ -1,2 +2,2 @@ features.scale\n def scale(x):\n-    match x\n+    match y\n" in diff.code.diff


def test_a_package_is_found_in_its_folder(code):
    first = code.run({"features/__init__.py": "def scale(x): return 1\n"})
    second = code.run({"features/__init__.py": "def scale(x): return 2\n"})
    assert f"+++ {second[:8]}/features/__init__.py\n@@ -1,1 +1,1 @@" in code.diff(first, second).code.diff


def test_a_definition_whose_text_is_the_same_says_so(code):
    """What it names is other code now: the document's digests tell, the text does not."""
    first, second = code.run({"features.py": FEATURES}), code.run({"features.py": FEATURES + "\n# end"})
    relinked = document({"features.py": FEATURES}, ("features:scale",), {})
    relinked["definitions"]["features:scale"]["digest"] = "sha256:other"
    third = code.history.run("third", spec=PipelineSpec(name="churn", steps=(step("load"),)))
    bundle = code.history.client.run(second).record.code_digest
    code.history.store.save_code("demo", "sha256:relinked", relinked)
    begun = code.history.begin(third, "load", fingerprint="sha256:relinked", code_digest=bundle)
    code.history.end(third, begun, outputs=[("result", 1)])
    diff = code.diff(first, third.run_id)
    assert diff.code.changes.changed["features:scale"]["same_text"] is True
    assert diff.code.diff == ""
    assert not diff.equal


def test_what_looks_like_a_secret_is_masked(code):
    source = 'def scale(x):\n    api_token = "abcdefgh12345678"\n    return x\n'
    first = code.run({"features.py": source})
    second = code.run({"features.py": source.replace("1234", "4321")})
    text = code.diff(first, second).code.diff
    assert '-    api_token = "***"\n+    api_token = "***"\n' in text
    assert "abcdefgh" not in json.dumps(code.diff(first, second).to_json())


def test_without_a_bundle_there_are_names_and_lines(code):
    first = code.run({"features.py": FEATURES}, store=False)
    second = code.run({"features.py": FEATURES.replace("* by", "* 2")})
    diff = code.diff(first, second)
    assert list(diff.code.changes.changed) == ["features:scale"]
    assert diff.code.diff == ""
    [note] = diff.notes
    assert note.startswith(f"of the code of run {first[:8]} only names and lines are at hand; its bundle: it is not in")
    assert "(code/" in note


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"no zip", "it is damaged (code/"), (zipped({"features.py": b"other"}), "it is not what was stored (code/")],
    ids=["damaged", "altered"],
)
def test_a_bundle_that_is_not_whole_is_not_shown(code, content, problem):
    files = {"features.py": FEATURES}
    bundle = code_digest({name: text.encode() for name, text in files.items()})
    code.history.artifacts.write_bytes(bundle_location(bundle), content)
    first = code.run(files, store=False)
    second = code.run({"features.py": FEATURES.replace("* by", "* 2")})
    diff = code.diff(first, second)
    assert diff.code.diff == ""
    assert problem in diff.notes[0]


def test_a_file_that_the_bundle_lacks_is_named_with_the_reason(code):
    first = code.run({"features.py": FEATURES})
    second = code.run({"features.py": FEATURES.replace("* by", "* 2")})
    content = {"other.py": b""}
    bundle = code_digest(content)
    code.history.artifacts.write_bytes(bundle_location(bundle), zipped(content))
    code.history.store.save_left_out("demo", bundle, [{"file": "src/features.py", "reason": "larger than 2 MiB"}])
    third = code.history.run("third", spec=PipelineSpec(name="churn", steps=(step("load"),)), code_digest=bundle)
    begun = code.history.begin(third, "load", fingerprint="sha256:load 2", code_digest=bundle)
    code.history.end(third, begun, outputs=[("result", 1)])
    assert code.diff(first, second).code.diff
    [note] = code.diff(first, third.run_id).notes
    assert note.endswith("its bundle: it lacks src/features.py (larger than 2 MiB)")


def test_what_only_steps_reach_that_did_not_begin_is_not_called_removed(code):
    files = {"features.py": FEATURES}
    first = code.run(files, steps=("load", "train"))
    second = code.run(files, steps=("load", "train"), begun=("load",), reached=())
    third = code.run(files, steps=("load", "train"), begun=())
    diff = code.diff(first, third)
    assert not diff.code.changes
    assert diff.notes[1:] == (
        f"in run {third[:8]} steps load, train did not begin: code that nothing else reaches is not compared",
    )
    assert list(code.diff(first, second).code.changes.removed) == ["features:scale"], "load did begin"


def test_a_step_whose_code_is_not_recorded_is_named(code, history):
    first = code.run({"features.py": FEATURES})
    spec = PipelineSpec(name="churn", steps=(step("load"),))
    second = history.run("old", spec=spec)
    history.end(second, history.begin(second, "load", fingerprint="sha256:unknown"), outputs=[("result", 1)])
    diff = code.diff(first, second.run_id)
    assert diff.code.changes.to_json() == {
        "added": {},
        "removed": {},
        "changed": {
            "flow:load": {
                "kind": "step",
                "before": {"digest": "sha256:load 1"},
                "after": {"digest": "sha256:unknown"},
                "steps": ["load"],
            }
        },
    }
    assert diff.notes == (f"what the code of step load reaches is not recorded for run {second.run_id[:8]}",)


def test_code_that_is_the_same_reads_no_bundle(code, history):
    first = code.run({"features.py": FEATURES}, store=False)
    again = history.run("again", spec=PipelineSpec(name="churn", steps=(step("load"),)))
    history.end(again, history.begin(again, "load", fingerprint="sha256:load 1"), outputs=[("result", 1)])
    diff = code.diff(first, again.run_id)
    assert diff.equal
    assert diff.notes == ()
