"""Settings from zen.toml, pyproject.toml, a stack and the environment."""

from pathlib import Path
from typing import Any

import pytest

from zen_core.contract.settings import Settings, find_root, load_settings, without_credentials
from zen_core.errors import ConfigError


def _load(root: Path, text: str, *, stack: str = "", **environ: str) -> Settings:
    (root / "zen.toml").write_text(text, encoding="utf-8")
    return load_settings(root, stack=stack, environ=environ)


def _messages(root: Path, text: str, **options: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        _load(root, text, **options)
    return [problem.message for problem in caught.value.diagnostics]


def test_without_settings_everything_is_local(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, environ={})
    assert (settings.project, settings.lineage_url, settings.deployment) == (tmp_path.name, "", "")
    local = settings.with_local_defaults()
    assert local.lineage_url == f"sqlite:///{tmp_path / '.zen' / 'zen.db'}"
    assert local.artifact_url == str(tmp_path / ".zen" / "artifacts")
    assert (local.deployment, local.data_root) == ("local", str(tmp_path))


def test_the_file_the_stack_and_the_environment_in_rising_order(tmp_path: Path) -> None:
    text = """
    project = "shop"
    stack = "team"
    paths = ["src"]
    lineage_url = "sqlite:///a.db"
    deployment = "file"
    artifact_url = "file-artifacts"
    [artifacts]
    allow_pickle = false
    [adapters.airflow]
    executor = "kubernetes"
    [stacks.team]
    deployment = "stack"
    artifact_url = "s3://team"
    [stacks.other]
    deployment = "other"
    """
    settings = _load(tmp_path, text, ZEN_DEPLOYMENT="environment")
    assert (settings.project, settings.paths, settings.stack) == ("shop", ("src",), "team")
    assert (settings.lineage_url, settings.artifact_url) == ("sqlite:///a.db", "s3://team")
    assert settings.deployment == "environment"
    assert settings.allow_pickle is False
    assert settings.adapters["airflow"] == {"executor": "kubernetes"}
    assert _load(tmp_path, text, stack="other").deployment == "other"
    assert _load(tmp_path, text, ZEN_STACK="other").deployment == "other"


def test_pyproject_gives_the_project_and_may_hold_the_settings(tmp_path: Path) -> None:
    text = '[project]\nname = "shop"\n[tool.zen]\ndeployment = "prod"\n'
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    settings = load_settings(tmp_path, environ={})
    assert (settings.project, settings.deployment) == ("shop", "prod")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('lineage_ulr = "x"', "unknown setting lineage_ulr"),
        ("[artifacts]\nalow_pickle = true", "unknown setting artifacts.alow_pickle"),
        ('[stacks.a]\ndeploymnt = "x"', "unknown setting stacks.a.deploymnt"),
        ("deployment = 3", "deployment must be text, not 3"),
        ('shared_filesystem = "yes"', "shared_filesystem must be true or false, not 'yes'"),
        ('paths = "src"', "paths must be a list of texts, not 'src'"),
        ('on_store_error = "ignore"', "on_store_error is 'ignore'"),
        ('stack = "prod"', "there is no stack 'prod'"),
        ('lineage_url = "postgresql://me:secret@db/zen"', "lineage_url holds a password"),
        ("deployment = ", "the settings cannot be read: "),
    ],
)
def test_a_setting_that_cannot_be(tmp_path: Path, text: str, message: str) -> None:
    (found,) = _messages(tmp_path, text)
    assert found.startswith(message)
    assert "secret" not in found


def test_all_problems_are_told_at_once_with_the_nearest_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, 'deploymet = "a"\npaths = 3\n')
    problems = caught.value.diagnostics
    assert [problem.message for problem in problems] == [
        "unknown setting deploymet",
        "paths must be a list of texts, not 3",
    ]
    assert problems[0].hint == "did you mean 'deployment'?"
    assert problems[0].where == "zen.toml"


def test_a_flag_of_the_environment(tmp_path: Path) -> None:
    assert _load(tmp_path, "", ZEN_SHARED_FILESYSTEM="yes").shared_filesystem
    assert not _load(tmp_path, "shared_filesystem = true", ZEN_SHARED_FILESYSTEM="0").shared_filesystem
    assert _messages(tmp_path, "", ZEN_ALLOW_PICKLE="maybe") == ["ZEN_ALLOW_PICKLE is 'maybe'"]


def test_the_root_is_the_nearest_folder_with_a_marker(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "a" / "zen.toml").touch()
    assert find_root(deep) == (tmp_path / "a").resolve()


def test_a_url_is_shown_without_credentials() -> None:
    assert without_credentials("postgresql://me:secret@db:5432/zen") == "postgresql://db:5432/zen"
    assert without_credentials("sqlite:///a.db") == "sqlite:///a.db"
    assert without_credentials("postgresql://me:sec/ret@db/zen") == "postgresql://db/zen"
    assert without_credentials("https://db/zen?password=secret&ssl=1") == "https://db/zen?password=***&ssl=1"
    assert without_credentials("s3://bucket/model@v2") == "s3://bucket/model@v2"


# -- OpenLineage --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"OPENLINEAGE_URL": "http://marquez:5000"}, True),
        ({"OPENLINEAGE_CONFIG": "/etc/openlineage.yml"}, True),
        ({"OPENLINEAGE__TRANSPORT": "{}"}, True),
        ({"OPENLINEAGE__TRANSPORT__TYPE": "file"}, True),
        ({"OPENLINEAGE_CLIENT_LOGGING": "DEBUG"}, False),
        ({"OPENLINEAGE_URL": "http://marquez:5000", "OPENLINEAGE_DISABLED": "True"}, False),
    ],
)
def test_events_are_sent_where_a_target_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], expected: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings(tmp_path, environ=environ).openlineage is expected


@pytest.mark.parametrize("file", ["openlineage.yml", ".openlineage/openlineage.yml"])
def test_the_openlineage_clients_own_files_name_a_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("transport: {type: console}")
    assert load_settings(tmp_path, environ={}).openlineage


def test_the_address_for_events_comes_from_the_stack_and_holds_no_password(tmp_path: Path) -> None:
    text = '[stacks.team]\nopenlineage_url = "http://marquez:5000"'
    settings = _load(tmp_path, text, stack="team")
    assert (settings.openlineage_url, settings.openlineage) == ("http://marquez:5000", True)
    assert _load(tmp_path, text, stack="team", OPENLINEAGE_URL="http://other").openlineage_url == "http://other"
    assert _messages(tmp_path, 'openlineage_url = "http://me:secret@marquez"') == ["openlineage_url holds a password"]
