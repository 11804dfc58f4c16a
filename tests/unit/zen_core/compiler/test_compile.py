import json
import sys
from pathlib import Path

import pytest

from zen_core.adapter.features import NATIVE, Feature, unsupported
from zen_core.adapter.options import AdapterOptions
from zen_core.adapter.protocol import ADAPTER_API_VERSION, EmittedFile, EmittingAdapter
from zen_core.adapter.registry import load_adapter
from zen_core.compiler.compile import compile_ir, compile_pipeline, read_options
from zen_core.contract.manifest import manifest_from_json
from zen_core.contract.settings import Settings, load_settings
from zen_core.errors import CompilationError, ConfigError, DefinitionError, OutOfDateError, UnsupportedFeatureError
from zen_core.ir.specs import PipelineSpec
from zen_core.testing.cases import case_using, find_case
from zen_core.testing.cases.build import make_step, read


class ToyOptions(AdapterOptions):
    colour: str = "red"
    size: int = 1


class ToyAdapter:
    """The least that an adapter can be."""

    name = "toy"
    api_version = ADAPTER_API_VERSION
    versions = "1"
    options_model = ToyOptions

    def support(self, options):
        return {
            **dict.fromkeys(Feature, NATIVE),
            Feature.RETRY: unsupported("no retries"),
            Feature.GPU: unsupported("no"),
        }

    def emit(self, request):
        text = f"# {request.options.colour} {[feature.value for feature in request.waived]}\n"
        return (EmittedFile(f"{request.pipeline.name}.py", text.encode()),)

    def sidecar_folder(self, pipeline):
        return f"{pipeline.name}.zen"


CASE = find_case("linear")


def compile_toy(case=CASE, settings=None, **options):
    return compile_pipeline(case.spec, case.functions, settings or Settings(), adapter=ToyAdapter(), **options)


def test_manifest_and_code_stand_beside_what_the_adapter_emits():
    assert isinstance(ToyAdapter(), EmittingAdapter)
    compiled = compile_toy()
    assert [file.path for file in compiled.files] == ["linear.py", "linear.zen/manifest.json", "linear.zen/code.zip"]
    manifest = manifest_from_json(json.loads(compiled.files[1].content))
    assert manifest.code == "bundle"
    assert compiled.summary.startswith("linear for toy: 3 steps, code bundle of 1 file, ")


def test_installed_code_needs_no_bundle():
    compiled = compile_toy(installed_code=True)
    assert [file.path for file in compiled.files] == ["linear.py", "linear.zen/manifest.json"]
    assert "code as installed" in compiled.summary


def test_options_reach_the_adapter_and_waivers_are_reported():
    settings = Settings(adapters={"toy": {"colour": "blue", "waive": ["gpu"]}})
    compiled = compile_toy(case_using(Feature.GPU), settings)
    assert compiled.waived == (Feature.GPU,)
    assert compiled.files[0].content == b"# blue ['gpu']\n"


def test_unsupported_uses_are_refused_with_the_targets_that_can():
    with pytest.raises(UnsupportedFeatureError) as caught:
        compile_toy(case_using(Feature.RETRY))
    (problem,) = caught.value.diagnostics
    assert "airflow" in problem.context["targets"]
    assert "local" in problem.context["targets"]


def test_wrong_options_are_told_all_at_once_with_a_proposal():
    settings = Settings(adapters={"toy": {"color": "blue", "size": "large"}})
    with pytest.raises(ConfigError) as caught:
        read_options(ToyAdapter(), settings)
    unknown = next(item for item in caught.value.diagnostics if "color" in item.message)
    wrong = next(item for item in caught.value.diagnostics if "large" in item.message)
    assert (unknown.message, unknown.where) == ("unknown setting 'color'", "[adapters.toy] color")
    assert unknown.hint == "did you mean 'colour'?"
    assert wrong.where == "[adapters.toy] size"


def test_options_of_an_adapter_that_is_not_there_are_refused():
    with pytest.raises(ConfigError, match="there is no adapter 'airfow'") as caught:
        read_options(ToyAdapter(), Settings(adapters={"airfow": {"owner": "me"}}))
    assert "did you mean 'airflow'?" in str(caught.value)
    assert caught.value.diagnostics[0].where == "[adapters.airfow]"


def test_a_graph_that_is_not_valid_is_refused():
    spec = PipelineSpec(name="bad", steps=(make_step("a", "increase", {"value": read("b")}),))
    with pytest.raises(DefinitionError, match="'b'"):
        compile_pipeline(spec, {}, Settings(), adapter=ToyAdapter())
    with pytest.raises(DefinitionError, match="'b'"):
        compile_ir(spec)


def test_steps_that_no_task_can_import_are_refused():
    def inner():
        return 1

    space = {"__name__": "__main__"}
    exec("def typed(): return 2", space)
    space["typed"].__module__ = "session"
    spec = PipelineSpec(name="bad", steps=(make_step("a", "load"), make_step("b", "load")))
    with pytest.raises(CompilationError) as caught:
        compile_pipeline(spec, {"x:inner": inner, "session:typed": space["typed"]}, Settings(), adapter=ToyAdapter())
    text = str(caught.value)
    assert "defined inside another function" in text
    assert "session lies in no import root" in text
    assert "define it at the top level of a module" in text


def test_ir_is_one_canonical_file_that_reads_back():
    (file,) = compile_ir(CASE.spec).files
    assert file.path == "linear.ir.json"
    assert PipelineSpec.from_json(json.loads(file.content)).digest == CASE.spec.digest


def test_written_files_pass_the_check_until_one_is_edited(tmp_path):
    compiled = compile_toy()
    assert compiled.write(tmp_path) == ("linear.py", "linear.zen/code.zip", "linear.zen/manifest.json")
    compiled.check(tmp_path)
    (tmp_path / "linear.py").write_text("# edited\n")
    with pytest.raises(OutOfDateError, match=r"linear\.py is not what the pipeline compiles to"):
        compiled.check(tmp_path)


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "zen.toml").write_text('project = "shop"\n')
    (tmp_path / "flow_of_test.py").write_text("from helper_of_test import x\n\ndef load():\n    return x\n")
    (tmp_path / "helper_of_test.py").write_text("x = 1\n")
    (tmp_path / "pipeline_of_test.py").write_text("import flow_of_test\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("flow_of_test", "helper_of_test"):
        sys.modules.pop(name, None)


def compile_project(root):
    import flow_of_test

    step = make_step("load", "load").model_copy(update={"entry_point": "flow_of_test:load"})
    spec = PipelineSpec(name="shop", steps=(step,), source="pipeline_of_test.py:3")
    settings = load_settings(root, environ={})
    airflow = load_adapter("airflow")
    return compile_pipeline(spec, {"flow_of_test:load": flow_of_test.load}, settings, adapter=airflow)


def test_bundle_holds_the_steps_modules_and_the_pipelines_own(project):
    compiled = compile_project(project)
    assert compiled.summary == f"shop for airflow: 1 step, code bundle of 4 files, {zip_size(compiled):,} bytes"


def zip_size(compiled):
    return len(next(file for file in compiled.files if file.path.endswith("code.zip")).content)


def test_emitting_into_the_project_and_compiling_again_changes_nothing(project):
    compiled = compile_project(project)
    compiled.write(project)
    compile_project(project).check(project)


def test_the_same_project_elsewhere_gives_the_same_bytes(project, tmp_path_factory, monkeypatch):
    first = compile_project(project)
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "deep"
    elsewhere.mkdir()
    for path in project.glob("*.*"):
        (elsewhere / path.name).write_bytes(path.read_bytes())
    for name in ("flow_of_test", "helper_of_test"):
        sys.modules.pop(name, None)
    monkeypatch.syspath_prepend(elsewhere)
    second = compile_project(elsewhere)
    assert str(elsewhere) in str(Path(sys.modules["flow_of_test"].__file__))
    assert first.files == second.files
