"""Secrets: read when the step executes, known by name in the key, and nowhere written."""

from __future__ import annotations

from pathlib import Path

from zen_core.contract.bindings import ListBinding, SecretBinding
from zen_core.contract.canonical import digest_json
from zen_core.contract.context import current, log_params
from zen_core.errors import SecretError
from zen_core.ir.specs import CacheSpec

VALUE = "s3cr3t-of-ours"


def everything_written(root: Path) -> bytes:
    return b"".join(path.read_bytes() for path in root.rglob("*") if path.is_file())


def test_a_secret_reaches_the_step_and_nothing_else(engine, make_code, monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setenv("OUR_PASSWORD", VALUE)

    def connect(password: str, both: list[str]) -> int:
        assert password == both[0] == VALUE
        log_params({"used": f"with {password}"})
        print(f"connecting with {password}")
        raise OSError(f"{password} was refused")

    told: list[str] = []
    secret = SecretBinding("OUR_PASSWORD")
    engine.begin(make_code("connect", connect, password=secret, both=ListBinding((secret,))))
    engine.start("connect", on_output=told.append, pass_output=True)
    engine.close()
    assert isinstance(engine.failures["connect"], OSError)
    step = engine.shown.step("connect")
    assert step.error is not None
    assert step.error.message == "*** was refused"
    assert step.logs() == "connecting with ***\n"
    assert told == ["connecting with ***"]
    assert "connecting with ***" in capsys.readouterr().out
    assert step.params == {"used": "with ***"}
    assert step.inputs["password"].digest == digest_json("secret", "OUR_PASSWORD")
    assert VALUE.encode() not in everything_written(tmp_path)


def test_the_value_is_not_in_the_key(engine, make_code, monkeypatch) -> None:
    step = make_code(
        "connect", lambda password: 1, password=SecretBinding("OUR_PASSWORD"), _cache=CacheSpec(enabled=True)
    )
    monkeypatch.setenv("OUR_PASSWORD", VALUE)
    engine.run(step)
    monkeypatch.delenv("OUR_PASSWORD")
    engine.run(step)
    assert engine.statuses == {"connect": "cached"}, "what is not executed needs no secret"


def test_secrets_that_are_not_set_are_told_together(engine, make_code) -> None:
    run = engine.run(
        make_code("connect", lambda a, b: 1, a=SecretBinding("OUR_TOKEN_B"), b=SecretBinding("OUR_TOKEN_A"))
    )
    error = engine.failures["connect"]
    assert isinstance(error, SecretError)
    assert [item.message for item in error.diagnostics] == [
        "the secret OUR_TOKEN_A is not set",
        "the secret OUR_TOKEN_B is not set",
    ]
    assert "`credentials` in zen.toml" in str(error)
    assert run.step("connect").status == "failed"


def test_a_child_process_is_told_the_name_alone(engine, make_code, monkeypatch) -> None:
    monkeypatch.setenv("OUR_PASSWORD", VALUE)

    def look(password: str) -> list[bool]:
        request = (current().scratch.parent / "request.pickle").read_bytes()
        return [password.encode() in request, b"OUR_PASSWORD" in request]

    step = make_code("look", look, password=SecretBinding("OUR_PASSWORD"), _timeout_seconds=60.0)
    run = engine.run(step)
    assert engine.failures == {}
    assert run.step("look").output().load() == [False, True]
