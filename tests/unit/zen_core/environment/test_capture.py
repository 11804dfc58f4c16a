"""The snapshot: what is in it, what is not, and when its digest changes."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from zen_core.contract.canonical import digest_json
from zen_core.environment.capture import capture_environment

ROOT = Path(__file__).parents[4]


def test_what_a_process_runs_in() -> None:
    digest, snapshot = capture_environment()
    assert digest == digest_json("environment", snapshot)
    assert snapshot["python"] == platform.python_version()
    assert snapshot["implementation"] == platform.python_implementation()
    assert snapshot["build"] in " ".join(sys.version.split())
    assert snapshot["machine"] == platform.machine()
    assert snapshot["packages"]["pydantic"]
    assert snapshot["installs"].keys() <= snapshot["packages"].keys()
    assert "git" not in snapshot


@pytest.mark.skipif(sys.platform != "linux", reason="a C library of Linux")
def test_the_c_library() -> None:
    assert capture_environment()[1]["libc"].startswith("glibc 2.")


def test_no_value_of_a_variable_host_user_or_absolute_path(repository, monkeypatch) -> None:
    monkeypatch.setenv("MODEL_URL", "secret-place")
    monkeypatch.setenv("ZEN_IMAGE_DIGEST", "sha256:abc")
    repository.commit(features="x = 1\n")
    repository.write("features.py", "x = 2\n")
    _, snapshot = capture_environment(repository.root)
    assert "MODEL_URL" in snapshot["environment_variables"]
    assert snapshot["image_digest"] == "sha256:abc"
    text = json.dumps(snapshot)
    for private in (
        "secret-place",
        f'"{socket.gethostname()}"',
        str(repository.root),
        str(ROOT),
        os.path.expanduser("~/"),
    ):
        assert private not in text


def test_the_digest_changes_with_the_code_and_back_again(repository) -> None:
    repository.commit(features="x = 1\n")
    first = capture_environment(repository.root)
    assert capture_environment(repository.root) == first
    repository.write("features.py", "x = 2\n")
    assert capture_environment(repository.root)[0] != first[0]
    repository.write("features.py", "x = 1\n")
    assert capture_environment(repository.root) == first


def test_the_digest_does_not_change_without_reason(repository, monkeypatch) -> None:
    repository.commit(features="x = 1\n")
    first = capture_environment(repository.root)
    repository.write("plot.png", b"\x89")
    os.utime(repository.root / "features.py", (1, 1))
    repository.git("tag", "v1")
    repository.git("fetch", "-q", ".")
    for name in ("SSH_CONNECTION", "AIRFLOW_CTX_TRY_NUMBER", "REDIS_SERVICE_HOST", "SHLVL", "HOSTNAME"):
        monkeypatch.setenv(name, "1")
    assert capture_environment(repository.root) == first


def test_known_secrets_are_masked_in_the_changes(repository) -> None:
    repository.commit(features="x = 1\n")
    repository.write("features.py", "x = 'swordfish'\n")
    _, snapshot = capture_environment(repository.root, mask=lambda text: text.replace("swordfish", "***"))
    assert "+x = '***'\n" in snapshot["git"]["diff"]
    assert snapshot["git"]["masked"] is True


_DIGEST = "from zen_core.environment.capture import capture_environment; import sys; from pathlib import Path; "
_DIGEST += "print(capture_environment(Path(sys.argv[1]))[0])"


def test_another_process_in_another_folder_and_hash_seed_takes_the_same(repository, new_repository, tmp_path) -> None:
    repository.commit(features="x = 1\n")
    repository.git("clone", "-q", str(repository.root), str(tmp_path / "other" / "place"))
    digests = set()
    for seed, root in (("1", repository.root), ("2", tmp_path / "other" / "place")):
        environ = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        done = subprocess.run(
            [sys.executable, "-c", _DIGEST, str(root)],
            cwd=root,
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout)
    assert len(digests) == 1
