"""`zen adapters`."""

import json
from importlib.metadata import version

from zen_core.adapter.features import Feature


def test_each_adapter_is_listed_with_what_it_does(project):
    result = project.zen("adapters")
    assert result.exit_code == 0
    head, *lines = result.stdout.splitlines()
    assert head.split() == ["ADAPTER", "TESTED", "WITH", "DOES", "ON", "THIS", "MACHINE"]
    assert any(line.startswith("local ") and line.endswith("built in") for line in lines)
    assert any(line.startswith("airflow ") and "compiles" in line for line in lines)


def test_json_says_what_is_installed(project):
    by_name = {item["name"]: item for item in json.loads(project.zen("adapters", "--json").stdout)}
    assert by_name["local"]["runs"] is True
    assert by_name["local"]["packages"] == {}
    assert by_name["airflow"]["emits"] is True
    assert by_name["airflow"]["packages"].keys() == {"apache-airflow"}


def test_features_are_a_matrix_with_every_reason(project):
    shown = project.zen("adapters", "--features").stdout
    assert shown.splitlines()[0].split()[:2] == ["FEATURE", "AIRFLOW"]
    for feature in Feature:
        assert f"\n{feature.value} " in shown
    assert "How it is lowered" in shown
    assert "local scheduled_time" in shown


def test_features_as_json_have_the_promised_shape(project):
    document = json.loads(project.zen("adapters", "--features", "--json").stdout)
    assert document.keys() >= {"airflow", "local"}
    for table in document.values():
        assert table.keys() == {feature.value for feature in Feature}
        assert all(entry.keys() == {"support", "reason"} for entry in table.values())


def test_features_depend_on_the_adapters_options(project):
    project.write(zen__toml='project = "demo"\n[adapters.airflow]\nexecutor = "kubernetes"\n')
    document = json.loads(project.zen("adapters", "--features", "--json").stdout)
    assert document["airflow"]["resources"]["support"] != "unsupported"


def test_an_adapter_that_cannot_be_loaded_does_not_hide_the_others(project, monkeypatch):
    metadata = project.root / "zen_other-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: zen-other\nVersion: 1.0\nProvides-Extra: other\n"
        'Requires-Dist: click; extra == "other"\nRequires-Dist: no-such-package>=1; extra == "other"\n'
    )
    (metadata / "entry_points.txt").write_text("[zen.adapters]\nother = no_such_module:Adapter\n")
    monkeypatch.syspath_prepend(project.root)
    monkeypatch.setattr("zen_core.adapter.registry._entry_point_by_name", _uncached())
    by_name = {item["name"]: item for item in json.loads(project.zen("adapters", "--json").stdout)}
    assert by_name["local"]["error"] is None
    assert by_name["other"]["error"]["code"] == "ZEN-A102"
    assert by_name["other"]["packages"] == {"click": version("click"), "no-such-package": None}
    result = project.zen("adapters")
    assert result.exit_code == 0
    assert "cannot be loaded" in result.stdout
    assert "the adapter 'other' cannot be loaded: ModuleNotFoundError" in result.stderr


def _uncached():
    from zen_core.adapter import registry

    return registry._entry_point_by_name.__wrapped__
