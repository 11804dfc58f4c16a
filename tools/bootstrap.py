"""Runs uv, which it first installs into an environment of its own under .venvs/.

uv reads none of pip's settings. A machine that is set up for pip (a proxy's certificate, a mirror, a folder
of wheels) would then work with pip and fail with uv, so pip's settings are handed over as uv's variables.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".venvs" / "uv"
VERSION = "0.13.8"

# pip's setting -> uv's variable, and what separates several values there
VARIABLES = {
    "cert": ("SSL_CERT_FILE", " "),
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
}


def run_uv(*arguments: str) -> None:
    """Run uv and leave with its exit code when it fails: uv has then said why."""
    code = subprocess.run([install_uv(), *arguments], env=uv_environment(), cwd=ROOT, check=False).returncode
    if code:
        sys.exit(code)


def read_uv(*arguments: str) -> str:
    """Run uv and return what it prints."""
    done = subprocess.run(
        [install_uv(), *arguments],
        env=uv_environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def install_uv() -> str:
    """Install uv once; the path to it."""
    uv = HOME / "bin" / "uv"
    if not uv.exists():
        if subprocess.run([sys.executable, "-m", "venv", "--clear", str(HOME)], check=False).returncode:
            sys.exit(f"{sys.executable} cannot make environments: install its venv module (Debian: python3-venv).")
        pip = [str(HOME / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        if subprocess.run([*pip, f"uv=={VERSION}"], check=False).returncode:
            sys.exit("uv could not be installed with pip.")
    return str(uv)


def uv_environment() -> dict[str, str]:
    """This process's variables, with pip's settings added for uv. What is set for uv already stays."""
    environment = dict(os.environ, UV_PYTHON_DOWNLOADS="never", UV_NO_CONFIG="1")
    for setting, value in pip_settings().items():
        variable, separator = VARIABLES[setting]
        environment.setdefault(variable, separator.join(value.split()))
    if "UV_INDEX" in environment:  # pip takes the best version of all indexes; uv would stop at the first one
        environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return environment


def pip_settings() -> dict[str, str]:
    """Those of pip's settings that decide where packages come from, from its files and the environment."""
    pip = [str(HOME / "bin" / "python"), "-m", "pip", "config", "list"]
    listed = subprocess.run(pip, check=True, stdout=subprocess.PIPE, text=True).stdout
    settings: dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):  # the later one wins, as in pip
        for line in listed.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(section) and key.removeprefix(section) in VARIABLES:
                settings[key.removeprefix(section)] = str(ast.literal_eval(value))
    return {key: value for key, value in settings.items() if value.strip()}
