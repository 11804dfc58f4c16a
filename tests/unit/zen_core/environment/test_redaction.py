"""What looks like a secret is taken out; what does not, stays."""

from __future__ import annotations

import pytest

from zen_core.environment.redaction import redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('+password = "hunter2"', '+password = "***"'),
        ("-DB_PASSWORD='hunter2'  # old", "-DB_PASSWORD='***'  # old"),
        ('+    api_key: str = "abc"', '+    api_key: str = "***"'),
        ('+connect(user="joe", password="hunter2")', '+connect(user="joe", password="***")'),
        ('+{"client_secret": "a\\"b", "id": "x"}', '+{"client_secret": "***", "id": "x"}'),
        ('+os.environ["API_TOKEN"] = "abcd"', '+os.environ["API_TOKEN"] = "***"'),
        ("+postgresql://joe:s3cret@db/zen", "+postgresql://***@db/zen"),
        ("+key = 'AKIAIOSFODNN7EXAMPLE'", "+key = '***'"),
        ("+x = 'ghp_" + "a" * 36 + "'", "+x = '***'"),
        ("+Authorization: Bearer " + "a" * 20, "+Authorization: Bearer ***"),
        ("+Authorization: Basic " + "a" * 20, "+Authorization: Basic ***"),
        ("+eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "+***"),
    ],
)
def test_secrets(text: str, shown: str) -> None:
    assert redact(text, file="a.py") == shown
    assert redact(shown, file="a.py") == shown


@pytest.mark.parametrize(
    "text",
    [
        "+password = settings.password",
        "+password = getpass()",
        "+token = tokens[0]",
        '+tokenizer = "bert-base-uncased"',
        '+name = "password"',
        '+password = ""',
        '+url = f"postgresql://{user}:{password}@{host}/zen"',
        "+https://git.example.org/team/churn",
        "+def secret(name: str) -> str:",
        "+digest = 'sha256:0123456789abcdef0123456789abcdef'",
        '+monkey = "banana"',
        "+# some basic characterisations of it",
    ],
)
def test_code_that_only_talks_of_secrets(text: str) -> None:
    assert redact(text, file="a.py") == text


def test_settings_files_need_no_quotes() -> None:
    text = "+password: hunter2\n+  api-key = abcd1234\n+tokens:\n+export DB_PASSWORD=$OTHER\n+mode: secret\n"
    shown = "+password: ***\n+  api-key = ***\n+tokens:\n+export DB_PASSWORD=$OTHER\n+mode: secret\n"
    assert redact(text, file="a.yaml") == shown


def test_a_private_key_keeps_its_lines() -> None:
    head, end = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
    assert redact(f"+{head}\n+MIIE\n+abc=\n+{end}\n") == f"+{head}\n+***\n+***\n+{end}\n"
    assert redact(f"+{head}\n+MIIE\n") == f"+{head}\n+***\n"


def test_values_of_telling_variables_and_known_secrets(monkeypatch) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", "plain-looking")
    monkeypatch.setenv("SERVICE_NAME", "visible-name")
    monkeypatch.setenv("SHORT_TOKEN", "on")
    text = redact("use plain-looking and visible-name on known", mask=lambda text: text.replace("known", "***"))
    assert text == "use *** and visible-name on ***"


@pytest.mark.parametrize(
    "text", ["password:" + " " * 100_000, "token" * 30_000, "://a:" * 30_000, "secret='" + "a\\" * 50_000]
)
def test_odd_text_takes_no_longer_than_other(text: str) -> None:
    assert redact(text, file="a.yaml") == text
