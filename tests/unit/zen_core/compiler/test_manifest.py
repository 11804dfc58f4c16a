import json

import zen_core
from zen_core.codegen.bundle import CodeBundle
from zen_core.compiler.manifest import build_manifest
from zen_core.contract.manifest import manifest_from_json
from zen_core.contract.settings import Settings
from zen_core.testing.cases import find_case

CASE = find_case("diamond")


def build(**options):
    return build_manifest(CASE.spec, CASE.functions, Settings(project="shop"), **options)


def test_holds_the_ir_and_a_fingerprint_for_each_step():
    manifest = build()
    assert (manifest.project, manifest.pipeline, manifest.zen_version) == ("shop", "diamond", zen_core.__version__)
    assert manifest.ir == CASE.spec.to_json()
    assert list(manifest.fingerprints) == ["load", "left", "right", "join"]
    assert manifest.steps["join"].fingerprint.scope == "project"
    assert manifest.fingerprints["left"] != manifest.fingerprints["right"]


def test_is_read_back_as_it_was_written():
    manifest = build()
    assert manifest_from_json(json.loads(manifest.to_text())) == manifest


def test_says_where_the_code_comes_from():
    bundle = CodeBundle(b"", "sha256:00", ())
    assert (build(code=bundle).code, build(code=bundle).code_digest) == ("bundle", "sha256:00")
    assert build().code == "local"
    assert build(installed_code=True).code == "installed"
    assert build().code_digest == build(installed_code=True).code_digest
